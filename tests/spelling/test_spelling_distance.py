"""Distances and remainders, beside the definition."""

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.spelling.deletes import Deletes, build_deletes
from charlm.spelling.distance import edit_distances
from charlm.spelling.lexicon import LONGEST, Lexicon

LEXICON = Lexicon(["<unk>", "\n", "0"], [], "abc", np.zeros(3, np.uint8))
words = st.text("abc", min_size=1, max_size=10)


def reference(left, right):
    """Optimal string alignment, by its recursion."""

    @cache
    def cost(i, j):
        if not i or not j:
            return i + j
        best = min(
            cost(i - 1, j - 1) + (left[i - 1] != right[j - 1]),
            cost(i - 1, j) + 1,
            cost(i, j - 1) + 1,
        )
        if i > 1 and j > 1 and left[i - 2 : i] == right[j - 2 : j][::-1]:
            best = min(best, cost(i - 2, j - 2) + 1)
        return best

    return cost(len(left), len(right))


def near(word, rng, edits):
    """Return a word some random edits away."""
    for _ in range(edits):
        place = rng.integers(0, len(word) + 1)
        kind = rng.integers(0, 4)
        letter = "abc"[rng.integers(0, 3)]
        if kind == 0:
            word = word[:place] + letter + word[place:]
        elif kind == 1 and len(word) > 1:
            word = word[:place] + word[place + 1 :]
        elif kind == 2:
            word = word[:place] + letter + word[place + 1 :]
        else:
            word = word[:place] + word[place : place + 2][::-1] + word[place + 2 :]
    return word


@settings(deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=20), st.integers(1, 2))
def test_distances_up_to_the_limit_are_exact(pairs, most):
    left, left_lengths = LEXICON.encode([one for one, _ in pairs])
    right, right_lengths = LEXICON.encode([two for _, two in pairs])
    found = edit_distances(left, left_lengths, right, right_lengths, most=most)
    for distance, (one, two) in zip(found.tolist(), pairs, strict=True):
        wanted = reference(one, two)
        assert distance == wanted if wanted <= most else distance > most


@settings(deadline=None)
@given(
    st.lists(words, min_size=1, max_size=30, unique=True), st.integers(0, 2**32), st.integers(1, 2)
)
def test_every_word_within_reach_is_found(known, seed, distance):
    rng = np.random.default_rng(seed)
    codes, lengths = LEXICON.encode(known)
    index = Deletes(build_deletes(codes, lengths, np.arange(len(known)) + 100))
    typed = [near(word, rng, distance) for word in known]
    asked, asked_lengths = LEXICON.encode(typed)
    queries, numbers = index.find(asked, asked_lengths, distance)
    found = set(zip(queries.tolist(), numbers.tolist(), strict=True))
    for query, one in enumerate(typed):
        for number, two in enumerate(known):
            if reference(one, two) <= distance:
                assert (query, number + 100) in found


def test_codes_are_letters_of_the_alphabet_and_long_words_are_cut():
    codes, lengths = LEXICON.encode(["cab", "a" * 40])
    assert codes[:4, 0].tolist() == [3, 1, 2, 0]
    assert lengths.tolist() == [3, LONGEST]
