"""Recurrent layers made for speed: few NumPy calls a step, no allocation, every result exact.

Two rewritings save most of the time, and both are exact in binary floating point, since they
scale by powers of two:

- `sigmoid(x) = (1 + tanh(x / 2)) / 2`. The inner half is folded into the weights of the gates, so
  that one call of `np.tanh` serves all gates of a layer.
- The outer half of the LSTM's output gate is folded into whatever reads its hidden state: the
  state holds `2 h` (`Layer.output_scale`), and the next weights are halved.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# NumPy handles an array of no axes faster than a Python number.
_ONE = np.array(1.0, dtype=np.float32)
_HALF = np.array(0.5, dtype=np.float32)
_LINE = 16  # numbers in a cache line


def by_columns(weight: Float32) -> Float32:
    """Return a weight as the product with one row reads it fastest: by columns, each aligned.

    OpenBLAS adds up columns some percent faster than it multiplies rows, and reads whole cache
    lines fastest. Only rows, though, are shared among threads in a way that leaves the bits alone:
    this is for one thread.
    """
    rows, columns = weight.shape
    room = np.empty(weight.size + _LINE, dtype=np.float32)
    start = -(room.ctypes.data // 4) % _LINE
    flat = room[start : start + weight.size]
    arranged = flat.reshape(columns, rows).T
    arranged[:] = weight
    return arranged


class LayerState:
    """What one layer carries for some rows, and the scratch space of its next step.

    With one row the arrays have no batch axis: a matrix-vector product is faster than a matrix
    product with one row, and so is everything else on plain vectors.
    """

    def __init__(self, lead: tuple[int, ...], hidden: Float32, width: int) -> None:
        self.h = hidden  # (..., hidden), a view into the stack's shared array
        self.work: Float32 = np.zeros((*lead, width), dtype=np.float32)
        self.views: tuple[Float32, ...] = ()

    def memories(self) -> tuple[Float32, ...]:
        """Return the arrays that outlive a step."""
        return (self.h,)


class Layer:
    """One recurrent layer with prepared weights; subclasses know their cell.

    Attributes:
        weight_hh: (gates, hidden), prepared, for rows whose input product is already known.
        weight_both: (gates, below + hidden): layer below and own state in one product; None for
            the first layer and for a cell whose candidate gate keeps the two apart.
    """

    output_scale: ClassVar[float] = 1.0

    def __init__(self, weight_below: Float32 | None, weight_hh: Float32) -> None:
        self.hidden_size = weight_hh.shape[1]
        self.weight_below = weight_below
        self.weight_hh = weight_hh
        self.weight_both: Float32 | None = None

    def arrange_by_columns(self) -> None:
        """Lay the weights out as the product with one row reads them fastest, see `by_columns`."""
        self.weight_hh = by_columns(self.weight_hh)
        if self.weight_both is not None:
            self.weight_both = by_columns(self.weight_both)

    def new_state(self, lead: tuple[int, ...], hidden: Float32) -> LayerState:
        """Return the zero state over `hidden`, this layer's part of the shared array."""
        raise NotImplementedError

    def advance(self, state: LayerState, source: Float32, weight: Float32, inputs: Float32) -> None:
        """Move `state` one step on: gates = inputs + weight · source, in place.

        Args:
            source: the hidden state, or with `weight_both` the layer below and the hidden state.
            weight: the matrix that fits `source`.
            inputs: all that the gates get besides, bias included; may be overwritten never.
        """
        raise NotImplementedError

    def finish(self, state: LayerState, product: Float32, inputs: Float32) -> None:
        """Move `state` one step on, its `product` = weight_hh · state given: see `fused`."""
        raise NotImplementedError


def _product(weight: Float32, source: Float32, out: Float32) -> None:
    if source.ndim == 1:
        np.dot(weight, source, out)
    else:
        np.matmul(source, weight.T, out)


class LSTMState(LayerState):
    """The work array is [o, i, f, g, c], so that i·g and f·c are one multiplication."""

    def __init__(self, lead: tuple[int, ...], hidden: Float32, size: int) -> None:
        super().__init__(lead, hidden, 5 * size)
        work = self.work
        self.cell = work[..., 4 * size :]
        products: Float32 = np.empty((*lead, 2 * size), dtype=np.float32)
        squashed: Float32 = np.empty((*lead, size), dtype=np.float32)
        self.views = (
            work[..., : 4 * size],
            work[..., : 3 * size],
            work[..., size : 3 * size],
            work[..., 3 * size :],
            products,
            products[..., :size],
            products[..., size:],
            self.cell,
            squashed,
            work[..., :size],
            hidden,
        )

    def memories(self) -> tuple[Float32, ...]:
        return (self.h, self.cell)


