"""What goes on inside a recurrent model: its states, its gates, and how far back a loss reaches.

All of it comes from the arrays that `engine.gradients` keeps for the backward pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.engine.config import LanguageModelConfig
from charlm.engine.gradients import (
    LayerGradient,
    back_to_output,
    read_out,
    run_layers,
    walk_back,
    zero_state,
)

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.integer[Any]]

BLOCK = 256  # tokens whose arrays are in memory at once
# What each of a cell's gates is called, in the order of its weights.
GATE_NAMES = {"lstm": ("input", "forget", "output"), "gru": ("reset", "update"), "rnn": ()}


@dataclasses.dataclass(frozen=True, slots=True)
class LayerBlock:
    """A layer over some tokens.

    Attributes:
        index: of the layer, from 0.
        start: of the first token.
        states: after each token, (time, hidden), in -1 to 1: tanh of the cell of an LSTM, as in
            Karpathy et al. (2016), and the hidden state of the others.
        gates: by name (time, hidden), in 0 to 1; an RNN has none.
    """

    index: int
    start: int
    states: FloatArray
    gates: dict[str, FloatArray]


def read_layers(
    config: LanguageModelConfig, weights: Mapping[str, Any], ids: IdArray
) -> Iterator[LayerBlock]:
    """Yield the layers over a text (time,), block by block, from the beginning of a text.

    Source:
        Karpathy, Johnson and Fei-Fei (2016), arXiv:1506.02078.
    """
    dtype = weights["output.bias"].dtype
    first = np.array([config.bos_id])
    state = run_layers(config, weights, first, zero_state(config, dtype))[2]
    for start in range(0, len(ids), BLOCK):
        layers, _, state = run_layers(config, weights, ids[start : start + BLOCK], state)
        for index, (_, kept) in enumerate(layers):
            states = np.tanh(kept[1][1:]) if config.cell == "lstm" else kept[0][1:]
            yield LayerBlock(index, start, states, _gates(config, kept))


def _gates(config: LanguageModelConfig, kept: tuple[FloatArray, ...]) -> dict[str, FloatArray]:
    """Return a cell's gates by name, from the arrays that it keeps for its backward pass."""
    names = GATE_NAMES[config.cell]
    if config.cell == "lstm":
        i, f, _, o = np.split(kept[2], 4, axis=1)
        return dict(zip(names, (i, f, o), strict=True))
    if config.cell == "gru":
        r, z, _ = np.split(kept[1], 3, axis=1)
        return dict(zip(names, (r, z), strict=True))
    return {}


@dataclasses.dataclass(frozen=True, slots=True)
class StateGradients:
    """The gradients of one loss by a layer's states after each input.

    Attributes:
        hidden: (time, hidden).
        cell: (time, hidden); None but for an LSTM.
    """

    hidden: FloatArray
    cell: FloatArray | None


def last_loss_gradients(
    config: LanguageModelConfig, weights: Mapping[str, Any], ids: IdArray, *, steps: int
) -> tuple[float, list[StateGradients]]:
    """Return the loss of the last id, in nats, and its gradients by all states before it.

    Every way from a state to the loss counts: through time, through the layers above, and
    straight to the output.

    Shapes:
        ids: (time,), at least one; the beginning of a text stands before them.
        returns: for each layer gradients at the last min(steps, time) inputs, in their order.

    Source:
        Bengio, Simard and Frasconi (1994); Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063.
    """
    weights = _exact(weights)
    inputs = np.concatenate([[config.bos_id], ids[:-1]])
    state = zero_state(config, np.float64)
    begin = max(0, len(inputs) - steps)
    for start in range(0, begin, BLOCK):
        state = run_layers(config, weights, inputs[start : min(start + BLOCK, begin)], state)[2]
    layers, features, _ = run_layers(config, weights, inputs[begin:], state)
    _, log_probs = read_out(config, weights, features[-1:])
    _, d_last = back_to_output(config, weights, log_probs, ids[-1:])
    if config.has_projection:
        d_last = d_last @ weights["projection.weight"]
    d_features = np.zeros_like(features)
    d_features[-1:] = d_last
    found = [
        _state_gradients(config, layers[one.index][1], weights, one)
        for one in walk_back(config, weights, layers, d_features)
    ]
    return -float(log_probs[0, ids[-1]]), found[::-1]


def _exact(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return weights that make every product float64: far back, gradients leave float32's range.

    The embedding and the output stay as they are, which are large and meet float64 as factors.
    """
    return {
        name: weight.astype(np.float64) if name.startswith(("layers.", "output.bias")) else weight
        for name, weight in weights.items()
    }


def _state_gradients(
    config: LanguageModelConfig,
    kept: tuple[FloatArray, ...],
    weights: Mapping[str, Any],
    found: LayerGradient,
) -> StateGradients:
    """Return a layer's gradients by its states, from those by what its gates were given."""
    weight_hh = weights[f"layers.{found.index}.weight_hh"]
    through = _through_weights(config, kept, weight_hh, found.d_given)
    d_h = np.zeros_like(kept[0][1:]) + found.d_out
    d_h[:-1] += through[1:]
    if config.cell == "gru":  # the update gate carries a part of the state on as it is
        z = np.split(kept[1], 3, axis=1)[1]
        for t in reversed(range(len(d_h) - 1)):
            d_h[t] += d_h[t + 1] * z[t + 1]
    if config.cell != "lstm":
        return StateGradients(d_h, None)
    _, f, _, o = np.split(kept[2], 4, axis=1)
    d_c = d_h * o * (1 - kept[3] ** 2)
    for t in reversed(range(len(d_c) - 1)):
        d_c[t] += d_c[t + 1] * f[t + 1]
    return StateGradients(d_h, d_c)


def _through_weights(
    config: LanguageModelConfig,
    kept: tuple[FloatArray, ...],
    weight_hh: FloatArray,
    d_given: FloatArray,
) -> FloatArray:
    """Return the part of the gradient by the state before each step that its weights carry."""
    if config.cell != "gru":
        return np.asarray(d_given @ weight_hh)
    size = config.hidden_size
    r = kept[1][:, :size]
    gates = d_given[:, : 2 * size] @ weight_hh[: 2 * size]
    d_n = d_given[:, 2 * size :]
    if config.reset == "after":
        return np.asarray(gates + (d_n * r) @ weight_hh[2 * size :])
    return np.asarray(gates + (d_n @ weight_hh[2 * size :]) * r)
