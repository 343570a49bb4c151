"""The pointwise half of each cell's step and of its gradient, compiled by numba for the CPU.

A recurrent step is one matrix product, which oneDNN does best, and a handful of pointwise
operations on its result. PyTorch would run those as a dozen small kernels a step; here they are
one pass over memory. Arrays are float64, float32, or bfloat16 seen as uint16 (NumPy has no such
type): arithmetic is float32 or float64, only the storage is 16 bits.

Shapes: T steps, B rows, H units. `xp` (T, B, G*H) is the input's part of the pre-activations,
`hp` (B, G*H) the state's part. Step t reads state `t` and writes state `t + 1` of (T + 1, B, H).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload, register_jitable

from charlm.models.registers import BFloat, has_bfloat16

# fastmath may contract and approximate divisions, but must keep NaN and Inf: a training run that
# diverges has to be seen.
_FAST = {"contract", "arcp", "nsz", "afn", "reassoc"}
_F = np.float32
_INT32, _FLOAT = ir.IntType(32), ir.FloatType()


@intrinsic
def _float_from_bits(typing_context: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.trunc(args[0], _INT32), _FLOAT)

    return types.float32(types.int64), codegen


@intrinsic
def _widen(typing_context: Any, stored: Any) -> Any:
    """Return a bfloat16, given as uint16, as float32."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        high = builder.shl(builder.zext(args[0], _INT32), ir.Constant(_INT32, 16))
        return builder.bitcast(high, _FLOAT)

    return types.float32(types.uint16), codegen


