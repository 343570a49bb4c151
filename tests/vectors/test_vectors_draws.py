"""What a kernel draws and does: windows, subsampling, negatives and rates, seen in its steps.

Where all products are zero a pair changes a row by half the rate times the other row. Rows of
one matrix with a single 1 each, the other matrix zero, and a tiny rate: the second counts pairs.
"""

import numpy as np
import pytest

from charlm.vectors import kernels
from charlm.vectors.sampling import (
    alias_table,
    as_thresholds,
    keep_chances,
    negative_chances,
    padded,
)

RATE = 1e-9  # products stay as good as zero


def run(words, counts, vectors, contexts, *, window=1, rates=(RATE, RATE), subsample=0.0, seed=7):
    """Train on words with one negative each; return how many subsampling kept."""
    cuts, others = alias_table(negative_chances(np.asarray(counts), 0.75))
    return kernels.skipgram(
        np.asarray(words, dtype=np.int32),
        vectors,
        contexts,
        as_thresholds(keep_chances(np.asarray(counts), subsample)),
        cuts,
        others,
        window,
        1,
        np.array(rates),
        np.uint64(seed),
        np.zeros(2),
    )


def one_hot(size, only):
    """Return a matrix with a single 1 in each of the rows `only`, and one of zeros."""
    marked, empty = padded(size, size, np.float64), padded(size, size, np.float64)
    marked[only, only] = 1.0
    return marked, empty


def test_windows_shrink_at_random_so_that_near_words_count_more():
    size, window, rounds = 20, 5, 2_000
    words = np.tile(np.arange(size), rounds)
    # negatives are words 20 and 21, which are not in the text, and whose rows are zero
    contexts, vectors = one_hot(size + 2, np.arange(size))
    run(words, [0] * size + [1, 1], vectors, contexts, window=window)
    pairs = (vectors[:size, :size] / (0.5 * RATE)).round()
    for distance in range(1, window + 1):
        before, after = (
            np.mean([pairs[(c + side * distance) % size, c] for c in range(size)]) / rounds
            for side in (-1, 1)
        )
        assert before == pytest.approx(1 - (distance - 1) / window, abs=0.02)
        assert after == pytest.approx(1 - (distance - 1) / window, abs=0.02)
    assert pairs[:, 0].sum() == pytest.approx(rounds * 6, rel=0.02)  # nothing beyond the window


def test_negatives_are_drawn_by_counts_to_the_power():
    counts = np.array([3, 3, 1, 10, 100, 1_000, 10_000])
    words = np.tile([0, 1], 30_000)
    vectors, contexts = one_hot(len(counts), np.arange(2))
    run(words, counts, vectors, contexts)
    drawn = -(contexts[2:, :2].sum(axis=1) / (0.5 * RATE)).round() / 2  # two inputs a centre
    wanted = counts**0.75 / (counts**0.75).sum()
    wanted = (wanted / (1 - wanted[0]))[2:] * len(words)  # the centre itself is drawn anew
    np.testing.assert_allclose(drawn, wanted, atol=5 * np.sqrt(wanted.max()))
    np.testing.assert_allclose(drawn[1:], wanted[1:], rtol=0.15)


def test_a_centre_is_no_negative_of_its_own():
    vectors, contexts = one_hot(2, np.arange(2))
    words = np.tile([0, 1], 500)
    run(words, [1_000_000, 1], vectors, contexts)
    # word 1 is always the negative of 0, and 0 of 1: what is near is 0 for 1 and 1 for 0
    pairs = (contexts[:, :2] / (0.5 * RATE)).round()
    np.testing.assert_array_equal(pairs, [[-999, 999], [999, -999]])


@pytest.mark.parametrize("word", range(4))
def test_frequent_words_are_left_out_as_often_as_stated(word):
    counts = np.array([100_000, 10_000, 1_000, 50])
    chance = keep_chances(counts, 1e-2)[word]
    empty = padded(4, 4, np.float64)
    kept = run(np.full(40_000, word), counts, empty, empty.copy(), subsample=1e-2)
    assert kept / 40_000 == pytest.approx(chance, abs=0.01)
    assert (kept == 40_000) == (chance == 1.0)


def test_the_rate_falls_in_a_straight_line_within_a_piece():
    size = 30
    contexts, vectors = one_hot(size + 2, np.arange(size))
    run(np.arange(size), [0] * size + [1, 1], vectors, contexts, rates=(RATE, 0.0))
    for center in range(1, size):
        wanted = 0.5 * RATE * (1 - center / size)
        assert vectors[center - 1, center] == pytest.approx(wanted, rel=1e-6)


def test_seeds_draw_otherwise():
    found = []
    for seed in (1, 1, 2):
        vectors, contexts = one_hot(7, np.arange(2))
        run(np.tile([0, 1], 100), [3, 3, 1, 1, 1, 1, 1], vectors, contexts, seed=seed)
        found.append(contexts)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
