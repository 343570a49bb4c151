"""The recurrent model with its gradient, in NumPy: one row, some tokens at a time.

Each layer runs forward over a span of tokens and keeps what its backward pass needs. The equations
are those of `engine.cells`; tests hold the gradients against torch's autograd in float64. The
gradient does not reach back beyond the span: the state that comes in is a given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.engine.cells import sigmoid
from charlm.engine.config import LanguageModelConfig

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.integer[Any]]
Weights = dict[str, Any]
State = list[tuple[FloatArray, ...]]


@dataclasses.dataclass(slots=True)
class Tape:
    """What a forward pass leaves for the backward pass, and its results.

    Attributes:
        ids: the inputs, (time,).
        layers: per layer its inputs and the arrays of its cell.
        features: what the output layer reads, (time, features).
        projected: the same behind the projection, if there is one.
        log_probs: log p of every token after each input, (time, vocab).
        state: after the last input.
    """

    ids: IdArray
    layers: list[tuple[FloatArray, tuple[FloatArray, ...]]]
    features: FloatArray
    projected: FloatArray
    log_probs: FloatArray
    state: State


def zero_state(config: LanguageModelConfig, dtype: Any = np.float32) -> State:
    """Return the state before anything was read."""
    parts = 2 if config.cell == "lstm" else 1
    return [
        tuple(np.zeros(config.hidden_size, dtype) for _ in range(parts))
        for _ in range(config.num_layers)
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class LayerGradient:
    """The gradient of one layer, as `walk_back` finds it.

    Attributes:
        index: of the layer, from 0.
        d_out: of its hidden states by way of all that stands above it, (time, hidden) or 0.
        d_given: of what its gates got from the layer below, (time, gates).
        d_hh: of its recurrent weights.
        d_bias_hn: of the bias that only one form of the GRU has.
        d_x: of its inputs, (time, inputs).
    """

    index: int
    d_out: Any
    d_given: FloatArray
    d_hh: FloatArray
    d_bias_hn: FloatArray | None
    d_x: FloatArray


def forward(
    config: LanguageModelConfig, weights: Mapping[str, Any], ids: IdArray, state: State
) -> Tape:
    """Return the results of reading ids (time,) after `state`, which stays as it is."""
    layers, features, after = run_layers(config, weights, ids, state)
    projected, log_probs = read_out(config, weights, features)
    return Tape(ids, layers, features, projected, log_probs, after)


def run_layers(
    config: LanguageModelConfig, weights: Mapping[str, Any], ids: IdArray, state: State
) -> tuple[list[tuple[FloatArray, tuple[FloatArray, ...]]], FloatArray, State]:
    """Return of each layer its inputs and arrays, then what the output layer reads, and the state.

    The first array of a cell is its hidden state before each step and after the last,
    (time + 1, hidden). An LSTM's second is its cell, in the same way, and the third its gates;
    the second of a GRU is its gates.
    """
    embedded = weights["embedding.weight"][ids]
    layers, outputs, x = [], [], embedded
    after: State = []
    for index in range(config.num_layers):
        if index and config.skip:
            x = np.concatenate([x, embedded], axis=1)
        name = f"layers.{index}"
        given = x @ weights[f"{name}.weight_ih"].T + weights[f"{name}.bias"]
        run = _FORWARD[config.cell, config.reset if config.cell == "gru" else ""]
        bias_hn = weights.get(f"{name}.bias_hn")
        kept = run(given, state[index], weights[f"{name}.weight_hh"], bias_hn)
        layers.append((x, kept))
        h = kept[0]  # (time + 1, hidden): the state before each step, and the last
        after.append((h[-1], kept[1][-1]) if config.cell == "lstm" else (h[-1],))
        x = h[1:]
        outputs.append(x)
    features = np.concatenate(outputs, axis=1) if config.skip else x
    return layers, features, after


def read_out(
    config: LanguageModelConfig, weights: Mapping[str, Any], features: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the features behind the projection, if there is one, and log p of every token."""
    projected = features @ weights["projection.weight"].T if config.has_projection else features
    logits = projected @ _output_weight(config, weights).T + weights["output.bias"]
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return projected, logits


def backward(
    config: LanguageModelConfig, weights: Mapping[str, Any], tape: Tape, targets: IdArray
) -> Weights:
    """Return the gradient of the summed negative log-likelihood of targets (time,), by tensor.

    That of an embedding which is not also the output matrix has only the rows of `tape.ids`, in
    their order: most others are zero.
    """
    grads: Weights = {}
    d_logits, d_projected = back_to_output(config, weights, tape.log_probs, targets)
    d_output = d_logits.T @ tape.projected
    grads["output.bias"] = d_logits.sum(axis=0)
    d_features = d_projected
    if config.has_projection:
        grads["projection.weight"] = d_projected.T @ tape.features
        d_features = d_projected @ weights["projection.weight"]
    d_embedded = _backward_layers(config, weights, tape, d_features, grads)
    if config.tie_weights:
        whole = np.zeros_like(weights["embedding.weight"])
        whole[: config.vocab_size] = d_output
        np.add.at(whole, tape.ids, d_embedded)
        grads["embedding.weight"] = whole
    else:
        grads["output.weight"] = d_output
        grads["embedding.weight"] = d_embedded
    return grads


