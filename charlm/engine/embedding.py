"""What each id contributes to a layer's gates: embedding, input weights and bias in one row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Ids = npt.NDArray[np.integer]

# Above this a table would cost more memory than it saves time; rows are then computed each time.
TABLE_BYTES = 256 * 2**20
_MANY = 512  # ids of which those that are alike are computed once


class IdInputs:
    """The table `embedding · W.T + bias`, one row an id, filled in as ids are met.

    A row is always computed by the same product, alone, so that its bits do not depend on what
    was read before. The untouched part of the table takes no memory.
    """

    def __init__(
        self, embedding: Float32, weight: Float32, bias: Float32, *, keeps: bool = True
    ) -> None:
        """Take the weights; `keeps` says whether rows are kept, as far as there is room."""
        self.embedding = embedding
        self.weight = np.ascontiguousarray(weight)
        self.bias = bias
        count, width = embedding.shape[0], weight.shape[0]
        self.is_table = keeps and count * width * 4 <= TABLE_BYTES
        self.table: Float32 = np.empty((count if self.is_table else 0, width), dtype=np.float32)
        self.rows: list[Float32 | None] = [None] * (count if self.is_table else 0)
        self.filled = np.zeros(len(self.rows), dtype=bool)

    def row(self, token_id: int) -> Float32:
        """Return the contribution of one id, (gates,); not to be written to."""
        if not self.is_table:
            return np.asarray(np.dot(self.weight, self.embedding[token_id]) + self.bias)
        row = self.rows[token_id]
        return self._fill(token_id) if row is None else row

    def take(self, ids: Ids) -> Float32:
        """Return the contributions of many ids, ids.shape + (gates,), as a new array."""
        if not self.is_table:
            if ids.size >= _MANY:
                kinds, places = _distinct(ids, len(self.embedding))
                return np.asarray(self._products(kinds)[places])
            return np.asarray(self._products(ids.ravel()).reshape(*ids.shape, -1))
        filled = self.filled[ids]
        if not filled.all():
            for token_id in set(ids[~filled].tolist()):  # np.unique imports numpy.ma
                self._fill(token_id)
        return np.asarray(self.table[ids])

    def _products(self, ids: Ids) -> Float32:
        product: Float32 = self.embedding[ids] @ self.weight.T
        return np.add(product, self.bias, product)

    def _fill(self, token_id: int) -> Float32:
        row: Float32 = self.table[token_id]
        np.dot(self.weight, self.embedding[token_id], row)
        np.add(row, self.bias, row)
        row.flags.writeable = False
        self.rows[token_id] = row
        self.filled[token_id] = True
        return row


def _distinct(ids: Ids, count: int) -> tuple[Ids, Ids]:
    """Return the ids that there are, of `count`, and the place of each among them."""
    seen = np.zeros(count, dtype=bool)  # np.unique imports numpy.ma
    seen[ids] = True
    kinds = np.flatnonzero(seen)
    places = np.empty(count, dtype=np.int64)
    places[kinds] = np.arange(len(kinds))
    return kinds, places[ids]
