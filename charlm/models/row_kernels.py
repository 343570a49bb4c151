"""An LSTM's way through time for some rows of a batch, and what goes before and after, in numba.

Shapes: T steps, B rows, H units; the recurrent weights are packed as `registers` wants them.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from charlm.models.kernels import (
    _add_sigmoid,
    _add_tanh,
    _kernel,
    _load,
    _store,
    _tanh,
    lstm_gates_backward,
)
from charlm.models.registers import VECTOR_BYTES, multiply_rows

GROUP = 256  # units whose gates are finished together, while their products are in the cache
CHUNK = 256  # terms of a panel that are used for all rows before the next


@_kernel
def pack_for_state(first, last, weight, packed):
    """Pack (4H, K) terms for `state · weight.T`: panel p holds units p·lanes… of each gate.

    Shapes:
        weight: (4H, terms), two bfloat16 numbers seen as one uint32; packed: (panels, terms,
        vectors, lanes), of the same type.
    """
    _, terms, gates, lanes = packed.shape
    units = weight.shape[0] // gates
    zero = weight[0, 0] * 0
    for p in range(first, last):
        for q in range(gates):
            for j in range(lanes):
                unit = p * lanes + j
                if unit < units:
                    row = weight[q * units + unit]
                    for k in range(terms):
                        packed[p, k, q, j] = row[k]
                else:
                    for k in range(terms):
                        packed[p, k, q, j] = zero


@_kernel
def pack_for_gradient(first, last, weight, packed):
    """Pack (4H, H) weights for `gradient · weight`: a panel holds four vectors of units.

    Shapes:
        packed: (panels, terms, units of a panel); for bfloat16 uint32, two rows' numbers in one.
    """
    _, terms, width = packed.shape
    units = weight.shape[1]
    for p in range(first, last):
        start = p * width
        count = min(width, units - start)
        for k in range(terms):
            line = packed[p, k]
            line[count:] = 0
            _pack_line(weight, k, start, line[:count])


def _pack_line(weight, k, start, line):
    """Write the weights of term k."""


@overload(_pack_line)
def _overload_pack_line(weight, k, start, line):
    if weight.dtype == types.uint16:

        def pairs(weight, k, start, line):
            low, high = weight[2 * k, start:], weight[2 * k + 1, start:]
            for j in range(line.size):
                line[j] = np.uint32(low[j]) | (np.uint32(high[j]) << np.uint32(16))

        return pairs

    def single(weight, k, start, line):
        row = weight[k, start:]
        for j in range(line.size):
            line[j] = row[j]

    return single


@_kernel
def forward_rows(first, last, inputs, index, packed, gates, cells, states):
    """Run rows `first` to `last` through all steps.

    Shapes:
        inputs: (R, 4H), gates i, f, g, o; index: (T, B), which of its rows each step gets;
        gates: (T, B, 4H); cells: (T + 1, B, H) float, states the same in the type of the
        products; their first step is given. packed: by `pack_for_state`.
    """
    steps, batch, width = gates.shape
    units = width // 4
    panels, terms, _, lanes = packed.shape
    rows, a_row = last - first, units * states.itemsize
    products = np.empty((rows, 4, GROUP), cells.dtype)
    c, c_row, c_part = products.ctypes.data, products.strides[0], products.strides[1]
    together = GROUP // lanes
    for t in range(steps):
        a = states.ctypes.data + (t * batch + first) * a_row
        for p in range(0, panels, together):
            for q in range(p, min(p + together, panels)):
                panel = packed.ctypes.data + q * packed.strides[0]
                place = c + (q - p) * VECTOR_BYTES
                multiply_rows(states, rows, a, a_row, panel, terms, place, c_row, c_part, False)
            u, v = p * lanes, min(p * lanes + GROUP, units)
            for b in range(rows):
                x, h, gate = inputs[index[t, first + b]], products[b], gates[t, first + b]
                i, f = gate[u:v], gate[units + u : units + v]
                g, o = gate[2 * units + u : 2 * units + v], gate[3 * units + u : 3 * units + v]
                _add_sigmoid(x[u:v], h[0], i)
                _add_sigmoid(x[units + u : units + v], h[1], f)
                _add_tanh(x[2 * units + u : 2 * units + v], h[2], g)
                _add_sigmoid(x[3 * units + u : 3 * units + v], h[3], o)
                before, after = cells[t, first + b, u:v], cells[t + 1, first + b, u:v]
                state = states[t + 1, first + b, u:v]
                for j in range(v - u):
                    after[j] = _load(f[j]) * before[j] + _load(i[j]) * _load(g[j])
                for j in range(v - u):
                    _store(state, j, _load(o[j]) * _tanh(after[j]))


@_kernel
def backward_rows(first, last, grad, packed, gates, cells, back, carried, grad_xp):
    """Take rows `first` to `last` back through all steps.

    Shapes:
        grad: (T, B, H) of the outputs; packed: by `pack_for_gradient`; gates, cells: as
        `forward_rows` wrote them; grad_xp: (T, B, 4H), written.
        back: (B, ≥ H), carried: (B, H), float: the gradients of the last state and cell,
        replaced by those of the first.
    """
    steps, batch, width = grad_xp.shape
    panels, terms = packed.shape[:2]
    rows, a_row = last - first, width * grad_xp.itemsize
    c, c_row = back.ctypes.data + first * back.strides[0], back.strides[0]
    for t in range(steps - 1, -1, -1):
        for b in range(first, last):
            lstm_gates_backward(
                grad[t, b],
                back[b],
                gates[t, b],
                cells[t, b],
                cells[t + 1, b],
                carried[b],
                grad_xp[t, b],
            )
        a = grad_xp.ctypes.data + (t * batch + first) * a_row
        for k in range(0, terms, CHUNK):
            count = min(CHUNK, terms - k)
            at = a + k * (a_row // terms)
            for p in range(panels):
                panel = packed.ctypes.data + p * packed.strides[0] + k * packed.strides[1]
                place = c + p * 4 * VECTOR_BYTES
                multiply_rows(
                    grad_xp, rows, at, a_row, panel, count, place, c_row, VECTOR_BYTES, k > 0
                )


@_kernel
def sum_rows(first, last, rows, index, sums):
    """Add row n of `rows` (N, W) to row index[n] of `sums`, for columns `first` to `last`."""
    for n in range(index.size):
        row, total = rows[n, first:last], sums[index[n], first:last]
        for j in range(row.size):
            total[j] += _load(row[j])
