"""GloVe: word vectors whose products are the logarithms of how often words stand together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.vectors.pairs import Pairs
from charlm.vectors.threads import Paced, in_order
from charlm.vectors.training import Progress

LARGEST, POWER = 10.0, 0.75
_PIECE = 1 << 16


class GloveTrainer(Paced):
    """Two matrices with biases, trained by AdaGrad on weighted least squares.

    A piece of pairs is a fixed part of a shuffled order that depends on the seed and the epoch.

    The rate scales gradients before AdaGrad sums their squares, as in the authors' program: later
    steps are then larger than those of the article, and learn more in as many epochs.

    Source:
        Pennington, Socher and Manning (2014), "GloVe: Global Vectors for Word Representation".
    """

    def __init__(
        self,
        pairs: Pairs,
        counts: npt.NDArray[np.int64],
        *,
        dim: int,
        epochs: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        size = len(counts)
        each = max(1, -(-len(pairs.keys) // _PIECE))
        super().__init__(each, each * epochs)
        self._rows = (pairs.keys // size).astype(np.int32)
        self._columns = (pairs.keys % size).astype(np.int32)
        self._logs = np.log(pairs.weights)
        self._shares = np.minimum(1.0, (pairs.weights / LARGEST) ** POWER).astype(np.float32)
        self._dim, self._seed, self._rate = dim, seed, learning_rate
        self._words = int(counts.sum())
        rng = np.random.Generator(np.random.PCG64(seed))
        shape = (size, dim + 1)
        self._w, self._c = (
            ((rng.random(shape, dtype=np.float32) - 0.5) / (dim + 1)).astype(np.float32)
            for _ in range(2)
        )
        self._w_squares, self._c_squares = np.ones(shape, np.float32), np.ones(shape, np.float32)
        self.epoch_losses = np.zeros((epochs, 2))

    def prepare(self) -> None:
        """Compile the kernel, or load what was compiled before; changes nothing."""
        self._call(0, 0, 0, np.zeros(2))

    def _call(self, epoch: int, first: int, last: int, told: npt.NDArray[np.float64]) -> None:
        from charlm.vectors.pair_kernels import glove

        stride, offset = self._order(epoch)
        glove(
            first,
            last,
            stride,
            offset,
            self._rows,
            self._columns,
            self._logs,
            self._shares,
            self._w,
            self._c,
            self._w_squares,
            self._c_squares,
            np.float32(self._rate),
            told,
        )

    def _order(self, epoch: int) -> tuple[int, int]:
        """Return a stride that visits every pair once, and where it begins."""
        rng = np.random.Generator(np.random.PCG64([self._seed, epoch]))
        size = max(1, len(self._rows))
        stride = int(rng.integers(size // 3, size)) or 1
        while math.gcd(stride, size) != 1:
            stride += 1
        return stride, int(rng.integers(size))

    def _train(self, piece: int) -> tuple[float, float]:
        epoch, part = divmod(piece, self.pieces)
        told = np.zeros(2)
        first = part * _PIECE
        self._call(epoch, first, min(first + _PIECE, len(self._rows)), told)
        return float(told[0]), float(told[1])

    def run(self, threads: int) -> Iterator[Progress]:
        """Train on the pieces that are left; see `training.Trainer.run`."""
        for loss, pairs in in_order(self._train, self.left(), threads):
            self.epoch_losses[self.done // self.pieces] += (loss, pairs)
            self.done += 1
            yield Progress(
                pieces=self.done,
                total=self.total,
                words=self._words // self.pieces,
                loss=loss / pairs if pairs else float("nan"),
                learning_rate=self._rate,
            )

    def epoch_loss(self) -> list[float]:
        """Return the mean loss of each epoch begun."""
        return [float(loss / pairs) for loss, pairs in self.epoch_losses if pairs]

    def word_vectors(self, *, add_contexts: bool = True) -> npt.NDArray[np.float32]:
        """Return a vector a word: w + c as its authors have it, or w."""
        found: npt.NDArray[np.float32] = self._w[:, : self._dim].copy()
        return found + self._c[:, : self._dim] if add_contexts else found

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that a continuation needs, copied."""
        return {
            "w": self._w.copy(),
            "c": self._c.copy(),
            "w_squares": self._w_squares.copy(),
            "c_squares": self._c_squares.copy(),
            "done": np.array([self.done]),
            "losses": self.epoch_losses.copy(),
        }

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned.

        Raises:
            ValueError: if it is of another text or other settings.
        """
        own: dict[str, npt.NDArray[Any]] = {
            "w": self._w,
            "c": self._c,
            "w_squares": self._w_squares,
        }
        own |= {"c_squares": self._c_squares, "losses": self.epoch_losses}
        done = int(state["done"][0])
        if not 0 <= done <= self.total or any(
            state[name].shape != array.shape for name, array in own.items()
        ):
            raise ValueError("a state of another text or other settings")
        for name, array in own.items():
            array[:] = state[name]
        self.done = done
