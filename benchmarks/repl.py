"""An interactive session, driven in a pseudo-terminal: how soon it answers, and what it keeps.

python benchmarks/repl.py [--lines 10000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from driving import Driven

READY = rb"\x1b\[\?2004h"
MODEL = "shakespeare"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folders = {"XDG_CONFIG_HOME": f"{home}/config", "XDG_STATE_HOME": f"{home}/state"}
        os.environ.update(folders, CHARLM_HOME=home)
        os.chdir(home)
        prompt_ready(options.runs)
        with Driven("repl", "-m", MODEL) as one:
            one.until(READY)
            first_character(one, options.runs)
            keys(one, "a line is empty", lambda: None)
            keys(one, "the model thinks of a ghost", lambda: one.type("\x03To be or "))
            train(one)
            one.leave()
        memory(options.lines)


def prompt_ready(runs: int) -> None:
    """Print the time from the shell to a prompt that takes keys."""
    times = []
    for _ in range(runs):
        with Driven("repl", "-m", MODEL) as one:
            one.until(READY)
            times.append(time.perf_counter() - one.started)
            one.leave()
    show("prompt ready", times, "bar 400 ms")


def first_character(one: Driven, runs: int) -> None:
    """Print the time from Enter to the first character that the model writes."""
    times = []
    for _ in range(runs):
        one.type("QUEEN MARGARET:")
        one.pause(0.5)
        start = time.perf_counter()
        one.type("\r")
        one.until(rb"2004l(?s:.*)QUEEN MARGARET:[^\x1b]")
        times.append(time.perf_counter() - start)
        one.until(READY)
        one.pause(0.2)
    show("first character after Enter", times, "bar 50 ms")


def keys(one: Driven, what: str, before) -> None:
    """Print the time from a key to its character on the screen."""
    times = []
    for _ in range(5):
        before()
        one.pause(0.15)
        for key in "ZXJQZXJQZX":
            start = time.perf_counter()
            one.type(key)
            one.until(key.encode())
            times.append(time.perf_counter() - start)
            one.pause(0.03)  # some 30 keys a second
        one.type("\x03")
        one.until(READY)
    show(f"key to echo while {what}", times)


def train(one: Driven) -> None:
    """Print the same while a model is trained beside the session, and what its line sends."""
    Path("words.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 20_000)
    one.type("/train words.txt --max-time 60s --hidden-size 256\r")
    one.until(rb"loss \d", seconds=90)
    keys(one, "a model is trained", lambda: None)
    one.length = 0
    one.pause(5)
    print(f"the line of a training sends {one.length / 5:,.0f} bytes a second")
    one.type("/stop\r/stop\r")
    one.until(rb"ended|saved at", seconds=60)


def memory(lines: int) -> None:
    """Print by how much a session grows while the model writes so many lines."""
    with Driven("repl", "-m", MODEL, "--no-history") as one:
        one.until(READY)
        one.type("/set max_new_tokens 800\r")
        one.until(READY)
        written, texts, first, last = 0, 0, 0, 0
        start = time.perf_counter()
        while written < lines:
            one.type("ROMEO:\r")
            came = one.until(rb"2004l(?s:.*)2004h", seconds=120)
            written += came.count(b"\r\n")
            texts += 1
            one.pause(0.02)
            last = one.resident()
            first = first or last
        took = time.perf_counter() - start
        print(
            f"{written:,} lines in {texts:,} texts, {took:.0f} s: {first / 2**20:.1f} MiB resident "
            f"after the first, {last / 2**20:.1f} MiB after the last, "
            f"{(last - first) / 2**20:+.1f} MiB (bar 20)"
        )
        one.leave()


def show(what: str, seconds: list[float], bar: str = "") -> None:
    """Print a median and the longest."""
    middle, most = statistics.median(seconds) * 1e3, max(seconds) * 1e3
    print(f"{what}: {middle:.1f} ms, {most:.1f} ms at most{f' ({bar})' if bar else ''}", flush=True)


if __name__ == "__main__":
    main()
