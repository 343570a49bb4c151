"""Words that are made of known ones in a usual way."""

import pytest

from charlm.spelling.affixes import is_derived

IDS = {word: number for number, word in enumerate(["walk", "make", "aloe", "maximization", "seat"])}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("walking", True),
        ("making", True),
        ("walkk", False),
        ("alot", False),  # aloe without its e, and a t
        ("maximisation", True),
        ("rewalk", True),
        ("seatwalk", True),
        ("thwalk", False),
    ],
)
def test_a_form_is_derived_by_endings_beginnings_and_spelling(form, expected):
    assert is_derived(form, IDS, ("ing", "t"), ("re",)) is expected
