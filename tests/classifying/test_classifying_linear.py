"""Words, hashed n-grams, log-ratios, the linear branch: against values worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.classifying import training
from charlm.classifying.branch import LinearBranch, sum_rows
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.linear import (
    build_bags,
    fit_linear,
    log_ratios,
    log_softmax,
    minimize,
)
from charlm.classifying.ngrams import Forms, hash_text, mixed, word_ngrams
from charlm.classifying.training import train_linear
from charlm.classifying.words import split_words
from charlm.metrics.labels import confusion, label_figures


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't", ["i", "do", "n't"]),
        ("i do n't", ["i", "do", "n't"]),
        ("I don’t!", ["i", "do", "n't", "!"]),
        ("it's John's", ["it", "'s", "john", "'s"]),
        ("'tis 'round", ["'", "tis", "'", "round"]),
        ("k-19 B2B_x", ["k", "-", "19", "b2b", "_", "x"]),
        ("café naïve", ["café", "naïve"]),
        ("हिन्दी", ["हिन्दी"]),
        ("很好!", ["很", "好", "!"]),
        (" \t\n", []),
    ],
)
def test_words(text, words):
    assert split_words(text) == words


@given(st.text())
def test_words_hold_every_character_but_blanks(text):
    words = "".join(split_words(text, lowercase=False))
    assert words == "".join(text.replace("’", "'").split())


def test_case_is_kept_where_asked():
    assert split_words("It DON'T", lowercase=False) == ["It", "DO", "N'T"]


def test_ngrams_never_cross_from_text_to_text():
    forms = Forms()
    flat = forms.flatten([["a", "b", "c"], [], ["d"], ["a", "b"]])
    hashes = forms.arrays()[0]
    one, two, three = word_ngrams(flat, hashes, 3)
    a, b, c, d = (np.array([hash_text(letter)], dtype=np.uint64) for letter in "abcd")
    assert one[1].tolist() == [0, 0, 0, 2, 3, 3]
    assert two[0].tolist() == [*mixed(a, b), *mixed(b, c), *mixed(a, b)]
    assert two[1].tolist() == [0, 0, 3]
    assert three[0].tolist() == mixed(mixed(a, b), c).tolist()
    assert d not in two[0]


def test_the_order_of_words_makes_another_ngram():
    a, b = (np.array([hash_text(letter)], dtype=np.uint64) for letter in "ab")
    assert mixed(a, b) != mixed(b, a)


def test_characters_of_a_word_and_its_frame():
    forms = Forms((3, 4))
    forms.flatten([["ab"]])
    parts = forms.arrays()[1]
    assert parts.tolist() == [hash_text(f"\0{part}") for part in ("<ab", "ab>", "<ab>")]


def bags_of(texts, order=1, min_count=1):
    return build_bags(texts, (0, 0), order, min_count)


def dense(bags):
    return bags.times(np.eye(bags.parts.shape[1]))


def test_ngrams_are_counted_and_rare_ones_left_out():
    known, bags = bags_of([["a", "a", "b"], ["a"], ["c"]], min_count=2)
    assert known.tolist() == [hash_text("a")]
    assert dense(bags).tolist() == [[2.0], [1.0], [0.0]]


@given(
    st.lists(st.lists(st.sampled_from(["ab", "abc", "d"]), max_size=5), min_size=1, max_size=5),
    st.integers(1, 3),
)
def test_bags_hold_every_ngram_of_words_and_characters(texts, order):
    texts = [*texts, ["e"]]
    known, bags = build_bags(texts, (3, 4), order)
    wanted = np.zeros((len(texts), len(known)))
    forms = Forms((3, 4))
    for row, words in enumerate(texts):
        forms.clear()
        flat = forms.flatten([words])
        hashes, parts, starts = forms.arrays()
        keys = [key for grams, _ in word_ngrams(flat, hashes, order) for key in grams.tolist()]
        for form in flat.forms:
            keys += parts[starts[form] : starts[form + 1]].tolist()
        for key in keys:
            wanted[row, known.tolist().index(key)] += 1
    assert dense(bags).tolist() == wanted.tolist()
    errors = np.arange(2.0 * len(texts)).reshape(-1, 2)
    np.testing.assert_allclose(bags.transposed_times(errors), wanted.T @ errors)
    chosen = np.arange(len(texts)) % 2 == 0
    assert dense(bags.take(chosen)).tolist() == wanted[chosen].tolist()


def test_log_ratios_by_hand():
    """Of `a` in both texts of label 0, with one added: p = 3/4, q = 1/3; of `b`: 1/4, 2/3."""
    known, bags = bags_of([["a"], ["a"], ["b"]])
    found = log_ratios(bags, np.array([0, 0, 1]), 2)
    a, b = (known.tolist().index(hash_text(letter)) for letter in "ab")
    assert found[a] == pytest.approx([np.log((3 / 4) / (1 / 3)), np.log((1 / 3) / (3 / 4))])
    assert found[b] == pytest.approx([np.log((1 / 4) / (2 / 3)), np.log((2 / 3) / (1 / 4))])


def test_least_squares_are_found():
    matrix = np.random.default_rng(0).normal(size=(20, 5))
    wanted = np.arange(5.0)

    def loss(place):
        errors = matrix @ (place - wanted)
        return float(errors @ errors) / 2, matrix.T @ errors

    assert minimize(loss, np.zeros(5), 100) == pytest.approx(wanted, abs=1e-3)


def test_the_fit_is_where_the_slope_is_nothing():
    """At the least loss every bias has as much probability as its label has texts."""
    _, bags = bags_of([["a"], ["a", "b"], ["b"], ["c"], ["a", "c"]])
    labels = np.array([0, 0, 1, 2, 0])
    weights, bias = fit_linear(bags, labels, 3, penalty=1e-2, iterations=500)
    probabilities = np.exp(log_softmax(bags.times(weights) + bias))
    assert probabilities.mean(axis=0) == pytest.approx([3 / 5, 1 / 5, 1 / 5], abs=5e-3)


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=6),
    st.integers(1, 3),
)
def test_texts_have_the_same_logits_together_and_alone(texts, order):
    known, _ = bags_of([list("abcabdacf")], order)
    weights = np.random.default_rng(1).normal(size=(len(known), 3)).astype(np.float32)

    def branch():
        return LinearBranch(known, weights, np.ones(3, np.float32), order, (0, 0))

    together = branch().logits(texts)
    alone = [branch().logits([text])[0] for text in texts]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_logits_are_the_sums_of_weights_also_when_forms_come_later():
    known, _ = build_bags([["ab", "cd"]], (3, 3), 2)
    weights = np.arange(1.0, 2 * len(known) + 1, dtype=np.float32).reshape(-1, 2)
    branch = LinearBranch(known, weights, np.zeros(2, np.float32), 2, (3, 3))
    assert branch.logits([["zz"]]).tolist() == [[0.0, 0.0]]
    assert branch.logits([["ab", "cd"], []]).tolist() == [weights.sum(axis=0).tolist(), [0.0, 0.0]]
    assert len(known) == 2 + 4 + 1


def test_rows_are_summed_by_place():
    rows = np.array([[1.0], [2.0], [4.0]], dtype=np.float32)
    assert sum_rows(rows, np.array([0, 2, 2]), 4).tolist() == [[1.0], [0.0], [6.0], [0.0]]
    assert sum_rows(rows[:0], np.array([], dtype=np.int64), 1).tolist() == [[0.0]]


def test_label_figures_by_hand():
    counts = confusion([0, 0, 0, 1, 2], [0, 0, 1, 1, 1], 3)
    a, b, c = label_figures(counts, "abc")
    assert counts.tolist() == [[2, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert (a.precision, a.recall, a.f1) == (1.0, 2 / 3, 0.8)
    assert (b.precision, b.recall, b.f1, b.gold, b.predicted) == (1 / 3, 1.0, 0.5, 1, 3)
    assert (c.precision, c.recall, c.f1) == (0.0, 0.0, 0.0)


def test_rare_ngrams_go_where_there_would_be_too_many(monkeypatch):
    texts = [["a", "b"], ["a", "c"], ["a", "b", "d"]]
    config = ClassifierConfig(labels=("x", "y"), num_layers=1, shortest_chars=0, longest_chars=0)
    monkeypatch.setattr(training, "MOST_WEIGHTS", 8)

    def ngrams(min_count):
        labels = np.array([0, 1, 0])
        found, _ = train_linear(config, texts, labels, min_count=min_count, penalty=1.0)
        return found.ngrams

    assert (ngrams(1), ngrams(None)) == (7, 3)  # a, b and "a b" are seen twice
