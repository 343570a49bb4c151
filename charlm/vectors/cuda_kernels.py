"""Skip-gram and CBOW for a GPU, compiled by Triton: each program walks its own stretch of a text.

What a centre does is what `kernels` does on a CPU: a window drawn anew, negatives that serve all
words around it, four of which see the outputs as they were before. The outputs' rows stay in
registers meanwhile; at the end their changes are added to memory in one go, as those of each word
around are at once. Additions are atomic: none gets lost, but other programs may have read a row
before it changed (Recht et al. 2011, Hogwild). So the fewer programs, the nearer to one thread.

Random numbers follow from the seed and the place alone (Philox): four for each slot of outputs,
two draws of a negative, the second for the case that the first is the centre. Slot 0 is the
centre's; its first number is the window's.

Rows are read past the first cache (`.cg`), which does not see what other processors add.

Source:
    Ji et al. (2016), arXiv:1604.04661, for negatives shared by the words around a centre.
"""

from __future__ import annotations

import triton
import triton.language as tl

TELL_EVERY = tl.constexpr(16)  # centres between two that the loss is taken of


@triton.jit
def _draw(bits, more_bits, cuts, others, num_words):
    """Return words by the alias method, each from 64 random bits."""
    words = tl.umulhi(bits, num_words.to(tl.uint32)).to(tl.int32)
    is_itself = more_bits < tl.load(cuts + words).to(tl.uint32, bitcast=True)
    return tl.where(is_itself, words, tl.load(others + words))


@triton.jit
def _outputs(center, counter, seed, cuts, others, num_words, slots, num_outs: tl.constexpr):
    """Return the centre and its negatives, and which slots count: no second centre does."""
    a, b, c, d = tl.randint4x(seed, counter + slots)
    first = _draw(a, b, cuts, others, num_words)
    second = _draw(c, d, cuts, others, num_words)
    negatives = tl.where(first != center, first, second)
    counts = (slots < num_outs) & ((slots == 0) | (negatives != center))
    return tl.where(slots == 0, center, negatives).to(tl.int64), counts


@triton.jit
def _reach(counter, seed, window):
    """Return to how many words on each side a window extends: 1 to `window`, evenly."""
    bits, _, _, _ = tl.randint4x(seed, counter)
    return 1 + tl.umulhi(bits, window.to(tl.uint32)).to(tl.int32)


@triton.jit
def _near(kept, low, number, place):
    """Return the word of a number among those of a window, the centre left out."""
    near = low + number
    return tl.load(kept + near + (near >= place).to(tl.int32)).to(tl.int64)


@triton.jit
def _losses(logits, labels, counts):
    """Return the loss of an input on its outputs, in nats."""
    signed = tl.where(labels > 0, -logits, logits)
    losses = tl.maximum(signed, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(signed)))
    return tl.sum(tl.where(counts, losses, 0.0), axis=0)