def back_to_output(
    config: LanguageModelConfig, weights: Mapping[str, Any], log_probs: FloatArray, targets: IdArray
) -> tuple[FloatArray, FloatArray]:
    """Return the gradients of the logits and of what the output matrix is multiplied with."""
    d_logits = np.exp(log_probs)
    d_logits[np.arange(len(targets)), targets] -= 1
    return d_logits, d_logits @ _output_weight(config, weights)


def _backward_layers(
    config: LanguageModelConfig,
    weights: Mapping[str, Any],
    tape: Tape,
    d_features: FloatArray,
    grads: Weights,
) -> FloatArray:
    """Fill in the gradients of all layers, and return that of the embedded ids."""
    d_embedded: Any = 0
    for found in walk_back(config, weights, tape.layers, d_features):
        name = f"layers.{found.index}"
        grads[f"{name}.weight_ih"] = found.d_given.T @ tape.layers[found.index][0]
        grads[f"{name}.weight_hh"] = found.d_hh
        grads[f"{name}.bias"] = found.d_given.sum(axis=0)
        if found.d_bias_hn is not None:
            grads[f"{name}.bias_hn"] = found.d_bias_hn
        if found.index == 0:
            d_embedded = d_embedded + found.d_x
        elif config.skip:
            d_embedded = d_embedded + found.d_x[:, config.hidden_size :]
    return np.asarray(d_embedded)


def walk_back(
    config: LanguageModelConfig,
    weights: Mapping[str, Any],
    layers: list[tuple[FloatArray, tuple[FloatArray, ...]]],
    d_features: FloatArray,
) -> Iterator[LayerGradient]:
    """Yield the gradients of the layers, the last first.

    Args:
        layers: as `run_layers` left them.
        d_features: the gradient of what the output layer reads, (time, features).
    """
    size = config.hidden_size
    d_above: Any = 0
    for index in reversed(range(config.num_layers)):
        d_out = d_above
        if config.skip:
            d_out = d_out + d_features[:, index * size : (index + 1) * size]
        elif index == config.num_layers - 1:
            d_out = d_features
        run = _BACKWARD[config.cell, config.reset if config.cell == "gru" else ""]
        d_given, d_hh, d_bias_hn = run(
            d_out, layers[index][1], weights[f"layers.{index}.weight_hh"]
        )
        d_x = d_given @ weights[f"layers.{index}.weight_ih"]
        yield LayerGradient(index, d_out, d_given, d_hh, d_bias_hn, d_x)
        d_above = d_x[:, :size]


def _output_weight(config: LanguageModelConfig, weights: Mapping[str, Any]) -> Any:
    if config.tie_weights:
        return weights["embedding.weight"][: config.vocab_size]
    return weights["output.weight"]


def _states(first: FloatArray, time: int) -> FloatArray:
    states = np.empty((time + 1, len(first)), first.dtype)
    states[0] = first
    return states


def _forward_lstm(given: Any, state: Any, weight_hh: Any, _: Any) -> tuple[Any, ...]:
    time, size = len(given), len(state[0])
    h, c = _states(state[0], time), _states(state[1], time)
    gates, squashed = given, np.empty_like(h[1:])
    for t in range(time):
        row = gates[t]
        row += weight_hh @ h[t]
        g = np.tanh(row[2 * size : 3 * size])
        row[:] = sigmoid(row)
        row[2 * size : 3 * size] = g
        i, f, o = row[:size], row[size : 2 * size], row[3 * size :]
        c[t + 1] = f * c[t] + i * g
        squashed[t] = np.tanh(c[t + 1])
        h[t + 1] = o * squashed[t]
    return h, c, gates, squashed


def _backward_lstm(d_out: Any, kept: Any, weight_hh: Any) -> tuple[Any, Any, None]:
    h, c, gates, squashed = kept
    i, f, g, o = np.split(gates, 4, axis=1)
    # What does not depend on the step behind, for all steps at once.
    to_c = o * (1 - squashed**2)
    slopes = np.concatenate([g * i * (1 - i), c[:-1] * f * (1 - f), i * (1 - g**2)], axis=1)
    slope_o = squashed * o * (1 - o)
    size = h.shape[1]
    d_given = np.empty_like(gates)
    d_h, d_c = np.zeros_like(h[0]), np.zeros_like(h[0])
    for t in reversed(range(len(gates))):
        d_h = d_h + d_out[t]
        d_c = d_c + d_h * to_c[t]
        row = d_given[t]
        row[: 3 * size] = np.tile(d_c, 3) * slopes[t]
        row[3 * size :] = d_h * slope_o[t]
        d_c = d_c * f[t]
        d_h = row @ weight_hh
    return d_given, d_given.T @ h[:-1], None


