"""Exact log-probabilities of texts, one long text or many short ones, at the speed of batches.

A recurrent network reads a text one token after another. A long text is nevertheless read as a
batch: it is cut into segments that run side by side, and passes are repeated, each segment
starting from where the one before it ended in the last pass, until the starts no longer move.
Such a fixed point is the sequential solution itself, since the first segment starts right. A
network that forgets needs two or three passes; after a few more the rest is read in turn. Of a
text so long that this would take minutes, a state is followed as far as it changes scores, by a
part in a million of a segment's sum: segments are then thousands of tokens long.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from charlm.engine.blas import blas_threads, cpu_count
from charlm.engine.language_model import LanguageModel
from charlm.engine.layers import Float32
from charlm.engine.stack import StackState

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.integer[Any]]

R = TypeVar("R")

# Bytes of logits, or of gates, that may be in memory at once.
CHUNK_BYTES = 16 * 2**20
# A segment starts this many tokens early in the first pass, so that its state has warmed up.
WARM_UP = 64
MOST_SEGMENTS = 128
# A text this long is read in segments, though other texts could be read beside it.
LONG = 16_384
# Where a segment is read again, it is until a piece of it ends in the state that it did before.
MOST_PIECES = 32
# Tokens of a long text that are read before the next are looked at: some 100 MB of arrays.
BLOCK_TOKENS = 1 << 21
# A text that its reader never forgets, as a letter a million times, is read in turn after so many.
MOST_PASSES = 4
# If more tokens are left than these, which take a while, a new start that changes no score of a
# segment is not followed beyond it.
LONGEST_IN_TURN = 1 << 18
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
    model: LanguageModel, texts: Sequence[IdArray], *, batch_size: int = 128
) -> list[npt.NDArray[np.float64]]:
    """Return `score_ids` of every text, in order.

    Texts of like lengths are read side by side, several such batches at once where there are
    processors for them; a long text is read alone, in segments (`text_scores`).
    """
    results: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(texts)
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
    order = [index for index in order if len(texts[index])]
    while order and len(texts[order[0]]) >= LONG:
        index = order.pop(0)
        results[index] = text_scores(model, texts[index])
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if batches:
        model.prepare(np.concatenate([texts[index] for index in order]))

    def read(rows: list[int]) -> npt.NDArray[np.float64]:
        return _score_padded(model, [texts[index] for index in rows])

    with blas_threads(1 if len(batches) > 1 else None):
        for rows, scores in zip(batches, _map(read, batches, cpu_count()), strict=True):
            for row, index in enumerate(rows):
                results[index] = scores[row, : len(texts[index])].copy()
    return results


def _score_padded(model: LanguageModel, texts: list[IdArray]) -> npt.NDArray[np.float64]:
    """Return the scores of texts as rows (texts, longest), the longest text first.

    What stands in a row behind its text means nothing. Rows leave when their text has ended, the
    shortest quarter at a time.
    """
    lengths = np.array([len(ids) for ids in texts])
    targets = np.zeros((len(texts), lengths[0]), dtype=np.int64)
    for row, ids in enumerate(texts):
        targets[row, : len(ids)] = ids
    inputs = np.roll(targets, 1, axis=1)
    inputs[:, 0] = model.bos_id
    scores = np.zeros(targets.shape)
    rows, start, state = len(texts), 0, model.initial_state(len(texts))
    while rows:
        part = slice(start, lengths[3 * (rows - 1) // 4])
        scores[:rows, part], state = _score_rows(
            model, inputs[:rows, part], targets[:rows, part], state
        )
        start, kept = part.stop, int((lengths > part.stop).sum())
        if 0 < kept < rows:
            state = model.select(state, np.arange(kept))
        rows = kept
    return scores


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
    if len(ids) == 0:
        raise ValueError("there is no token to evaluate")
    if segments is not None or len(ids) <= BLOCK_TOKENS:
        return -float(text_scores(model, ids, segments=segments).sum()), len(ids)
    reader = TextReader(model)
    blocks = (ids[start : start + BLOCK_TOKENS] for start in range(0, len(ids), BLOCK_TOKENS))
    return -sum(float(reader.score(block).sum()) for block in blocks), len(ids)


def text_scores(
    model: LanguageModel, ids: IdArray, *, segments: int | None = None
) -> npt.NDArray[np.float64]:
    """Return what `score_ids` does, of a long text many times faster.

    Args:
        ids: the text, (time,).
        segments: how many parts to read side by side; None chooses by the length.

    Raises:
        ValueError: if the number of segments does not fit.
    """
    ids = np.asarray(ids)
    count = _choose_segments(len(ids)) if segments is None else segments
    if segments is None and count == 1:
        return score_ids(model, ids)
    if not 1 <= count <= len(ids):
        raise ValueError(f"segments must be between 1 and {len(ids)}, got {segments}")
    model.prepare(ids)
    return _segment_scores(model, ids, count)


class TextReader:
    """Scores a text that comes in blocks, its state carried from each to the next."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._state = model.initial_state(1).to_array()
        self._previous = model.bos_id

    def score(self, ids: IdArray) -> npt.NDArray[np.float64]:
        """Return log p of each token of the next block (time,), in nats."""
        ids = np.asarray(ids)
        if not len(ids):
            return np.empty(0)
        self._model.prepare(ids)
        text = _Text(self._model, ids, _choose_segments(len(ids)), self._previous)
        self._state = _settle(self._model, text, self._state)
        self._previous = int(ids[-1])
        return text.scores


