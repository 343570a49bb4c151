"""Exact log-probabilities of texts, one long text or many short ones, at the speed of batches.

A recurrent network reads a text one token after another. A long text is nevertheless read as a
batch: it is cut into segments that run side by side, and passes are repeated, each segment
starting from where the one before it ended in the last pass, until the starts no longer move.
Such a fixed point is the sequential solution itself, since the first segment starts right. A
network that forgets needs two or three passes; at most there are as many as segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.engine.language_model import LanguageModel
from charlm.engine.stack import Float32, StackState

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.integer[Any]]

# Bytes of logits, or of gates, that may be in memory at once.
CHUNK_BYTES = 64 * 2**20
# A segment starts this many tokens early in the first pass, so that its state has warmed up.
WARM_UP = 128
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
    return max(1, min(64, tokens // (4 * WARM_UP)))


def _segment_nlls(model: LanguageModel, ids: IdArray, count: int) -> npt.NDArray[np.float64]:
    """Return the nll of each of `count` segments of the text, at the fixed point."""
    inputs = np.concatenate([[model.bos_id], ids[:-1]])
    bounds = np.linspace(0, len(ids), count + 1).astype(np.int64)
    starts = _first_starts(model, inputs, bounds)
    ends = np.zeros_like(starts)
    nlls = np.zeros(count)
    stale: npt.NDArray[np.intp] = np.arange(count)
    while len(stale):
        nlls[stale], ends[stale] = _run_segments(model, inputs, ids, bounds, stale, starts[stale])
        wanted = np.concatenate([starts[:1], ends[:-1]])
        scale = np.maximum(1.0, np.abs(wanted))
        moved = (np.abs(wanted - starts) / scale).max(axis=1) > TOLERANCE
        stale = np.flatnonzero(moved)
        starts[stale] = wanted[stale]
    return nlls


def _first_starts(model: LanguageModel, inputs: IdArray, bounds: IdArray) -> Float32:
    """Return a guess of the state at the start of each segment: zero, then warmed up."""
    states = model.initial_state(len(bounds) - 1).to_array()
    warm = min(WARM_UP, int(bounds[1]))
    later = bounds[1:-1]
    if len(later):
        before = later[:, None] + np.arange(-warm, 0)
        state = model.initial_state(len(later))
        for piece in np.array_split(before, max(1, warm // 32), axis=1):
            _, state = model.read(inputs[piece], state)
        states[1:] = state.to_array()
    return states


def _run_segments(
    model: LanguageModel,
    inputs: IdArray,
    targets: IdArray,
    bounds: IdArray,
    rows: IdArray,
    starts: Float32,
) -> tuple[npt.NDArray[np.float64], Float32]:
    """Return the nll and the last state of some segments. Their lengths differ by one at most."""
    lengths = bounds[rows + 1] - bounds[rows]
    common = int(lengths.min())
    places = bounds[rows][:, None]
    nlls = np.zeros(len(rows))
    state = model.state_from_array(starts)
    for start, stop in _chunks(model, common, len(rows)):
        index = places + np.arange(start, stop)
        scores, state = _score_rows(model, inputs[index], targets[index], state)
        nlls -= scores.sum(axis=1)
    ends = state.to_array()
    longer = np.flatnonzero(lengths > common)
    if len(longer):
        index = places[longer] + common
        state = model.state_from_array(ends[longer])
        scores, state = _score_rows(model, inputs[index], targets[index], state)
        nlls[longer] -= scores[:, 0]
        ends[longer] = state.to_array()
    return nlls, ends


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
