"""A training run on a terminal, in a pipe, and in silence."""

import dataclasses
import io
import sys

import pytest

from charlm.render.progress import (
    LiveProgress,
    PlainProgress,
    QuietProgress,
    event_words,
    live_line,
    open_progress,
)
from charlm.render.tables import columns_of
from charlm.tasks.train_events import Evaluated, Message, Planned, Sampled, StepRecord

STEP = StepRecord(
    step=1, epoch=0.5, loss=2.5, bits_per_char=3.6, learning_rate=0.004, grad_norm=1.0,
    tokens_per_second=50_000.0, elapsed_seconds=1.0, progress=0.25, remaining_seconds=75.0,
)  # fmt: skip
VALID = Evaluated(step=1, nats_per_token=1.6, perplexity=4.953, bits_per_char=2.31, best=True)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            120,
            "━━━━━━────────────────── ┃ 25%  loss 2.500  1m15s left  3.600 bpc  valid 2.310 ★  "
            "50k tok/s  lr 0.004  epoch 0.50",
        ),
        (80, " 25%  loss 2.500  1m15s left  3.600 bpc  valid 2.310 ★  50k tok/s  lr 0.004"),
        (40, " 25%  loss 2.500  1m15s left  3.600 bpc"),
        (20, " 25%  loss 2.500"),
        (5, " 25%…"),
    ],
)
def test_the_line_keeps_what_fits(columns, line):
    assert live_line(STEP, VALID, columns) == line.replace("┃ ", " ")
    assert columns_of(live_line(STEP, VALID, columns)) <= columns


def test_plain_lines_are_rare(capsys):
    with PlainProgress(every=1000.0) as progress:
        for _ in range(3):
            progress.show(STEP)
        progress.show(VALID)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_silence_keeps_warnings(capsys):
    with QuietProgress() as progress:
        for event in (STEP, VALID, Message(text="a"), Message(text="b", warning=True)):
            progress.show(event)
    assert capsys.readouterr().err == "charlm: warning: b\n"


def test_a_plan_tells_the_unknown_share_only_where_there_is_one():
    plan = Planned(
        name="toy", corpus="toy.txt", train_tokens=900, valid_tokens=100, vocab_size=50,
        model="1 x 8 LSTM", parameters=1234, device="cpu", precision="float32", threads=1,
        batch_size=4, bptt=8, steps_per_epoch=28.1, memory_bytes=10_000, tokens_per_second=1e5,
        duration_seconds=9.0, unknown_rate=0.0,
    )  # fmt: skip
    words = "toy: 1 x 8 LSTM, 1,234 parameters, 50 tokens in the vocabulary{}; 900 tokens to "
    words += "train on, 100 held out; cpu float32"
    assert event_words(plan) == words.format("")
    some = dataclasses.replace(plan, unknown_rate=0.1234)
    assert event_words(some) == words.format(" (12.34% unknown)")


@pytest.mark.parametrize(
    ("stream", "term", "quiet", "kind"),
    [
        (Terminal(), "xterm", False, LiveProgress),
        (Terminal(), "dumb", False, PlainProgress),
        (io.StringIO(), "xterm", False, PlainProgress),
        (Terminal(), "xterm", True, QuietProgress),
    ],
)
def test_the_view_fits_stderr(monkeypatch, stream, term, quiet, kind):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", term)
    assert type(open_progress(quiet=quiet)) is kind


@pytest.mark.parametrize("columns", ["100", "20", "1"])
def test_a_live_line_lets_what_stays_pass_above_it(monkeypatch, columns):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", columns)
    with open_progress() as progress:
        progress.show(STEP)
        progress.show(Sampled(step=1, text="x\x1b]0;t\x07[b]"))
        progress.show(dataclasses.replace(STEP, step=2))
        progress.show(VALID)
    shown = stream.getvalue()
    assert "\x1b]0;" not in shown
    assert "\x07" not in shown
    if columns == "100":
        assert "x\\x1b]0;t\\x07[b]\n" in shown
        assert "valid 2.310 ★" in shown
