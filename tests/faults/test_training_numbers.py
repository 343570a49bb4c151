"""Faults 5, 19 to 22, 27 and 29: flipped bits, wild gradients, missing devices and locks."""

from __future__ import annotations

import errno
import math
import random

import pytest

from charlm.base.errors import CheckpointError, TaskError
from charlm.models.language_model import LanguageModel
from charlm.store import lock as lock_module
from charlm.store.checkpoint import load_model, read_metrics
from charlm.store.folder import check_folder
from charlm.store.lock import FolderLock
from charlm.tasks.train import train_language_model
from charlm.tasks.train_events import StepRecord
from charlm.training.config import TrainConfig

SMALL = {
    "hidden_size": 8,
    "embedding_dim": 4,
    "batch_size": 4,
    "bptt": 8,
    "precision": "float32",
    "threads": 1,
    "max_steps": 20,
}


def train(home, **options):
    settings = TrainConfig(**SMALL | options)
    return train_language_model([str(home / "cats.txt")], settings, name="run")


def test_fault_05_one_flipped_bit_in_any_file_is_found_and_the_file_named(home_of_cats):
    list(train(home_of_cats))
    folder, chance = home_of_cats / "checkpoints" / "run", random.Random(5)
    assert check_folder(folder) == []
    for name in ("config.json", "model.safetensors", "training.json", "vocab.json"):
        path = folder / name
        sound = path.read_bytes()
        for _ in range(20):
            changed = bytearray(sound)
            changed[chance.randrange(len(sound))] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            with pytest.raises(CheckpointError, match=name):
                load_model(folder, verify=True)
        path.write_bytes(sound)


def spoil(monkeypatch, how, at):
    """Let the loss of one update be changed by `how`."""
    healthy, calls = LanguageModel.loss, [0]

    def spoilt(self, ids, targets, state, generator=None):
        loss, after = healthy(self, ids, targets, state, generator)
        calls[0] += generator is not None
        return (how(loss) if calls[0] == at else loss), after

    monkeypatch.setattr(LanguageModel, "loss", spoilt)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_fault_19_a_loss_that_is_no_number_stops_before_the_update(
    home_of_cats, monkeypatch, value
):
    spoil(monkeypatch, lambda loss: loss * value, at=12)
    with pytest.raises(TaskError, match=rf"diverged at step 12: the loss is {value} \(learning"):
        list(train(home_of_cats))
    stored = load_model(home_of_cats / "checkpoints" / "run", verify=True)
    assert stored.training["steps"] == 11
    assert stored.tensors()  # finite, or they would be refused


def test_fault_20_an_exploding_gradient_is_clipped_and_its_norm_logged(home_of_cats, monkeypatch):
    spoil(monkeypatch, lambda loss: loss * 1e6, at=10)
    events = list(train(home_of_cats))
    assert events[-1].steps == 20
    records = read_metrics(home_of_cats / "checkpoints" / "run")
    norms = {r["step"]: r["grad_norm"] for r in records if r["kind"] == "step"}
    assert norms[10] > 1_000.0 > norms[20]
    assert math.isfinite(events[-1].valid.nats_per_token)


def test_fault_21_too_little_memory_on_a_gpu_names_the_batch_and_a_smaller_one(
    home_of_cats, monkeypatch
):
    """The words are those of torch.OutOfMemoryError; the tests have no GPU to fill."""

    def full(loss):
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    spoil(monkeypatch, full, at=5)
    with pytest.raises(TaskError) as caught:
        list(train(home_of_cats))
    folder = home_of_cats / "checkpoints" / "run"
    assert str(caught.value) == (
        "out of memory with 4 streams of 8 tokens on cpu; try --batch-size 2, a shorter --bptt or "
        f"a smaller --hidden-size; what was saved in {folder} is intact"
    )
    assert check_folder(folder) == []


def test_fault_22_cuda_that_is_not_there_is_an_error_and_auto_does_without(
    home_of_cats, monkeypatch
):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TaskError) as caught:
        list(train(home_of_cats, device="cuda"))
    assert str(caught.value) == "no CUDA device was found; use --device cpu, or auto"
    assert list(train(home_of_cats, max_steps=2))[-1].device == "cpu"


def test_fault_27_a_text_that_changes_under_the_run_does_not_reach_it(home_of_cats):
    """It was read at the start; the resumed run notices by the checksum."""
    events = train(home_of_cats, max_steps=100)
    next(event for event in events if isinstance(event, StepRecord))
    (home_of_cats / "cats.txt").write_text("gone")
    for event in events:
        if isinstance(event, StepRecord) and event.step >= 50:
            break
    events.close()
    (home_of_cats / "cats.txt").write_text("another text\n" * 200)
    with pytest.raises(CheckpointError, match="the corpus has changed since"):
        list(train_language_model([], TrainConfig(), name="run", resume=True))


def test_fault_29_a_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch, caplog):
    def refuse(fd, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock_module.fcntl, "flock", refuse)
    with FolderLock(tmp_path / "model"):
        assert "no locks on this file system: [Errno 37] No locks available" in caplog.text
