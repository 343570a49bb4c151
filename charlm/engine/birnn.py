"""A deep bidirectional RNN in NumPy: many sequences at once, each exactly as if alone.

Sequences of a batch lie step by step in one array, the longest first, so that those which still
go on at a step are the first rows of its block: nothing is padded and nothing is wasted. The
backward direction lies in the same blocks, each sequence begun at its end, so that one product
and one pass a step serve both directions.

As in `layers`, `sigmoid(x) = (1 + tanh(x / 2)) / 2` with the inner half folded into the weights;
an LSTM's outputs are doubled until the layer has ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.engine.birnn_config import BiRNNConfig
from charlm.engine.blas import blas_threads, cpu_count
from charlm.engine.config import GATES
from charlm.engine.layers import LAYERS, Float32

IntArray = npt.NDArray[np.integer[Any]]

BATCH_ROWS = 128
BATCH_TOKENS = 2048  # their gates stay in a cache of the second level, or near it
CHUNK_TOKENS = 2048  # whose gates are in memory at once, in each direction
TABLE_BYTES = 64 << 20  # products of distinct inputs are made once up to here
_ONE = np.array(1.0, dtype=np.float32)
_HALF = np.array(0.5, dtype=np.float32)


class BiRNN:
    """Runs a `BiRNNConfig`'s network over sequences of any lengths."""

    def __init__(
        self, config: BiRNNConfig, tensors: Mapping[str, Float32], prefix: str = ""
    ) -> None:
        """Prepare the weights.

        Args:
            config: the network's form.
            tensors: by the names of `config.tensor_shapes()`, after `prefix`.
            prefix: what stands before those names, as `birnn.`.
        """
        self.config = config
        self._layers = [
            _Layer(config, tensors, f"{prefix}layers.{index}.")
            for index in range(config.num_layers)
        ]

    def run(
        self, inputs: Float32, lengths: Sequence[int], index: IntArray | None = None
    ) -> Float32:
        """Return the last layer's outputs (tokens, output), in the order of the tokens.

        Args:
            inputs: (tokens, input), the sequences one after another; or with `index` (tokens,)
                the distinct inputs (R, input), which it names by token.
            lengths: of the sequences, 0 and more; their sum is the number of tokens.
        """
        return self.run_layers(inputs, lengths, index)[-1]

    def run_layers(
        self, inputs: Float32, lengths: Sequence[int], index: IntArray | None = None
    ) -> list[Float32]:
        """Return what `run` does, of every layer."""
        tokens = len(inputs) if index is None else len(index)
        return self._run(self._layers[0].source(inputs, index), lengths, tokens)

    def products(self, inputs: Float32) -> list[Float32]:
        """Return what the first layer makes of inputs (R, input), for each direction (R, gates).

        Who meets the same inputs again and again keeps these, and calls `run_products`.
        """
        return self._layers[0].tables(inputs)

    def run_products(
        self, products: Sequence[Float32], lengths: Sequence[int], index: IntArray
    ) -> Float32:
        """Return what `run` does, of `products` and which of their rows each token has."""
        return self._run(_from_tables(products, index), lengths, len(index))[-1]

    def _run(self, source: Source, lengths: Sequence[int], given: int) -> list[Float32]:
        tokens = int(sum(lengths))
        if tokens != given:
            raise ValueError(f"lengths have {tokens} tokens, not as many as there are inputs")
        sizes = (tokens, self.config.output_size)
        outputs: list[Float32] = [np.empty(sizes, np.float32) for _ in self._layers]
        batches = _batches(lengths)

        def work(rows: Sequence[tuple[int, int]]) -> None:
            order = _Order(rows, len(self.config.directions))
            below: Float32 | None = None
            for layer, out in zip(self._layers, outputs, strict=True):
                layer.run(source if below is None else layer.later_source(below), order, out)
                below = out

        workers = min(cpu_count(), len(batches))
        if workers <= 1:  # products of few rows: a second thread would only be waited for
            with blas_threads(1):
                for batch in batches:
                    work(batch)
            return outputs
        from concurrent.futures import ThreadPoolExecutor

        with blas_threads(1), ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, batches))
        return outputs


