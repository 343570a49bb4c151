"""Ends of half words, judged by a model that can be worked out by hand."""

import pytest

from charlm.ngram.folder import save_ngram
from charlm.ngram.kneser_ney import build_ngram
from charlm.tasks.complete import complete_word, guess_next
from charlm.tasks.load import open_model
from charlm.text.tokenizers import TokenizerConfig, train_tokenizer

TEXT = 6 * "the king thanks them.\n" + 3 * "the kind queen.\n" + "a kiosk, a kite\n"


@pytest.fixture
def opened(home):
    def save(name):
        tokenizer = train_tokenizer(name, [TEXT], TokenizerConfig())
        model = build_ngram(tokenizer.encode(TEXT), vocab_size=tokenizer.vocab_size, order=5)
        save_ngram(
            home / "checkpoints" / name,
            model,
            tokenizer_config=tokenizer.config(),
            tokenizer_files=tokenizer.to_files(),
            training={},
            card="",
        )
        return open_model(name)

    return save


@pytest.mark.parametrize("tokenizer", ["char", "byte", "word", "whitespace"])
def test_the_likeliest_ends_come_first(opened, tokenizer):
    model = opened(tokenizer)
    assert complete_word(model, "the ki", top_n=2) == ["ng", "nd"]
    assert "osk" in complete_word(model, "a ki") or tokenizer == "whitespace"
    assert len(complete_word(model, "the ", top_n=3)) == 3
    assert "king" in complete_word(model, "the ")


def test_a_word_ends_once_whatever_ends_it(opened):
    found = complete_word(opened("char"), "the th", top_n=8)
    assert len(found) == len(set(found))
    assert "anks" in found


def test_nothing_follows_where_no_word_begins(opened):
    assert complete_word(opened("char"), "the king,") == []
    assert complete_word(opened("word"), "the zzz") == []


def test_a_guess_is_of_whole_words_and_one_line(opened):
    assert guess_next(opened("char"), "the ki") == "ng thanks them."
    assert guess_next(opened("word"), "the ki") == "ng"
    assert guess_next(opened("word"), "the ").startswith("king thanks them")


def test_a_guess_ends_when_nobody_wants_it(opened):
    wanted = iter([True, True, False])
    assert guess_next(opened("char"), "the ki", is_wanted=lambda: next(wanted)) == "ng"


def test_unknown_characters_and_no_text_at_all_will_do(opened):
    model = opened("char")
    assert complete_word(model, "Ж")
    assert complete_word(model, "")
    assert guess_next(model, "Ж\x1b") is not None
