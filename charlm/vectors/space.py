"""Words in a space: nearest by cosine, and analogies. Works through mapped matrices in parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.vectors.words import Words

Array = npt.NDArray[np.float32]
PART_BYTES = 32 << 20
METHODS = ("3cosadd", "3cosmul")
_EPSILON = 1e-3


class Neighbor(NamedTuple):
    """A word, and how near it is."""

    word: str
    similarity: float


def unit(rows: npt.NDArray[Any]) -> Array:
    """Return rows of length 1; a row of zeros stays one.

    Example:
        >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]], dtype=float32)
    """
    wide = np.asarray(rows, dtype=np.float32)
    # by the largest number first: squares of very large or small ones leave float32
    largest = np.abs(wide).max(axis=-1, keepdims=True, initial=0.0)
    scaled: Array = np.divide(wide, np.where(largest > 0, largest, 1), dtype=np.float32)
    norms = np.sqrt(np.einsum("...d,...d->...", scaled, scaled))[..., None]
    scaled /= np.where(norms > 0, norms, np.float32(1))
    return scaled


@dataclasses.dataclass(frozen=True, slots=True)
class Space:
    """Words and the matrix of their vectors, (words, dim); the matrix may be mapped.

    Attributes:
        lowercase: whether words are to be folded to lower case before they are looked up.
    """

    words: Words
    matrix: npt.NDArray[Any]
    lowercase: bool = False

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return int(self.matrix.shape[1])

    def index(self, word: str) -> int | None:
        """Return the row of a word, None where it is unknown."""
        found = self.words.index(word)
        if found is None and self.lowercase:
            found = self.words.index(word.lower())
        return found

    def vectors(self, rows: Sequence[int] | npt.NDArray[np.intp]) -> Array:
        """Return the vectors of these rows, each of length 1."""
        return unit(self.matrix[np.asarray(rows, dtype=np.intp)])

    def similarities(self, targets: Array, limit: int | None = None) -> Array:
        """Return the cosine of each word with each of some vectors of length 1.

        Shapes:
            targets: (targets, dim).
            returns: (words, targets); only of the first `limit` words.
        """
        size = len(self.words) if limit is None else min(limit, len(self.words))
        result = np.empty((size, len(targets)), dtype=np.float32)
        for start, part in self._parts(size):
            # the product first: it reads a part once, and the lengths find it in the cache
            found = part @ targets.T
            squares = np.einsum("nd,nd->n", part, part)
            if not (np.isfinite(squares).all() and (squares > 1e-30).all()):
                found = unit(part) @ targets.T
            else:
                found /= np.sqrt(squares)[:, None]
            result[start : start + len(part)] = found
        return result

    def _parts(self, size: int) -> Iterator[tuple[int, Array]]:
        step = max(1, PART_BYTES // (4 * self.dim))
        for start in range(0, size, step):
            part = self.matrix[start : min(start + step, size)]
            yield start, np.asarray(part, dtype=np.float32)

    def nearest(
        self, target: Array, top_n: int, *, without: Collection[int] = ()
    ) -> list[Neighbor]:
        """Return the words nearest to a vector by cosine, the nearest first.

        Args:
            target: (dim,), of any length.
            top_n: how many.
            without: rows to leave out.
        """
        scores = self.similarities(unit(target)[None])[:, 0]
        return self.best(scores, top_n, without=without)

    def best(
        self, scores: npt.NDArray[Any], top_n: int, *, without: Collection[int] = ()
    ) -> list[Neighbor]:
        """Return the words with the highest scores; of equal ones the earlier."""
        wanted = min(top_n + len(without), len(scores))
        if wanted < 1:
            return []
        least = -np.partition(-scores, wanted - 1)[wanted - 1]
        # all that are as good as the last, of which the earlier go first; NaN is good for nothing
        rows = np.flatnonzero(scores >= least) if least == least else np.arange(len(scores))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        found = [int(row) for row in rows if int(row) not in without][:top_n]
        return [Neighbor(self.words[row], float(scores[row])) for row in found]

    def analogy(
        self, a: int, b: int, c: int, top_n: int, *, method: str = "3cosadd"
    ) -> list[Neighbor]:
        """Return the words d for which a is to b as c is to d; a, b and c are left out.

        Args:
            a, b, c: rows.
            method: `3cosadd` maximises cos(d, b - a + c); `3cosmul` cos(d, b) · cos(d, c) /
                cos(d, a), each moved to 0 … 1.

        Source:
            Levy and Goldberg (2014), "Linguistic Regularities in Sparse and Explicit Word
            Representations".
        """
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        given = self.vectors([a, b, c])
        if method == "3cosadd":
            return self.nearest(given[1] - given[0] + given[2], top_n, without={a, b, c})
        near = (self.similarities(given) + 1.0) / 2.0
        scores = near[:, 1] * near[:, 2] / (near[:, 0] + _EPSILON)
        return self.best(scores, top_n, without={a, b, c})
