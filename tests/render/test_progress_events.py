"""Training events as lines, there and back."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.render.progress import open_progress
from charlm.render.progress_events import EventLines, event_line, parse_event
from charlm.tasks.train_events import (
    Evaluated,
    HeldOut,
    Message,
    Sampled,
    TrainResult,
    VectorStep,
    Work,
)

HELD = HeldOut(
    nats_per_token=1.0,
    perplexity=2.7,
    bits_per_char=1.4,
    tokens=5,
    chars=5,
    unknown_rate=0.0,
)
RESULT = TrainResult(
    name="a",
    kind="lm",
    folder="f",
    parameters=1,
    steps=2,
    epochs=0.5,
    duration_seconds=1.0,
    tokens_per_second=3.0,
    device="cpu",
    valid=HELD,
    test=None,
    interrupted=False,
)


@pytest.mark.parametrize(
    "event",
    [
        RESULT,
        Work("reading", 1, 2),
        Message(text="a", warning=True),
        Evaluated(step=1, nats_per_token=1.0, perplexity=2.7, bits_per_char=1.4, best=True),
    ],
)
def test_an_event_comes_back(event):
    assert parse_event(event_line(event)) == event


@given(st.text())
def test_any_text_stands_in_one_harmless_line(text):
    line = event_line(Sampled(step=1, text=text))
    assert line.isprintable()
    if text.isprintable():
        assert parse_event(line).text == text


def test_a_loss_that_nobody_knows_comes_back_as_such():
    names = [field.name for field in dataclasses.fields(VectorStep)]
    step = VectorStep(**dict.fromkeys(names, 1.0) | {"loss": math.nan})
    assert math.isnan(parse_event(event_line(step)).loss)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "charlm: no such file",
        '{"event": "Message"',
        '{"event": "Nothing"}',
        '{"event": []}',
        '{"event": "Message", "text": "a", "more": 1}',
        '{"event": "Work", "stage": "a"}',
    ],
)
def test_other_lines_are_no_events(line):
    assert parse_event(line) is None


def test_steps_that_come_fast_are_left_out(capsys, monkeypatch):
    monkeypatch.setenv("CHARLM_EVENTS", "json")
    with open_progress(quiet=True) as progress:
        assert isinstance(progress, EventLines)
        for done in range(100):
            progress.show(Work("reading", done, 100))
        progress.show(RESULT)
    first, last = capsys.readouterr().err.splitlines()
    assert parse_event(first) == Work("reading", 0, 100)
    assert parse_event(last) == RESULT
