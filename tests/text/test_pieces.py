"""Pieces: their ids, joined, are those of the whole, wherever the text is cut or arrives cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.text import pieces as pieces_module
from charlm.text.pieces import Piece, blocks, clip, cut_pieces
from charlm.text.tokenizers import TokenizerConfig, train_tokenizer
from charlm.text.tokenizing_jobs import EncodeJob

TEXT = (
    'Once upon a time, "there" was  a king (and\ta queen);\n\n'
    "    they said: ΣΑΣ naïve e\u0301t\u00e9!\n"
    "中文，很好。今天天气很好，我们去公园 玩。 ABC 中 文 ひらがな！\u00a0end\n"
) * 20
words = st.sampled_from(
    [
        "a",
        "the",
        "x1",
        "don't",
        ",",
        "(b)",
        "e\u0301",
        "ΣΑΣ",
        "中文，",
        "很。",
        "😀",
        "￩",
        "\u00a0",
        "q-r",
    ]
)
whites = st.sampled_from([" ", " ", " ", " ", "  ", "\t", " \t ", "\n", "\n\n", " \n  "])
lines = st.lists(st.tuples(words, whites), min_size=1, max_size=60).map(
    lambda pairs: "".join(word + white for word, white in pairs)
)


@pytest.fixture(scope="module")
def tokenizers():
    small = TokenizerConfig(vocab_size=400)
    names = ("char", "byte", "word", "whitespace", "bpe", "unigram")
    return [
        train_tokenizer(name, [TEXT], small if name in ("bpe", "unigram") else None)
        for name in names
    ] + [train_tokenizer("word", [TEXT], TokenizerConfig(lowercase=True))]


def test_the_ids_of_pieces_are_those_of_the_whole(tokenizers):
    @given(lines, st.integers(1, 40), st.integers(24, 60))
    @settings(max_examples=300, deadline=None)
    def check(text, size, most):
        cut = list(cut_pieces([text], size=min(size, most), most=most))
        assert "".join(piece.text for piece in cut) == text
        for tokenizer in tokenizers:
            job = EncodeJob(tokenizer)
            parts = [tokenizer.encode(job.shown(piece)) for piece in cut]
            found = np.concatenate(parts).tolist()
            assert found == tokenizer.encode(text).tolist(), (tokenizer.name, cut)

    check()


def test_the_ids_of_blocks_are_those_of_the_whole(tokenizers):
    @given(lines, st.integers(1, 20))
    @settings(max_examples=300, deadline=None)
    def check(text, size):
        cut = list(blocks(Piece(text), size))
        assert "".join(block.text for block in cut) == text
        for tokenizer in tokenizers:
            job = EncodeJob(tokenizer)
            parts = [tokenizer.encode(job.shown(block)) for block in cut]
            found = np.concatenate(parts).tolist()
            assert found == tokenizer.encode(text).tolist(), (tokenizer.name, cut)

    check()


def test_counts_of_blocks_are_those_of_the_whole(monkeypatch):
    from charlm.text.tokenizers import counting

    whole = train_tokenizer("word", [TEXT * 20]), train_tokenizer("whitespace", [TEXT * 20])
    monkeypatch.setattr(counting, "blocks", lambda piece: blocks(piece, 50))
    cut = train_tokenizer("word", [TEXT * 20]), train_tokenizer("whitespace", [TEXT * 20])
    assert [one.vocab for one in whole] == [other.vocab for other in cut]


@given(lines, st.lists(st.integers(0, 400), max_size=8), st.integers(1, 20), st.integers(20, 40))
def test_the_cuts_do_not_depend_on_how_the_text_arrives(text, places, size, most):
    bounds = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    portions = [text[a:b] for a, b in itertools.pairwise(bounds)]
    arrived = list(cut_pieces(portions, size=size, most=most))
    assert arrived == list(cut_pieces([text], size=size, most=most))
    assert max(len(piece.text) for piece in arrived) <= most


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("one two three", [Piece("one two"), Piece(" three", continued=True)]),
        ("one two  three", [Piece("one two"), Piece("  three")]),
        ("one\ttwo\tthree", [Piece("one\ttwo"), Piece("\tthree")]),
        ("中文中文，中文中文，中", [Piece("中文中文，"), Piece("中文中文，中")]),
        ("中文中文 中文中文，中", [Piece("中文中文"), Piece(" 中文中文，中")]),
        ("abcdefghijkl", [Piece("abcdefghi"), Piece("jkl")]),
        ("one\ntwo three", [Piece("one\n"), Piece("two three")]),
    ],
)
def test_where_a_text_is_cut(text, cut):
    assert list(cut_pieces([text], size=4, most=9)) == cut


def test_a_line_of_many_pieces_is_encoded_as_a_whole(monkeypatch, tokenizers):
    line = "the king, (and a queen) " * 40_000  # about a mebibyte in one line
    whole = [tokenizer.encode(line) for tokenizer in tokenizers]
    monkeypatch.setattr(pieces_module, "PIECE_CHARS", 1 << 14)
    monkeypatch.setattr(pieces_module, "MAX_PIECE_CHARS", 1 << 16)
    for tokenizer, ids in zip(tokenizers, whole, strict=True):
        np.testing.assert_array_equal(tokenizer.encode(line), ids)


@given(st.lists(st.text("ab", max_size=5)), st.integers(0, 30), st.integers(0, 30))
def test_clipping_is_slicing(texts, start, stop):
    assert "".join(clip(texts, start, stop)) == "".join(texts)[start:stop]
