"""What of a line is a word, and what is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.spelling.words import BREAK, CAPITAL, CAPITALS, LOWER, WORD, Reader, restore_case


def forms(line):
    return [piece.form for piece in Reader().read(line) if piece.kind == WORD]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('He said, "teh end."', ["he", "said", "teh", "end"]),
        ("well-knwon (and/or olny)", ["well", "knwon", "and", "or", "olny"]),
        ("observer--excellent", ["observer", "excellent"]),
        ("Don’t we've", ["don't", "we've"]),
        ("see https://exmaple.com/teh or www.teh.org", ["see", "or"]),
        ("mail to nmae@exmaple.org now", ["mail", "to", "now"]),
        ("run `pip instal foo` and snake_csae", ["run", "and"]),
        ("camelCsae iPhnoe getVaule() stay", ["stay"]),
        ("in 1990s the 3rd b2b 20-yaer-old", ["in", "the"]),
        ("open /ect/fstab, ./teh, a/b/c", ["open"]),
        ("use --verbsoe and -x", ["use", "and"]),
        ("e.g. file.txt", []),
        ("a <b clas='x'>bold</b> wrod", ["a", "wrod"]),
        ("[text](htps-link) #hashtga @usr $vra", []),
        ("caf\u0065\u0301 bar", ["bar"]),
        ("bad \udcffword here", ["bad", "here"]),
        ("$ pyhton script", []),
        ("from os.path import jion as teh", []),
        ("import nupmy as np, ssy", []),
        ("import wdiget from './teh.js';", []),
        ("def lenght(teh):", []),
        ("class Nmae(Bsae):", []),
        ("from teh hill he saw it:", ["from", "teh", "hill", "he", "saw", "it"]),
        ("import duties are hihg.", ["import", "duties", "are", "hihg"]),
        ("class is a wrod.", ["class", "is", "a", "wrod"]),
        ("    x = lenght(teh)", []),
        ("    Indented prose is prose.", ["indented", "prose", "is", "prose"]),
        ("", []),
    ],
)
def test_words_are_told_from_what_is_no_prose(line, expected):
    assert forms(line) == expected


def test_code_between_fences_is_left_alone():
    reader = Reader()
    lines = ["```console", "teh code", "```", "teh text"]
    found = [[piece.form for piece in reader.read(line)] for line in lines]
    assert found == [[], [], [], ["teh", "text"]]


def test_case_and_sentence_ends_are_told():
    pieces = Reader().read("Teh NASA man. Then")
    assert [(piece.kind, piece.case) for piece in pieces] == [
        (WORD, CAPITAL), (WORD, CAPITALS), (WORD, LOWER), (BREAK, LOWER), (WORD, CAPITAL),
    ]  # fmt: skip


@given(st.text(max_size=200).map(lambda text: text.replace("\n", " ")))
def test_pieces_are_in_order_and_spell_what_stands_there(line):
    place = 0
    for piece in Reader().read(line):
        assert place <= piece.start <= piece.end <= len(line)
        if piece.kind == WORD:
            assert line[piece.start : piece.end].lower().replace("’", "'") == piece.form
        place = piece.end


def test_a_word_of_a_thousand_letters_is_no_word():
    assert forms("x" * 1000 + " end") == ["end"]


@pytest.mark.parametrize(
    ("word", "like", "expected"),
    [
        ("the", "teh", "the"),
        ("the", "Teh", "The"),
        ("the", "TEH", "THE"),
        ("a lot", "Alot", "A lot"),
        ("an", "A", "An"),
        ("it's", "it’", "it’s"),
    ],
)
def test_a_correction_takes_the_case_of_what_it_replaces(word, like, expected):
    assert restore_case(word, like) == expected