def _batches(lengths: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Return (start, length) of the sequences that are read together, the longest first."""
    starts = itertools.accumulate(lengths, initial=0)
    rows = [(start, length) for start, length in zip(starts, lengths, strict=False) if length]
    rows.sort(key=lambda row: -row[1])
    batches: list[list[tuple[int, int]]] = []
    tokens = 0
    for row in rows:
        if not batches or len(batches[-1]) >= BATCH_ROWS or tokens + row[1] > BATCH_TOKENS:
            batches.append([])
            tokens = 0
        batches[-1].append(row)
        tokens += row[1]
    return batches


class _Order:
    """Where the steps of a batch lie.

    Attributes:
        bounds: where each step's block begins, and the end.
        places: a direction's blocks as places in the order of the tokens.
    """

    def __init__(self, rows: Sequence[tuple[int, int]], directions: int) -> None:
        if len(rows) == 1:  # one text: no sorting
            start, length = rows[0]
            self.bounds: list[int] = list(range(length + 1))
            forward = np.arange(start, start + length)
            self.places = [forward, forward[::-1]][:directions]
        else:
            starts, lengths = np.array(rows).T
            steps = np.arange(lengths[0])
            active = np.searchsorted(-lengths, -steps, side="left")  # rows longer than a step
            self.bounds = [0, *np.cumsum(active).tolist()]
            row = np.concatenate([np.arange(count) for count in active.tolist()])
            step = np.repeat(steps, active)
            both = [starts[row] + step, starts[row] + lengths[row] - 1 - step]
            self.places = both[:directions]
        self.rows = len(rows)


Source = Callable[[int, IntArray, Float32], None]
"""Writes the gates' part from the input, for a direction and tokens."""


def _from_tables(tables: Sequence[Float32], index: IntArray) -> Source:
    """Return the source that looks up each token's row; `IndexError` where there is none."""
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(tables[0]):
        raise IndexError(f"an index leaves the {len(tables[0])} distinct inputs")

    def look_up(direction: int, places: IntArray, out: Float32) -> None:
        # every row is there: this clips nothing, but spares a copy
        np.take(tables[direction], index[places], axis=0, out=out, mode="clip")

    return look_up


class _Layer:
    """One layer in all directions, its weights stacked and prepared."""

    def __init__(self, config: BiRNNConfig, tensors: Mapping[str, Float32], name: str) -> None:
        self.size = config.hidden_size
        self.width = GATES[config.cell] * self.size
        self._step = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}[config.cell]
        prepare = LAYERS[config.cell].prepare
        self._scale = np.float32(LAYERS[config.cell].output_scale)
        self._below, self._bias, own, extra = [], [], [], []
        for direction in config.directions:
            part = f"{name}{direction}."
            weight, bias = tensors[part + "weight_ih"], tensors[part + "bias"]
            self._below.append(np.ascontiguousarray(prepare(weight).T))
            self._bias.append(prepare(bias[:, None])[:, 0])
            own.append(prepare(tensors[part + "weight_hh"]).T / self._scale)
            if part + "bias_hn" in tensors:
                extra.append(tensors[part + "bias_hn"])
        self._own = np.ascontiguousarray(np.stack(own), dtype=np.float32)
        self._extra = np.stack(extra)[:, None] if extra else None

    def source(self, inputs: Float32, index: IntArray | None) -> Source:
        """Return the source of the first layer: distinct inputs are multiplied once, if few."""
        table_bytes = 4 * len(inputs) * self.width * len(self._below)
        if index is None:
            return self.later_source(inputs)
        if len(inputs) >= len(index) or table_bytes > TABLE_BYTES:
            return lambda d, places, out: self._multiply(d, inputs[index[places]], out)
        return _from_tables(self.tables(inputs), index)

    def tables(self, inputs: Float32) -> list[Float32]:
        """Return the gates' part from the input, for each direction and distinct input."""
        return [
            inputs @ weight + bias for weight, bias in zip(self._below, self._bias, strict=True)
        ]

    def later_source(self, inputs: Float32) -> Source:
        """Return the source that multiplies each token's input."""
        return lambda d, places, out: self._multiply(d, inputs[places], out)

    def _multiply(self, direction: int, inputs: Float32, out: Float32) -> None:
        np.matmul(inputs, self._below[direction], out)
        np.add(out, self._bias[direction], out)

    def run(self, source: Source, order: _Order, out: Float32) -> None:
        """Write the outputs of a batch to their places in `out` (tokens, directions · H)."""
        size = self.size
        directions = len(self._own)
        last: Float32 = np.zeros((directions, order.rows, size), np.float32)
        cell: Float32 = np.zeros_like(last)
        for first, end in _chunks(order.bounds):
            begin, stop = order.bounds[first], order.bounds[end]
            gates: Float32 = np.empty((directions, stop - begin, self.width), np.float32)
            for d, places in enumerate(order.places):
                source(d, places[begin:stop], gates[d])
            states: Float32 = np.empty((directions, stop - begin, size), np.float32)
            bounds = [bound - begin for bound in order.bounds[first : end + 1]]
            last = self._step(gates, last, cell, states, bounds, self._own, self._extra)
            if self._scale != 1.0:
                last = last.copy()
                states /= self._scale
            for d, places in enumerate(order.places):
                out[places[begin:stop], d * size : (d + 1) * size] = states[d]