def _map(function: Callable[[Any], R], items: Sequence[Any], workers: int) -> Iterator[R]:
    if len(items) <= 1 or workers == 1:
        yield from map(function, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        yield from pool.map(function, items)


def _choose_segments(tokens: int) -> int:
    return max(1, min(MOST_SEGMENTS, tokens // (4 * WARM_UP)))


def _segment_scores(model: LanguageModel, ids: IdArray, count: int) -> npt.NDArray[np.float64]:
    """Return the scores of a text read as `count` segments, at the fixed point."""
    text = _Text(model, ids, count, model.bos_id)
    _settle(model, text, model.initial_state(1).to_array())
    return text.scores


def _settle(model: LanguageModel, text: _Text, begin: Float32) -> Float32:
    """Read a text from the state `begin` (1, state) to the fixed point; return its last state."""
    starts = _first_starts(model, text)
    starts[:1] = begin
    stale = np.ones(len(starts), dtype=bool)
    for passes in itertools.count():
        rows = np.flatnonzero(stale)
        if not len(rows):
            break
        is_long = text.tokens(rows) > LONGEST_IN_TURN
        if passes >= MOST_PASSES and not is_long:
            rows = rows[:1]  # the start of the first is right: the sequential way
        before = text.totals(rows)
        text.run(rows, starts[rows])
        stale[rows] = False
        wanted = np.concatenate([starts[:1], text.ends[:-1, -1]])
        moved = _differ(wanted, starts)
        starts[moved] = wanted[moved]
        if passes and is_long:  # those after what another start changed nothing in
            same = np.abs(text.totals(rows) - before) <= TOLERANCE * np.abs(before)
            after = rows[same] + 1
            moved[after[after < len(moved)]] = False
        stale |= moved
    return text.ends[-1:, -1]


def _differ(states: Float32, others: Float32) -> npt.NDArray[np.bool_]:
    """Return which rows of two arrays of states are not the same."""
    scale = np.maximum(1.0, np.abs(states))
    return np.asarray((np.abs(states - others) / scale).max(axis=1) > TOLERANCE)


class _Text:
    """A text cut into segments, and each segment into pieces: what is known of every piece.

    Attributes:
        bounds: (segments, pieces + 1), where the pieces begin and end.
        scores: (time,), log p of every token as it was last read.
        ends: (segments, pieces, state), the state after each piece when it was last read.
    """

    def __init__(self, model: LanguageModel, ids: IdArray, count: int, previous: int) -> None:
        self.model = model
        self.workers = cpu_count()
        self.targets = ids
        self.inputs = np.concatenate([[previous], ids[:-1]])
        edges = np.linspace(0, len(ids), count + 1).astype(np.int64)
        pieces = max(1, min(MOST_PIECES, int(np.diff(edges).min()) // WARM_UP))
        shares = np.arange(pieces + 1) / pieces
        lengths = np.diff(edges)[:, None]
        self.bounds = edges[:-1, None] + np.floor(shares * lengths).astype(np.int64)
        self.bounds[:, -1] = edges[1:]
        self.scores = np.zeros(len(ids))
        width = model.initial_state(1).to_array().shape[1]
        self.ends: Float32 = np.full((count, pieces, width), np.inf, dtype=np.float32)

    def tokens(self, rows: npt.NDArray[np.intp]) -> int:
        """Return how many tokens segments have together."""
        return int((self.bounds[rows, -1] - self.bounds[rows, 0]).sum())

    def totals(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Return the sum of each segment's scores as it was last read."""
        return np.add.reduceat(self.scores, self.bounds[:, 0])[rows]

    def run(self, rows: npt.NDArray[np.intp], starts: Float32) -> None:
        """Read segments `rows` from `starts`, each until it ends pieces as it did before."""
        for piece in range(self.ends.shape[1]):
            ends = self._read_piece(rows, piece, starts)
            changed = _differ(ends, self.ends[rows, piece])
            rows, starts = rows[changed], ends[changed]
            if not len(rows):
                return
            self.ends[rows, piece] = starts

    def _read_piece(self, rows: npt.NDArray[np.intp], piece: int, starts: Float32) -> Float32:
        """Read a piece of some segments, and return the states after it."""
        first, last = self.bounds[rows, piece], self.bounds[rows, piece + 1]
        common = int((last - first).min())
        ends = self._read_span(first, common, starts)
        longer = np.flatnonzero(last - first > common)  # by one token, from rounding
        if len(longer):
            ends[longer] = self._read_span(first[longer] + common, 1, ends[longer])
        return ends

    def _read_span(self, first: IdArray, length: int, starts: Float32) -> Float32:
        """Read `length` tokens from each of `first`, rows shared out to threads."""
        shares = np.array_split(np.arange(len(first)), min(self.workers, -(-len(first) // 8)))
        index = first[:, None] + np.arange(length)

        def read(rows: npt.NDArray[np.intp]) -> Float32:
            places = index[rows]
            state = self.model.state_from_array(starts[rows])
            inputs, targets = self.inputs[places], self.targets[places]
            self.scores[places], state = _score_rows(self.model, inputs, targets, state)
            return state.to_array()

        with blas_threads(1):  # each worker calls BLAS: its own threads would be in the way
            return np.concatenate(list(_map(read, shares, self.workers)))


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
        logits, state = model.read(inputs[:, start:stop], state)
        scores[:, start:stop] = _log_probs_of(logits, targets[:, start:stop])
    return scores, state


def _log_probs_of(logits: Float32, targets: IdArray) -> npt.NDArray[np.float64]:
    """Return log p of `targets` (batch, time); `logits` (batch, time, vocab) is used up."""
    logits -= logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    np.exp(logits, logits)
    return np.asarray(chosen - np.log(logits.sum(axis=-1, dtype=np.float64)))


def _chunks(model: LanguageModel, time: int, batch: int) -> Iterator[tuple[int, int]]:
    width = max(model.vocab_size, 4 * model.config.hidden_size)
    size = max(1, min(256, CHUNK_BYTES // (4 * batch * width)))
    for start in range(0, time, size):
        yield start, min(start + size, time)
