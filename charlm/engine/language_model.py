"""A recurrent language model in NumPy: what every query on the CPU runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.engine.blas import StepThreads, blas_threads
from charlm.engine.config import LanguageModelConfig
from charlm.engine.embedding import IdInputs
from charlm.engine.fused import FusedStep
from charlm.engine.layers import LAYERS, Float32, by_columns
from charlm.engine.stack import StackState, build_layers

# Matrix products of a batched step below this are not worth waking threads for.
SMALL_FLOPS = 10**8

FloatArray = npt.NDArray[np.floating[Any]]
IdArray = npt.NDArray[np.integer[Any]]
OneRowStep = Callable[[Any, StackState], Float32]


class LanguageModel:
    """p(token | all before it) of a recurrent network, with a state that is carried.

    It offers `generation.protocol.CausalModel`. `step` and `read` use up the state that they are
    given: they change it in place and return it. Who needs it later takes a copy by `select`.
    """

    def __init__(
        self,
        config: LanguageModelConfig,
        tensors: Mapping[str, npt.NDArray[Any]],
        *,
        keeps_inputs: bool = True,
    ) -> None:
        """Prepare the weights.

        Args:
            config: the shape of the model.
            tensors: by the names of `config.tensor_shapes()`; any float type, or int8 with a
                scale a row under the same name and `.scale`.
            keeps_inputs: keep what each id that was met gives to the gates: faster step by step,
                and more memory than the model itself where the vocabulary is large.

        Raises:
            CheckpointError: if a tensor is missing, unknown, or of another shape.
        """
        self.config = config
        self.vocab_size = config.vocab_size
        self.bos_id = config.bos_id
        weights = to_float32(config, tensors)
        self._layers = build_layers(config, weights)
        self._inputs = _build_inputs(config, weights, keeps_inputs)
        self._by_rows = [
            [_lookup(inputs, method) for inputs in self._inputs] for method in ("take", "row")
        ]
        self._embedding = weights["embedding.weight"]
        self._output, self._projection = _build_output(
            config, weights, self._layers[0].output_scale
        )
        self._output_bias = weights["output.bias"]
        self._threads = StepThreads(self.weight_bytes)
        self._step_one: OneRowStep = self._step
        if not self._threads.may_share:
            self._output = by_columns(self._output)
            for layer in self._layers:
                layer.arrange_by_columns()
            self._step_one = self._fuse() or self._step

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that one step reads."""
        layers = sum(
            layer.weight_hh.nbytes
            + (0 if layer.weight_below is None else layer.weight_below.nbytes)
            for layer in self._layers
        )
        extra = 0 if self._projection is None else self._projection.nbytes
        return layers + self._output.nbytes + extra

    def prepare(self, ids: IdArray) -> None:
        """Compute what these ids give to the gates: threads that read them then write nothing."""
        seen = np.zeros(len(self._embedding), dtype=bool)
        seen[ids] = seen[self.bos_id] = True
        for inputs in self._inputs:
            if isinstance(inputs, IdInputs) and inputs.is_table:
                inputs.take(np.flatnonzero(seen))

    def initial_state(self, batch_size: int) -> StackState:
        """Return the zero state of `batch_size` rows, before anything was read."""
        return StackState(self._layers, batch_size, self._by_rows[batch_size == 1])

    def select(self, state: StackState, rows: IdArray) -> StackState:
        """Return a new state whose row i is a copy of row `rows[i]` of `state`."""
        return self.state_from_array(state.to_array()[np.asarray(rows)])

    def state_from_array(self, values: Float32) -> StackState:
        """Return the state that `StackState.to_array` was taken from."""
        state = self.initial_state(len(values))
        state.load_array(values)
        return state

    def step(self, ids: IdArray, state: StackState) -> tuple[Float32, StackState]:
        """Read one id a row.

        Shapes:
            ids: (batch,).
            returns: logits of the next token (batch, vocab), a new array; and the state.
        """
        if state.batch_size == 1:
            return self._threads.run(self._step_one, ids.item(0), state)[None], state
        with self._few_threads(state):
            return self._step(ids, state), state

    def _fuse(self) -> OneRowStep | None:
        """Return the step of one row with the output in the layer's product, where that fits."""
        inputs = self._inputs[0]
        resets_before = self.config.cell == "gru" and self.config.reset == "before"
        keeps_apart = resets_before or self._projection is not None
        if len(self._layers) > 1 or keeps_apart or not isinstance(inputs, IdInputs):
            return None
        return FusedStep(self._layers[0], inputs, self._output, self._output_bias).step

    def _few_threads(self, state: StackState) -> AbstractContextManager[None]:
        flops = 2 * state.batch_size * self.weight_bytes // 4
        return blas_threads(1 if flops < SMALL_FLOPS else None)

    def _step(self, ids: Any, state: StackState) -> Float32:
        for advance, own, source, weight, below, given_for in state.moves:
            given = given_for(ids)
            if below is not None:
                matrix, under = below
                product = np.dot(matrix, under) if under.ndim == 1 else np.dot(under, matrix.T)
                given = np.add(product, given, product)
            advance(own, source, weight, given)
        return self._logits(state.hidden if self.config.skip else state.top)

    def read(self, ids: IdArray, state: StackState) -> tuple[Float32, StackState]:
        """Read many ids a row, layer by layer.

        Shapes:
            ids: (batch, time).
            returns: logits after each id (batch, time, vocab); and the state after the last.
        """
        ids = np.asarray(ids)
        with self._few_threads(state):
            return self._read(ids, state), state

    def _read(self, ids: IdArray, state: StackState) -> Float32:
        outputs: list[Float32] = []
        for output in self._outputs(ids, state):
            outputs.append(output)
            if not self.config.skip:
                del outputs[:-1]
        features = np.concatenate(outputs, axis=-1) if len(outputs) > 1 else outputs[0]
        return self._logits(features).transpose(1, 0, 2)

    def read_layers(self, ids: IdArray, state: StackState) -> tuple[Float32, StackState]:
        """Read many ids a row, and return the hidden states of all layers in place of logits.

        Shapes:
            ids: (batch, time).
            returns: (layers, time, batch, hidden); and the state after the last id.
        """
        ids = np.asarray(ids)
        scale = np.float32(1.0 / self._layers[0].output_scale)
        with self._few_threads(state):
            return np.stack(list(self._outputs(ids, state))) * scale, state

    def _outputs(self, ids: IdArray, state: StackState) -> Iterator[Float32]:
        """Yield each layer's states as it keeps them, (time, batch, hidden), the lowest first."""
        batch, time = ids.shape
        state.ahead = None
        output: Float32 | None = None
        for index, (layer, own) in enumerate(zip(self._layers, state.layers, strict=True)):
            inputs = self._inputs[index]
            given = inputs.take(ids.T) if isinstance(inputs, IdInputs) else inputs
            if layer.weight_below is not None and output is not None:
                given = apply(layer.weight_below, output) + given
            output = _run(layer, own, given, (time, batch))
            yield output

    def log_probs(self, ids: IdArray, state: StackState) -> tuple[Float32, StackState]:
        """Read many ids a row as `read` does; return log-probabilities in place of logits."""
        logits, state = self.read(ids, state)
        return log_softmax(logits), state

    def _logits(self, features: Float32) -> Float32:
        if features.ndim == 1:
            if self._projection is not None:
                features = np.dot(self._projection, features)
            logits: Float32 = np.dot(self._output, features)
        else:
            if self._projection is not None:
                features = apply(self._projection, features)
            logits = apply(self._output, features)
        return np.add(logits, self._output_bias, logits)