@intrinsic
def _narrow(typing_context: Any, value: Any) -> Any:
    """Return a float32 as bfloat16, rounded to nearest even; in 32-bit arithmetic throughout."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if has_bfloat16():
            return builder.bitcast(builder.fptrunc(args[0], BFloat()), ir.IntType(16))
        sixteen = ir.Constant(_INT32, 16)
        bits = builder.bitcast(args[0], _INT32)
        odd = builder.and_(builder.lshr(bits, sixteen), ir.Constant(_INT32, 1))
        rounded = builder.add(builder.add(bits, ir.Constant(_INT32, 0x7FFF)), odd)
        return builder.trunc(builder.lshr(rounded, sixteen), ir.IntType(16))

    return types.uint16(types.float32), codegen


def _load(stored):
    """Return a stored number as a float to compute with."""


@overload(_load)
def _overload_load(stored):
    if stored == types.uint16:
        return lambda stored: _widen(stored)
    return lambda stored: stored


def _store(array, index, value):
    """Store a float, rounding to nearest even where the storage is bfloat16."""


@overload(_store)
def _overload_store(array, index, value):
    if array.dtype == types.uint16:

        def bfloat16(array, index, value):
            array[index] = _narrow(value)

        return bfloat16

    def as_is(array, index, value):
        array[index] = value

    return as_is


def _exp(value):
    """Return e**value, for float32 clamped to about e**±87."""


@overload(_exp)
def _overload_exp(value):
    if value == types.float64:
        return lambda value: math.exp(value)

    def float32(value):
        # 2**(i + f): i goes into the exponent's bits, 2**f is a minimax polynomial on [0, 1)
        # with a relative error of 2e-7.
        scaled = min(max(value * _F(1.44269504), _F(-126.0)), _F(126.0)) + _F(127.0)
        whole = np.int32(scaled)
        f = scaled - _F(whole)
        p = _F(1.877576608e-3)
        p = p * f + _F(8.989340252e-3)
        p = p * f + _F(5.582631792e-2)
        p = p * f + _F(2.401536171e-1)
        p = p * f + _F(6.931530732e-1)
        p = p * f + _F(9.999999251e-1)
        return p * _float_from_bits(np.int64(whole) << 23)

    return float32


# Always inlined: a helper that stays a function of its own exists twice, compiled alone and with
# the kernel, in different orders of sums. The process that compiles would call the first, those
# that load the kernel from disk the second, and a resumed run would not be bit-identical.
inlined = register_jitable(forceinline=True)


@inlined
def _sigmoid(x):
    one = type(x)(1.0)
    return one / (one + _exp(-x))


@inlined
def _tanh(x):
    two = type(x)(2.0)
    return type(x)(1.0) - two / (type(x)(1.0) + _exp(two * x))


def _kernel(function):
    settings = {"nogil": True, "fastmath": _FAST, "error_model": "numpy"}
    try:
        return njit(cache=True, **settings)(function)
    except RuntimeError:  # no folder to keep compiled code in: compile at every start
        return njit(**settings)(function)


# Every loop below reads few arrays and writes one: beyond a handful of arrays that might overlap,
# LLVM gives up and leaves a loop scalar, ten times slower.


@inlined
def _add_sigmoid(a, b, out):
    for j in range(out.size):
        _store(out, j, _sigmoid(_load(a[j]) + _load(b[j])))


@inlined
def _add_tanh(a, b, out):
    for j in range(out.size):
        _store(out, j, _tanh(_load(a[j]) + _load(b[j])))


@_kernel
def lstm_forward(t, xp, hp, gates, cells, states):
    """Write step t's gates (after their squashing), cell and state.

    Shapes:
        gates: (T, B, 4H): i, f, g, o; cells: (T + 1, B, H) float; states: (T + 1, B, H).
    """
    rows, units = cells.shape[1], cells.shape[2]
    for b in range(rows):
        gate, after, state = gates[t, b], cells[t + 1, b], states[t + 1, b]
        x, h = xp[t, b], hp[b]
        _add_sigmoid(x, h, gate[: 2 * units])
        _add_tanh(x[2 * units :], h[2 * units :], gate[2 * units : 3 * units])
        _add_sigmoid(x[3 * units :], h[3 * units :], gate[3 * units :])
        before = cells[t, b]
        i, f, g, o = gate[:units], gate[units:], gate[2 * units :], gate[3 * units :]
        for j in range(units):
            after[j] = _load(f[j]) * before[j] + _load(i[j]) * _load(g[j])
        for j in range(units):
            _store(state, j, _load(o[j]) * _tanh(after[j]))


@inlined
def lstm_gates_backward(above, after, gate, old, new, carried, out):
    """Write the gradient of one row's pre-activations; move `carried` one step back."""
    units = carried.size
    i, f, g, o = gate[:units], gate[units:], gate[2 * units :], gate[3 * units :]
    out_i, out_f, out_g, out_o = out[:units], out[units:], out[2 * units :], out[3 * units :]
    one = type(carried[0])(1.0)
    for j in range(units):
        squashed = _tanh(new[j])
        dh = _load(above[j]) + _load(after[j])
        carried[j] += dh * _load(o[j]) * (one - squashed * squashed)
    for j in range(units):
        dh, gate_o = _load(above[j]) + _load(after[j]), _load(o[j])
        _store(out_o, j, dh * _tanh(new[j]) * gate_o * (one - gate_o))
    for j in range(units):
        gate_i = _load(i[j])
        _store(out_i, j, carried[j] * _load(g[j]) * gate_i * (one - gate_i))
    for j in range(units):
        gate_g = _load(g[j])
        _store(out_g, j, carried[j] * _load(i[j]) * (one - gate_g * gate_g))
    for j in range(units):
        gate_f = _load(f[j])
        _store(out_f, j, carried[j] * old[j] * gate_f * (one - gate_f))
    for j in range(units):
        carried[j] *= _load(f[j])


