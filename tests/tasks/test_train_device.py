"""Runs whose updates a device makes by itself, and runs that move from one device to another.

The tests have no GPU: what is recorded there runs here as it stands.
"""

import base64
import os
import signal
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from charlm.base.errors import TaskError
from charlm.base.processes import Place
from charlm.models.arithmetic import Arithmetic
from charlm.models.language_model import LanguageModel
from charlm.models.layers import Share
from charlm.store.checkpoint import load_model, load_resume, read_metrics, save_resume
from charlm.tasks import train_build, train_kept, train_memory, train_run
from charlm.tasks.train import train_language_model
from charlm.tasks.train_events import Message, StepRecord
from charlm.tasks.train_run import log_interval
from charlm.training.config import TrainConfig
from charlm.training.loop import device_steps
from charlm.training.resume import OTHER_DEVICES, pack, unpack
from charlm.training.scaling import LossScale

SIZES = {"hidden_size": 16, "embedding_dim": 8, "batch_size": 4, "bptt": 8}
SETTINGS = SIZES | {"precision": "float32", "threads": 1, "dropout": 0.2, "ema": 0.1}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    path = tmp_path / "cats.txt"
    path.write_text("the cat sat on the mat.\na dog ate the cat's hat!\n" * 40)
    return path


@pytest.fixture
def on_device(monkeypatch):
    monkeypatch.setattr(train_run, "train_steps", device_steps)


def begin(corpus, name, **changes):
    config = TrainConfig(**SETTINGS | {"max_steps": 63} | changes)
    return train_language_model([str(corpus)], config, name=name)


def records(corpus, name):
    found = read_metrics(corpus.parent / "checkpoints" / name)
    return [record for record in found if record["kind"] == "step"]


def weights(corpus, name):
    return load_model(corpus.parent / "checkpoints" / name).tensors()


def test_a_run_tells_the_same_whoever_makes_its_updates(corpus, monkeypatch):
    plain = list(begin(corpus, "plain"))[-1]
    monkeypatch.setattr(train_run, "train_steps", device_steps)
    made = list(begin(corpus, "made"))[-1]
    one, other = records(corpus, "plain"), records(corpus, "made")
    for key in ("step", "loss", "grad_norm", "learning_rate"):
        assert [r[key] for r in other] == pytest.approx([r[key] for r in one], rel=1e-3)
    assert made.valid.nats_per_token == pytest.approx(plain.valid.nats_per_token, rel=1e-3)
    assert (made.steps, made.epochs) == (plain.steps, plain.epochs)


@pytest.mark.usefixtures("on_device")
def test_a_broken_run_of_a_device_goes_on_as_if_it_had_not_been(corpus):
    list(begin(corpus, "whole", save_every="0.001s"))
    events = begin(corpus, "broken", save_every="0.001s")
    for event in events:
        if isinstance(event, StepRecord) and event.step >= 25:
            os.kill(os.getpid(), signal.SIGTERM)
            break
    assert list(events)[-1].signal == "SIGTERM"
    assert list(train_language_model([], TrainConfig(), name="broken", resume=True))[-1].steps == 63
    one, other = records(corpus, "whole"), records(corpus, "broken")
    assert [r["step"] for r in other] == [r["step"] for r in one] == [10, 20, 30, 40, 50, 60]
    assert [r["loss"] for r in other] == pytest.approx([r["loss"] for r in one], rel=1e-6)
    for name, tensor in weights(corpus, "whole").items():
        np.testing.assert_array_equal(weights(corpus, "broken")[name], tensor)


def test_a_gpu_records_less_often_but_as_many_tokens_apart():
    assert (log_interval(4_096, "cpu"), log_interval(4_096, "cuda")) == (4, 64)
    assert (log_interval(32, "cpu"), log_interval(32, "cuda")) == (10, 160)
    assert (log_interval(10**6, "cpu"), log_interval(10**6, "cuda")) == (1, 1)


def test_a_run_of_a_gpu_goes_on_where_there_is_none(corpus, monkeypatch):
    """Its arithmetic and its random state are not of this device; both are chosen anew."""
    build, take_state = train_run.build_new, train_kept.Snapshot.take

    def of_a_gpu(*args):
        built = build(*args)
        built.arithmetic = Arithmetic("tf32", "padded", 1e6)
        return built

    def take(snapshot, trainer):
        take_state(snapshot, trainer)
        state = bytes(OTHER_DEVICES[1])
        snapshot.values["generator"] = base64.b64encode(state).decode()

    monkeypatch.setattr(train_run, "build_new", of_a_gpu)
    monkeypatch.setattr(train_kept.Snapshot, "take", take)
    list(begin(corpus, "moved", max_steps=20))
    monkeypatch.undo()
    monkeypatch.setenv("CHARLM_HOME", str(corpus.parent))
    events = list(train_language_model([], TrainConfig(max_steps=40), name="moved", resume=True))
    told = [event.text for event in events if isinstance(event, Message) and event.warning]
    assert told[-1] == (
        "computing in float32 in PyTorch layers instead of tf32 in padded cuDNN layers: "
        "losses will differ a little"
    )
    assert events[-1].steps == 40


