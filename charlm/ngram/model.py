"""An n-gram model in sorted arrays: log-probabilities, back-off weights, and where to find them.

Arrays, for n-grams of `length` tokens (see `counting` for keys and indices):
    keys.LENGTH      (n-grams,) int64, ascending; from length 2
    log_prob.LENGTH  (n-grams,) float32, log p(last token | those before it), in nats
    backoff.LENGTH   (n-grams,) float32, what a token that never followed is charged; below the
                     highest order

log p(w | h) is that of the n-gram h w where it was seen, else backoff(h) + log p(w | h'), with h'
the context without its first token. Nothing is trusted to be sorted, so that arrays may be mapped
from a file without reading it through: a wrong key is found when it is met.

Source:
    Katz (1987) for back-off, the form of ARPA files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.ngram.config import NgramConfig

IdArray = npt.NDArray[np.integer[Any]]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

# Tokens scored at once: their arrays fit the cache, and a long text needs no more memory.
CHUNK = 1 << 16


class NgramModel:
    """p(token | the last `order - 1` before it); offers `generation.protocol.CausalModel`.

    A state is an array (batch, order - 1): for each length, the index of the n-gram that the last
    tokens form, or -1 where it was never seen.
    """

    def __init__(self, config: NgramConfig, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the arrays as they are.

        Raises:
            CheckpointError: if one is missing, unknown, or of another shape or type.
        """
        _require_arrays(config, tensors)
        self.config = config
        self.vocab_size = config.vocab_size
        self.bos_id = config.bos_id
        self.tensors = dict(tensors)
        self._size = config.vocab_size + 1
        lengths = range(1, config.order + 1)
        self._log_probs: list[Float32] = [tensors[f"log_prob.{n}"] for n in lengths]
        self._backoffs: list[Float32] = [tensors[f"backoff.{n}"] for n in lengths[:-1]]
        self._keys: list[Int64] = [tensors[f"keys.{n}"] for n in lengths[1:]]

    @property
    def parameters(self) -> int:
        """How many probabilities and back-off weights there are."""
        return sum(array.size for array in (*self._log_probs, *self._backoffs))

    def initial_state(self, batch_size: int) -> Int64:
        """Return the state before anything was read: no context at all, (batch, order - 1)."""
        return np.full((batch_size, self.config.order - 1), -1, dtype=np.int64)

    def select(self, state: Int64, rows: IdArray) -> Int64:
        """Return the state whose row i is row `rows[i]` of `state`."""
        return state[np.asarray(rows)]

    def step(self, ids: IdArray, state: Int64) -> tuple[Float32, Int64]:
        """Read one id a row.

        Shapes:
            ids: (batch,).
            returns: log p of the next token (batch, vocab); and the new state.
        """
        _, contexts = self._walk(np.asarray(ids)[:, None], state)
        return self._fill(contexts[:, 0]), contexts[:, 0]

    def read(self, ids: IdArray, state: Int64) -> tuple[Float32, Int64]:
        """Read many ids a row.

        Shapes:
            ids: (batch, time).
            returns: log p after each id (batch, time, vocab); and the state after the last.
        """
        ids = np.asarray(ids)
        _, contexts = self._walk(ids, state)
        filled = self._fill(contexts.reshape(ids.size, self.config.order - 1))
        after = contexts[:, -1] if ids.shape[1] else state
        return filled.reshape(*ids.shape, self.vocab_size), after

    def log_probs(self, ids: IdArray, state: Int64) -> tuple[Float32, Int64]:
        """Return what `read` does: its results are normalised already."""
        return self.read(ids, state)

    def score_ids(
        self, ids: IdArray, *, state: Int64 | None = None, previous: int | None = None
    ) -> npt.NDArray[np.float64]:
        """Return log p(token | all before it) of each token of a text (time,), in nats.

        Args:
            ids: the text, (time,).
            state: of one row, to go on from; None is a text's beginning.
            previous: the id right before the text, which `state` has not read yet; None is
                `bos_id`.
        """
        own = self.initial_state(1) if state is None else state
        first = np.array([[self.bos_id if previous is None else previous]])
        return self._score_from(self._walk(first, own)[1][:, 0], np.asarray(ids))

    def score_batch(self, texts: Sequence[IdArray]) -> list[npt.NDArray[np.float64]]:
        """Return `score_ids` of every text: they are read as one, each from a new beginning."""
        begin = np.array([self.bos_id])
        flat = np.concatenate([part for ids in texts for part in (begin, ids)] or [begin])
        scores = self._score_from(self.initial_state(1), flat.astype(np.int64))
        ends = np.cumsum([1 + len(ids) for ids in texts], dtype=np.int64)
        return [scores[end - len(ids) : end] for ids, end in zip(texts, ends.tolist(), strict=True)]

    def _score_from(self, context: Int64, ids: IdArray) -> npt.NDArray[np.float64]:
        """Return log p of ids (time,) after a state (1, order - 1); that of `bos_id` is nothing."""
        scores = np.empty(len(ids))
        for start in range(0, len(ids), CHUNK):
            part = ids[None, start : start + CHUNK]
            found, contexts = self._walk(part, context)
            before = np.concatenate([context[:, None], contexts[:, :-1]], axis=1)
            tokens = np.where(part[0] == self.bos_id, 0, part[0])
            scores[start : start + CHUNK] = self._score(tokens, found[0], before[0])
            context = contexts[:, -1]
        return scores

    def _score(self, ids: IdArray, found: Int64, contexts: Int64) -> npt.NDArray[np.float64]:
        """Return log p of ids (time,) from the n-grams that they end and those before them."""
        scores = self._log_probs[0][ids].astype(np.float64)
        for index, (backoff, log_prob) in enumerate(
            zip(self._backoffs, self._log_probs[1:], strict=True)
        ):
            known = np.flatnonzero(contexts[:, index] >= 0)
            scores[known] += backoff[contexts[known, index]]
            seen = np.flatnonzero(found[:, index] >= 0)
            scores[seen] = log_prob[found[seen, index]]
        return scores

    def _walk(self, ids: IdArray, state: Int64) -> tuple[Int64, Int64]:
        """Follow ids (batch, time) through the trie.

        Returns:
            (batch, time, order - 1) twice: the n-grams of 2 to `order` tokens that end at each
            id, and those of 1 to `order - 1` tokens that are the context of the next id.
        """
        batch, time = ids.shape
        found = np.full((batch, time, self.config.order - 1), -1, dtype=np.int64)
        contexts = found.copy()
        begins = ids == self.bos_id
        if self.config.line_end_id is not None:
            begins |= ids == self.config.line_end_id
        here = np.where(begins, self.bos_id, ids)
        before = np.empty((batch, time), dtype=np.int64)
        for index in range(self.config.order - 1):
            contexts[..., index] = here
            before[:, 1:], before[:, :1] = here[:, :-1], state[:, index : index + 1]
            found[..., index] = self._find(index, before, ids)
            here = np.where(begins, -1, found[..., index])
        return found, contexts

    def _find(self, index: int, parents: Int64, ids: IdArray) -> Int64:
        """Return the indices of the n-grams `parent + id`, -1 where there is none."""
        keys = self._keys[index]
        result = np.full(parents.shape, -1, dtype=np.int64)
        asked = (parents >= 0) & (ids < self.vocab_size)
        if not len(keys) or not asked.any():
            return result
        wanted = parents[asked] * self._size + ids[asked]
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        result[asked] = np.where(keys[places] == wanted, places, -1)
        return result

    def _fill(self, contexts: Int64) -> Float32:
        """Return log p of every token after each of some contexts: (rows, vocab).

        From the shortest context to the longest, each charges its back-off weight to all tokens
        and then sets those that it has seen.
        """
        result = np.tile(self._log_probs[0], (len(contexts), 1))
        for index in range(self.config.order - 1):
            rows = np.flatnonzero(contexts[:, index] >= 0)
            if not len(rows):
                continue
            parents = contexts[rows, index]
            result[rows] += self._backoffs[index][parents, None]
            of_row, words, places = self._children(index, parents)
            result[rows[of_row], words] = self._log_probs[index + 1][places]
        return result

    def _children(self, index: int, parents: Int64) -> tuple[Int64, Int64, Int64]:
        """Return all n-grams that go on from contexts: number of the context, token, index."""
        keys = self._keys[index]
        first, last = np.searchsorted(keys, [parents * self._size, (parents + 1) * self._size])
        counts = np.maximum(last - first, 0)
        of_row = np.repeat(np.arange(len(parents)), counts)
        places = np.arange(len(of_row)) + np.repeat(first - np.cumsum(counts) + counts, counts)
        words = keys[places] - parents[of_row] * self._size
        if len(words) and not 0 <= words.min() <= words.max() < self.vocab_size:
            raise CheckpointError(
                f"array keys.{index + 2} of the n-gram model is not sorted: it is damaged; "
                "train it again"
            )
        return of_row, words, places


def _require_arrays(config: NgramConfig, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    shapes = config.tensor_shapes()
    faults = [f"unknown {name}" for name in sorted(set(tensors) - set(shapes))]
    for name, shape in shapes.items():
        dtype = np.dtype(np.int64 if name.startswith("keys.") else np.float32)
        array = tensors.get(name)
        if array is None:
            faults.append(f"missing {name}")
        elif array.shape != shape or array.dtype != dtype:
            faults.append(f"{name} is {array.dtype} {array.shape}, expected {dtype} {shape}")
    if faults:
        raise CheckpointError(f"the arrays do not fit the config: {'; '.join(faults)}")
