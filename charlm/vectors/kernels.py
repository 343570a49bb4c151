"""Skip-gram and CBOW with negative sampling over a piece of text, compiled by numba for the CPU.

Loss of one pair, Mikolov et al. (2013), arXiv:1310.4546: `-log σ(c·w) - Σ log σ(-n·w)`, w a row
of `vectors` (W), c and the negatives n rows of `contexts` (C). As in their program, w stands for
a word near the centre and c for the centre. The negatives are drawn once a centre.

Several words near a centre are taken together: their gradients are those of the sum of their
losses, exactly. Threads share W and C without locks (Recht et al. 2011, Hogwild).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types
from numba.extending import overload, register_jitable

from charlm.vectors import simd

AHEAD = 4  # centres between asking for rows and using them
_RING = 8  # a power of two above AHEAD
TELL_EVERY = 64  # centres between two that the loss is taken of
MOST_NEGATIVES = 60
BLOCK = 6  # output rows that are taken together
_DOTS_4, _DOTS_2, _DOTS_1 = simd.dots(4, BLOCK), simd.dots(2, BLOCK), simd.dots(1, BLOCK)
_DOTS_4_1, _DOTS_2_1, _DOTS_1_1 = simd.dots(4, 1), simd.dots(2, 1), simd.dots(1, 1)
_ADD_4, _ADD_2, _ADD_1 = (simd.updates(rows, BLOCK, apart=False) for rows in (4, 2, 1))
_ADD_4_B, _ADD_2_B, _ADD_1_B = (simd.updates(rows, BLOCK, apart=True) for rows in (4, 2, 1))
_ADD_4_1, _ADD_2_1, _ADD_1_1 = (simd.updates(rows, 1, apart=True) for rows in (4, 2, 1))


def _kernel(function):
    """Compile a function without Python's lock; kept on disk where there is a place for it."""
    settings = {
        "nogil": True,
        "fastmath": {"contract", "arcp", "nsz", "reassoc"},
        "error_model": "numpy",
    }
    try:
        return njit(cache=True, **settings)(function)
    except RuntimeError:  # no folder to keep it in
        return njit(**settings)(function)


@register_jitable
def _next(state):
    """Return the next state of a splitmix64 generator, and 64 random bits."""
    state += np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, z ^ (z >> np.uint64(31))


@register_jitable
def _draw(bits, cuts, others):
    """Return a word by the alias method from 64 random bits."""
    word = np.int64(((bits >> np.uint64(32)) * np.uint64(cuts.size)) >> np.uint64(32))
    if (bits & np.uint64(0xFFFFFFFF)) < np.uint64(cuts[word]):
        return word
    return np.int64(others[word])


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
def _together(inputs, done, near):
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
def _step(rows, like, ins, outs, num_outs, vectors, logits, factors, copies, rate, tell):
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


@register_jitable
def _near(ids, inputs, first, last, center, base, row_bytes):
    """Write the addresses of the words around a centre; return how many, a text's ends heeded."""
    count = 0
    for q in range(center - 1, first - 1, -1):
        if ids[q] < 0:
            break
        inputs[count] = base + np.int64(ids[q]) * row_bytes
        count += 1
    for q in range(center + 1, last):
        if ids[q] < 0:
            break
        inputs[count] = base + np.int64(ids[q]) * row_bytes
        count += 1
    return count


@register_jitable
def _thin_out(words, keep, kept, state):
    """Write the words that subsampling keeps, and -1 between texts; return how many."""
    count = 0
    for word in words:
        if word < 0:
            if count and kept[count - 1] >= 0:
                kept[count] = -1
                count += 1
            continue
        state, bits = _next(state)
        if (bits >> np.uint64(32)) <= np.uint64(keep[word]):
            kept[count] = word
            count += 1
    return count, state