def _forward_rnn(given: Any, state: Any, weight_hh: Any, _: Any) -> tuple[Any, ...]:
    h = _states(state[0], len(given))
    for t in range(len(given)):
        h[t + 1] = np.tanh(given[t] + weight_hh @ h[t])
    return (h,)


def _backward_rnn(d_out: Any, kept: Any, weight_hh: Any) -> tuple[Any, Any, None]:
    (h,) = kept
    d_given = np.empty_like(h[1:])
    d_h = np.zeros_like(h[0])
    for t in reversed(range(len(d_given))):
        d_given[t] = (d_h + d_out[t]) * (1 - h[t + 1] ** 2)
        d_h = d_given[t] @ weight_hh
    return d_given, d_given.T @ h[:-1], None


def _forward_gru(given: Any, state: Any, weight_hh: Any, bias_hn: Any) -> tuple[Any, ...]:
    time, size = len(given), len(state[0])
    h, recurrent = _states(state[0], time), np.empty((time, size), given.dtype)
    rzn = given
    for t in range(time):
        row = rzn[t]
        product = weight_hh @ h[t]
        row[: 2 * size] = sigmoid(row[: 2 * size] + product[: 2 * size])
        recurrent[t] = product[2 * size :] + bias_hn
        r, z = row[:size], row[size : 2 * size]
        row[2 * size :] = np.tanh(row[2 * size :] + r * recurrent[t])
        h[t + 1] = z * h[t] + (1 - z) * row[2 * size :]
    return h, rzn, recurrent


def _backward_gru(d_out: Any, kept: Any, weight_hh: Any) -> tuple[Any, Any, Any]:
    h, rzn, recurrent = kept
    size = h.shape[1]
    r, z, n = np.split(rzn, 3, axis=1)
    d_given, d_product = np.empty_like(rzn), np.empty_like(rzn)
    d_h = np.zeros_like(h[0])
    for t in reversed(range(len(rzn))):
        d_h = d_h + d_out[t]
        d_n = d_h * (1 - z[t]) * (1 - n[t] ** 2)
        row = d_given[t]
        row[:size] = d_n * recurrent[t] * r[t] * (1 - r[t])
        row[size : 2 * size] = d_h * (h[t] - n[t]) * z[t] * (1 - z[t])
        row[2 * size :] = d_n
        d_product[t] = row
        d_product[t, 2 * size :] = d_n * r[t]
        d_h = d_h * z[t] + d_product[t] @ weight_hh
    return d_given, d_product.T @ h[:-1], d_product[:, 2 * size :].sum(axis=0)


def _forward_gru_before(given: Any, state: Any, weight_hh: Any, _: Any) -> tuple[Any, ...]:
    time, size = len(given), len(state[0])
    h = _states(state[0], time)
    rzn = given
    for t in range(time):
        row = rzn[t]
        row[: 2 * size] = sigmoid(row[: 2 * size] + weight_hh[: 2 * size] @ h[t])
        r, z = row[:size], row[size : 2 * size]
        row[2 * size :] = np.tanh(row[2 * size :] + weight_hh[2 * size :] @ (r * h[t]))
        h[t + 1] = z * h[t] + (1 - z) * row[2 * size :]
    return h, rzn


def _backward_gru_before(d_out: Any, kept: Any, weight_hh: Any) -> tuple[Any, Any, None]:
    h, rzn = kept
    size = h.shape[1]
    r, z, n = np.split(rzn, 3, axis=1)
    d_given = np.empty_like(rzn)
    d_h = np.zeros_like(h[0])
    for t in reversed(range(len(rzn))):
        d_h = d_h + d_out[t]
        row = d_given[t]
        row[2 * size :] = d_h * (1 - z[t]) * (1 - n[t] ** 2)
        d_gated = row[2 * size :] @ weight_hh[2 * size :]
        row[:size] = d_gated * h[t] * r[t] * (1 - r[t])
        row[size : 2 * size] = d_h * (h[t] - n[t]) * z[t] * (1 - z[t])
        d_h = d_h * z[t] + d_gated * r[t] + row[: 2 * size] @ weight_hh[: 2 * size]
    gates = d_given[:, : 2 * size].T @ h[:-1]
    return d_given, np.concatenate([gates, d_given[:, 2 * size :].T @ (r * h[:-1])]), None


_FORWARD: dict[tuple[str, str], Any] = {
    ("lstm", ""): _forward_lstm,
    ("rnn", ""): _forward_rnn,
    ("gru", "after"): _forward_gru,
    ("gru", "before"): _forward_gru_before,
}
_BACKWARD: dict[tuple[str, str], Any] = {
    ("lstm", ""): _backward_lstm,
    ("rnn", ""): _backward_rnn,
    ("gru", "after"): _backward_gru,
    ("gru", "before"): _backward_gru_before,
}