def test_a_resumed_run_computes_in_the_precision_it_is_asked_for(corpus):
    list(begin(corpus, "asked", max_steps=10))
    settings = TrainConfig(max_steps=20, precision="bfloat16")
    events = list(train_language_model([], settings, name="asked", resume=True))
    told = [event.text for event in events if isinstance(event, Message) and event.warning]
    assert "precision changed from float32 to bfloat16" in told
    assert told[-1].startswith("computing in bfloat16 in own layers")
    assert told[-1].endswith(" instead of float32 in PyTorch layers: losses will differ a little")
    events = list(train_language_model([], TrainConfig(max_steps=30), name="asked", resume=True))
    assert not any("computing" in event.text for event in events if isinstance(event, Message))


def test_another_kind_of_device_chooses_its_arithmetic_anew(corpus, monkeypatch):
    chosen, choose = [], train_build.choose_arithmetic

    def noted(*args, **options):
        chosen.append(args[1])
        return choose(*args, **options)

    list(begin(corpus, "moved", max_steps=10))
    monkeypatch.setattr(train_build, "choose_arithmetic", noted)
    folder = corpus.parent / "checkpoints" / "moved"
    for device, expected in (("cpu", []), (None, []), ("cuda", ["float32"])):
        found = load_resume(folder)
        state = {**found.state, "device": device}
        if device is None:  # as earlier versions wrote it
            del state["device"]
        save_resume(folder, found.step, dict(found.tensors), state)
        limit = TrainConfig(max_steps=found.step + 2)
        list(train_language_model([], limit, name="moved", resume=True))
        assert chosen == expected


def test_a_run_that_has_ended_leaves_nothing_in_memory(corpus, monkeypatch):
    finished = []
    finish = train_run.Run._finish

    def noted(run, interrupts):
        finished.append(run)
        yield from finish(run, interrupts)

    monkeypatch.setattr(train_run.Run, "_finish", noted)
    monkeypatch.setattr(train_run, "train_steps", device_steps)
    list(begin(corpus, "ended", max_steps=20))
    [run] = finished
    weights = weakref.ref(run.trainer.model.output.bias)
    assert run.trainer.queue is not None
    run.let_go()
    assert weights() is None


def test_the_scale_of_a_loss_is_part_of_a_state(corpus, monkeypatch):
    taken = []
    monkeypatch.setattr(train_run.Run, "_finish", lambda run, _: taken.append(run.trainer) or [])
    list(begin(corpus, "run", max_steps=3))
    [trainer] = taken
    trainer.scale = LossScale(torch.device("cpu"))
    trainer.scale.values.copy_(torch.tensor([64.0, 7.0]))
    arrays, values = pack(trainer)
    trainer.scale = None
    unpack(trainer, arrays, values)
    assert trainer.scale.values.tolist() == [64.0, 7.0]


@pytest.mark.parametrize("fits", [3, 0])
def test_too_little_memory_of_a_gpu_names_a_batch_that_was_tried(corpus, monkeypatch, fits):
    loss, calls = LanguageModel.loss, [0]

    def crowded(model, ids, *rest):
        calls[0] += 1
        if calls[0] > 12 and len(ids) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return loss(model, ids, *rest)

    monkeypatch.setattr(LanguageModel, "loss", crowded)
    with pytest.raises(TaskError) as caught:
        list(begin(corpus, "crowded"))
    advice = "2 would fit: try --batch-size 2" if fits else "not even one fits"
    folder = corpus.parent / "checkpoints" / "crowded"
    assert str(caught.value) == (
        f"out of memory with 4 streams of 8 tokens on cpu; {advice}, a shorter --bptt or a "
        f"smaller --hidden-size; what was saved in {folder} is intact"
    )


def test_a_process_of_several_tries_its_part_of_a_smaller_batch(corpus, monkeypatch):
    taken, tried = [], []
    monkeypatch.setattr(train_run.Run, "_finish", lambda run, _: taken.append(run.trainer) or [])
    list(begin(corpus, "run", max_steps=1, input_dropout=0.2))
    [trainer] = taken
    loss = LanguageModel.loss

    def noted(model, ids, *rest):
        tried.append(len(ids))
        return loss(model, ids, *rest)

    monkeypatch.setattr(LanguageModel, "loss", noted)
    trainer.group = SimpleNamespace(place=Place(0, 3, 0, 3))
    trainer.model.share = Share(slice(0, 2), 5)
    assert train_memory._fits(trainer, 4, 8)
    assert not train_memory._fits(trainer, 2, 8)  # there has to be a row for each
    assert tried == [2]


def test_too_little_memory_while_measuring_is_told_before_anything_is_begun(corpus, monkeypatch):
    def lacking(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("charlm.tasks.train_build.choose_arithmetic", lacking)
    with pytest.raises(TaskError) as caught:
        list(begin(corpus, "crowded"))
    assert str(caught.value) == (
        "out of memory with 4 streams of 8 tokens on cpu; 2 would fit: try --batch-size 2, a "
        "shorter --bptt or a smaller --hidden-size; nothing was begun"
    )


def test_a_sampled_softmax_learns_and_its_figures_are_exact(corpus):
    sampled = list(begin(corpus, "sampled", softmax="sampled", softmax_samples=5, max_steps=300))
    full = list(begin(corpus, "full", max_steps=300))
    first, second = sampled[-1].valid.nats_per_token, full[-1].valid.nats_per_token
    assert abs(first - second) < 0.5
    assert records(corpus, "sampled")[-1]["loss"] < records(corpus, "full")[-1]["loss"] + 0.5
