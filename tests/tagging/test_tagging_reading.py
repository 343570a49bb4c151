"""Annotated files: which lines are words, and what is refused, its line named."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import CorpusError
from charlm.tagging.reading import Sentence, read_sentences

CONLLU = """# newdoc
# text = He's in.
1-2\tHe's\t_\t_\t_\t_\t_\t_\t_\t_
1\tHe\the\tPRON\tPRP\t_\t_\t_\t_\t_
2\t's\tbe\tAUX\tVBZ\t_\t_\t_\t_\t_
2.1\tnull\t_\t_\t_\t_\t_\t_\t_\t_
3\t10 000\tin\tNUM\tCD\t_\t_\t_\t_\t_

"""


def read(text, column="", **more):
    return list(read_sentences([text], "a.txt", column, **more))


def words(text, column=""):
    return [list(zip(one.words, one.tags, strict=True)) for one in read(text, column)]


def test_conllu_gives_words_and_the_column_asked_for():
    assert words(CONLLU) == [[("He", "PRON"), ("'s", "AUX"), ("10 000", "NUM")]]
    assert words(CONLLU, "XPOS") == [[("He", "PRP"), ("'s", "VBZ"), ("10 000", "CD")]]
    (sentence,) = read(CONLLU, "xpos", keep_lines=True)
    assert (sentence.line, sentence.column, len(sentence.lines)) == (4, "xpos", 7)


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("I\tPRP\nsaw\tVBD\n\n\nit\tPRP", "", [[("I", "PRP"), ("saw", "VBD")], [("it", "PRP")]]),
        ("EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n", "", [[("EU", "B-ORG"), ("rejects", "O")]]),
        ("EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n", "2", [[("EU", "NNP"), ("rejects", "VBZ")]]),
        ("#\tSYM\n1\tNUM\n", "", [[("#", "SYM"), ("1", "NUM")]]),
        ("# a comment\nI\tPRP\n", "", [[("I", "PRP")]]),
        ("a b\tA/B C\n", "", [[("a b", "A/B C")]]),
        ("", "", []),
        ("\n\n", "", []),
    ],
)
def test_columns_are_parted_by_tabs_or_by_blanks(text, column, found):
    assert words(text, column) == found


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("I\tPRP\nsaw\n", "", "a.txt, line 2: 1 columns, expected 2 as in the lines before"),
        ("\nI\tPRP\nsaw\tVBD\tx\n", "", "a.txt, line 3: 3 columns, expected 2 as in the lines "
         "before"),
        ("word\n", "", "a.txt, line 1: one column, expected a word and its tag parted by a tab, "
         "or CoNLL-U"),
        ("a b\n", "upos", "a.txt, line 1: no column 'upos'; these columns have no names: give a "
         "number from 2 to 2"),
        ("a b\n", "3", "a.txt, line 1: no column '3'; these columns have no names: give a number "
         "from 2 to 2"),
        (CONLLU, "upso", "a.txt, line 3: CoNLL-U has no column 'upso' (did you mean 'upos'?); "
         "known: id, form, lemma, upos, xpos, feats, head, deprel, deps, misc"),
        (CONLLU + "x\tHe\the\tPRON\tPRP\t_\t_\t_\t_\t_\n", "", "a.txt, line 9: 'x' is no number "
         "of a word"),
        ("EU NNP\nrejects\n", "", "a.txt, line 2: 1 columns, expected 2 as in the lines before; "
         "expected CoNLL-U, or a word and its tag a line"),
        ("so on and on " + "and on " * 20, "", "a.txt, line 1: 44 words parted by blanks, 'so on "
         "and on and on and on and on and on…'; expected CoNLL-U, or a word and its tag a line"),
        ("天气很好\n", None, "a.txt, line 1: no tab in '天气很好'; expected CoNLL-U, 10 columns "
         "parted by tabs"),
    ],
)  # fmt: skip
def test_malformed_lines_are_refused_by_number(text, column, message):
    with pytest.raises(CorpusError) as caught:
        read(text, column)
    assert str(caught.value) == message


cells = st.text(st.characters(exclude_characters="\t\n\r#", exclude_categories=["Cs"]), min_size=1)
rows = st.lists(st.lists(st.tuples(cells, cells), min_size=1, max_size=4), max_size=4)


@given(rows, st.integers(1, 7))
def test_what_was_written_in_columns_is_read_wherever_it_is_cut(sentences, size):
    sentences = [[row for row in one if "".join(row).strip()] for one in sentences]
    sentences = [one for one in sentences if one]
    text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in one) for one in sentences)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    found = list(read_sentences(pieces, "a.txt"))
    assert [list(zip(s.words, s.tags, strict=True)) for s in found] == sentences


@given(st.text("ab\t\n #12.-_", max_size=60))
def test_any_text_is_read_or_refused(text):
    found = []
    with contextlib.suppress(CorpusError):
        found = read(text)
    assert all(isinstance(one, Sentence) and one.words for one in found)