def _chunks(bounds: list[int]) -> list[tuple[int, int]]:
    """Return (first, end) of the steps whose gates are made together."""
    if bounds[-1] <= CHUNK_TOKENS:
        return [(0, len(bounds) - 1)]
    chunks, first = [], 0
    for step in range(1, len(bounds)):
        if step == len(bounds) - 1 or bounds[step + 1] - bounds[first] > CHUNK_TOKENS:
            chunks.append((first, step))
            first = step
    return chunks


def _lstm(
    gates: Float32,
    last: Float32,
    cell: Float32,
    states: Float32,
    bounds: list[int],
    weight: Float32,
    _: Float32 | None,
) -> Float32:
    """Run an LSTM's steps; gates o, i, f, g come as the input's part and are used up.

    Shapes:
        gates: (directions, tokens, 4H); last, cell: (directions, rows, H); states: (directions,
        tokens, H), written; weight: (directions, H, 4H).
        returns: the last block of states, twice the hidden ones as all in `states`.
    """
    size = states.shape[2]
    for begin, end in itertools.pairwise(bounds):
        rows = end - begin
        step, new, kept = gates[:, begin:end], states[:, begin:end], cell[:, :rows]
        np.add(step, np.matmul(last[:, :rows], weight), step)
        np.tanh(step, step)
        sigmoids = step[..., : 3 * size]
        np.add(sigmoids, _ONE, sigmoids)  # twice the sigmoid
        np.multiply(kept, step[..., 2 * size : 3 * size], kept)
        np.add(kept, step[..., size : 2 * size] * step[..., 3 * size :], kept)
        np.multiply(kept, _HALF, kept)
        np.tanh(kept, new)
        np.multiply(new, step[..., :size], new)
        last = new
    return last


def _gru(
    gates: Float32,
    last: Float32,
    _: Float32,
    states: Float32,
    bounds: list[int],
    weight: Float32,
    bias_hn: Float32 | None,
) -> Float32:
    """Run a GRU's steps in either form; shapes as `_lstm`, gates r, z, n."""
    two = 2 * states.shape[2]
    own = np.ascontiguousarray(weight[..., two:]) if bias_hn is None else weight
    for begin, end in itertools.pairwise(bounds):
        step, new = gates[:, begin:end], states[:, begin:end]
        before = last[:, : end - begin]
        product = np.matmul(before, weight[..., :two] if bias_hn is None else weight)
        r_z, fresh = step[..., :two], step[..., two:]
        np.add(r_z, product[..., :two], r_z)
        np.tanh(r_z, r_z)
        np.add(r_z, _ONE, r_z)
        np.multiply(r_z, _HALF, r_z)
        reset, keep = r_z[..., : two // 2], r_z[..., two // 2 :]
        if bias_hn is None:
            np.add(fresh, np.matmul(reset * before, own), fresh)
        else:
            np.add(fresh, reset * (product[..., two:] + bias_hn), fresh)
        np.tanh(fresh, fresh)
        np.subtract(before, fresh, new)
        np.multiply(new, keep, new)
        np.add(new, fresh, new)
        last = new
    return last


def _rnn(
    gates: Float32,
    last: Float32,
    _: Float32,
    states: Float32,
    bounds: list[int],
    weight: Float32,
    __: Float32 | None,
) -> Float32:
    """Run a tanh RNN's steps; shapes as `_lstm`."""
    for begin, end in itertools.pairwise(bounds):
        step, new = gates[:, begin:end], states[:, begin:end]
        np.add(step, np.matmul(last[:, : end - begin], weight), step)
        np.tanh(step, new)
        last = new
    return last
