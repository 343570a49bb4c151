"""The training as a task: stopped by a signal or the clock, diverging, held-out parts."""

import math
import os
import signal
from types import SimpleNamespace

import pytest
import torch

from charlm.base.errors import TaskError
from charlm.store.checkpoint import load_model
from charlm.tasks.labelled import LabelledTexts, hold_out
from charlm.tasks.train_classifier import ClassifierResult, train_classifier
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_classifier_layers import LayersTraining
from charlm.tasks.train_events import VectorStep
from charlm.training.classifier import Trainer

SMALL = {"threads": 1, "hidden_size": 4, "word_dim": 4, "subword_dim": 4}


def test_ctrl_c_saves_the_best_so_far(reviews, home):
    config = ClassifierTrainConfig(**SMALL, epochs=1000)
    events = []
    for event in train_classifier([str(reviews)], config, name="r"):
        events.append(event)
        if isinstance(event, VectorStep) and event.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
    result = events[-1]
    assert isinstance(result, ClassifierResult)
    assert (result.interrupted, result.signal, result.steps) == (True, "SIGINT", 3)
    assert load_model(home / "checkpoints" / "r", verify=True).kind == "classifier"


def test_time_ends_a_training(reviews):
    config = ClassifierTrainConfig(**SMALL, epochs=10_000, max_time="0.5s")
    *events, result = train_classifier([str(reviews)], config, name="r")
    assert (result.interrupted, result.epochs < 10_000) == (False, True)
    steps = [event for event in events if isinstance(event, VectorStep)]
    for step in steps:  # the first one, too, which takes long
        left = pytest.approx(max(0.0, 0.5 - step.elapsed_seconds))
        assert step.remaining_seconds == left
        assert step.progress == pytest.approx(min(1.0, step.elapsed_seconds / 0.5))


@pytest.mark.parametrize(
    ("limit", "done", "seconds", "expected"),
    [
        (None, 0.25, 3.0, (0.25, 9.0)),
        (5.0, 0.001, 1.0, (0.2, 4.0)),
        (5.0, 0.5, 1.0, (0.5, 1.0)),
        (5.0, 0.5, 6.0, (1.0, 0.0)),
    ],
)
def test_the_time_left_follows_the_limit(limit, done, seconds, expected):
    trainer = SimpleNamespace(recipe=SimpleNamespace(max_seconds=limit))
    asked = SimpleNamespace(trainer=trainer)
    assert LayersTraining._share(asked, done, seconds) == pytest.approx(expected)


def test_a_training_that_diverges_says_so_and_saves_nothing(reviews, home, monkeypatch):
    monkeypatch.setattr(Trainer, "_update", lambda *_: (math.nan, 1))
    with pytest.raises(TaskError) as caught:
        list(train_classifier([str(reviews)], ClassifierTrainConfig(**SMALL), name="r"))
    assert str(caught.value) == "the layers diverged; try a smaller --learning-rate"
    assert not (home / "checkpoints" / "r" / "manifest.json").exists()


def test_the_same_seed_gives_the_same_model(reviews, home):
    config = ClassifierTrainConfig(**SMALL, epochs=2, seed=3)
    for name in ("one", "two"):
        list(train_classifier([str(reviews)], config, name=name))
    one, two = (
        load_model(home / "checkpoints" / name).tensors(floats_only=False)
        for name in ("one", "two")
    )
    assert all((one[name] == two[name]).all() for name in one)


def test_threads_are_as_many_as_asked_for(reviews):
    list(train_classifier([str(reviews)], ClassifierTrainConfig(**SMALL, epochs=1), name="r"))
    assert torch.get_num_threads() == 1


def texts_of(labels):
    texts = [f"text {number}" for number in range(len(labels))]
    return LabelledTexts(name="x", texts=texts, labels=list(labels), sha256="")


def test_of_each_label_the_same_share_is_held_out_and_never_all():
    kept, held = hold_out(texts_of("a" * 20 + "b" * 10 + "c"), 0.2, 0)
    assert [held.labels.count(label) for label in "abc"] == [4, 2, 0]
    assert sorted(kept.texts + held.texts) == sorted(texts_of("a" * 31).texts)
    assert hold_out(texts_of("ab"), 0.5, 0) == (texts_of("ab"), None)
    assert hold_out(texts_of("aabb"), 0.0, 0) == (texts_of("aabb"), None)


def test_what_is_held_out_depends_on_the_seed_alone():
    data = texts_of("ab" * 20)
    assert hold_out(data, 0.2, 1) == hold_out(data, 0.2, 1)
    assert hold_out(data, 0.2, 1) != hold_out(data, 0.2, 2)
