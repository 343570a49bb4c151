"""What charlm inspect reads, prints and refuses."""

import json

import numpy as np
import pytest

from charlm.store.checkpoint import load_model
from charlm.tasks.inspect_gates import inspect_gates
from charlm.tasks.inspect_gradients import inspect_gradients
from charlm.tasks.inspect_neurons import inspect_unit
from charlm.tasks.inspect_reading import open_recurrent, read_text

TEXT = "the [quick] fox"
EMPTY = "charlm: the text is empty; inspect needs at least one token\n"
NEWEST = "charlm: using 'tiny', the newest model in {home}/checkpoints/ (choose with --model)\n"


def records(found):
    status, out, err = found
    assert (status, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def reading(tiny):
    return read_text(open_recurrent("tiny"), TEXT)


def test_gradients_as_json(charlm, reading):
    found = records(charlm("inspect", "gradients", "-m", "tiny", "--json", TEXT))
    expected = inspect_gradients(reading)
    for one, reach in zip(found, expected.reaches, strict=True):
        assert one == {
            "layer": 1,
            "state": reach.state,
            "target": "x",
            "nll": expected.nll,
            "tokens": ["", *TEXT[:-1]],
            "norms": list(reach.norms),
            "decay": reach.decay,
        }
    (short, _) = records(
        charlm("inspect", "gradients", "-m", "tiny", "--json", "--steps", "2", TEXT)
    )
    assert short["tokens"] == ["f", "o"]


def test_neurons_as_json(charlm, reading):
    found = records(charlm("inspect", "neurons", "-m", "tiny", "--json", "--top", "2", TEXT))
    assert [one["trait"] for one in found] == [
        trait
        for trait in ("position in line", "position in word", "inside brackets", "punctuation",
                      "white space")
        for _ in range(2)
    ]  # fmt: skip
    assert set(found[0]) == {"trait", "layer", "unit", "correlation", "deviation"}
    unit = records(charlm("inspect", "neurons", "-m", "tiny", "--json", "--unit", "3", TEXT))
    states = inspect_unit(reading, unit=3).states
    assert unit[1] == {"layer": 1, "unit": 3, "token": "h", "state": states[1]}
    assert [one["state"] for one in unit] == list(states)


def test_gates_as_json(charlm, reading):
    found = records(charlm("inspect", "gates", "-m", "tiny", "--json", TEXT))
    assert [one["gate"] for one in found] == ["input", "forget", "output"]
    expected = inspect_gates(reading)[0]
    tokens = [one["token"] for one in found[0].pop("per_token")]
    assert "".join(tokens).startswith("the ")
    assert found[0] == {
        "layer": 1,
        "gate": "input",
        "mean": expected.mean,
        "left_saturated": expected.left,
        "right_saturated": expected.right,
    }


@pytest.mark.parametrize("what", ["gradients", "neurons", "gates"])
def test_the_text_may_come_from_stdin_and_the_newest_model_is_told(charlm, tiny, what):
    status, out, err = charlm("inspect", what, TEXT)
    assert status == 0
    assert err.startswith(NEWEST.format(home=tiny))
    assert charlm("inspect", what, "-", stdin=f"{TEXT}\n".encode()) == (status, out, err)
    assert charlm("inspect", what, "-m", "tiny", "") == (1, "", EMPTY)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("gates",), "missing argument 'TEXT'; try: charlm inspect gates --help"),
        (
            ("neurons", "a", "--unit", "1", "--top", "2"),
            "--top and --unit exclude each other; try: charlm inspect neurons --help",
        ),
    ],
)
def test_a_usage_error(charlm, home, line, message):
    assert charlm("inspect", *line) == (2, "", f"charlm: {message}\n")


def test_layers_and_units_that_are_not_there(charlm, tiny):
    line = ("inspect", "neurons", "-m", "tiny", "ab")
    assert charlm(*line, "--layer", "2") == (
        1, "", "charlm: 'tiny' has 1 layer, got --layer 2\n")  # fmt: skip
    assert charlm(*line, "--unit", "9") == (
        1, "", "charlm: 'tiny' has 8 units a layer, got --unit 9\n")  # fmt: skip


def test_damaged_weights_are_no_traceback(charlm, tiny, monkeypatch):
    """Weights that are no numbers give null in JSON and a question mark under the text."""
    tensors = load_model(tiny / "checkpoints" / "tiny", kinds=("lm",)).tensors
    monkeypatch.setattr(
        "charlm.tasks.adaptive.to_float32",
        lambda config, _: {
            name: np.full(shape, np.nan, np.float32)
            for name, shape in config.tensor_shapes().items()
        },
    )
    assert tensors
    assert records(charlm("inspect", "gradients", "-m", "tiny", "--json", "ab"))[0]["nll"] is None
    for line in (("gradients",), ("neurons",), ("neurons", "--unit", "1"), ("gates",)):
        status, out, err = charlm("inspect", *line, "-m", "tiny", "ab")
        assert (status, "error" in err) == (0, False)
    assert "?" in out
