"""Trainings beside a session: real ones, of a tiny text."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from charlm.render.progress_events import event_record, parse_event
from charlm.repl.child import _CODE, Ended, Training
from charlm.repl.loop import answer
from charlm.repl.session import Session
from charlm.repl.trainings import end_training, training_line
from charlm.tasks.train_events import StepRecord

TEXT = "the quick brown fox jumps over the lazy dog\n" * 40
LM = "/train words.txt --cell rnn --hidden-size 8 --max-time 60s --precision float32 --threads 1"


@pytest.fixture
def corpus(user):
    (user / "words.txt").write_text(TEXT)
    return user / "words.txt"


@pytest.fixture
def beside(corpus, tiny, capsys):
    """A session whose training ends with the test, and what it has told."""
    session = Session("tiny")

    def tell(*lines):
        for line in lines:
            answer(session, line)
        session.notices.show()
        return capsys.readouterr()

    yield session, tell
    if session.training is not None:
        session.training.kill()
        session.training.wait(10)
    session.close()


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_model_is_trained_and_opened(told, corpus):
    line = "/train ngram words.txt -o new --order 3"
    status, out, err = told(line, "/wait", "/model new", "/score the")
    assert status == 0
    assert out.startswith("model    new in ")
    assert "new: ngram, char, " in out
    assert "try:" not in out
    begin = "training beside the session; /stop saves and ends it\n"
    assert err == begin + "new is trained; /model new opens it\n"


def test_what_is_wrong_is_told(told, corpus):
    lines = ("/stop", "/train", "/train 'a", "/train ngram zzz", "/train x", "/wait", "/seed 1")
    status, out, err = told(*lines[:1], *lines[2:])
    assert (status, out) == (0, "1, for every text\n")
    assert err.splitlines() == [
        "charlm: there is no training; /train begins one",
        "charlm: a quote is not closed in: 'a",
        "training beside the session; /stop saves and ends it",
        "charlm: the training is still training; /stop ends it",
        "charlm: no file or corpus 'zzz'",
    ]


def test_a_training_is_stopped_saved_and_gone_on_with(beside):
    session, tell = beside
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as shells do to background jobs
    try:
        tell(LM)
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: session.training.step is not None)
    assert tell("/train").out.startswith("training words ")
    told = tell("/stop", "/wait")
    assert "words: stopped and saved at step " in told.err
    assert told.err.endswith("go on with: /train --resume --name words\n")
    assert tell("/model words").out.startswith("words: lm, char, ")


def test_a_second_stop_ends_it_at_once(beside):
    session, tell = beside
    tell(LM)
    session.training.stopping = True
    told = tell("/stop", "/wait")
    assert session.training.status == -signal.SIGKILL
    assert told.err == "the training: ended before its first step\n"


def test_leaving_saves_and_says_how_to_go_on(told, corpus, monkeypatch):
    monkeypatch.setattr("charlm.repl.loop.answer", answer_then_wait)
    status, _, err = told(LM)
    assert status == 0
    assert err.endswith("go on with: charlm train --resume --name words\n")
    assert "words: stopped and saved at step " in err


def answer_then_wait(session, text):
    answer(session, text)
    until(lambda: session.training.step is not None)


def test_ctrl_c_while_leaving_ends_it_at_once(beside, monkeypatch):
    session, tell = beside
    tell(LM)

    def interrupted(seconds):
        if not killed:
            raise KeyboardInterrupt
        return True

    killed = []
    kill = session.training.kill
    monkeypatch.setattr(session.training, "wait", interrupted)
    monkeypatch.setattr(session.training, "kill", lambda: (kill(), killed.append(1)))
    end_training(session)
    assert killed


def test_one_that_is_stopped_while_its_interpreter_starts_says_nothing(corpus, monkeypatch):
    (corpus.parent / "slow").mkdir()
    late = "import pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(0.2)\n"
    (corpus.parent / "slow" / "sitecustomize.py").write_text(late)
    monkeypatch.setenv("PYTHONPATH", str(corpus.parent / "slow"))
    training = Training(["ngram", "words.txt"], lambda _: None)
    until((corpus.parent / "begun").exists)
    training.stop()
    assert training.wait(60)
    assert (training.status, list(training.told), training.facts) == (-signal.SIGINT, [], "")
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


LOSING = """
import ctypes, signal, time
def main(argv):
    ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("stopped")
"""


def test_a_stop_that_a_library_swallows_is_asked_for_again(tmp_path):
    (tmp_path / "charlm" / "cli").mkdir(parents=True)
    (tmp_path / "charlm" / "__init__.py").touch()
    (tmp_path / "charlm" / "cli" / "app.py").write_text(LOSING)
    argv = [sys.executable, "-P", "-c", _CODE, json.dumps([str(tmp_path), *sys.path])]
    found = subprocess.run(argv, capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"stopped\n", b"")


def test_it_is_no_member_of_our_process_group(corpus):
    training = Training(["ngram", "zzz"], lambda _: None)
    group = os.getpgid(training._process.pid)
    assert group == training._process.pid != os.getpgrp()
    assert training.wait(60)
    assert list(training.told) == ["charlm: no file or corpus 'zzz'"]


class Resting:
    """A training that stands still."""

    name, stopping, work, valid, stage = "a\x1b[2J", False, None, None, "measuring"
    step = None


def test_the_line_of_a_training_fits():
    training = Resting()
    assert training_line(training, 80) == "training a\\x1b[2J  measuring"
    assert training_line(training, 24) == "training a\\x1b[2J"
    training.step = StepRecord(
        step=1,
        epoch=0.1,
        loss=1.5,
        bits_per_char=2.1,
        learning_rate=0.1,
        grad_norm=1.0,
        tokens_per_second=9_000.0,
        elapsed_seconds=1.0,
        progress=0.5,
        remaining_seconds=9.0,
    )
    assert training_line(training, 56) == "training a\\x1b[2J   50%  loss 1.500  9s left  2.100 bpc"
    for columns in range(1, 100):
        assert len(training_line(training, columns)) <= columns


@pytest.mark.parametrize("steps", ["7", '"many"', "null", "[]"])
def test_results_of_any_kind_are_understood(corpus, steps):
    training = Training(["ngram", "zzz"], lambda _: None)
    line = f'{{"event": "NewResult", "name": "a", "kind": "new", "steps": {steps}}}'
    training._note(parse_event(line), event_record(line))
    assert training.result == Ended("a", "new", 7 if steps == "7" else 0, False)
    training.kill()
    assert training.wait(60)
