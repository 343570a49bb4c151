"""What one centre does to some of the words around it: dot products, gradients, changes of rows.

Inputs (rows of W) are taken four, two or one together, outputs (rows of C) six at a time: so many
dot products fit into the processor's registers, which `simd` writes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from charlm.vectors import simd
from charlm.vectors.compiled import kernel

BLOCK = 6  # output rows that are taken together
_DOTS_4, _DOTS_2, _DOTS_1 = simd.dots(4, BLOCK), simd.dots(2, BLOCK), simd.dots(1, BLOCK)
_DOTS_4_1, _DOTS_2_1, _DOTS_1_1 = simd.dots(4, 1), simd.dots(2, 1), simd.dots(1, 1)
_ADD_4, _ADD_2, _ADD_1 = (simd.updates(rows, BLOCK, apart=False) for rows in (4, 2, 1))
_ADD_4_B, _ADD_2_B, _ADD_1_B = (simd.updates(rows, BLOCK, apart=True) for rows in (4, 2, 1))
_ADD_4_1, _ADD_2_1, _ADD_1_1 = (simd.updates(rows, 1, apart=True) for rows in (4, 2, 1))


def _gradients(logits, factors, rows, count, rate):
    """Write `rate * (label - σ(f))` for `count` logits, the first `rows` of which have label 1."""


@overload(_gradients)
def _overload_gradients(logits, factors, rows, count, rate):
    if logits.dtype == types.float32:
        lanes = simd.VECTOR_BYTES // 4

        def fast(logits, factors, rows, count, rate):
            vectors = (count + lanes - 1) // lanes
            simd.float32_gradients(
                logits.ctypes.data, factors.ctypes.data, vectors, np.float32(rate)
            )
            for k in range(rows):
                factors[k] += np.float32(rate)

        return fast

    def plain(logits, factors, rows, count, rate):
        for k in range(count):
            label = 1.0 if k < rows else 0.0
            factors[k] = rate * (label - 1.0 / (1.0 + math.exp(-logits[k])))

    return plain


@register_jitable
def _loss(logits, rows, count):
    """Return the loss of the pairs that these logits belong to, in nats."""
    total = 0.0
    for k in range(count):
        f = np.float64(logits[k])
        f = -f if k < rows else f
        total += max(f, 0.0) + math.log1p(math.exp(-abs(f)))
    return total


@register_jitable
def together(inputs, done, near):
    """Return how many of the next inputs to take together: 4, 2 or 1, none of them twice."""
    a, left = inputs[done], near - done
    if left < 2 or inputs[done + 1] == a:
        return 1
    b = inputs[done + 1]
    if left < 4:
        return 2
    c, d = inputs[done + 2], inputs[done + 3]
    if c in (a, b) or d in (a, b, c):
        return 2
    return 4


@register_jitable
def train_rows(rows, like, ins, outs, num_outs, vectors, logits, factors, copies, rate, tell):
    """Train `rows` (4, 2 or 1) inputs on all outputs; return the loss if it is to be told.

    Args:
        like: an array of the type of the rows.
        ins, outs: places of the rows' addresses.
        logits, factors: room for a number a pair, and a vector more.
        copies: places of the addresses of four rows that are free.
    """
    place, size = logits.ctypes.data, like.itemsize
    blocks = num_outs // BLOCK
    if rows == 4:
        for b in range(blocks):
            _DOTS_4(like, ins, outs + b * BLOCK * 8, vectors, place + b * BLOCK * 4 * size)
        for j in range(blocks * BLOCK, num_outs):
            _DOTS_4_1(like, ins, outs + j * 8, vectors, place + j * 4 * size)
    elif rows == 2:
        for b in range(blocks):
            _DOTS_2(like, ins, outs + b * BLOCK * 8, vectors, place + b * BLOCK * 2 * size)
        for j in range(blocks * BLOCK, num_outs):
            _DOTS_2_1(like, ins, outs + j * 8, vectors, place + j * 2 * size)
    else:
        for b in range(blocks):
            _DOTS_1(like, ins, outs + b * BLOCK * 8, vectors, place + b * BLOCK * size)
        for j in range(blocks * BLOCK, num_outs):
            _DOTS_1_1(like, ins, outs + j * 8, vectors, place + j * size)
    count = rows * num_outs
    _gradients(logits, factors, rows, count, rate)
    loss = _loss(logits, rows, count) if tell else 0.0
    place = factors.ctypes.data
    if num_outs == BLOCK:
        if rows == 4:
            _ADD_4(like, ins, ins, outs, vectors, place)
        elif rows == 2:
            _ADD_2(like, ins, ins, outs, vectors, place)
        else:
            _ADD_1(like, ins, ins, outs, vectors, place)
        return loss
    sources = copies.ctypes.data
    for i in range(rows):
        simd.copy_row(like, simd.address_at(ins, i), copies[i], vectors)
    for b in range(blocks):
        here, outs_b = place + b * BLOCK * rows * size, outs + b * BLOCK * 8
        if rows == 4:
            _ADD_4_B(like, sources, ins, outs_b, vectors, here)
        elif rows == 2:
            _ADD_2_B(like, sources, ins, outs_b, vectors, here)
        else:
            _ADD_1_B(like, sources, ins, outs_b, vectors, here)
    for j in range(blocks * BLOCK, num_outs):
        here, outs_j = place + j * rows * size, outs + j * 8
        if rows == 4:
            _ADD_4_1(like, sources, ins, outs_j, vectors, here)
        elif rows == 2:
            _ADD_2_1(like, sources, ins, outs_j, vectors, here)
        else:
            _ADD_1_1(like, sources, ins, outs_j, vectors, here)
    return loss


@kernel
def step(rows, like, ins, outs, num_outs, vectors, logits, factors, copies, rate, tell):
    """Do what `train_rows` does, for those who call it by itself."""
    return train_rows(rows, like, ins, outs, num_outs, vectors, logits, factors, copies, rate, tell)


@kernel
def gradients(logits, factors, rows, count, rate):
    """Do what `_gradients` does, for those who call it by itself."""
    _gradients(logits, factors, rows, count, rate)
