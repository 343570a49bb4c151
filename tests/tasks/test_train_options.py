"""Options of a run that nothing else would miss: each must change what happens."""

import pytest

from charlm.base.errors import ConfigError
from charlm.store.background import BackgroundJob
from charlm.store.checkpoint import load_model
from charlm.tasks.train import train_language_model
from charlm.tasks.train_events import Evaluated, Planned, Sampled, Saved
from charlm.training.config import TrainConfig

SIZES = {"hidden_size": 8, "embedding_dim": 4, "batch_size": 2, "bptt": 8, "threads": 1}


def run(tmp_path, monkeypatch, **settings) -> list:
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    text = tmp_path / "text.txt"
    text.write_text("one line and another\n" * 60)
    config = TrainConfig(**SIZES | {"max_steps": 40, "precision": "float32"} | settings)
    return list(train_language_model([str(text)], config, name="m", overwrite=True))


def count(events, kind) -> int:
    return sum(isinstance(event, kind) for event in events)


@pytest.mark.parametrize(
    ("option", "kind"),
    [("eval_every", Evaluated), ("sample_every", Sampled), ("save_every", Saved)],
)
def test_what_is_asked_for_often_comes_often(tmp_path, monkeypatch, option, kind):
    begin = BackgroundJob.start

    def finish(self, job):  # else the disk's speed says how many saves there are
        begin(self, job)
        self._thread.join()

    monkeypatch.setattr(BackgroundJob, "start", finish)
    often = count(run(tmp_path, monkeypatch, **{option: "0.0001s"}), kind)
    seldom = count(run(tmp_path, monkeypatch, **{option: "1h"}), kind)
    assert often > 30
    assert seldom <= 1


def test_half_the_bits_are_stored_on_demand(tmp_path, monkeypatch):
    for storage in ("float32", "float16"):
        run(tmp_path, monkeypatch, storage=storage)
        tensors = load_model(tmp_path / "checkpoints" / "m").tensors()
        assert {str(tensor.dtype) for tensor in tensors.values()} == {storage}


def test_epochs_bound_a_run(tmp_path, monkeypatch):
    result = run(tmp_path, monkeypatch, max_steps=None, epochs=0.5)[-1]
    assert result.epochs == pytest.approx(0.5, abs=0.02)


def test_the_plain_preset_and_the_fraction_held_out_are_planned(tmp_path, monkeypatch):
    events = run(tmp_path, monkeypatch, preset="plain", valid_fraction=0.25)
    planned = next(event for event in events if isinstance(event, Planned))
    assert planned.valid_tokens == 315


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reset": "before"}, "--reset is for --cell gru"),
        ({"cell": "rnn", "forget_bias": 1.0}, "--forget-bias is for --cell lstm"),
        ({"tokenizer": "byte", "vocab_size": 10}, "bytes are always 256: leave out"),
        ({"valid": "x", "valid_fraction": 0.2}, "--valid and --valid-fraction exclude each other"),
    ],
)
def test_options_without_a_say_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**settings)
