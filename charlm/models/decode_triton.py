"""Kernels for decoding on a GPU, compiled by Triton; `decode_kernels` calls them.

A step of a small network is a chain of tiny operations that each wait for the one before: with few
rows its time is that of starting kernels and of one reading of the weights from the cache. So a
layer is one kernel, whose programs each read the weights of some units and finish these units; and
a draw, with all that belongs to it, is one.

Products and gates are in float32. What decides a draw is in float64, as on the CPU.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _tanh(x):
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit
def _finish(i, f, g, o, cell, at, valid):
    """Write the new cell and return the hidden state of some units."""
    old = tl.load(cell + at, mask=valid, other=0.0)
    new = tl.sigmoid(f) * old + tl.sigmoid(i) * _tanh(g)
    tl.store(cell + at, new, mask=valid)
    return tl.sigmoid(o) * _tanh(new)


@triton.jit
def lstm_cell(
    product,
    given,
    ids,
    hidden,
    cell,
    hidden_stride,
    cell_stride,
    size,
    by_id: tl.constexpr,
    block: tl.constexpr,
):
    """Finish a step of a layer whose product is known: a program does some units of a row.

    Shapes:
        product: (B, 4 size), contiguous; given: (ids, 4 size), or one row for all; ids: (B,).
        hidden, cell: (B, size) with strides; changed.
    """
    row = tl.program_id(0).to(tl.int64)
    unit = tl.program_id(1) * block + tl.arange(0, block)
    valid = unit < size
    product += row * 4 * size + unit
    if by_id:
        given += tl.load(ids + row) * 4 * size
    given += unit
    i = tl.load(product, mask=valid).to(tl.float32) + tl.load(given, mask=valid)
    f = tl.load(product + size, mask=valid).to(tl.float32) + tl.load(given + size, mask=valid)
    g = tl.load(product + 2 * size, mask=valid).to(tl.float32) + tl.load(
        given + 2 * size, mask=valid
    )
    o = tl.load(product + 3 * size, mask=valid).to(tl.float32) + tl.load(
        given + 3 * size, mask=valid
    )
    new = _finish(i, f, g, o, cell + row * cell_stride, unit, valid)
    tl.store(hidden + row * hidden_stride + unit, new.to(hidden.dtype.element_ty), mask=valid)


@triton.jit
def _add_products(i, f, g, o, source, weight, width, size, step: tl.constexpr, valid, low, high):
    """Add the products of a stretch of columns to four blocks of sums (units, step)."""
    for start in range(low, high, step):
        column = start + tl.arange(0, step)
        within = column < high
        x = tl.load(source + (column - low), mask=within, other=0.0).to(tl.float32)[None, :]
        both = valid[:, None] & within[None, :]
        at = weight + column[None, :]
        i += tl.load(at, mask=both, other=0.0).to(tl.float32) * x
        f += tl.load(at + size * width, mask=both, other=0.0).to(tl.float32) * x
        g += tl.load(at + 2 * size * width, mask=both, other=0.0).to(tl.float32) * x
        o += tl.load(at + 3 * size * width, mask=both, other=0.0).to(tl.float32) * x
    return i, f, g, o


@triton.jit
def lstm_few(
    below,
    own,
    weight,
    given,
    ids,
    hidden,
    cell,
    state_stride,
    size,
    has_below: tl.constexpr,
    by_id: tl.constexpr,
    units: tl.constexpr,
    step: tl.constexpr,
):
    """Do a whole step of a layer: a program does some units of a row, from weights to state.

    Shapes:
        below: (B, size), the new state of the layer below; own: (B, size), the old state.
        weight: (4 size, size), or of below and own side by side (4 size, 2 size), contiguous.
        given: (ids, 4 size), or one row for all; ids: (B,).
        hidden: (B, size), the new state, in other memory than the old; cell: (B, size), changed.
        All states have rows `state_stride` apart.
    """
    row = tl.program_id(1).to(tl.int64)
    unit = tl.program_id(0) * units + tl.arange(0, units)
    valid = unit < size
    width = 2 * size if has_below else size
    weight += unit[:, None] * width
    i = tl.zeros((units, step), dtype=tl.float32)
    f = tl.zeros((units, step), dtype=tl.float32)
    g = tl.zeros((units, step), dtype=tl.float32)
    o = tl.zeros((units, step), dtype=tl.float32)
    if has_below:
        i, f, g, o = _add_products(
            i, f, g, o, below + row * state_stride, weight, width, size, step, valid, 0, size
        )
    i, f, g, o = _add_products(
        i, f, g, o, own + row * state_stride, weight, width, size, step, valid, width - size, width
    )
    if by_id:
        given += tl.load(ids + row) * 4 * size
    given += unit
    sum_i = tl.sum(i, axis=1) + tl.load(given, mask=valid, other=0.0)
    sum_f = tl.sum(f, axis=1) + tl.load(given + size, mask=valid, other=0.0)
    sum_g = tl.sum(g, axis=1) + tl.load(given + 2 * size, mask=valid, other=0.0)
    sum_o = tl.sum(o, axis=1) + tl.load(given + 3 * size, mask=valid, other=0.0)
    new = _finish(sum_i, sum_f, sum_g, sum_o, cell + row * state_stride, unit, valid)
    tl.store(hidden + row * state_stride + unit, new.to(hidden.dtype.element_ty), mask=valid)


@triton.jit
def linear_few(
    source,
    weight,
    bias,
    out,
    source_stride,
    width,
    size,
    has_bias: tl.constexpr,
    units: tl.constexpr,
    step: tl.constexpr,
):
    """Multiply few rows by a matrix: a program does some outputs of a row.

    Shapes:
        source: (B, width) with a stride; weight: (size, width); bias: (size,); out: (B, size).
    """
    row = tl.program_id(1).to(tl.int64)
    unit = tl.program_id(0) * units + tl.arange(0, units)
    valid = unit < size
    source += row * source_stride
    sums = tl.zeros((units, step), dtype=tl.float32)
    for start in range(0, width, step):
        column = start + tl.arange(0, step)
        within = column < width
        x = tl.load(source + column, mask=within, other=0.0).to(tl.float32)[None, :]
        at = weight + unit[:, None].to(tl.int64) * width + column[None, :]
        both = valid[:, None] & within[None, :]
        sums += tl.load(at, mask=both, other=0.0).to(tl.float32) * x
    found = tl.sum(sums, axis=1)
    if has_bias:
        found += tl.load(bias + unit, mask=valid, other=0.0)
    tl.store(out + row * size + unit, found.to(out.dtype.element_ty), mask=valid)


@triton.jit
def draw(
    logits,
    mask,
    settings,
    uniforms,
    ids,
    log_probs,
    fed,
    slots,
    rows,
    ring,
    vocab,
    has_mask: tl.constexpr,
    greedy: tl.constexpr,
    block: tl.constexpr,
):
    """Draw a row's token and write it down: a program a row.

    Shapes:
        logits: (B, vocab); mask: (vocab,), not 0 for what is never drawn.
        settings: (2,) float64, temperature and min_p.
        uniforms, ids, log_probs: (ring, B); fed: (B,), what the network reads next.
        slots: (B,), the place in the ring, moved on.
    """
    row = tl.program_id(0).to(tl.int64)
    token = tl.arange(0, block)
    within = token < vocab
    infinite = float("inf")
    raw = tl.load(logits + row * vocab + token, mask=within, other=-infinite).to(tl.float64)
    damaged = tl.sum(((raw != raw) | (raw == infinite)).to(tl.int32), axis=0) > 0
    top = tl.max(raw, axis=0)
    total = top + tl.log(tl.sum(tl.exp(raw - top), axis=0))
    allowed = raw
    if has_mask:
        never = tl.load(mask + token, mask=within, other=1) != 0
        allowed = tl.where(never, -infinite, raw)
    best = tl.max(allowed, axis=0)
    slot = tl.load(slots + row)
    if greedy:
        drawn = tl.argmax(allowed, axis=0).to(tl.int32)
    else:
        temperature = tl.load(settings)
        min_p = tl.load(settings + 1)
        scaled = (allowed - best) / temperature
        weights = tl.where(scaled < tl.log(min_p), 0.0, tl.exp(scaled))
        mass = tl.cumsum(weights, axis=0)
        target = tl.load(uniforms + slot * rows + row) * tl.max(mass, axis=0)
        drawn = tl.sum((mass <= target).to(tl.int32), axis=0)
        last = tl.max(tl.where(weights > 0.0, token, 0), axis=0)
        drawn = tl.minimum(drawn, last)
    own = tl.sum(tl.where(token == drawn, raw, 0.0), axis=0) - total
    told = tl.where(damaged, -1, tl.where(best == -infinite, -2, drawn))
    tl.store(ids + slot * rows + row, told)
    tl.store(log_probs + slot * rows + row, own.to(tl.float32))
    tl.store(fed + row, tl.minimum(tl.maximum(drawn, 0), vocab - 1).to(tl.int64))
    tl.store(slots + row, (slot + 1) % ring)