@_kernel
def skipgram(words, vectors, contexts, keep, cuts, others, window, negatives, rates, seed, told):
    """Train W and C on a piece of text; return how many words subsampling kept.

    Shapes:
        words: (N,) int32 ids, -1 where a text ends.
        vectors, contexts: (V, P) rows padded to whole lines of the cache.
        keep: (V,) uint32, the chance to be kept in 2**-32.
        cuts, others: (V,) uint32 and int32, the alias table of the negatives.
        rates: the learning rate at the first and behind the last word.
        told: (2,) float64: the losses of some centres and the number of their pairs are added.
    """
    row_bytes = vectors.strides[0]
    lines, rows_of = row_bytes // 64, row_bytes // simd.VECTOR_BYTES
    base_w, base_c = vectors.ctypes.data, contexts.ctypes.data
    state = seed
    kept = np.empty(words.size, np.int32)
    count, state = _thin_out(words, keep, kept, state)
    num_outs = negatives + 1
    ring = np.zeros((_RING, num_outs), np.int64)
    reaches = np.zeros(_RING, np.int64)
    inputs = np.empty(2 * window + 4, np.int64)
    room = 4 * num_outs + 64
    logits, factors = np.zeros(room, vectors.dtype), np.zeros(room, vectors.dtype)
    spare = np.zeros((4, vectors.shape[1]), vectors.dtype)
    copies = np.empty(4, np.int64)
    for i in range(4):
        copies[i] = spare.ctypes.data + i * row_bytes
    first_rate, per_word = rates[0], (rates[1] - rates[0]) / max(count, 1)
    for place in range(-AHEAD, count):
        ahead = place + AHEAD
        if ahead < count and kept[ahead] >= 0:
            slot = ahead % _RING
            center = np.int64(kept[ahead])
            state, bits = _next(state)
            reaches[slot] = 1 + np.int64(
                ((bits >> np.uint64(32)) * np.uint64(window)) >> np.uint64(32)
            )
            ring[slot, 0] = base_c + center * row_bytes
            for j in range(1, num_outs):
                state, bits = _next(state)
                other = _draw(bits, cuts, others)
                while other == center:
                    state, bits = _next(state)
                    other = _draw(bits, cuts, others)
                ring[slot, j] = base_c + other * row_bytes
            for j in range(num_outs):
                simd.prefetch(ring[slot, j], lines)
            if ahead + window < count and kept[ahead + window] >= 0:
                simd.prefetch(base_w + np.int64(kept[ahead + window]) * row_bytes, lines)
        if place < 0 or kept[place] < 0:
            continue
        slot = place % _RING
        reach = reaches[slot]
        near = _near(
            kept,
            inputs,
            max(0, place - reach),
            min(count, place + reach + 1),
            place,
            base_w,
            row_bytes,
        )
        rate = first_rate + place * per_word
        tell = place % TELL_EVERY == 0
        outs = ring.ctypes.data + slot * num_outs * 8
        done = 0
        while done < near:
            rows = _together(inputs, done, near)
            ins = inputs.ctypes.data + done * 8
            loss = _step(
                rows, vectors, ins, outs, num_outs, rows_of, logits, factors, copies, rate, tell
            )
            if tell:
                told[0] += loss
                told[1] += rows
            done += rows
    return count


@_kernel
def cbow(words, vectors, contexts, keep, cuts, others, window, negatives, rates, seed, told):
    """Train W and C on a piece of text by continuous bags of words; arguments as `skipgram`.

    The input is the mean of the words around a centre, each of which gets its share of the
    gradient: `1/n` of it (word2vec.c and gensim give each the whole).

    Source:
        İrsoy et al. (2021), arXiv:2012.15332, for the correct gradient.
    """
    row_bytes, columns = vectors.strides[0], vectors.shape[1]
    rows_of = row_bytes // simd.VECTOR_BYTES
    base_c = contexts.ctypes.data
    state = seed
    kept = np.empty(words.size, np.int32)
    count, state = _thin_out(words, keep, kept, state)
    num_outs = negatives + 1
    outs = np.zeros(num_outs, np.int64)
    inputs = np.empty(2 * window + 4, np.int64)
    room = num_outs + 64
    logits, factors = np.zeros(room, vectors.dtype), np.zeros(room, vectors.dtype)
    spare = np.zeros((2, columns), vectors.dtype)
    before = np.zeros(columns, vectors.dtype)
    copies, ins = np.empty(1, np.int64), np.empty(1, np.int64)
    ins[0], copies[0] = spare.ctypes.data, spare.ctypes.data + row_bytes
    mean = spare[0]
    first_rate, per_word = rates[0], (rates[1] - rates[0]) / max(count, 1)
    for place in range(count):
        if kept[place] < 0:
            continue
        center = np.int64(kept[place])
        state, bits = _next(state)
        reach = 1 + np.int64(((bits >> np.uint64(32)) * np.uint64(window)) >> np.uint64(32))
        first, last = max(0, place - reach), min(count, place + reach + 1)
        near = _near(kept, inputs, first, last, place, 0, 1)
        outs[0] = base_c + center * row_bytes
        for j in range(1, num_outs):
            state, bits = _next(state)
            other = _draw(bits, cuts, others)
            while other == center:
                state, bits = _next(state)
                other = _draw(bits, cuts, others)
            outs[j] = base_c + other * row_bytes
        if near == 0:
            continue
        share = type(mean[0])(1.0 / near)
        mean[:] = vectors[inputs[0]]
        for i in range(1, near):
            row = vectors[inputs[i]]
            for d in range(columns):
                mean[d] += row[d]
        for d in range(columns):
            mean[d] *= share
            before[d] = mean[d]
        tell = place % TELL_EVERY == 0
        loss = _step(
            1,
            vectors,
            ins.ctypes.data,
            outs.ctypes.data,
            num_outs,
            rows_of,
            logits,
            factors,
            copies,
            first_rate + place * per_word,
            tell,
        )
        if tell:
            told[0] += loss
            told[1] += 1
        for d in range(columns):
            before[d] = (mean[d] - before[d]) * share
        for i in range(near):
            row = vectors[inputs[i]]
            for d in range(columns):
                row[d] += before[d]
    return count


@_kernel
def step(rows, like, ins, outs, num_outs, vectors, logits, factors, copies, rate, tell):
    """Do what `_step` does, for those who call it by itself."""
    return _step(rows, like, ins, outs, num_outs, vectors, logits, factors, copies, rate, tell)


@_kernel
def gradients(logits, factors, rows, count, rate):
    """Do what `_gradients` does, for those who call it by itself."""
    _gradients(logits, factors, rows, count, rate)
