"""Kernels over pairs of words: counts, phrases, GloVe, products with a PMI matrix."""

from __future__ import annotations

import math

import numpy as np

from charlm.vectors.compiled import kernel


@kernel
def pair_keys(words, size, window, out):
    """Write a key for each pair of words at most `window` apart in one text; return how many.

    The key is `(a * size + b) * window + distance - 1`, a <= b; `out` has room for all.
    """
    count = 0
    for place in range(words.size):
        a = np.int64(words[place])
        if a < 0:
            continue
        for distance in range(1, window + 1):
            if place + distance >= words.size:
                break
            b = np.int64(words[place + distance])
            if b < 0:
                break
            low, high = min(a, b), max(a, b)
            out[count] = (low * size + high) * window + distance - 1
            count += 1
    return count


@kernel
def follower_keys(words, size, out):
    """Write `a * size + b` for each word a that b follows in one text; return how many."""
    count = 0
    for place in range(words.size - 1):
        a, b = np.int64(words[place]), np.int64(words[place + 1])
        if a >= 0 and b >= 0:
            out[count] = a * size + b
            count += 1
    return count


@kernel
def sum_sorted(keys, count, weights, pairs, sums):
    """Add up the weights of equal pairs among sorted keys `pair * weights.size + which`."""
    found = 0
    steps = weights.size
    for k in range(count):
        pair = keys[k] // steps
        weight = weights[keys[k] % steps]
        if found and pairs[found - 1] == pair:
            sums[found - 1] += weight
        else:
            pairs[found] = pair
            sums[found] = weight
            found += 1
    return found


@kernel
def merge(pairs_a, sums_a, pairs_b, sums_b, pairs, sums):
    """Merge two sorted lists of pairs, adding the sums of equal ones; return how many are left."""
    i, j, found = 0, 0, 0
    while i < pairs_a.size or j < pairs_b.size:
        if j == pairs_b.size or (i < pairs_a.size and pairs_a[i] < pairs_b[j]):
            pairs[found], sums[found] = pairs_a[i], sums_a[i]
            i += 1
        elif i == pairs_a.size or pairs_b[j] < pairs_a[i]:
            pairs[found], sums[found] = pairs_b[j], sums_b[j]
            j += 1
        else:
            pairs[found], sums[found] = pairs_a[i], sums_a[i] + sums_b[j]
            i += 1
            j += 1
        found += 1
    return found


@kernel
def join_pairs(words, starts, seconds, joined, out):
    """Write words with the known pairs among them joined, from left to right; return how many.

    Args:
        starts: (V + 1,), where the pairs that begin with a word stand in the next two.
        seconds, joined: the second word of a pair, ascending, and what stands for the pair.
    """
    count, place = 0, 0
    while place < words.size:
        a = words[place]
        out[count] = a
        if a >= 0 and place + 1 < words.size:
            b = words[place + 1]
            low, high = starts[a], starts[a + 1]
            while low < high:
                middle = (low + high) // 2
                if seconds[middle] < b:
                    low = middle + 1
                else:
                    high = middle
            if low < starts[a + 1] and seconds[low] == b:
                out[count] = joined[low]
                place += 1
        count += 1
        place += 1
    return count


@kernel
def glove(
    first, last, stride, offset, rows, columns, logs, shares, w, c, w_squares, c_squares, rate, told
):
    """Take a step of AdaGrad on pairs `first` to `last` in a shuffled order; both ways round.

    Shapes:
        rows, columns: (pairs,) each pair once, row <= column.
        logs, shares: (pairs,) float32, what the product should be, and its weight.
        w, c: (V, D + 1), the bias last; w_squares, c_squares: as they, sums of squared gradients.
        told: (2,) float64: losses and their number are added.
    """
    dim = w.shape[1] - 1
    size = np.uint64(rows.size)
    most = np.float32(100.0)  # a gradient beyond that would throw a row away
    for k in range(first, last):
        place = np.int64((np.uint64(k) * np.uint64(stride) + np.uint64(offset)) % size)
        for turn in range(2):
            i, j = rows[place], columns[place]
            if turn == 1:
                if i == j:
                    break
                i, j = j, i
            wi, cj, gi, gj = w[i], c[j], w_squares[i], c_squares[j]
            dot = np.float32(0.0)
            for d in range(dim):
                dot += wi[d] * cj[d]
            error = dot + wi[dim] + cj[dim] - logs[place]
            pull = shares[place] * error
            told[0] += 0.5 * pull * error
            told[1] += 1
            pull = rate * min(max(pull, -most), most)
            for d in range(dim):
                x, y = wi[d], cj[d]
                dw, dc = pull * y, pull * x
                gw, gc = gi[d] + dw * dw, gj[d] + dc * dc
                gi[d], gj[d] = gw, gc
                wi[d] = x - dw / math.sqrt(gw)
                cj[d] = y - dc / math.sqrt(gc)
            gi[dim] += pull * pull
            gj[dim] += pull * pull
            wi[dim] -= pull / math.sqrt(gi[dim])
            cj[dim] -= pull / math.sqrt(gj[dim])


@kernel
def positive_product(first, last, starts, columns, logs, row_part, column_part, x, y):
    """Write rows `first` to `last` of `max(0, logs - row_part - column_part) @ x` to y.

    Shapes:
        starts: (V + 1,), columns, logs: (pairs,), the matrix by rows.
        row_part, column_part: (V,); x, y: (V, D) float32.
    """
    for i in range(first, last):
        out = y[i]
        for d in range(out.size):
            out[d] = 0.0
        for k in range(starts[i], starts[i + 1]):
            j = columns[k]
            value = logs[k] - row_part[i] - column_part[j]
            if value > 0:
                row = x[j]
                for d in range(out.size):
                    out[d] += value * row[d]
