import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import TokenizerError
from charlm.text import vocab as module
from charlm.text.normalize import normalize
from charlm.text.vocab import Vocab

tokens = st.text(alphabet=st.characters(codec=None, categories=None), min_size=1, max_size=8)


@given(st.dictionaries(tokens, st.integers(1, 2**62), max_size=20))
def test_any_token_comes_back_from_the_file(counts):
    vocab = Vocab.build(counts)
    again = Vocab.from_bytes(vocab.to_bytes())
    assert again == vocab
    assert hash(again) == hash(vocab)
    assert all(again.id(token) == index for index, token in enumerate(vocab.tokens))


def test_order_is_count_then_token_and_specials_first():
    vocab = Vocab.build({"b": 2, "a": 2, "c": 9, "<unk>": 4}, specials=("<unk>", "<eos>"))
    assert vocab.tokens == ("<unk>", "<eos>", "c", "a", "b")
    assert vocab.counts == (4, 0, 9, 2, 2)
    assert repr(vocab) == "Vocab(5 tokens, 2 special)"
    assert "c" in vocab
    assert vocab.id("zzz") is None


def test_size_counts_specials_and_rare_tokens_are_left_out():
    counts = {"a": 3, "b": 2, "c": 1}
    assert Vocab.build(counts, max_size=2, specials=("?",)).tokens == ("?", "a")
    assert Vocab.build(counts, min_count=2).tokens == ("a", "b")


def document(**changes):
    whole = {"format": 1, "specials": 0, "tokens": ["a", "b"], "counts": [2, 1], **changes}
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (document(tokens=["a", "a"]), "vocab.json: the token 'a' is there twice"),
        (document(tokens=["a", ""]), "vocab.json: token 1 is empty"),
        (document(tokens=["a", "b" * 4097]), "vocab.json: a token is longer than 4,096 characters"),
        (document(tokens=["a", 1]), "vocab.json: 'tokens' must be a list of texts"),
        (document(counts=[1]), "vocab.json: 1 counts for 2 tokens"),
        (document(counts=[1, -1]), "vocab.json: a count is below 0 or above 2^63"),
        (document(counts=[1, 2**63]), "vocab.json: a count is below 0 or above 2^63"),
        (document(counts=[1, True]), "vocab.json: 'counts' must be a list of whole numbers"),
        (document(specials=3), "vocab.json: 3 specials of 2 tokens"),
        (document(specials="1"), "vocab.json: 'specials' must be a whole number"),
        (document(format=2), "vocab.json: format 2; this version reads format 1"),
        (b"[]", "vocab.json: expected an object with counts, format, specials, tokens"),
        (
            document(colour=1),
            "vocab.json: expected an object with counts, format, specials, tokens",
        ),
    ],
)
def test_a_bad_file_is_refused_by_name(data, message):
    with pytest.raises(TokenizerError) as caught:
        Vocab.from_bytes(data)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[" * 100_000, b"1" * 5_000, b'{"format": NaN', b"\x80\x04\x95"]
)
def test_what_is_no_json_is_refused(data):
    with pytest.raises(TokenizerError, match=r"^vocab.json: (no valid JSON|expected an object)"):
        Vocab.from_bytes(data)


def test_too_many_tokens_or_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_ENTRIES", 1)
    with pytest.raises(TokenizerError, match=r"^vocab.json: 2 tokens, more than 1$"):
        Vocab.from_bytes(document())
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 5)
    with pytest.raises(TokenizerError, match=r"bytes, more than 5$"):
        Vocab.from_bytes(document())


@given(st.text(alphabet="a\r\nÀİΣ\ufeff"))
def test_normalising_twice_changes_nothing_more(text):
    once = normalize(text.lstrip("\ufeff"), lowercase=True)
    assert normalize(once, lowercase=True) == once


def test_normalising_drops_one_mark_and_lowers_if_asked():
    assert normalize("\ufeffÀ\r\nB\r", lowercase=True) == "à\nb\n"
    assert normalize("\ufeff\ufeffÀ") == "\ufeffÀ"
