"""Exact log-probabilities of texts, one long text or many short ones, at the speed of batches.

A recurrent network reads a text one token after another. A long text is nevertheless read as a
batch: it is cut into segments that run side by side, and passes are repeated, each segment
starting from where the one before it ended in the last pass, until the starts no longer move.
Such a fixed point is the sequential solution itself, since the first segment starts right. A
network that forgets needs two or three passes; at most there are as many as segments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from charlm.engine.blas import blas_threads, cpu_count
from charlm.engine.language_model import LanguageModel
from charlm.engine.stack import Float32, StackState

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.integer[Any]]

R = TypeVar("R")

# Bytes of logits, or of gates, that may be in memory at once.
CHUNK_BYTES = 64 * 2**20
# A segment starts this many tokens early in the first pass, so that its state has warmed up.
WARM_UP = 128
MOST_SEGMENTS = 64
# Where a segment is read again, it is until a piece of it ends in the state that it did before.
MOST_PIECES = 8
# Boundary states that differ by less are the same: float32 has no better opinion.
TOLERANCE = 1e-6


def score_ids(
    model: LanguageModel,
    ids: IdArray,
    *,
    state: StackState | None = None,
    previous: int | None = None,
) -> npt.NDArray[np.float64]:
    """Return log p(token | all before it) for each token of a text, in nats.

    Args:
        ids: the text, (time,).
        state: of one row, to go on from; it is used up. None is the zero state.
        previous: the id right before the text, which `state` has not read yet. None is `bos_id`:
            the text is at its beginning.
    """
    ids = np.asarray(ids)
    if len(ids) == 0:
        return np.empty(0)
    before = model.bos_id if previous is None else previous
    inputs = np.concatenate([[before], ids[:-1]])[None]
    own = model.initial_state(1) if state is None else state
    scores, _ = _score_rows(model, inputs, ids[None], own)
    return np.asarray(scores[0])


def score_batch(
    model: LanguageModel, texts: Sequence[IdArray], *, batch_size: int = 32
) -> list[npt.NDArray[np.float64]]:
    """Return `score_ids` of every text, in order, reading texts of like lengths side by side."""
    results: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(texts)
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
    order = [index for index in order if len(texts[index])]
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        longest = len(texts[rows[0]])
        targets = np.zeros((len(rows), longest), dtype=np.int64)
        for row, index in enumerate(rows):
            targets[row, : len(texts[index])] = texts[index]
        inputs = np.roll(targets, 1, axis=1)
        inputs[:, 0] = model.bos_id
        scores, _ = _score_rows(model, inputs, targets, model.initial_state(len(rows)))
        for row, index in enumerate(rows):
            results[index] = scores[row, : len(texts[index])].copy()
    return results


def evaluate_ids(
    model: LanguageModel, ids: IdArray, *, segments: int | None = None
) -> tuple[float, int]:
    """Return the negative log-likelihood of a text in nats, and how many tokens it has.

    The state is carried from the beginning of the text over all its tokens.

    Args:
        ids: the text, (time,), at least one token.
        segments: how many parts to read side by side; None chooses by the length.

    Raises:
        ValueError: if there is no token, or a number of segments that does not fit.
    """
    ids = np.asarray(ids)
    if len(ids) == 0:
        raise ValueError("there is no token to evaluate")
    count = _choose_segments(len(ids)) if segments is None else segments
    if not 1 <= count <= len(ids):
        raise ValueError(f"segments must be between 1 and {len(ids)}, got {segments}")
    return sum(_segment_nlls(model, ids, count).tolist()), len(ids)


def _choose_segments(tokens: int) -> int:
    return max(1, min(MOST_SEGMENTS, tokens // (4 * WARM_UP)))


def _segment_nlls(model: LanguageModel, ids: IdArray, count: int) -> npt.NDArray[np.float64]:
    """Return the nll of each of `count` segments of the text, at the fixed point."""
    text = _Text(model, ids, count)
    starts = _first_starts(model, text)
    stale = np.arange(count)
    while len(stale):
        text.run(stale, starts[stale])
        wanted = np.concatenate([starts[:1], text.ends[:-1, -1]])
        stale = np.flatnonzero(_differ(wanted, starts))
        starts[stale] = wanted[stale]
    return np.asarray(text.nlls.sum(axis=1))


def _differ(states: Float32, others: Float32) -> npt.NDArray[np.bool_]:
    """Return which rows of two arrays of states are not the same."""
    scale = np.maximum(1.0, np.abs(states))
    return np.asarray((np.abs(states - others) / scale).max(axis=1) > TOLERANCE)


class _Text:
    """A text cut into segments, and each segment into pieces: what is known of every piece.

    Attributes:
        bounds: (segments, pieces + 1), where the pieces begin and end.
        nlls: (segments, pieces).
        ends: (segments, pieces, state), the state after each piece when it was last read.
    """

    def __init__(self, model: LanguageModel, ids: IdArray, count: int) -> None:
        self.model = model
        self.workers = cpu_count()
        self.targets = ids
        self.inputs = np.concatenate([[model.bos_id], ids[:-1]])
        edges = np.linspace(0, len(ids), count + 1).astype(np.int64)
        pieces = max(1, min(MOST_PIECES, int(np.diff(edges).min()) // WARM_UP))
        shares = np.arange(pieces + 1) / pieces
        lengths = np.diff(edges)[:, None]
        self.bounds = edges[:-1, None] + np.floor(shares * lengths).astype(np.int64)
        self.bounds[:, -1] = edges[1:]
        self.nlls = np.zeros((count, pieces))
        width = model.initial_state(1).to_array().shape[1]
        self.ends: Float32 = np.full((count, pieces, width), np.inf, dtype=np.float32)

    def run(self, rows: npt.NDArray[np.intp], starts: Float32) -> None:
        """Read segments `rows` from `starts`, each until it ends pieces as it did before."""
        for piece in range(self.nlls.shape[1]):
            nlls, ends = self._read_piece(rows, piece, starts)
            self.nlls[rows, piece] = nlls
            changed = _differ(ends, self.ends[rows, piece])
            rows, starts = rows[changed], ends[changed]
            if not len(rows):
                return
            self.ends[rows, piece] = starts

    def _read_piece(
        self, rows: npt.NDArray[np.intp], piece: int, starts: Float32
    ) -> tuple[npt.NDArray[np.float64], Float32]:
        """Return the nll of a piece of some segments, and the states after it."""
        first, last = self.bounds[rows, piece], self.bounds[rows, piece + 1]
        common = int((last - first).min())
        nlls, ends = self._read_span(first, common, starts)
        longer = np.flatnonzero(last - first > common)  # by one token, from rounding
        if len(longer):
            more, ends[longer] = self._read_span(first[longer] + common, 1, ends[longer])
            nlls[longer] += more
        return nlls, ends

    def _read_span(
        self, first: IdArray, length: int, starts: Float32
    ) -> tuple[npt.NDArray[np.float64], Float32]:
        """Return the nll of `length` tokens from each of `first`, rows shared out to threads."""
        shares = np.array_split(np.arange(len(first)), min(self.workers, -(-len(first) // 8)))
        index = first[:, None] + np.arange(length)
        with blas_threads(1):  # each worker calls BLAS: its own threads would be in the way
            results = self._map(lambda rows: self._read_rows(index[rows], starts[rows]), shares)
        nlls, ends = zip(*results, strict=True)
        return np.concatenate(nlls), np.concatenate(ends)

    def _map(self, function: Callable[[Any], R], items: Sequence[Any]) -> list[R]:
        if len(items) == 1:
            return [function(items[0])]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(items)) as pool:
            return list(pool.map(function, items))

    def _read_rows(
        self, index: IdArray, starts: Float32
    ) -> tuple[npt.NDArray[np.float64], Float32]:
        state = self.model.state_from_array(starts)
        scores, state = _score_rows(self.model, self.inputs[index], self.targets[index], state)
        return -scores.sum(axis=1), state.to_array()


def _first_starts(model: LanguageModel, text: _Text) -> Float32:
    """Return a guess of the state at the start of each segment: zero, then warmed up."""
    edges = text.bounds[:, 0]
    states = model.initial_state(len(edges)).to_array()
    if len(edges) > 1:
        warm = min(WARM_UP, int(edges[1]))
        index = edges[1:, None] + np.arange(-warm, 0)
        state = model.initial_state(len(edges) - 1)
        for start, stop in _chunks(model, warm, len(edges)):
            _, state = model.read(text.inputs[index[:, start:stop]], state)
        states[1:] = state.to_array()
    return states


def _score_rows(
    model: LanguageModel, inputs: IdArray, targets: IdArray, state: StackState
) -> tuple[npt.NDArray[np.float64], StackState]:
    """Return log p of `targets` (batch, time) after `inputs`, and the state after them."""
    batch, time = targets.shape
    scores = np.empty((batch, time))
    for start, stop in _chunks(model, time, batch):
        log_probs, state = model.log_probs(inputs[:, start:stop], state)
        chosen = targets[:, start:stop, None]
        scores[:, start:stop] = np.take_along_axis(log_probs, chosen, axis=-1)[..., 0]
    return scores, state


def _chunks(model: LanguageModel, time: int, batch: int) -> Iterator[tuple[int, int]]:
    width = max(model.vocab_size, 4 * model.config.hidden_size)
    size = max(1, min(256, CHUNK_BYTES // (4 * batch * width)))
    for start in range(0, time, size):
        yield start, min(start + size, time)
