"""Bidirectional training: two runs as one, stopped and resumed anywhere with the same result."""

import dataclasses
import os
import signal

import numpy as np
import pytest

from charlm.base.errors import CheckpointError, ConfigError, TaskError
from charlm.store.checkpoint import has_resume, load_model, read_summary
from charlm.store.locate import list_models
from charlm.tasks.doctor import check_model
from charlm.tasks.train import train_language_model
from charlm.tasks.train_data import load_data
from charlm.tasks.train_events import Planned, StepRecord, TrainResult
from charlm.tasks.train_pair import from_the_end
from charlm.training.config import TrainConfig
from charlm.training.presets import budget_of

SMALL = {
    "hidden_size": 16,
    "embedding_dim": 8,
    "batch_size": 4,
    "bptt": 8,
    "precision": "float32",
    "threads": 1,
    "tokenizer": "word",
}
LINES = "the cat sat on the mat.\na dog ate the cat's hat!\n"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "cats.txt"
    path.write_text(LINES * 40)
    return str(path)


def config(**changes) -> TrainConfig:
    return TrainConfig(**SMALL | {"max_steps": 30, "bidirectional": True} | changes)


def train(corpus, settings=None, **options) -> list:
    return list(train_language_model([corpus], settings or config(), **options))


def weights(folder) -> dict:
    return load_model(folder).tensors()


def same(first, second) -> bool:
    one, two = weights(first), weights(second)
    return set(one) == set(two) and all(np.array_equal(one[name], two[name]) for name in one)


def test_both_models_are_trained_and_told(corpus, home):
    events = train(corpus)
    folder = home / "checkpoints" / "cats"
    result = events[-1]
    assert isinstance(result, TrainResult)
    assert [event.name for event in events if isinstance(event, Planned)] == ["cats", "cats"]
    assert result.steps == result.backward.steps == 30
    assert result.backward.valid.tokens == result.valid.tokens
    assert result.backward.backward is None
    forward, backward = load_model(folder), load_model(folder / "backward")
    assert forward.training["direction"] == "forward"
    assert backward.training["direction"] == "backward"
    assert forward.training["valid"] == dataclasses.asdict(result.valid)
    assert backward.training["valid"] == dataclasses.asdict(result.backward.valid)
    assert forward.model_config == backward.model_config
    assert forward.tokenizer_files == backward.tokenizer_files
    assert not read_summary(folder).unfinished
    assert "backward" not in [path.name for path in list_models()]
    health = check_model("cats")
    assert health.sound
    assert not health.notes
    assert (folder / "backward" / "README.md").read_text().startswith("# cats, backward\n")


def test_the_forward_model_is_that_of_a_run_alone(corpus, home):
    train(corpus, name="pair")
    train(corpus, config(bidirectional=False), name="alone")
    assert same(home / "checkpoints" / "pair", home / "checkpoints" / "alone")
    assert "direction" not in load_model(home / "checkpoints" / "alone").training


def test_the_backward_model_is_that_of_the_text_from_its_end(corpus):
    data = load_data([corpus], config())
    turned = from_the_end(data)
    assert np.array_equal(turned.train.ids[::-1], data.train.ids)
    assert np.array_equal(turned.valid.ids[::-1], data.valid.ids)
    assert turned.train.ids.flags.c_contiguous
    assert turned.sha256 == data.sha256


@pytest.mark.parametrize("half", [0, 1])
def test_a_stopped_pair_goes_on_exactly(corpus, home, half):
    train(corpus, name="whole")
    seen = 0
    for event in train_language_model([corpus], config(), name="parts"):
        seen += isinstance(event, Planned)
        if isinstance(event, StepRecord) and seen == half + 1 and event.step >= 10:
            os.kill(os.getpid(), signal.SIGINT)
        last = event
    assert last.interrupted
    assert (last.backward is not None) == bool(half)
    assert read_summary(home / "checkpoints" / "parts").unfinished
    resumed = list(train_language_model([], TrainConfig(), resume=True))
    assert resumed[-1].name == "parts"
    assert resumed[-1].steps == resumed[-1].backward.steps == 30
    assert resumed[-1].valid is not None
    for place in ("", "backward"):
        assert same(home / "checkpoints/whole" / place, home / "checkpoints/parts" / place)
    assert not read_summary(home / "checkpoints" / "parts").unfinished


def test_a_pair_killed_between_its_halves_goes_on(corpus, home):
    train(corpus, name="whole")
    events = train_language_model([corpus], config(), name="parts")
    plans = 0
    for event in events:
        plans += isinstance(event, Planned)
        if plans == 2:
            break
    events.close()
    folder = home / "checkpoints" / "parts"
    assert not has_resume(folder / "backward")
    assert read_summary(folder).unfinished
    resumed = list(train_language_model([], TrainConfig(), resume=True, name="parts"))
    assert resumed[-1].backward.steps == 30
    assert same(home / "checkpoints/whole/backward", folder / "backward")


def test_a_finished_pair_is_extended_or_refused(corpus, home):
    train(corpus, name="pair")
    with pytest.raises(CheckpointError) as caught:
        list(train_language_model([], TrainConfig(), resume=True, name="pair"))
    assert str(caught.value) == (
        f"{home}/checkpoints/pair is finished (--max-steps 30, step 30); to extend it, "
        "give a larger --max-time, --epochs or --max-steps"
    )
    longer = list(train_language_model([], TrainConfig(max_steps=40), resume=True, name="pair"))[-1]
    assert longer.steps == longer.backward.steps == 40


def test_overwriting_leaves_no_old_half(corpus, home):
    train(corpus, name="pair")
    train(corpus, config(bidirectional=False), name="pair", overwrite=True)
    assert not (home / "checkpoints" / "pair" / "backward").exists()
    train(corpus, config(seed=1), name="pair", overwrite=True)
    assert load_model(home / "checkpoints/pair/backward").training["config"]["seed"] == 1


def test_a_link_in_place_of_the_backward_folder_is_refused(corpus, home):
    train(corpus, config(), name="other")
    folder = home / "checkpoints" / "pair"
    folder.mkdir()
    (folder / "backward").symlink_to(home / "checkpoints" / "other")
    with pytest.raises(CheckpointError, match="is a symbolic link; expected a folder"):
        train(corpus, name="pair", overwrite=True)
    assert has_resume(home / "checkpoints" / "other")


def test_a_resumed_training_cannot_become_a_pair(corpus):
    train(corpus, config(bidirectional=False), name="alone")
    with pytest.raises(ConfigError) as caught:
        list(train_language_model([], config(max_steps=40), resume=True, name="alone"))
    assert str(caught.value) == (
        "a resumed training keeps its text and form; cannot change --bidirectional True "
        "(it is False)"
    )


def test_each_half_gets_half_the_time():
    assert budget_of(TrainConfig(max_time="3m", bidirectional=True)).seconds == 90
    assert budget_of(TrainConfig(bidirectional=True)).seconds == (
        budget_of(TrainConfig()).seconds / 2
    )
    assert budget_of(TrainConfig(max_steps=5, bidirectional=True)).max_steps == 5


def test_a_group_cannot_train_a_pair(corpus, monkeypatch):
    class Alone:
        def end(self, status):
            pass

    monkeypatch.setattr("charlm.tasks.train.join_group", lambda device: Alone())
    with pytest.raises(TaskError, match="several processes cannot train a bidirectional pair"):
        train(corpus)
