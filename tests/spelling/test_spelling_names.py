"""What a capital, or its lack, says about a correction."""

from charlm.spelling.corrector import Corrector
from tests.spelling.making import make_speller

TEXT = (
    "They flew to Iran in spring. We saw Iran win the match. It had to rain at home. "
    "The road from Iran is long. She said that Iran is far.\n" * 40
)


def chosen(line):
    (word,) = [
        one
        for one in Corrector(make_speller(TEXT)).correct([line])[0].judgements
        if one.old == "rian"
    ]
    return {one.text: one.prior for one in word.candidates}


def test_names_are_offered_less_where_a_line_has_capitals_and_the_word_none():
    with_capitals, without = (
        chosen("They flew to rian in spring."),
        chosen("they flew to rian in spring."),
    )
    assert with_capitals["iran"] < without["iran"] - 1.0
    assert with_capitals["rain"] > without["rain"] - 0.5
