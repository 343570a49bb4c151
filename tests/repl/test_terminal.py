"""Whole sessions on a terminal: typing, stopping, completing, resizing, leaving."""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHERE = b"\x1b[6n"  # "where is the cursor?", which a terminal answers


class Terminal:
    """A session at the other end of a pseudo-terminal."""

    def __init__(self, home, *argv, rows=24, columns=80, **variables):
        self.master, slave = os.openpty()
        self.resize(rows, columns)
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        own = {"PYTHONPATH": str(ROOT), "CHARLM_HOME": str(home), "TERM": "xterm-256color"}
        folders = {"XDG_CONFIG_HOME": f"{home}/config", "XDG_STATE_HOME": f"{home}/state"}
        self.child = subprocess.Popen(
            [sys.executable, "-c", _TAKES_TERMINAL, "repl", *argv],
            cwd=home,
            env={**kept, **own, **folders, "LC_ALL": "C.UTF-8", **variables},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, pattern, timeout=90):
        """Read on until what came since the last call matches."""
        new, end = "", time.monotonic() + timeout
        while not re.search(pattern, new):
            assert time.monotonic() < end, (pattern, new)
            new += self._read()
        return new

    def leave(self):
        self.type("\x04")
        return self.wait()

    def wait(self):
        end = time.monotonic() + 90
        with contextlib.suppress(OSError):
            while self.child.poll() is None:
                assert time.monotonic() < end, self.seen[-2_000:]
                self._read()
        return self.child.wait(10)

    def close(self):
        self.child.kill()
        self.child.wait()
        os.close(self.master)

    def _read(self):
        if not select.select([self.master], [], [], 0.2)[0]:
            return ""
        data = os.read(self.master, 1 << 16)
        if WHERE in data:
            os.write(self.master, b"\x1b[1;1R")
        self.seen += (text := data.decode("utf-8", "replace"))
        return text


# As a login does: Ctrl-C is a signal only to those whose terminal it is.
_TAKES_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from charlm.cli.app import main
main(sys.argv[1:])
"""
PROMPT = r"> ?(\x1b\S*)*\x1b\[\?25h"
ENDLESS = "/set max_new_tokens 100000000\r"


@pytest.fixture
def terminal(tiny):
    opened = []

    def start(*argv, **options):
        opened.append(Terminal(tiny, "-m", "tiny", *argv, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_ctrl_c_stops_the_text_and_what_came_is_kept(terminal, tiny):
    one = terminal()
    one.until(r"\x1b\[\?2004h")
    one.type(ENDLESS)
    one.until(r"100000000\r\n")
    one.type("the\r")
    one.until(r"\[\?2004lthe[^\x1b]{200}")
    one.type("\x03")
    one.until(r"\x1b\[\?2004h")
    one.type("/save kept.txt\r")
    one.until("wrote kept.txt")
    assert one.leave() == 0
    text = (tiny / "kept.txt").read_text()
    assert text.startswith("the")
    assert len(text) > 150  # a line end is two characters on a terminal


def test_ctrl_c_at_the_prompt_clears_the_line_and_tells_the_way_out(terminal):
    one = terminal()
    one.until(r"\x1b\[\?2004h")
    one.type("half\x03")
    one.until(r"\x1b\[\?2004h")
    one.type("\x03")
    one.until(r"Ctrl-D or /quit leaves")
    assert one.leave() == 0
    assert "Traceback" not in one.seen


def test_what_is_typed_ahead_waits_for_the_prompt(terminal):
    one = terminal("--no-history")
    one.until(r"\x1b\[\?2004h")
    one.type("/set max_new_tokens 3000\r")
    one.until("3000\r\n")
    one.type("the\r")
    one.until(r"2004lthe")
    one.type("/seed 12345\r")
    text = one.until(r"12345, for every text")
    assert "/seed" not in text.partition("\x1b[?2004h")[0]
    assert one.leave() == 0


def test_commands_are_completed_and_histories_kept(terminal, tiny):
    one = terminal()
    one.until(r"\x1b\[\?2004h")
    one.type("/heat\t")
    one.until(r"heatmap")
    one.type("\x03/seed 4\r")
    one.until("4, for every text")
    assert one.leave() == 0
    assert "+/seed 4\n" in (tiny / "state" / "charlm" / "history").read_text()


@pytest.mark.parametrize(("rows", "columns"), [(10, 20), (60, 200), (1, 1)])
def test_no_terminal_is_too_small(terminal, rows, columns):
    one = terminal(rows=rows, columns=columns)
    one.until(r"\x1b\[\?2004h")
    one.type("/he")
    one.resize(3, 10)
    one.child.send_signal(signal.SIGWINCH)
    one.type("lp quit\r")
    one.until(r"leave")
    assert one.leave() == 0
    assert "too small" not in one.seen


def test_a_dumb_terminal_gets_plain_lines(terminal):
    one = terminal(TERM="dumb")
    one.until("> ")
    one.type(ENDLESS + "the\n")
    one.until(r"\nthe[^\x1b]{200}")
    one.type("\x03")
    one.until("\n> ")
    one.type("\x03")
    one.until("\n> ")
    assert one.leave() == 0
    assert "\x1b" not in one.seen


def test_no_color_is_heeded(terminal):
    one = terminal(NO_COLOR="1")
    one.until(r"\x1b\[\?2004h")
    one.type("/score the\r")
    one.until(r"the\r\n")
    assert one.leave() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", one.seen)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("busy", [False, True])
def test_a_signal_ends_it_and_the_terminal_is_as_before(terminal, number, status, busy):
    one = terminal()
    before = termios.tcgetattr(one.master)
    one.until(r"\x1b\[\?2004h")
    if busy:
        one.type(ENDLESS)
        one.until(r"100000000\r\n")
        one.type("the\r")
        one.until(r"\[\?2004lthe[^\x1b]{200}")
    one.child.send_signal(number)
    assert one.wait() == status
    assert termios.tcgetattr(one.master) == before
    assert "Traceback" not in one.seen


def test_ctrl_c_at_any_moment_never_ends_it(terminal):
    one = terminal("--no-history")
    one.until(r"\x1b\[\?2004h")
    one.type("/set max_new_tokens 20\r")
    for pause in range(0, 40, 2):
        one.type("the\r")
        time.sleep(pause / 1_000)
        os.killpg(one.child.pid, signal.SIGINT)
    one.type("\x03\x03/seed 77777\r")
    one.until("77777, for every text", timeout=60)
    assert one.leave() == 0
    assert "Traceback" not in one.seen


def test_a_training_shows_in_the_toolbar_and_its_end_above_the_line(terminal, tiny):
    (tiny / "words.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 400)
    one = terminal(columns=120)
    one.until(r"\x1b\[\?2004h")
    one.type("/train ngram words.txt -o new\r")
    one.until("training beside the session")
    one.type("half a li")
    one.until("new is trained; /model new opens it")
    one.type("ne\x03/model new\r")
    one.until("new: ngram")
    assert one.leave() == 0
    assert "training new" in one.seen


def test_a_terminal_that_goes_away_ends_it_without_harm(terminal):
    one = terminal()
    one.until(r"\x1b\[\?2004h")
    os.close(one.master)
    one.master = os.open(os.devnull, os.O_RDWR)
    assert one.child.wait(20) in (129, 120)  # 120: what was left to write had nowhere to go
