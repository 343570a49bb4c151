"""Whole sequences through one recurrent layer on the CPU, with gradients written by hand.

The input's part of every pre-activation is one large product before the loop, the weights'
gradient one large product after it; between them a step is a packed product and one pass of
`kernels`. What back-propagation through time needs is kept in the type of the products.

Source:
    Hochreiter and Schmidhuber (1997) and Gers et al. (2000) for the LSTM, Cho et al. (2014),
    arXiv:1406.1078, for the GRU; Werbos (1990) for back-propagation through time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from charlm.models import kernels
from charlm.models.matmul import repeated_product


def numpy_view(tensor: Tensor) -> Any:
    """Return a NumPy view of a CPU tensor; bfloat16 appears as uint16."""
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


class _LSTM(torch.autograd.Function):
    """`xp, weight_hh, h0, c0 -> states (T, B, H), last h, last c`."""

    @staticmethod
    def forward(ctx: Any, xp: Tensor, weight: Tensor, h0: Tensor, c0: Tensor) -> Any:
        steps, rows, width = xp.shape
        units = width // 4
        xp = xp.contiguous()
        states = xp.new_empty(steps + 1, rows, units)
        cells = c0.new_empty(steps + 1, rows, units)
        gates = torch.empty_like(xp)
        states[0], cells[0] = h0, c0
        product = repeated_product(weight, rows, steps)
        views = numpy_view(xp), numpy_view(gates), numpy_view(cells), numpy_view(states)
        for t in range(steps):
            kernels.lstm_forward(t, views[0], numpy_view(product(states[t])), *views[1:])
        ctx.save_for_backward(weight, gates, cells, states)
        return states[1:], states[-1].to(h0.dtype), cells[-1].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor, grad_c: Tensor) -> Any:
        weight, gates, cells, states = ctx.saved_tensors
        steps, rows, units = grad.shape
        grad = grad.contiguous()
        back = grad_h.to(gates.dtype).contiguous()
        carried = grad_c.clone()
        grad_xp = torch.empty_like(gates)
        product = repeated_product(weight.t(), rows, steps)
        views = numpy_view(gates), numpy_view(cells), numpy_view(carried), numpy_view(grad_xp)
        above = numpy_view(grad)
        for t in range(steps - 1, -1, -1):
            kernels.lstm_backward(t, above, numpy_view(back), *views)
            back = product(grad_xp[t])
        grad_weight = grad_xp.view(-1, 4 * units).t() @ states[:-1].reshape(-1, units)
        return grad_xp, grad_weight, back.to(grad_h.dtype), carried


def lstm(xp: Tensor, weight_hh: Tensor, h0: Tensor, c0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return all states, the last state and the last cell of an LSTM layer.

    Shapes:
        xp: (T, B, 4H), pre-activations from the input with the bias, gates i, f, g, o.
        weight_hh: (4H, H) of the same type. h0, c0: (B, H), float32 or float64.
    """
    states, h, c = _LSTM.apply(xp, weight_hh, h0, c0)  # type: ignore[no-untyped-call]
    return states, h, c


class _RNN(torch.autograd.Function):
    """`xp, weight_hh, h0 -> states (T, B, H), last h`."""

    @staticmethod
    def forward(ctx: Any, xp: Tensor, weight: Tensor, h0: Tensor) -> Any:
        steps, rows, units = xp.shape
        xp = xp.contiguous()
        states = xp.new_empty(steps + 1, rows, units)
        states[0] = h0
        product = repeated_product(weight, rows, steps)
        views = numpy_view(xp), numpy_view(states)
        for t in range(steps):
            kernels.rnn_forward(t, views[0], numpy_view(product(states[t])), views[1])
        ctx.save_for_backward(weight, states)
        return states[1:], states[-1].to(h0.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor) -> Any:
        weight, states = ctx.saved_tensors
        steps, rows, units = grad.shape
        back = grad_h.to(states.dtype).contiguous()
        grad_xp = torch.empty_like(states[1:])
        product = repeated_product(weight.t(), rows, steps)
        above, views = numpy_view(grad.contiguous()), (numpy_view(states), numpy_view(grad_xp))
        for t in range(steps - 1, -1, -1):
            kernels.rnn_backward(t, above, numpy_view(back), *views)
            back = product(grad_xp[t])
        grad_weight = grad_xp.view(-1, units).t() @ states[:-1].reshape(-1, units)
        return grad_xp, grad_weight, back.to(grad_h.dtype)