class LSTMLayer(Layer):
    """An LSTM; its hidden state is kept doubled."""

    output_scale = 2.0

    def __init__(self, weight_below: Float32 | None, weight_hh: Float32) -> None:
        super().__init__(weight_below, weight_hh)
        if weight_below is not None:
            self.weight_both = np.concatenate([weight_below, weight_hh], axis=1)

    @staticmethod
    def prepare(weight: Float32) -> Float32:
        """Return gate rows i, f, g, o as o, i, f, g, those of the sigmoids halved."""
        i, f, g, o = np.split(weight, 4)
        return np.concatenate([o * _HALF, i * _HALF, f * _HALF, g])

    def new_state(self, lead: tuple[int, ...], hidden: Float32) -> LSTMState:
        return LSTMState(lead, hidden, self.hidden_size)

    def advance(self, state: LayerState, source: Float32, weight: Float32, inputs: Float32) -> None:
        gates = state.views[0]
        _product(weight, source, gates)
        self.finish(state, gates, inputs)

    def finish(self, state: LayerState, product: Float32, inputs: Float32) -> None:
        (gates, sigmoids, i_f, g_c, products, new, kept, cell, squashed, o, h) = state.views
        np.add(product, inputs, gates)
        np.tanh(gates, gates)
        np.add(sigmoids, _ONE, sigmoids)  # twice the sigmoid
        np.multiply(i_f, g_c, products)
        np.add(new, kept, cell)
        np.multiply(cell, _HALF, cell)
        np.tanh(cell, squashed)
        np.multiply(o, squashed, h)  # twice the hidden state


class GRUState(LayerState):
    """The work array is [r, z, n]."""

    def __init__(self, lead: tuple[int, ...], hidden: Float32, size: int) -> None:
        super().__init__(lead, hidden, 3 * size)
        candidate: Float32 = np.empty((*lead, size), dtype=np.float32)
        work = self.work
        self.views = (
            work,
            work[..., : 2 * size],
            work[..., :size],
            work[..., size : 2 * size],
            work[..., 2 * size :],
            candidate,
            hidden,
        )


class GRULayer(Layer):
    """A GRU in either form; `bias_hn` is None for the reset gate before the product."""

    def __init__(
        self, weight_below: Float32 | None, weight_hh: Float32, bias_hn: Float32 | None
    ) -> None:
        size = weight_hh.shape[1]
        weight_hh[2 * size :] *= _HALF  # the reset gate is kept doubled
        super().__init__(weight_below, weight_hh)
        self.resets_before = bias_hn is None
        self.bias_hn = weight_hh[0, :0] if bias_hn is None else bias_hn * _HALF
        two = 2 * size
        self.weight_gates, self.weight_hn = weight_hh[:two], weight_hh[two:]

    def arrange_by_columns(self) -> None:
        super().arrange_by_columns()
        two = 2 * self.hidden_size  # parts of a weight by columns are not contiguous
        self.weight_gates = by_columns(self.weight_hh[:two])
        self.weight_hn = by_columns(self.weight_hh[two:])

    @staticmethod
    def prepare(weight: Float32) -> Float32:
        """Return gate rows r, z, n, those of the sigmoids halved."""
        r, z, n = np.split(weight, 3)
        return np.concatenate([r * _HALF, z * _HALF, n])

    def new_state(self, lead: tuple[int, ...], hidden: Float32) -> GRUState:
        return GRUState(lead, hidden, self.hidden_size)

    def advance(self, state: LayerState, source: Float32, weight: Float32, inputs: Float32) -> None:
        if not self.resets_before:
            _product(weight, source, state.work)
            self.finish(state, state.work, inputs)
            return
        _, sigmoids, r, _, n, candidate, h = state.views
        two = 2 * self.hidden_size
        gates = np.empty_like(sigmoids, order="C") if sigmoids.ndim > 1 else sigmoids
        _product(self.weight_gates, source, gates)
        np.add(gates, inputs[..., :two], sigmoids)
        self._squash(sigmoids)
        np.multiply(r, h, n)
        _product(self.weight_hn, np.ascontiguousarray(n), candidate)
        self._blend(state, inputs[..., two:])

    def finish(self, state: LayerState, product: Float32, inputs: Float32) -> None:
        _, sigmoids, r, _, n, candidate, _ = state.views
        two = 2 * self.hidden_size
        np.add(product[..., :two], inputs[..., :two], sigmoids)
        self._squash(sigmoids)
        np.add(product[..., two:], self.bias_hn, n)
        np.multiply(n, r, candidate)
        self._blend(state, inputs[..., two:])

    @staticmethod
    def _squash(gates: Float32) -> None:
        np.tanh(gates, gates)
        np.add(gates, _ONE, gates)  # twice the sigmoid

    @staticmethod
    def _blend(state: LayerState, inputs: Float32) -> None:
        """Write the new state: `h' = n + z (h - n)`."""
        _, _, _, z, n, candidate, h = state.views
        np.add(candidate, inputs, candidate)
        np.tanh(candidate, candidate)
        np.subtract(h, candidate, n)
        np.multiply(n, z, n)
        np.multiply(n, _HALF, n)
        np.add(candidate, n, h)


class RNNLayer(Layer):
    """A tanh RNN."""

    def __init__(self, weight_below: Float32 | None, weight_hh: Float32) -> None:
        super().__init__(weight_below, weight_hh)
        if weight_below is not None:
            self.weight_both = np.concatenate([weight_below, weight_hh], axis=1)

    @staticmethod
    def prepare(weight: Float32) -> Float32:
        """Return the weight as it is: there are no gates."""
        return weight.copy()

    def new_state(self, lead: tuple[int, ...], hidden: Float32) -> LayerState:
        return LayerState(lead, hidden, self.hidden_size)

    def advance(self, state: LayerState, source: Float32, weight: Float32, inputs: Float32) -> None:
        _product(weight, source, state.work)
        self.finish(state, state.work, inputs)

    def finish(self, state: LayerState, product: Float32, inputs: Float32) -> None:
        np.add(product, inputs, state.work)
        np.tanh(state.work, state.h)


LAYERS: dict[str, Any] = {"lstm": LSTMLayer, "gru": GRULayer, "rnn": RNNLayer}
