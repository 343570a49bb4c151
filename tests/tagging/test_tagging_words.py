"""Lines of text as words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.tagging.words import split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I like apples.", "I like apples ."),
        ("don't can't I've she’ll isn't", "do n't ca n't I 've she ’ll is n't"),
        ("Anna's dog, 'quoted' o'clock", "Anna 's dog , ' quoted ' o'clock"),
        ("Mr. Smith paid $3,000.50 at 10:30.", "Mr. Smith paid $ 3,000.50 at 10:30 ."),
        ("the U.S. in 9/11/2001, e.g. here", "the U.S. in 9/11/2001 , e.g. here"),
        ("mail a.b@c.org or https://x.org/a?b=1.", "mail a.b@c.org or https://x.org/a?b=1 ."),
        ("well-known... what?! :)", "well - known ... what ?! :)"),
        ("cannot", "can not"),
        ('(a) "b" [c]', '( a ) " b " [ c ]'),
        ("", ""),
    ],
)
def test_words_are_cut_as_english_treebanks_cut_them(text, words):
    assert split_words(text) == words.split()


def test_chinese_is_cut_into_words():
    pytest.importorskip("jieba")
    assert split_words("我喜欢苹果。OK") == ["我", "喜欢", "苹果", "。", "OK"]


@given(st.text(max_size=60))
def test_words_joined_are_the_text_without_its_blanks(text):
    assert "".join(split_words(text)) == "".join(text.split())
