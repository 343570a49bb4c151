"""`charlm train`: what it hands to the task, and what it prints of its events."""

import dataclasses
import json
import sys
import types

import pytest

from charlm.tasks.train_events import (
    Evaluated,
    HeldOut,
    Message,
    Planned,
    Sampled,
    Saved,
    StepRecord,
    TrainResult,
)
from charlm.training.config import TrainConfig

PLAN = Planned(
    name="toy", corpus="toy.txt", train_tokens=1000, valid_tokens=100, vocab_size=30,
    model="1 x 8 LSTM", parameters=1234, device="cpu", precision="float32", threads=2,
    batch_size=4, bptt=16, steps_per_epoch=15.6, memory_bytes=5_000_000, tokens_per_second=None,
    duration_seconds=60.0, unknown_rate=0.0,
)  # fmt: skip
STEP = StepRecord(
    step=1, epoch=0.1, loss=2.5, bits_per_char=3.6, learning_rate=0.004, grad_norm=1.0,
    tokens_per_second=50_000.0, elapsed_seconds=1.0, progress=0.25, remaining_seconds=3.0,
)  # fmt: skip
VALID = HeldOut(
    nats_per_token=1.5,
    perplexity=4.4817,
    bits_per_char=2.164,
    tokens=100,
    chars=100,
    unknown_rate=0.0,
)
RESULT = TrainResult(
    name="toy", kind="lm", folder="checkpoints/toy", parameters=1234, steps=15, epochs=1.0,
    duration_seconds=4.0, tokens_per_second=45_000.0, device="cpu", valid=VALID, test=None,
    interrupted=False,
)  # fmt: skip
EVENTS = [
    PLAN,
    Message(text="odd \x1b[31m", warning=True),
    STEP,
    Evaluated(step=1, nats_per_token=1.6, perplexity=4.953, bits_per_char=2.31, best=True),
    Sampled(step=1, text="fox [b]"),
    Saved(step=1, folder="checkpoints/toy"),
    RESULT,
]


@pytest.fixture
def train(charlm, monkeypatch):
    """Run `charlm train` on events; what the task was called with is in `train.calls`."""

    def run(*argv, events=EVENTS):
        def train_language_model(specs, config, **options):
            run.calls.append((specs, config, options))
            yield from events

        module = types.ModuleType("charlm.tasks.train")
        module.train_language_model = train_language_model
        monkeypatch.setitem(sys.modules, "charlm.tasks.train", module)
        return charlm("train", *argv)

    run.calls = []
    return run


def test_progress_goes_to_stderr_and_the_figures_to_stdout(train):
    status, out, err = train("toy.txt")
    assert status == 0
    assert out == (
        "model    toy in checkpoints/toy, 1.23k parameters\n"
        "trained  15 steps, 1 epochs in 4s, 45,000 tokens a second on cpu\n"
        "valid    1.5000 nats a token, perplexity 4.482, 2.1640 bits a character (100 tokens)\n"
        "try: charlm sample -m toy\n"
    )
    assert err == (
        "toy: 1 x 8 LSTM, 1,234 parameters, 30 tokens in the vocabulary; 1,000 tokens to train "
        "on, 100 held out; cpu float32\n"
        "charlm: warning: odd \\x1b[31m\n"
        "step 1  25%  epoch 0.10  loss 2.5000  3.6000 bits/char  50,000 tokens/s  lr 0.004  "
        "3s left\n"
        "step 1  valid 1.6000 nats/token  perplexity 4.953  2.3100 bits/char  ★ best\n"
        "--- sample at step 1\nfox [b]\n---\n"
    )


def test_json_has_the_promised_keys(train):
    status, out, err = train("toy.txt", "--json", "--quiet")
    assert (status, err) == (0, "charlm: warning: odd \\x1b[31m\n")
    assert json.loads(out) == {
        "name": "toy",
        "kind": "lm",
        "parameters": 1234,
        "steps": 15,
        "epochs": 1.0,
        "duration_seconds": 4.0,
        "tokens_per_second": 45_000.0,
        "device": "cpu",
        "valid": dataclasses.asdict(VALID),
    }


def test_a_test_text_is_reported_too(train):
    events = [dataclasses.replace(RESULT, test=VALID)]
    assert json.loads(train("--json", events=events)[1])["test"] == dataclasses.asdict(VALID)
    assert "\ntest     1.5000 nats a token" in train(events=events)[1]


