"""Skip-gram and CBOW with negative sampling over a piece of text, compiled by numba for the CPU.

Loss of one pair, Mikolov et al. (2013), arXiv:1310.4546: `-log σ(c·w) - Σ log σ(-n·w)`, w a row
of `vectors` (W), c and the negatives n rows of `contexts` (C). As in their program, w stands for
a word near the centre and c for the centre. The negatives are drawn once a centre.

Several words near a centre are taken together: their gradients are those of the sum of their
losses, exactly. Threads share W and C without locks (Recht et al. 2011, Hogwild).
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from charlm.vectors import simd
from charlm.vectors.compiled import kernel
from charlm.vectors.steps import together, train_rows

AHEAD = 4  # centres between asking for rows and using them
_RING = 8  # a power of two above AHEAD
TELL_EVERY = 64  # centres between two that the loss is taken of


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


@kernel
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
            rows = together(inputs, done, near)
            ins = inputs.ctypes.data + done * 8
            loss = train_rows(
                rows, vectors, ins, outs, num_outs, rows_of, logits, factors, copies, rate, tell
            )
            if tell:
                told[0] += loss
                told[1] += rows
            done += rows
    return count


@kernel
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
        loss = train_rows(
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
