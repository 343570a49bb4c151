"""Two spaces laid over each other by a rotation, so that a word's two vectors can be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.vectors.space import PART_BYTES, Array, Space

Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Alignment:
    """Two spaces, the words that both have, and the rotation between them.

    Attributes:
        common: (words, 2), the rows of each common word in the old and in the new space; those
            frequent in both come first.
        rotation: (dim, dim), orthogonal; an old vector times it is near to the new one.
    """

    old: Space
    new: Space
    common: Rows
    rotation: Array

    def similarities(self, rows: Rows) -> Floats:
        """Return the cosine of the two vectors of each word; NaN where one of them is zero.

        Shapes:
            rows: (words, 2), as `common`.
            returns: (words,).
        """
        found = np.empty(len(rows))
        for start, old, new in _parts(self.old, self.new, rows):
            cosines = np.einsum("nd,nd->n", old @ self.rotation, new)
            cosines[~(old.any(axis=1) & new.any(axis=1))] = np.nan
            found[start : start + len(old)] = cosines
        # float32 knows no more: words that did not move are all at 1, and not in its order
        return found.round(6).clip(-1.0, 1.0)


def align(old: Space, new: Space) -> Alignment:
    """Return two spaces with the rotation that brings the old vectors nearest to the new ones.

    Vectors are made of length 1 first and not centred. The matrices are read in parts, once.

    Raises:
        TaskError: if the two have no word in common, or a number is not finite.
        ValueError: if their vectors differ in length.

    Source:
        Schönemann (1966), the orthogonal Procrustes problem; on word vectors Hamilton, Leskovec
        and Jurafsky (2016), arXiv:1605.09096.
    """
    if old.dim != new.dim:
        raise ValueError(f"vectors of {old.dim} numbers against {new.dim}")
    common = common_rows(old, new)
    if not len(common):
        raise TaskError("the two have no word in common; expected vectors of one language")
    product = np.zeros((old.dim, new.dim))
    with np.errstate(invalid="ignore"):  # what is not finite is told below
        for _, first, second in _parts(old, new, common):
            product += first.T @ second
    if not np.isfinite(product).all():
        raise TaskError(
            "vectors with numbers that are not finite; charlm doctor NAME tells which model is "
            "damaged"
        )
    left, _, right = np.linalg.svd(product)
    return Alignment(old=old, new=new, common=common, rotation=(left @ right).astype(np.float32))


def common_rows(old: Space, new: Space) -> Rows:
    """Return the rows of the words that two spaces share, (words, 2).

    Where rows go by frequency, a word comes as early as it is frequent in both.
    """
    known = new.words.known()
    pairs = [(row, known[word]) for word, row in old.words.known().items() if word in known]
    rows = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return rows[np.argsort(rows.max(axis=1), kind="stable")]


def _parts(old: Space, new: Space, rows: Rows) -> Iterator[tuple[int, Array, Array]]:
    """Yield where a part of the rows begins, and its vectors of length 1 in either space."""
    step = max(1, PART_BYTES // (4 * old.dim))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        yield start, old.vectors(part[:, 0]), new.vectors(part[:, 1])
