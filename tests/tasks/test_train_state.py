"""Training states that are none: told in a line, never believed."""

from __future__ import annotations

import math

import pytest

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import load_resume, save_resume
from charlm.tasks.train import train_language_model
from charlm.training.config import TrainConfig

SIZES = {"hidden_size": 4, "embedding_dim": 3, "batch_size": 2, "bptt": 4, "threads": 1}
MALFORMED = "the training state in {0} is malformed ({1}); train it again with --overwrite"
NO_FIT = "the training state does not fit this model ({1}); start anew with --overwrite"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run of ten steps."""
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    (tmp_path / "cats.txt").write_text("the cat sat on the mat.\n" * 40)
    config = TrainConfig(**SIZES, precision="float32", max_steps=10)
    list(train_language_model([str(tmp_path / "cats.txt")], config, name="run"))
    return tmp_path / "checkpoints" / "run"


def changed(folder, change):
    """Save the state of a run again, changed."""
    found = load_resume(folder)
    tensors, state = dict(found.tensors), dict(found.state)
    change(tensors, state)
    save_resume(folder, found.step, tensors, state)


def resume():
    config = TrainConfig(max_steps=12)
    return list(train_language_model([], config, name="run", resume=True))


def put(*path):
    """Return what puts the last of `path` where the others lead."""
    *keys, last, value = path

    def change(tensors, state):
        for key in keys:
            state = state[key]
        state[last] = value

    return change


def without(key):
    return lambda tensors, state: state.pop(key)


def cut(name):
    def change(tensors, state):
        tensors[name] = tensors[name][:1]

    return change


CASES = {
    "no plan": (without("plan"), MALFORMED, "no 'plan'"),
    "a text for a number": (
        put("elapsed", "soon"),
        MALFORMED,
        "'soon' where a number is expected",
    ),
    "records every 0 steps": (put("log_every", 0), MALFORMED, "the number 0"),
    "time runs back": (put("elapsed", -1.0), MALFORMED, "the number -1.0"),
    "an arithmetic of its own": (
        put("arithmetic", ["float32", "exec", None]),
        MALFORMED,
        "arithmetic 'float32' in 'exec'",
    ),
    "a history of texts": (
        put("history", ["begun"]),
        MALFORMED,
        "'begun' where dict is expected",
    ),
    "a reader beyond the text": (
        put("trainer", "streams", "cursors", [0, 10**12]),
        NO_FIT,
        "a reader stands outside of the text",
    ),
    "three readers": (
        put("trainer", "streams", "cursors", [0, 1, 2]),
        NO_FIT,
        "2 readers are expected, found (3,)",
    ),
    "another shape of weights": (
        cut("model.output.weight"),
        NO_FIT,
        "model.output.weight has the shape (1, 4) of float32",
    ),
    "a moment that is missing": (
        lambda tensors, state: tensors.pop("optimizer.0.exp_avg"),
        NO_FIT,
        "no 'optimizer.0.exp_avg'",
    ),
    "weights that are no numbers": (
        lambda tensors, state: tensors.update({"average.0": tensors["average.0"] * math.nan}),
        NO_FIT,
        "average.0 holds NaN, or a number beyond 1e+09",
    ),
    "steps beyond counting": (
        put("trainer", "step", 10**18),
        NO_FIT,
        "1000000000000000000 is no number of steps",
    ),
    "another shape of a moment": (
        cut("optimizer.0.exp_avg"),
        NO_FIT,
        "optimizer.0.exp_avg has the shape (1, 3) of float32",
    ),
    "a batch without end": (
        put("plan", "batch_size", 10**9),
        "the training state holds no plan: {1}",
        "batch_size must be at most 65536, got 1000000000",
    ),
    "a plan of another vocabulary": (
        put("plan", "model", "vocab_size", 5),
        "the training state is of {1}; train it again with --overwrite",
        "5 tokens, the tokenizer has 13",
    ),
    "word vectors": (
        put("kind", "vectors"),
        "{0} holds a training of vectors; go on with it by charlm train vectors --resume "
        "--name run",
        "",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_state_that_is_none_is_refused_in_one_line(run, name):
    change, message, what = CASES[name]
    changed(run, change)
    with pytest.raises(CheckpointError) as caught:
        resume()
    assert str(caught.value) == message.format(run, what)


def test_a_state_that_was_only_written_again_goes_on(run):
    changed(run, lambda tensors, state: None)
    assert resume()[-1].steps == 12
