"""Kernels that train LSTM layers on a GPU, compiled by Triton; `stack_steps` calls them.

A step of a layer is one kernel: a program multiplies the states of some rows by the weights of some
units, all four gates of a unit side by side, and finishes these units. So a window is a chain of as
many kernels as it has steps, each with nothing to wait for but the one before.

Everything that has gates has them unit by unit, (i, f, g, o) of the first unit first. Offsets
inside a step are counted in 32 bits.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _tanh(x):
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit
def _parted(gates, num_rows: tl.constexpr, num_units: tl.constexpr):
    """Return i, f, g and o, (rows, units) each, of a block (rows, 4 units)."""
    even, odd = tl.split(tl.reshape(gates, (num_rows, num_units, 2, 2)))
    i, g = tl.split(even)
    f, o = tl.split(odd)
    return i, f, g, o


@triton.jit
def _joined(i, f, g, o, num_rows: tl.constexpr, num_units: tl.constexpr):
    """Return the block (rows, 4 units) of which `_parted` returns the parts."""
    return tl.reshape(tl.join(tl.join(i, g), tl.join(f, o)), (num_rows, 4 * num_units))


@triton.jit(do_not_specialize=["t", "rows"])
def forward(
    weight,
    given,
    ids,
    states,
    cells,
    gates,
    t,
    rows,
    size,
    by_id: tl.constexpr,
    num_rows: tl.constexpr,
    num_units: tl.constexpr,
    step: tl.constexpr,
):
    """Do step `t`: a program does some units of some rows.

    Shapes:
        weight: (4 size, size); given: (T, B, 4 size), or (ids, 4 size) for ids (T, B).
        states, cells: (T + 1, B, size), t is read and t + 1 written; gates: (T, B, 4 size).
    """
    unit_block, row_block = tl.program_id(0), tl.program_id(1)
    width = 4 * size
    start = t.to(tl.int64) * rows
    row = row_block * num_rows + tl.arange(0, num_rows)
    unit = unit_block * num_units + tl.arange(0, num_units)
    column = unit_block * 4 * num_units + tl.arange(0, 4 * num_units)
    is_row, is_column = (row < rows)[:, None], (column < width)[None, :]
    states += start * size
    sums = tl.zeros((num_rows, 4 * num_units), dtype=tl.float32)
    for begin in range(0, size, step):
        k = begin + tl.arange(0, step)
        is_k = k < size
        h = tl.load(states + row[:, None] * size + k[None, :], mask=is_row & is_k[None, :], other=0)
        w = tl.load(
            weight + column[None, :] * size + k[:, None], mask=is_k[:, None] & is_column, other=0
        )
        sums = tl.dot(h, w, sums)
    if by_id:
        place = tl.load(ids + start + row, mask=row < rows, other=0).to(tl.int64)
    else:
        place = start + row
    both = is_row & is_column
    sums += tl.load(given + place[:, None] * width + column[None, :], mask=both, other=0).to(
        tl.float32
    )
    i, f, g, o = _parted(sums, num_rows, num_units)
    i, f, g, o = tl.sigmoid(i), tl.sigmoid(f), _tanh(g), tl.sigmoid(o)
    valid = is_row & (unit < size)[None, :]
    at = row[:, None] * size + unit[None, :]
    cells += start * size
    cell = f * tl.load(cells + at, mask=valid, other=0) + i * g
    tl.store(cells + rows.to(tl.int64) * size + at, cell, mask=valid)
    h = o * _tanh(cell)
    tl.store(states + rows.to(tl.int64) * size + at, h.to(states.dtype.element_ty), mask=valid)
    found = _joined(i, f, g, o, num_rows, num_units).to(gates.dtype.element_ty)
    gates += start * width
    tl.store(gates + row[:, None] * width + column[None, :], found, mask=both)


@triton.jit(do_not_specialize=["t", "rows"])
def backward(
    weight,
    above,
    cells,
    gates,
    changes,
    carried,
    t,
    rows,
    size,
    num_rows: tl.constexpr,
    num_units: tl.constexpr,
    step: tl.constexpr,
):
    """Do step `t` of the gradients: a program does some units of some rows.

    Shapes:
        weight: (size, 4 size), transposed; above: (T, B, size), the states' gradients from above.
        cells: (T + 1, B, size); gates: (T, B, 4 size).
        changes: (T + 1, B, 4 size), gradients before the gates; t + 1 is read and t written.
        carried: (B, size), the gradient of the cells, changed.
    """
    unit_block, row_block = tl.program_id(0), tl.program_id(1)
    width = 4 * size
    start = t.to(tl.int64) * rows
    row = row_block * num_rows + tl.arange(0, num_rows)
    unit = unit_block * num_units + tl.arange(0, num_units)
    column = unit_block * 4 * num_units + tl.arange(0, 4 * num_units)
    is_row, is_unit = (row < rows)[:, None], (unit < size)[None, :]
    changes += start * width
    after = changes + rows.to(tl.int64) * width
    sums = tl.zeros((num_rows, num_units), dtype=tl.float32)
    for begin in range(0, width, step):
        k = begin + tl.arange(0, step)
        is_k = k < width
        d = tl.load(after + row[:, None] * width + k[None, :], mask=is_row & is_k[None, :], other=0)
        w = tl.load(
            weight + unit[None, :] * width + k[:, None], mask=is_k[:, None] & is_unit, other=0
        )
        sums = tl.dot(d, w, sums)
    valid, both = is_row & is_unit, is_row & (column < width)[None, :]
    at = row[:, None] * size + unit[None, :]
    here = row[:, None] * width + column[None, :]
    grad = sums + tl.load(above + start * size + at, mask=valid, other=0).to(tl.float32)
    kept = tl.load(gates + start * width + here, mask=both, other=0).to(tl.float32)
    i, f, g, o = _parted(kept, num_rows, num_units)
    cells += start * size
    old = tl.load(cells + at, mask=valid, other=0)
    tanh = _tanh(tl.load(cells + rows.to(tl.int64) * size + at, mask=valid, other=0))
    of_cell = tl.load(carried + at, mask=valid, other=0) + grad * o * (1.0 - tanh * tanh)
    tl.store(carried + at, of_cell * f, mask=valid)
    of_i = of_cell * g * i * (1.0 - i)
    of_f = of_cell * old * f * (1.0 - f)
    of_g = of_cell * i * (1.0 - g * g)
    of_o = grad * tanh * o * (1.0 - o)
    found = _joined(of_i, of_f, of_g, of_o, num_rows, num_units)
    tl.store(changes + here, found.to(changes.dtype.element_ty), mask=both)