class _GRUAfter(torch.autograd.Function):
    """`xp, weight_hh, bias_hn, h0 -> states (T, B, H), last h`."""

    @staticmethod
    def forward(ctx: Any, xp: Tensor, weight: Tensor, bias: Tensor, h0: Tensor) -> Any:
        steps, rows, width = xp.shape
        units = width // 3
        xp = xp.contiguous()
        states = xp.new_empty(steps + 1, rows, units)
        gates = xp.new_empty(steps, rows, 4 * units)
        states[0] = h0
        product = repeated_product(weight, rows, steps)
        views = numpy_view(bias.contiguous()), numpy_view(gates), numpy_view(states)
        x = numpy_view(xp)
        for t in range(steps):
            kernels.gru_forward(t, x, numpy_view(product(states[t])), *views)
        ctx.save_for_backward(weight, gates, states)
        return states[1:], states[-1].to(h0.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor) -> Any:
        weight, gates, states = ctx.saved_tensors
        steps, rows, units = grad.shape
        carried = grad_h.clone()
        back = torch.zeros_like(states[0])
        grad_xp = gates.new_empty(steps, rows, 3 * units)
        grad_hp = torch.empty_like(grad_xp)
        product = repeated_product(weight.t(), rows, steps)
        views = (
            numpy_view(gates),
            numpy_view(states),
            numpy_view(carried),
            numpy_view(grad_xp),
            numpy_view(grad_hp),
        )
        above = numpy_view(grad.contiguous())
        for t in range(steps - 1, -1, -1):
            kernels.gru_backward(t, above, numpy_view(back), *views)
            back = product(grad_hp[t])
        flat = grad_hp.view(-1, 3 * units)
        grad_weight = flat.t() @ states[:-1].reshape(-1, units)
        grad_bias = flat[:, 2 * units :].sum(dim=0)
        return grad_xp, grad_weight, grad_bias, carried + back.to(carried.dtype)


class _GRUBefore(torch.autograd.Function):
    """`xp, weight_hh, h0 -> states (T, B, H), last h`; the reset gate before the product."""

    @staticmethod
    def forward(ctx: Any, xp: Tensor, weight: Tensor, h0: Tensor) -> Any:
        steps, rows, width = xp.shape
        units = width // 3
        xp = xp.contiguous()
        states = xp.new_empty(steps + 1, rows, units)
        reset_states = xp.new_empty(steps, rows, units)
        gates = torch.empty_like(xp)
        states[0] = h0
        of_gates = repeated_product(weight[: 2 * units], rows, steps)
        of_state = repeated_product(weight[2 * units :], rows, steps)
        x, g, s, r = numpy_view(xp), numpy_view(gates), numpy_view(states), numpy_view(reset_states)
        for t in range(steps):
            kernels.gru_before_gates(t, x, numpy_view(of_gates(states[t])), g, s, r)
            kernels.gru_before_state(t, x, numpy_view(of_state(reset_states[t])), g, s)
        ctx.save_for_backward(weight, gates, states, reset_states)
        return states[1:], states[-1].to(h0.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor) -> Any:
        weight, gates, states, reset_states = ctx.saved_tensors
        steps, rows, units = grad.shape
        carried = grad_h.clone()
        back = torch.zeros_like(states[0])
        grad_xp = torch.empty_like(gates)
        of_gates = repeated_product(weight[: 2 * units].t(), rows, steps)
        of_state = repeated_product(weight[2 * units :].t(), rows, steps)
        g, s, c, x = numpy_view(gates), numpy_view(states), numpy_view(carried), numpy_view(grad_xp)
        above = numpy_view(grad.contiguous())
        for t in range(steps - 1, -1, -1):
            kernels.gru_before_backward_state(t, above, numpy_view(back), g, s, c, x)
            grad_reset = of_state(grad_xp[t, :, 2 * units :].contiguous())
            kernels.gru_before_backward_gates(t, numpy_view(grad_reset), g, s, c, x)
            back = of_gates(grad_xp[t, :, : 2 * units].contiguous())
        flat = grad_xp.view(-1, 3 * units)
        grad_weight = torch.cat(
            [
                flat[:, : 2 * units].t() @ states[:-1].reshape(-1, units),
                flat[:, 2 * units :].t() @ reset_states.view(-1, units),
            ]
        )
        return grad_xp, grad_weight, carried + back.to(carried.dtype)


def rnn(xp: Tensor, weight_hh: Tensor, h0: Tensor) -> tuple[Tensor, Tensor]:
    """Return all states and the last of a tanh layer. Shapes: xp (T, B, H), h0 (B, H) float."""
    states, h = _RNN.apply(xp, weight_hh, h0)  # type: ignore[no-untyped-call]
    return states, h


def gru(xp: Tensor, weight_hh: Tensor, bias_hn: Tensor | None, h0: Tensor) -> tuple[Tensor, Tensor]:
    """Return all states and the last of a GRU layer.

    Shapes:
        xp: (T, B, 3H), pre-activations from the input with the bias, gates r, z, n.
        weight_hh: (3H, H); h0: (B, H), float32 or float64.
        bias_hn: (H,) for the reset gate after the recurrent product, None for before it.
    """
    if bias_hn is None:
        states, h = _GRUBefore.apply(xp, weight_hh, h0)  # type: ignore[no-untyped-call]
    else:
        states, h = _GRUAfter.apply(xp, weight_hh, bias_hn, h0)  # type: ignore[no-untyped-call]
    return states, h
