"""An LSTM over whole sequences on the CPU: every thread takes rows of the batch and runs alone.

Rows never meet inside a window, so a thread carries its rows through all steps without waiting
for another, its packed weights in the cache and each step's products in registers (`registers`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from charlm.models import row_kernels
from charlm.models.recurrence import numpy_view
from charlm.models.registers import ROWS, panel_shape
from charlm.models.threads import over_rows


def _packed(weight: Tensor, outputs: int, inputs: int) -> tuple[Any, Any]:
    """Return weights as NumPy sees them, and room for their panels."""
    plain = numpy_view(weight.contiguous())
    shape = panel_shape(plain.dtype, outputs, inputs)
    kind = torch.int32 if weight.dtype == torch.bfloat16 else weight.dtype
    panels = torch.empty(shape, dtype=kind).numpy()  # PyTorch's memory starts at a cache line
    return plain, panels.view(np.uint32) if weight.dtype == torch.bfloat16 else panels


def packed_for_state(weight: Tensor) -> Any:
    """Return (4H, H) weights in panels for `state · weight.T`."""
    plain, panels = _packed(weight, *weight.shape)
    terms = plain.view(panels.dtype)
    over_rows(row_kernels.pack_for_state, len(panels), 1, terms, panels)
    return panels


def packed_for_gradient(weight: Tensor) -> Any:
    """Return (4H, H) weights in panels for `gradient · weight`."""
    plain, panels = _packed(weight, *weight.shape[::-1])
    lines = panels.reshape(*panels.shape[:2], -1)
    over_rows(row_kernels.pack_for_gradient, len(panels), 1, plain, lines)
    return panels


class _LSTM(torch.autograd.Function):
    """`inputs, index, weight_hh, h0, c0 -> states (T, B, H), last h, last c`."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, index: Tensor | None, weight: Tensor, h0: Tensor, c0: Tensor
    ) -> Any:
        if index is None:
            steps, rows, width = inputs.shape
            places = torch.arange(steps * rows).view(steps, rows)
        else:
            places, width = index, inputs.shape[1]
            steps, rows = index.shape
        units = width // 4
        states = inputs.new_empty(steps + 1, rows, units)
        cells = c0.new_empty(steps + 1, rows, units)
        gates = inputs.new_empty(steps, rows, width)
        states[0], cells[0] = h0, c0
        packed = packed_for_state(weight)
        table = numpy_view(inputs.contiguous().view(-1, width))
        arrays = (packed, numpy_view(gates), numpy_view(cells), numpy_view(states))
        over_rows(row_kernels.forward_rows, rows, ROWS, table, places.numpy(), *arrays)
        ctx.save_for_backward(weight, gates, cells, states, index)
        ctx.table_size = len(inputs)
        return states[1:], states[-1].to(h0.dtype), cells[-1].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor, grad_c: Tensor) -> Any:
        weight, gates, cells, states, index = ctx.saved_tensors
        rows, units = grad.shape[1:]
        packed = packed_for_gradient(weight)
        back = cells.new_zeros(rows, packed.shape[0] * packed.shape[2] * packed.shape[3])
        back[:, :units] = grad_h
        carried = grad_c.clone()
        grad_xp = torch.empty_like(gates)
        arrays = (numpy_view(gates), numpy_view(cells), numpy_view(back), numpy_view(carried))
        above = numpy_view(grad.contiguous())
        over_rows(
            row_kernels.backward_rows, rows, ROWS, above, packed, *arrays, numpy_view(grad_xp)
        )
        flat = grad_xp.view(-1, 4 * units)
        grad_weight = flat.t() @ states[:-1].reshape(-1, units)
        grad_inputs = grad_xp
        if index is not None:
            sums = cells.new_zeros(ctx.table_size, 4 * units)
            where = index.reshape(-1).numpy()
            over_rows(
                row_kernels.sum_rows, 4 * units, 64, numpy_view(flat), where, numpy_view(sums)
            )
            grad_inputs = sums.to(weight.dtype)
        return grad_inputs, None, grad_weight, back[:, :units].to(grad_h.dtype), carried


def _check(inputs: Tensor, weight: Tensor, h0: Tensor, c0: Tensor, index: Tensor | None) -> None:
    width, units = weight.shape
    lead = inputs.shape[:-1] if index is None else index.shape
    kept = torch.float64 if weight.dtype == torch.float64 else torch.float32
    shapes = (width, inputs.shape[-1], tuple(h0.shape), tuple(c0.shape), len(lead))
    if shapes != (4 * units, width, (lead[-1], units), (lead[-1], units), 2):
        raise ValueError(
            f"shapes do not fit: inputs {tuple(inputs.shape)}, index {tuple(lead)}, weights "
            f"{tuple(weight.shape)}, states {tuple(h0.shape)} and {tuple(c0.shape)}"
        )
    if (inputs.dtype, h0.dtype, c0.dtype) != (weight.dtype, kept, kept):
        types = ", ".join(str(tensor.dtype) for tensor in (inputs, weight, h0, c0))
        raise ValueError(f"types do not fit: {types}")
    if units < 1 or (weight.dtype == torch.bfloat16 and units % 2):
        raise ValueError(f"cannot run {units} units in {weight.dtype}")
    if index is not None and index.numel():
        lowest, highest = (int(end) for end in torch.aminmax(index))
        if lowest < 0 or highest >= len(inputs):
            raise IndexError(f"rows {lowest} to {highest} of {len(inputs)} were asked for")


def lstm(
    inputs: Tensor, weight_hh: Tensor, h0: Tensor, c0: Tensor, index: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return all states, the last state and the last cell of an LSTM layer.

    Shapes:
        inputs: (T, B, 4H), pre-activations from the input with the bias, gates i, f, g, o; or
        (R, 4H) with `index` (T, B), which of these rows each step gets. In bfloat16 H is even.
        weight_hh: (4H, H) of the same type. h0, c0: (B, H) of the type that sums are kept in:
        float64 for float64, else float32.

    Raises:
        ValueError: if types or shapes do not fit: beyond this point nothing checks an address.
        IndexError: if `index` names a row that is not there.
    """
    _check(inputs, weight_hh, h0, c0, index)
    states, h, c = _LSTM.apply(inputs, index, weight_hh, h0, c0)  # type: ignore[no-untyped-call]
    return states, h, c