def apply(weight: Float32, x: Float32) -> Float32:
    """Return `x` (..., in) times `weight` (out, in), as one matrix product whatever the axes."""
    flat: Float32 = x.reshape(-1, x.shape[-1]) @ weight.T
    return flat.reshape(*x.shape[:-1], weight.shape[0])


def log_softmax(logits: FloatArray) -> Any:
    """Return normalised log-probabilities along the last axis, in the type of `logits`.

    Example:
        >>> np.exp(log_softmax(np.log(np.array([1.0, 3.0])))).round(6)
        array([0.25, 0.75])
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def to_float32(
    config: LanguageModelConfig, tensors: Mapping[str, npt.NDArray[Any]]
) -> dict[str, Float32]:
    """Return every tensor of the model in float32, its name and shape checked.

    Raises:
        CheckpointError: if a tensor is missing, unknown, or of another shape.
    """
    shapes = config.tensor_shapes()
    known = set(shapes) | {f"{name}.scale" for name in shapes}
    unknown = sorted(set(tensors) - known)
    missing = sorted(set(shapes) - set(tensors))
    if unknown or missing:
        found = [f"missing {', '.join(missing)}"] if missing else []
        found += [f"unknown {', '.join(unknown)}"] if unknown else []
        raise CheckpointError(f"the tensors do not fit the config: {'; '.join(found)}")
    weights: dict[str, Float32] = {}
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape:
            raise CheckpointError(f"tensor {name} has shape {tensor.shape}, expected {shape}")
        weight = np.ascontiguousarray(tensor, dtype=np.float32)
        scale = tensors.get(f"{name}.scale")
        if scale is not None:
            weight = weight * scale.astype(np.float32).reshape(-1, *[1] * (weight.ndim - 1))
        weights[name] = weight
    return weights


def _build_inputs(
    config: LanguageModelConfig, weights: Mapping[str, Float32], keeps: bool
) -> list[IdInputs | Float32]:
    """Return for each layer what the gates get besides the states: rows by id, or a bias."""
    prepare = LAYERS[config.cell].prepare
    embedding = weights["embedding.weight"]
    inputs: list[IdInputs | Float32] = []
    for index in range(config.num_layers):
        bias = prepare(weights[f"layers.{index}.bias"])
        read = weights[f"layers.{index}.weight_ih"]
        if index == 0:
            inputs.append(IdInputs(embedding, prepare(read), bias, keeps=keeps))
        elif config.skip:
            own = prepare(read[:, config.hidden_size :])
            inputs.append(IdInputs(embedding, own, bias, keeps=keeps))
        else:
            inputs.append(bias)
    return inputs


def _lookup(inputs: IdInputs | Float32, method: str) -> Any:
    """Return the function from ids to what the gates get: by id, or the same for all."""
    if isinstance(inputs, IdInputs):
        return getattr(inputs, method)
    return lambda _: inputs


def _build_output(
    config: LanguageModelConfig, weights: Mapping[str, Float32], output_scale: float
) -> tuple[Float32, Float32 | None]:
    """Return the output matrix and the projection before it, scaled for the stack's states."""
    scale = np.float32(1.0 / output_scale)
    tied = weights["embedding.weight"][: config.vocab_size]
    output = tied if config.tie_weights else weights["output.weight"]
    if config.has_projection:
        return output, weights["projection.weight"] * scale
    return output * scale, None


def _run(layer: Any, own: Any, given: Float32, shape: tuple[int, int]) -> Float32:
    """Run one layer over time; `given` is (time, batch, gates). Returns (time, batch, hidden)."""
    time, batch = shape
    outputs: Float32 = np.empty((time, batch, layer.hidden_size), dtype=np.float32)
    steps = given[:, 0] if batch == 1 else given
    targets = outputs[:, 0] if batch == 1 else outputs
    for t in range(time):
        layer.advance(own, own.h, layer.weight_hh, steps[t])
        targets[t] = own.h
    return outputs
