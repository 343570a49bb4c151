"""Figures of a text do not depend on how much of it is looked at once."""

import dataclasses

import pytest

from charlm.base.errors import CorpusError
from charlm.tasks import evaluate
from charlm.tasks.evaluate import evaluate_model
from charlm.tasks.load import open_model
from charlm.tasks.mixture import open_models
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
        monkeypatch.setattr(evaluate, "BLOCK_CHARS", 100)
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


def test_an_empty_text_has_no_figures(tiny):
    (tiny / "empty.txt").write_text("")
    with pytest.raises(CorpusError) as caught:
        evaluate_model(open_model("tiny"), ["empty.txt"])
    assert str(caught.value) == "empty.txt: no tokens, need at least 1"
