"""PMI-SVD: word vectors from a factorised matrix of positive pointwise mutual information."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.vectors.pairs import Pairs
from charlm.vectors.threads import Paced, in_order
from charlm.vectors.training import Progress

ROUNDS = 4  # products with the matrix and with its transpose
_SPARE = 16  # directions beyond those that are kept: they make the kept ones exact
_ROWS = 1_024
Floats = npt.NDArray[np.float32]


class PmiTrainer(Paced):
    """The largest singular vectors of the positive PMI matrix, by a randomised range finder.

    PMI(w, c) is `log(#(w, c) N / (#(w) #(c)))`, the contexts' counts smoothed by a power. A word's
    vector is its row of `U S**0.5`, which serves better than `U S` (Levy, Goldberg and Dagan).

    Source:
        Levy, Goldberg and Dagan (2015), TACL 3; Halko, Martinsson and Tropp (2011).
    """

    def __init__(
        self, pairs: Pairs, counts: npt.NDArray[np.int64], *, dim: int, exponent: float, seed: int
    ) -> None:
        size = len(counts)
        super().__init__(2 * ROUNDS, 2 * ROUNDS)
        self._dim = min(dim, size)
        self._wanted, self._size, self._words = dim, size, int(counts.sum())
        self._starts, self._columns, self._logs, margin = _by_rows(pairs, size)
        total = margin.sum()
        smoothed = np.where(margin > 0, np.maximum(margin, 1e-30) ** exponent, 0.0)
        with np.errstate(divide="ignore"):
            self._row_part = np.log(margin / total).astype(np.float32)
            self._column_part = (np.log(smoothed / smoothed.sum()) + np.log(total)).astype(
                np.float32
            )
        rng = np.random.Generator(np.random.PCG64(seed))
        width = min(self._dim + _SPARE, size)
        self._basis: Floats = rng.normal(size=(size, width)).astype(np.float32)
        self._vectors = np.zeros((size, self._dim), np.float32)

    def prepare(self) -> None:
        """Compile the kernel, or load what was compiled before; changes nothing."""
        self._product(self._basis[:, :1].copy(), 1, transposed=False, rows=0)

    def run(self, threads: int) -> Iterator[Progress]:
        """Multiply and orthogonalise in turn, yielding after each product."""
        for step in self.left():
            odd = step % 2 == 1
            product = self._product(self._basis, threads, transposed=odd)
            self.done += 1
            if self.done == self.total:
                self._finish(product)
            else:
                self._basis = np.linalg.qr(product)[0].astype(np.float32)
            yield Progress(
                pieces=self.done,
                total=self.total,
                words=self._words // self.total,
                loss=float("nan"),
                learning_rate=0.0,
            )

    def _product(
        self, x: Floats, threads: int, *, transposed: bool, rows: int | None = None
    ) -> Floats:
        """Return the matrix, or its transpose, times x; only its first `rows`."""
        from charlm.vectors.pair_kernels import positive_product

        # counts are symmetric: the transpose only has its margins the other way round
        parts = (self._row_part, self._column_part)
        if transposed:
            parts = (self._column_part, self._row_part)
        y = np.zeros_like(x)
        size = self._size if rows is None else rows

        def work(first: int) -> None:
            last = min(first + _ROWS, size)
            positive_product(first, last, self._starts, self._columns, self._logs, *parts, x, y)

        if rows is not None:
            work(0)
        for _ in in_order(work, range(0, size, _ROWS), threads):
            pass
        return y

    def _finish(self, product: Floats) -> None:
        """Take the singular vectors from `M.T @ Q`, Q orthonormal: M is nearly `Q (M.T Q).T`."""
        left, values, _ = np.linalg.svd(product.T, full_matrices=False)
        vectors = self._basis @ left[:, : self._dim].astype(np.float32)
        # the sign of a singular vector is open: the largest number is to be positive
        largest = np.abs(vectors).argmax(axis=0)
        signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
        scale = np.sqrt(values[: self._dim]) * np.where(signs == 0, 1, signs)
        self._vectors = (vectors * scale).astype(np.float32)

    def epoch_loss(self) -> list[float]:
        """Return nothing: there is no loss."""
        return []

    def word_vectors(self, *, add_contexts: bool = False) -> Floats:
        """Return a vector a word, with zeros where the vocabulary is smaller than `dim`."""
        return np.pad(self._vectors, ((0, 0), (0, self._wanted - self._dim)))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that a continuation needs."""
        return {"basis": self._basis.copy(), "done": np.array([self.done])}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned.

        Raises:
            ValueError: if it is of another text or other settings.
        """
        done = int(state["done"][0])
        if state["basis"].shape != self._basis.shape or not 0 <= done < self.total:
            raise ValueError("a state of another text or other settings")
        self._basis, self.done = state["basis"].astype(np.float32), done


def _by_rows(
    pairs: Pairs, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], Floats, npt.NDArray[np.float64]]:
    """Return a symmetric matrix of counts by rows: starts, columns, logarithms; and row sums.

    A pair of a word with itself counts twice, once for each of the two as the context.
    """
    a, b = (pairs.keys // size).astype(np.int32), (pairs.keys % size).astype(np.int32)
    weights = np.where(a == b, 2 * pairs.weights, pairs.weights)
    margin = np.bincount(a, weights, size) + np.bincount(b, np.where(a == b, 0, weights), size)
    apart = a != b
    rows = np.concatenate([a, b[apart]])
    columns = np.concatenate([b, a[apart]])
    order = np.argsort(rows, kind="stable")
    starts = np.zeros(size + 1, np.int64)
    starts[1:] = np.cumsum(np.bincount(rows, minlength=size))
    logs: Floats = np.log(np.concatenate([weights, weights[apart]])[order]).astype(np.float32)
    return starts, columns[order], logs, margin.astype(np.float64)
