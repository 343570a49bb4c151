"""What tokens stand for in a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.tasks.spans import token_texts
from charlm.text.tokenizers import train_tokenizer

TEXT = "the cat sat, on (the) mat\nthe well-known cat  sat\n"
NAMES = ("char", "byte", "word", "whitespace")
TOKENIZERS = {name: train_tokenizer(name, [TEXT]) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", [TEXT, "", "the cat", "  the  cat ", "ä (the) xyzzy, cat\n", "\t"])
def test_the_parts_join_to_the_text(name, text):
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(text)
    parts = token_texts(tokenizer, text, ids)
    assert len(parts) == len(ids)
    if len(ids):
        assert "".join(parts) == text


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(alphabet="abthe ,(\n\té漢", max_size=30))
def test_there_is_a_part_for_each_token_of_any_text(name, text):
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(text)
    assert len(token_texts(tokenizer, text, ids)) == len(ids)


def test_unknown_words_have_their_own_text():
    tokenizer = TOKENIZERS["word"]
    text = "the xyzzy, (plugh) cat foobar"
    ids = tokenizer.encode(text)
    parts = token_texts(tokenizer, text, ids)
    assert [part.strip() for part in parts] == [
        "the", "xyzzy", ",", "(", "plugh", ")", "cat", "foobar",
    ]  # fmt: skip


def test_part_of_a_character_has_no_text():
    tokenizer = TOKENIZERS["byte"]
    assert token_texts(tokenizer, "aé", tokenizer.encode("aé")) == ["a", "", "é"]