@_kernel
def lstm_backward(t, grad, back, gates, cells, grad_cell, grad_gates):
    """Write the gradient of step t's pre-activations.

    Shapes:
        grad: (T, B, H) of the output; back: (B, H) through the state, from step t + 1;
        grad_cell: (B, H) float, of the cell: read for step t + 1, written for step t;
        grad_gates: (T, B, 4H).
    """
    for b in range(grad_cell.shape[0]):
        lstm_gates_backward(
            grad[t, b],
            back[b],
            gates[t, b],
            cells[t, b],
            cells[t + 1, b],
            grad_cell[b],
            grad_gates[t, b],
        )


@_kernel
def rnn_forward(t, xp, hp, states):
    """Write state t + 1 of h = tanh(xp + hp). Shapes: xp (T, B, H), states (T + 1, B, H)."""
    for b in range(hp.shape[0]):
        _add_tanh(xp[t, b], hp[b], states[t + 1, b])


@_kernel
def rnn_backward(t, grad, back, states, grad_xp):
    """Write the gradient of step t's pre-activations (T, B, H)."""
    for b in range(back.shape[0]):
        above, after, state, out = grad[t, b], back[b], states[t + 1, b], grad_xp[t, b]
        for j in range(out.size):
            squashed = _load(state[j])
            one = type(squashed)(1.0)
            _store(out, j, (_load(above[j]) + _load(after[j])) * (one - squashed * squashed))


@inlined
def _mix(z, n, old, new):
    for j in range(new.size):
        keep = _load(z[j])
        fresh = _load(n[j])
        _store(new, j, fresh + keep * (_load(old[j]) - fresh))


@_kernel
def gru_forward(t, xp, hp, bias_hn, gates, states):
    """Write step t's gates and state, the reset gate applied after the recurrent product.

    Shapes:
        gates: (T, B, 4H): r, z, n and the state's part of n before the reset; bias_hn: (H,).
    """
    units = states.shape[2]
    for b in range(hp.shape[0]):
        gate, x, h = gates[t, b], xp[t, b], hp[b]
        r, n, q = gate[:units], gate[2 * units : 3 * units], gate[3 * units :]
        x_n, h_n = x[2 * units :], h[2 * units :]
        _add_sigmoid(x, h, gate[: 2 * units])
        for j in range(units):
            _store(q, j, _load(h_n[j]) + _load(bias_hn[j]))
        for j in range(units):
            _store(n, j, _tanh(_load(x_n[j]) + _load(r[j]) * _load(q[j])))
        _mix(gate[units:], n, states[t, b], states[t + 1, b])


@_kernel
def gru_backward(t, grad, back, gates, states, carried, grad_xp, grad_hp):
    """Write the gradients of both parts of step t's pre-activations (T, B, 3H).

    Shapes:
        carried: (B, H) float, the part of the state's gradient that bypasses the gates: read for
        step t + 1, written for step t.
    """
    units = states.shape[2]
    for b in range(back.shape[0]):
        above, after, bypass, old = grad[t, b], back[b], carried[b], states[t, b]
        gate, out, out_h = gates[t, b], grad_xp[t, b], grad_hp[t, b]
        r, z, n, q = gate[:units], gate[units:], gate[2 * units :], gate[3 * units :]
        out_r, out_z, out_n = out[:units], out[units:], out[2 * units :]
        one = type(bypass[0])(1.0)
        for j in range(units):
            bypass[j] += _load(above[j]) + _load(after[j])
        for j in range(units):
            keep, fresh = _load(z[j]), _load(n[j])
            _store(out_n, j, bypass[j] * (one - keep) * (one - fresh * fresh))
        for j in range(units):
            keep = _load(z[j])
            _store(out_z, j, bypass[j] * (_load(old[j]) - _load(n[j])) * keep * (one - keep))
        for j in range(units):
            reset = _load(r[j])
            _store(out_r, j, _load(out_n[j]) * _load(q[j]) * reset * (one - reset))
        for j in range(2 * units):
            out_h[j] = out[j]
        out_hn = out_h[2 * units :]
        for j in range(units):
            _store(out_hn, j, _load(out_n[j]) * _load(r[j]))
        for j in range(units):
            bypass[j] *= _load(z[j])


