"""Spans of BIO labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.metrics.spans import is_bio, span_figures, spans


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("O O", []),
        ("B-A I-A B-A", [("A", 0, 2), ("A", 2, 3)]),
        ("I-A I-A I-B", [("A", 0, 2), ("B", 2, 3)]),
        ("B-A I-B I-B", [("A", 0, 1), ("B", 1, 3)]),
        ("S-A B-A I-A E-A I-A", [("A", 0, 1), ("A", 1, 4), ("A", 4, 5)]),
        ("U-A L-A", [("A", 0, 1), ("A", 1, 2)]),
        ("", []),
    ],
)
def test_where_spans_begin_and_end(tags, found):
    assert spans(tags.split()) == found


@given(st.lists(st.integers(0, 4), max_size=8), st.data())
def test_spans_that_were_written_as_bio_are_found(lengths, data):
    tags, wanted = [], []
    for length in lengths:
        label = data.draw(st.sampled_from("AB"))
        if length:
            wanted.append((label, len(tags), len(tags) + length))
            tags += [f"B-{label}", *[f"I-{label}"] * (length - 1)]
        else:
            tags.append("O")
    assert spans(tags) == wanted


def test_figures_count_whole_spans():
    gold = [["B-A", "I-A", "O", "B-B"], ["B-A"]]
    predicted = [["B-A", "O", "O", "B-B"], ["B-A"]]
    every, a, b = span_figures(gold, predicted)
    assert (every.label, every.precision, every.recall) == ("", 2 / 3, 2 / 3)
    assert (a.label, a.f1, a.gold, a.predicted) == ("A", 0.5, 2, 2)
    assert (b.label, b.f1) == ("B", 1.0)


def test_other_tags_mark_no_spans():
    assert not is_bio(["NOUN", "X-Y-Z"])
    assert not is_bio(["B-", "O"])
