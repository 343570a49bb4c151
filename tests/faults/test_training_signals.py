"""Faults 14 to 18: signals finish the step and save; pauses and clock jumps leave figures sane."""

from __future__ import annotations

import time

import pytest

from charlm.store.checkpoint import load_resume, read_metrics
from charlm.tasks.interrupt import Interruption, Interrupts
from charlm.training.clock import Clock, Rate


@pytest.fixture
def running(server, small):
    """A function that starts an endless run and waits until it has learnt a little."""
    started = []

    def start(name):
        argv = ("train", "cats.txt", "-o", name, *small, "--threads", 1)
        child = server.start(*argv, "--max-steps", 10_000_000)
        started.append(child)
        child.wait_for_step(name, 50)
        return child

    return start


@pytest.mark.parametrize(
    ("fault", "name", "expected"),
    [("14", "SIGINT", 130), ("16", "SIGTERM", 143), ("16", "SIGHUP", 129)],
)
def test_fault_14_16_a_signal_finishes_the_step_saves_and_says_how_to_go_on(
    server, running, fault, name, expected
):
    model = f"stopped-{name.lower()}"
    child = running(model)
    begun = time.monotonic()
    child.send(name)
    status, _, err = child.end()
    assert time.monotonic() - begun < 10.0
    found = load_resume(server.home / "checkpoints" / model)
    assert status == expected
    assert err.endswith(
        f"charlm: stopped and saved at step {found.step:,}\n"
        f"charlm: go on with: charlm train --resume --name {model}\n"
    )
    assert found.state["history"][-1]["what"] == f"stopped by {name}"


def test_fault_15_ctrl_c_twice_stops_within_a_second_without_saving(server, running):
    child = running("twice")
    folder = server.home / "checkpoints" / "twice"
    before = load_resume(folder).step
    child.send("SIGSTOP")  # so that both are there when it looks
    child.send("SIGINT")
    child.send("SIGTERM")  # noted at once with it: signals of one kind are merged
    child.send("SIGCONT")
    child.send("SIGINT")
    begun = time.monotonic()
    status, _, _ = child.end()
    assert time.monotonic() - begun < 1.0
    assert status in (130, 143)
    assert load_resume(folder).step >= before


def test_fault_15_a_second_ctrl_c_interrupts_and_a_second_sigterm_does_not():
    with Interrupts() as interrupts:
        _raise("SIGTERM")
        _raise("SIGTERM")
        _raise("SIGHUP")
        assert interrupts.signal == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            _raise("SIGINT")


def test_fault_16_a_signal_while_the_end_is_scored_stops_the_scoring():
    with Interrupts() as interrupts:
        with pytest.raises(Interruption), interrupts.at_once():
            _raise("SIGTERM")
        with pytest.raises(Interruption), interrupts.at_once():
            raise AssertionError("the signal came before, so the body is not begun")
        assert interrupts.signal == "SIGTERM"


def _raise(name):
    import signal

    signal.raise_signal(getattr(signal, name))


def test_fault_17_a_stopped_and_continued_run_goes_on_with_sane_figures(server, running):
    child = running("paused")
    folder = server.home / "checkpoints" / "paused"
    child.send("SIGSTOP")
    seen = len(read_metrics(folder))
    time.sleep(0.5)
    assert len(read_metrics(folder)) <= seen + 1
    child.send("SIGCONT")
    child.wait_for_step("paused", read_metrics(folder)[-1]["step"] + 100)
    child.kill()
    steps = [r for r in read_metrics(folder) if r["kind"] == "step"]
    assert all(r["tokens_per_second"] >= 0.0 and r["elapsed_seconds"] >= 0.0 for r in steps)
    elapsed = [r["elapsed_seconds"] for r in steps]
    assert elapsed == sorted(elapsed)


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_fault_17_a_long_pause_counts_as_a_minute_and_the_rate_recovers(clock):
    run, rate = Clock(0.0), Rate(window=20.0)
    assert rate.add(run.elapsed(), 0) == 0.0
    clock[0] += 10
    assert rate.add(run.elapsed(), 500) == 50.0
    clock[0] += 7 * 3600
    assert run.elapsed() == 70.0
    assert 0.0 <= rate.add(run.elapsed(), 500) < 50.0
    for second in range(1, 30):
        clock[0] += 1
        found = rate.add(run.elapsed(), 500 + 50 * second)
    assert found == 50.0


def test_fault_18_a_clock_that_jumps_back_takes_nothing_away(clock):
    run = Clock(30.0)
    clock[0] += 5
    assert run.elapsed() == 35.0
    clock[0] -= 3600
    assert run.elapsed() == 35.0
    clock[0] += 2
    assert run.elapsed() == 37.0


def test_fault_18_the_wall_clock_has_no_part_in_rates_and_times(monkeypatch, home_of_cats):
    """An hour back and an hour on at every look at it: no figure may notice."""
    from charlm.tasks.train import train_language_model
    from charlm.tasks.train_events import StepRecord
    from charlm.training.config import TrainConfig

    real, looks = time.time, [0]

    def jumping():
        looks[0] += 1
        return real() + (3600 if looks[0] % 2 else -3600)

    monkeypatch.setattr(time, "time", jumping)
    config = TrainConfig(
        hidden_size=8, batch_size=4, bptt=8, precision="float32", threads=1, max_steps=30
    )
    events = list(train_language_model([str(home_of_cats / "cats.txt")], config))
    steps = [event for event in events if isinstance(event, StepRecord)]
    assert steps
    for step in steps:
        assert 0.0 <= step.elapsed_seconds < 60.0
        assert 0.0 <= step.remaining_seconds < 60.0
        assert step.tokens_per_second >= 0.0
