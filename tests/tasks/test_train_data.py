"""The data of a run: large texts give the same training as small ones, and changes are noticed."""

from pathlib import Path

import numpy as np
import pytest

from charlm.tasks import train_data
from charlm.tasks.train import train_language_model
from charlm.tasks.train_data import load_data
from charlm.tasks.train_events import Message, StepRecord, TrainResult
from charlm.tasks.train_ngram import train_ngram
from charlm.tasks.train_ngram_config import NgramTrainConfig
from charlm.text import measuring
from charlm.text.measuring import Work
from charlm.text.token_files import mapping_of
from charlm.training.config import TrainConfig

TEXT = "the king (and a queen) said: “once upon a time”\nin a land, far away\n" * 300
SMALL = {"hidden_size": 8, "embedding_dim": 4, "num_layers": 1, "max_steps": 12, "batch_size": 4}


@pytest.fixture
def large(home, monkeypatch):
    """A home whose texts are all taken for large ones."""
    (home / "text.txt").write_text(TEXT)
    monkeypatch.setattr(measuring, "IN_MEMORY_CHARS", 0)
    return home


def events(name, **options):
    settings = SMALL | {"bptt": 8, "precision": "float32", "threads": 1} | options
    return list(train_language_model(["text.txt"], TrainConfig(**settings), name=name))


@pytest.mark.parametrize("tokenizer", ["char", "word"])
def test_losses_are_those_of_a_text_in_memory(large, monkeypatch, tokenizer):
    runs = []
    for keep in (0, 1 << 30):
        monkeypatch.setattr(measuring, "IN_MEMORY_CHARS", keep)
        told = events(f"run{keep}", tokenizer=tokenizer)
        assert any(isinstance(event, Work) for event in told) == (keep == 0)
        losses = [event.loss for event in told if isinstance(event, StepRecord)]
        runs.append((losses, told[-1].valid))
    assert isinstance(told[-1], TrainResult)
    assert runs[0] == runs[1]


def test_an_n_gram_model_is_the_same(large, monkeypatch):
    figures = []
    for keep in (0, 1 << 30):
        monkeypatch.setattr(measuring, "IN_MEMORY_CHARS", keep)
        config = NgramTrainConfig(tokenizer="char", order=3)
        figures.append(list(train_ngram(["text.txt"], config, name=f"n{keep}"))[-1].valid)
    assert figures[0] == figures[1]


def test_the_ids_of_a_large_text_are_mapped_and_small(large):
    data = load_data(["text.txt"], TrainConfig(valid_fraction=0.2))
    assert mapping_of(data.train.ids) is not None
    assert data.train.held_bytes == 0
    assert data.train.ids.dtype == np.uint8
    assert data.train.chars + data.valid.chars == len(TEXT)
    assert data.train.in_memory().dtype == np.int32
    chars = data.tokenizer.decode(data.train.in_memory()) + data.tokenizer.decode(data.valid.ids)
    assert chars == TEXT


def test_a_text_that_changes_under_a_run_is_told_once(large):
    told = []
    settings = TrainConfig(**SMALL, bptt=8, eval_every="0.0001s")
    for event in train_language_model(["text.txt"], settings, name="run"):
        told.append(event)
        if isinstance(event, StepRecord):
            Path("text.txt").write_text("something else\n")
    warnings = [event.text for event in told if isinstance(event, Message) and event.warning]
    assert warnings == [
        "text.txt has changed since it was read; this training goes on with the text as it was, "
        "but --resume will want that text back"
    ]
    assert isinstance(told[-1], TrainResult)


def test_a_held_out_text_within_the_other_is_told(large):
    (large / "valid.txt").write_text(TEXT[len(TEXT) // 2 :])
    data = load_data(["text.txt"], TrainConfig(valid="valid.txt"))
    assert data.warnings == ()  # two large texts are not searched through, but compared
    data = load_data(["text.txt"], TrainConfig(valid="text.txt"))
    assert data.warnings == ("the validation text is part of the training text",)


def test_a_pipe_is_read_once(large):
    import os
    import threading

    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_text(TEXT))
    writer.start()
    data = load_data(["pipe"], TrainConfig())
    writer.join()
    assert data.train.chars + data.valid.chars == len(TEXT)
    assert train_data.Part is type(data.train)
