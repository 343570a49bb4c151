"""The states of a language model at each token of texts: vectors that know their context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from charlm.engine.language_model import IdArray, LanguageModel
from charlm.engine.layers import Float32

ROWS, CHUNK = 64, 64
"""Texts that are read side by side, and tokens of each at a time."""


def layer_weights(layers: int, layer: int | None, scores: Sequence[float] = ()) -> Float32:
    """Return how much of each layer a vector takes, (1, layers).

    Args:
        layers: how many the model has.
        layer: one alone, from 1; None mixes all by `softmax(scores)`, evenly without scores.
        scores: one a layer.

    Source:
        Peters et al. (2018), Deep contextualized word representations, equation 1.

    Example:
        >>> layer_weights(2, 2), layer_weights(2, None)
        (array([[0., 1.]], dtype=float32), array([[0.5, 0.5]], dtype=float32))
    """
    if layer is not None:
        return np.eye(layers, dtype=np.float32)[layer - 1 : layer]
    raw = np.array(scores or [0.0] * layers, dtype=np.float64)
    weights = np.exp(raw - raw.max())
    return np.asarray(weights / weights.sum(), dtype=np.float32)[None]


def contextual_states(
    model: LanguageModel,
    texts: Sequence[IdArray],
    weights: Float32,
    *,
    from_the_end: bool = False,
) -> list[Float32]:
    """Return for each text the states after each of its tokens, layers combined.

    Texts are read side by side, those of like length together; the order is kept. A state has seen
    the beginning of the text, the tokens up to its own, and no other.

    Args:
        model: what reads.
        texts: ids.
        weights: (kept, layers), see `layer_weights`; the identity keeps all layers apart.
        from_the_end: read from the last token to the first; then a state has seen the end of the
            text and the tokens back to its own.

    Shapes:
        returns: (tokens, kept, hidden) a text.
    """
    hidden = model.config.hidden_size
    found = [np.empty((len(ids), len(weights), hidden), dtype=np.float32) for ids in texts]
    for rows in _batches([len(ids) for ids in texts]):
        views = [found[row][::-1] if from_the_end else found[row] for row in rows]
        _read([texts[row] for row in rows], views, model, weights, from_the_end)
    return found


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the numbers of texts that are not empty, `ROWS` at a time, the longest first."""
    order = sorted((n for n, length in enumerate(lengths) if length), key=lambda n: -lengths[n])
    for start in range(0, len(order), ROWS):
        yield order[start : start + ROWS]


def _read(
    texts: Sequence[IdArray],
    found: Sequence[Float32],
    model: LanguageModel,
    weights: Float32,
    from_the_end: bool,
) -> None:
    lengths = np.array([len(ids) for ids in texts])
    padded = np.zeros((len(texts), int(lengths[0])), dtype=np.int64)
    for row, ids in enumerate(texts):
        padded[row, : len(ids)] = ids[::-1] if from_the_end else ids
    state = model.initial_state(len(texts))
    _, state = model.read_layers(np.full((len(texts), 1), model.bos_id), state)
    for start in range(0, padded.shape[1], CHUNK):
        alive = int((lengths > start).sum())
        if alive < state.batch_size:
            state = model.select(state, np.arange(alive))
        states, state = model.read_layers(padded[:alive, start : start + CHUNK], state)
        kept = np.tensordot(weights, states, 1)
        for row in range(alive):
            count = min(CHUNK, int(lengths[row]) - start)
            found[row][start : start + count] = kept[:, :count, row].transpose(1, 0, 2)
