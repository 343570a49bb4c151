"""Figures of a text do not depend on how much of it is looked at once."""

import dataclasses

import pytest

from charlm.base.errors import CorpusError
from charlm.tasks import blocks, score
from charlm.tasks.evaluate import evaluate_model
from charlm.tasks.load import open_model
from charlm.tasks.mixture import open_models
from charlm.tasks.score import score_texts
from charlm.tasks.train_ngram import train_ngram
from charlm.tasks.train_ngram_config import NgramTrainConfig
from charlm.text import pieces

LINE = "the quick brown fox jumps over the lazy dog [b]\n"
TEXT = "".join(LINE[i % 40 :] for i in range(60))


@pytest.fixture
def texts(tiny, save_tiny):
    save_tiny(tiny / "checkpoints" / "other", uniform=True)
    (tiny / "text.txt").write_text(TEXT)
    (tiny / "rare.txt").write_text(TEXT + "ÄÖÜ" * 9)
    return tiny


@pytest.fixture
def in_blocks(monkeypatch):
    def cut():
        monkeypatch.setattr(blocks, "BLOCK_CHARS", 100)
        monkeypatch.setattr(pieces, "PIECE_CHARS", 40)
        monkeypatch.setattr(pieces, "MAX_PIECE_CHARS", 60)

    return cut


@pytest.mark.parametrize("file", ["text.txt", "rare.txt"])
@pytest.mark.parametrize("names", [["tiny"], ["tiny", "other"]])
def test_a_text_in_blocks_has_the_figures_of_the_whole(texts, in_blocks, names, file):
    opened = open_models(names)
    assert_the_same_in_blocks(opened, file, in_blocks)


def test_an_ngram_model_reads_in_blocks_too(texts, in_blocks):
    for _ in train_ngram(["text.txt"], NgramTrainConfig(), name="counted"):
        pass
    assert_the_same_in_blocks(open_model("counted"), "rare.txt", in_blocks)


def assert_the_same_in_blocks(opened, file, in_blocks):
    whole = dataclasses.asdict(evaluate_model(opened, [file]))
    in_blocks()
    found = dataclasses.asdict(evaluate_model(opened, [file]))
    numbers = {name for name in whole if isinstance(whole[name], float)}
    assert {name: found[name] for name in found if name not in numbers} == {
        name: whole[name] for name in whole if name not in numbers
    }
    for name in numbers:
        assert found[name] == pytest.approx(whole[name], rel=1e-6)


@pytest.mark.parametrize("names", [["tiny"], ["tiny", "other"]])
def test_long_texts_among_short_ones_are_scored_in_blocks(texts, in_blocks, monkeypatch, names):
    given = ["the fox", TEXT + "ÄÖÜ", "", LINE, TEXT]
    opened = open_models(names)
    whole = [dataclasses.asdict(one) for one in score_texts(opened, given)]
    in_blocks()
    monkeypatch.setattr(score, "BLOCK_CHARS", 100)
    found = [dataclasses.asdict(one) for one in score_texts(opened, given)]
    for one, other in zip(found, whole, strict=True):
        for name in ("log_prob", "perplexity", "bits_per_char"):
            assert (one.pop(name) or 0.0) == pytest.approx(other.pop(name) or 0.0, rel=1e-6)
        assert one == other


def test_an_empty_text_has_no_figures(tiny):
    (tiny / "empty.txt").write_text("")
    with pytest.raises(CorpusError) as caught:
        evaluate_model(open_model("tiny"), ["empty.txt"])
    assert str(caught.value) == "empty.txt: no tokens, need at least 1"