@_kernel
def gru_before_gates(t, xp, hp, gates, states, reset_states):
    """Write step t's r and z, and the reset state r * h, from hp (B, 2H).

    Shapes:
        gates: (T, B, 3H): r, z, n; reset_states: (T, B, H).
    """
    units = states.shape[2]
    for b in range(hp.shape[0]):
        gate, old, out = gates[t, b], states[t, b], reset_states[t, b]
        _add_sigmoid(xp[t, b], hp[b], gate[: 2 * units])
        for j in range(units):
            _store(out, j, _load(gate[j]) * _load(old[j]))


@_kernel
def gru_before_state(t, xp, hp, gates, states):
    """Write step t's n and the new state, from hp (B, H), the product of the reset state."""
    units = states.shape[2]
    for b in range(hp.shape[0]):
        gate = gates[t, b]
        n = gate[2 * units :]
        _add_tanh(xp[t, b][2 * units :], hp[b], n)
        _mix(gate[units:], n, states[t, b], states[t + 1, b])


@_kernel
def gru_before_backward_state(t, grad, back, gates, states, carried, grad_xp):
    """Write the gradients of z's and n's pre-activations; `carried` becomes the state's whole."""
    units = states.shape[2]
    for b in range(back.shape[0]):
        above, after, bypass, old = grad[t, b], back[b], carried[b], states[t, b]
        gate, out = gates[t, b], grad_xp[t, b]
        z, n = gate[units:], gate[2 * units :]
        out_z, out_n = out[units:], out[2 * units :]
        one = type(bypass[0])(1.0)
        for j in range(units):
            bypass[j] += _load(above[j]) + _load(after[j])
        for j in range(units):
            keep, fresh = _load(z[j]), _load(n[j])
            _store(out_n, j, bypass[j] * (one - keep) * (one - fresh * fresh))
        for j in range(units):
            keep = _load(z[j])
            _store(out_z, j, bypass[j] * (_load(old[j]) - _load(n[j])) * keep * (one - keep))
        for j in range(units):
            bypass[j] *= _load(z[j])


@_kernel
def gru_before_backward_gates(t, grad_reset, gates, states, carried, grad_xp):
    """Write the gradient of r's pre-activations from that of r * h (B, H); add its bypass."""
    units = states.shape[2]
    for b in range(grad_reset.shape[0]):
        gate, old, bypass, ds = gates[t, b], states[t, b], carried[b], grad_reset[b]
        out = grad_xp[t, b]
        one = type(bypass[0])(1.0)
        for j in range(units):
            reset = _load(gate[j])
            _store(out, j, _load(ds[j]) * _load(old[j]) * reset * (one - reset))
        for j in range(units):
            bypass[j] += _load(ds[j]) * _load(gate[j])


@_kernel
def cross_entropy(first, last, logits, bias, targets, scale, losses):
    """Replace logits `first` to `last` by the gradient of the mean loss; write each one's loss.

    Shapes:
        logits: (N, V); bias: (V,) float, added first; targets: (N,) ids; losses: (N,) float64,
        nats. The gradient is scale * (softmax(logits + bias) - onehot).
    """
    size = bias.size
    shifted = np.empty(size, bias.dtype)
    for n in range(first, last):
        row = logits[n]
        for v in range(size):
            shifted[v] = _load(row[v]) + bias[v]
        highest = shifted[0]
        for v in range(size):
            highest = max(highest, shifted[v])
        target = targets[n]
        losses[n] = highest - shifted[target]
        total = type(highest)(0.0)
        for v in range(size):
            shifted[v] = _exp(shifted[v] - highest)
        for v in range(size):
            total += shifted[v]
        losses[n] += math.log(total)
        shrink = scale / total
        shifted[target] -= total
        for v in range(size):
            _store(row, v, shifted[v] * shrink)