def test_both_models_of_a_pair_are_reported(train):
    pair = dataclasses.replace(RESULT, backward=dataclasses.replace(RESULT, steps=12, test=VALID))
    figures = "1.5000 nats a token, perplexity 4.482, 2.1640 bits a character (100 tokens)"
    assert train(events=[pair])[1] == (
        "model     toy in checkpoints/toy, 1.23k parameters\n"
        "trained   15 steps, 1 epochs in 4s, 45,000 tokens a second on cpu\n"
        f"valid     {figures}\n"
        "backward  12 steps, 1 epochs in 4s, 45,000 tokens a second on cpu\n"
        f"  valid   {figures}\n"
        f"  test    {figures}\n"
        "try: charlm embed -m toy\n"
    )
    half = json.loads(train("--json", events=[pair])[1])["backward"]
    assert (half["steps"], half["valid"], half["test"]) == (12, *[dataclasses.asdict(VALID)] * 2)


def test_a_pair_that_is_stopped_says_in_which_half(train):
    stopped = {"interrupted": True, "signal": "SIGINT"}
    half = dataclasses.replace(RESULT, steps=7, valid=None, **stopped)
    _, _, err = train(events=[dataclasses.replace(RESULT, backward=half, **stopped)])
    assert err == (
        "charlm: stopped and saved at step 7 of the backward model\n"
        "charlm: go on with: charlm train --resume --name toy\n"
    )


@pytest.mark.parametrize(("signal", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_an_interrupted_training_says_how_to_go_on(train, signal, status):
    stopped = dataclasses.replace(RESULT, interrupted=True, signal=signal, valid=None)
    found, out, err = train(events=[stopped])
    assert found == status
    assert err == (
        "charlm: stopped and saved at step 15\n"
        "charlm: go on with: charlm train --resume --name toy\n"
    )
    assert "try:" not in out


def test_a_dry_run_shows_the_plan(train):
    status, out, _ = train("--dry-run", events=[PLAN])
    assert status == 0
    assert out == (
        "name        toy\n"
        "corpus      toy.txt\n"
        "tokens      1,000 to train on, 100 held out\n"
        "vocabulary  30 tokens, 0.00% unknown\n"
        "model       1 x 8 LSTM, 1,234 parameters\n"
        "machine     cpu, float32, 2 threads\n"
        "batch       4 streams of 16 tokens\n"
        "epoch       16 steps\n"
        "memory      about 5.0 MB\n"
        "speed       not measured\n"
        "time        1m00s\n"
    )
    assert json.loads(train("--dry-run", "--json", events=[PLAN])[1]) == dataclasses.asdict(PLAN)


@pytest.mark.parametrize(
    ("line", "specs", "config", "options"),
    [
        ((), ["python"], {}, {}),
        (("a.txt", "b.txt"), ["a.txt", "b.txt"], {}, {}),
        (("lm", "a.txt"), ["a.txt"], {}, {}),
        (("--epochs", "3", "-"), ["-"], {"epochs": 3.0}, {}),
        (("--no-skip", "--cell=gru"), ["python"], {"skip": False, "cell": "gru"}, {}),
        (("-o", "x", "--overwrite"), ["python"], {}, {"name": "x", "overwrite": True}),
        (("--resume", "--dry-run"), [], {}, {"resume": True, "dry_run": True}),
    ],
)
def test_the_task_gets_what_the_line_says(train, line, specs, config, options):
    train(*line, events=[PLAN, RESULT])
    no_options = {"name": None, "resume": False, "overwrite": False, "dry_run": False}
    assert train.calls == [(specs, TrainConfig(**config), no_options | options)]


def test_a_run_without_a_result_failed(train):
    assert train(events=[])[0] == 1


def test_a_kind_or_a_name_among_the_texts_is_told(train, tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    (tmp_path / "checkpoints" / "novel").mkdir(parents=True)
    status, _, err = train("-o", "x", "ngram", "a.txt")
    assert (status, err) == (
        2, "charlm: the kind comes first: charlm train ngram …; try: charlm train lm --help\n"
    )  # fmt: skip
    status, _, err = train("--resume", "novel")
    assert (status, err) == (
        2,
        "charlm: to go on with a model, say --resume --name novel; try: charlm train lm --help\n",
    )
    status, _, err = train("--resume", "--overwrite", "-o", "novel")
    assert status == 2
    assert "--resume goes on with a model, --overwrite replaces it" in err
