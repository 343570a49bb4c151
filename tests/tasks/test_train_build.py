"""Where a model's training begins."""

import dataclasses

import numpy as np
import pytest
import torch

from charlm.base.errors import TaskError
from charlm.tasks import train_build
from charlm.tasks.train_build import build_new, memory_bytes
from charlm.tasks.train_data import load_data
from charlm.training.config import TrainConfig
from charlm.training.presets import plan_run


@pytest.fixture
def probabilities(tmp_path, monkeypatch):
    """Return what an untrained model of a text of a's and b's expects behind nothing and an a."""
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    (tmp_path / "text.txt").write_text("aaab" * 1_000)
    config = TrainConfig(max_steps=1, hidden_size=8, precision="float32")
    data = load_data([str(tmp_path / "text.txt")], config)
    ids = torch.from_numpy(data.tokenizer.encode("ab").astype(np.int64))[None]

    def find():
        model = build_new(data, config).trainer.model
        with torch.no_grad():
            logits, _ = model(ids, model.initial_state(1))
        return torch.softmax(logits[0], dim=-1)[:, ids[0]]

    return find


def test_a_model_of_many_tokens_expects_each_as_often_as_it_comes(probabilities, monkeypatch):
    monkeypatch.setattr(train_build, "LARGE_VOCABULARY", 2)
    wanted = torch.tensor([0.75, 0.25]).expand(2, 2)
    torch.testing.assert_close(probabilities(), wanted, atol=0.05, rtol=0.0)


def test_a_model_of_characters_expects_nothing(probabilities):
    found = probabilities()
    torch.testing.assert_close(found[:, 0], found[:, 1], atol=0.05, rtol=0.0)


def test_a_long_text_is_counted_in_parts(monkeypatch):
    monkeypatch.setattr(train_build, "COUNTED_TOKENS", 8)
    ids = np.tile(np.array([0, 0, 0, 1], dtype=np.uint8), 1_000)
    found = np.exp(train_build._log_frequencies(ids, 3))
    np.testing.assert_allclose(found, np.array([97, 33, 1]) / 131)


@pytest.mark.parametrize(
    ("limit", "way"),
    [
        (100e6, "--batch-size 16, which would fit, or a smaller --hidden-size"),
        (1e6, "a smaller --hidden-size, --num-layers or --batch-size"),
    ],
)
def test_a_plan_beyond_the_memory_names_a_batch_that_fits(monkeypatch, limit, way):
    monkeypatch.setattr(train_build.os, "sysconf", lambda name: int(limit**0.5))
    config = TrainConfig(hidden_size=512, batch_size=64, bptt=64, max_steps=1)
    plan = plan_run(
        config, vocab_size=50, train_tokens=10**6, chars_per_token=1.0, operations_per_second=0.0
    )
    with pytest.raises(TaskError) as caught:
        train_build._require_memory(plan, 0, config, torch.device("cpu"))
    needed, there = memory_bytes(plan, 0, config, "cpu") / 1e9, int(limit**0.5) ** 2 / 1e9
    assert str(caught.value) == (
        f"this model needs about {needed:,.1f} GB to train with 64 streams of 64 tokens, and the "
        f"machine has {there:,.1f} GB; try {way}"
    )


@pytest.fixture
def unsized(tmp_path, monkeypatch):
    """Data and settings of a run whose size is to be chosen."""
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    (tmp_path / "text.txt").write_text("aaab" * 3_000)
    config = TrainConfig(max_time="5s", batch_size=64, bptt=64)
    return load_data([str(tmp_path / "text.txt")], config), config


def test_a_batch_beyond_the_memory_is_refused_before_anything_is_measured(unsized, monkeypatch):
    monkeypatch.setattr(train_build, "choose_arithmetic", None)
    monkeypatch.setattr(train_build.os, "sysconf", lambda name: 10_000)
    with pytest.raises(TaskError, match="this model needs about"):
        build_new(*unsized)


def test_too_little_memory_while_the_speed_is_measured_is_told(unsized, monkeypatch):
    def lacking(*args, **options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(train_build, "choose_arithmetic", lacking)
    with pytest.raises(TaskError) as caught:
        build_new(*unsized)
    assert str(caught.value) == (
        "out of memory with 64 streams of 64 tokens on cpu, while its speed was measured; try "
        "--batch-size 32, a shorter --bptt, or name a --hidden-size; nothing was begun"
    )


def test_logits_are_counted_as_they_are_made():
    config = TrainConfig(hidden_size=64, batch_size=64, bptt=100, max_steps=1)
    plan = plan_run(
        config, vocab_size=10**5, train_tokens=10**6, chars_per_token=1.0, operations_per_second=0.0
    )
    weights = 40 * plan.model.count_parameters() + 4 * 6_400 * 14 * 64
    sampled = dataclasses.replace(config, softmax="sampled", softmax_samples=999)
    assert memory_bytes(plan, 7, config, "cpu") == weights + 8 * 6_400 * 10**5 + 7
    assert memory_bytes(plan, 7, config, "cuda") == weights + 3 * 2**29 + 7  # in parts
    for device in ("cpu", "cuda"):
        assert memory_bytes(plan, 7, sampled, device) == weights + 8 * 6_400 * 1_000 + 7