@triton.jit(do_not_specialize=["num_words", "window", "seed"])
def skipgram(
    kept,
    starts,
    ends,
    count,
    vectors,
    contexts,
    cuts,
    others,
    told,
    num_words,
    window,
    first_rate,
    last_rate,
    seed,
    stride: tl.constexpr,
    num_columns: tl.constexpr,
    num_outs: tl.constexpr,
    num_slots: tl.constexpr,
):
    """Train W and C on a piece of text.

    Shapes:
        kept: (N,) int32 ids that subsampling kept, -1 where a text ends.
        starts, ends: (N,) int32, where the text begins and ends that a place is in.
        count: (1,) int32, how many of N are there.
        vectors, contexts: (V, stride) float32.
        cuts, others: (V,) int32, the alias table of the negatives; the bits of cuts are unsigned.
        told: (programs, 2) float32: the losses of some centres, and the number of their pairs.

    Args:
        first_rate, last_rate: the learning rate at the first and behind the last word.
        num_columns, num_slots: powers of two at least stride and num_outs.
    """
    program, programs = tl.program_id(0), tl.num_programs(0)
    total = tl.load(count)
    span = tl.cdiv(total, programs)
    per_word = (last_rate - first_rate) / tl.maximum(total, 1).to(tl.float32)
    slots, columns = tl.arange(0, num_slots), tl.arange(0, num_columns)
    labels = tl.where(slots == 0, 1.0, 0.0)
    is_column = columns < stride
    loss, pairs = 0.0, 0.0
    begin = program * span
    for step in range(tl.minimum(span, total - begin)):
        place = begin + step
        center = tl.load(kept + place)
        reach = _reach(place * num_slots, seed, window)
        low = tl.maximum(tl.load(starts + place), place - reach)
        high = tl.minimum(tl.load(ends + place), place + reach + 1)
        if (center >= 0) & (high - low > 1):
            outs, counts = _outputs(
                center, place * num_slots, seed, cuts, others, num_words, slots, num_outs
            )
            rate = first_rate + per_word * place
            to_outs = contexts + outs[:, None] * stride + columns[None, :]
            is_there = counts[:, None] & is_column[None, :]
            before = tl.load(to_outs, mask=is_there, other=0.0, cache_modifier=".cg")
            rows, changes = before, tl.zeros((num_slots, num_columns), tl.float32)
            # the next row is on its way while this one is used
            num_near = high - low - 1
            to_row = vectors + _near(kept, low, 0, place) * stride + columns
            row = tl.load(to_row, mask=is_column, other=0.0, cache_modifier=".cg")
            for number in range(num_near):
                after = _near(kept, low, tl.minimum(number + 1, num_near - 1), place)
                to_next = vectors + after * stride + columns
                following = tl.load(to_next, mask=is_column, other=0.0, cache_modifier=".cg")
                logits = tl.sum(rows * row[None, :], axis=1)
                pulls = tl.where(counts, rate * (labels - tl.sigmoid(logits)), 0.0)
                change = tl.sum(pulls[:, None] * rows, axis=0)
                tl.atomic_add(to_row, change, mask=is_column, sem="relaxed")
                changes += pulls[:, None] * row[None, :]
                if number % 4 == 3:  # so many words see the outputs as they were, as on a CPU
                    rows = before + changes
                if place % TELL_EVERY == 0:
                    loss += _losses(logits, labels, counts)
                    pairs += 1.0
                to_row, row = to_next, following
            tl.atomic_add(to_outs, changes, mask=is_there, sem="relaxed")
    tl.store(told + 2 * program, loss)
    tl.store(told + 2 * program + 1, pairs)


@triton.jit(do_not_specialize=["num_words", "window", "seed"])
def cbow(
    kept,
    starts,
    ends,
    count,
    vectors,
    contexts,
    cuts,
    others,
    told,
    num_words,
    window,
    first_rate,
    last_rate,
    seed,
    stride: tl.constexpr,
    num_columns: tl.constexpr,
    num_outs: tl.constexpr,
    num_slots: tl.constexpr,
):
    """Train W and C on a piece of text by continuous bags of words; arguments as `skipgram`."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    total = tl.load(count)
    span = tl.cdiv(total, programs)
    per_word = (last_rate - first_rate) / tl.maximum(total, 1).to(tl.float32)
    slots, columns = tl.arange(0, num_slots), tl.arange(0, num_columns)
    labels = tl.where(slots == 0, 1.0, 0.0)
    is_column = columns < stride
    loss, pairs = 0.0, 0.0
    begin = program * span
    for step in range(tl.minimum(span, total - begin)):
        place = begin + step
        center = tl.load(kept + place)
        reach = _reach(place * num_slots, seed, window)
        low = tl.maximum(tl.load(starts + place), place - reach)
        high = tl.minimum(tl.load(ends + place), place + reach + 1)
        if (center >= 0) & (high - low > 1):
            outs, counts = _outputs(
                center, place * num_slots, seed, cuts, others, num_words, slots, num_outs
            )
            to_outs = contexts + outs[:, None] * stride + columns[None, :]
            is_there = counts[:, None] & is_column[None, :]
            rows = tl.load(to_outs, mask=is_there, other=0.0, cache_modifier=".cg")
            mean = tl.zeros((num_columns,), tl.float32)
            num_near = high - low - 1
            for number in range(num_near):
                to_row = vectors + _near(kept, low, number, place) * stride + columns
                mean += tl.load(to_row, mask=is_column, other=0.0, cache_modifier=".cg")
            share = 1.0 / num_near.to(tl.float32)
            mean *= share
            logits = tl.sum(rows * mean[None, :], axis=1)
            rate = first_rate + per_word * place
            pulls = tl.where(counts, rate * (labels - tl.sigmoid(logits)), 0.0)
            change = tl.sum(pulls[:, None] * rows, axis=0) * share
            tl.atomic_add(to_outs, pulls[:, None] * mean[None, :], mask=is_there, sem="relaxed")
            for number in range(num_near):
                to_row = vectors + _near(kept, low, number, place) * stride + columns
                tl.atomic_add(to_row, change, mask=is_column, sem="relaxed")
            if place % TELL_EVERY == 0:
                loss += _losses(logits, labels, counts)
                pairs += 1.0
    tl.store(told + 2 * program, loss)
    tl.store(told + 2 * program + 1, pairs)
