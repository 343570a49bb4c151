"""Faults 1 to 3: killed at any moment, and once more, a run goes on as if nothing had been."""

from __future__ import annotations

import random
import time

import pytest

from charlm.store.checkpoint import load_model
from charlm.store.folder import check_folder

STEPS = 1_500


@pytest.fixture
def begin(server, small):
    """A function that starts the run of a name; the same options give the same run."""

    def start(name, *options, steps=STEPS, **how):
        argv = ("train", "cats.txt", "-o", name, *small, *options)
        return server.start(*argv, "--save-every", "0.02s", "--max-steps", steps, **how)

    return start


@pytest.fixture
def same(server, losses):
    """A function that compares two runs to the last bit: a float's JSON is its exact form."""

    def compare(whole, broken, steps=STEPS):
        expected, found = losses(whole), losses(broken)
        assert found == expected
        assert max(found) == steps
        folders = (server.home / "checkpoints" / name for name in (whole, broken))
        assert [load_model(f, verify=True).training["steps"] for f in folders] == [steps, steps]

    return compare


def finish(server, name):
    status, _, err = server.run("train", "--resume", "-o", name)
    # on a busy machine a process may reach the end before it is killed
    assert status == 0 or "is finished (" in err, err


@pytest.mark.parametrize(
    ("precision", "threads", "kills"),
    [("float32", 1, 15), ("float32", 2, 15), ("bfloat16", 1, 10), ("bfloat16", 2, 10)],
)
def test_fault_01_killed_50_times_at_random_the_losses_are_bit_identical(
    server, begin, same, precision, threads, kills
):
    options = ("--precision", precision, "--threads", threads)
    whole, broken = (f"{word}-{precision}-{threads}" for word in ("whole", "broken"))
    status, _, err = begin(whole, *options).end()
    assert status == 0, err
    chance = random.Random(f"{precision}{threads}")
    child = begin(broken, *options)
    for killed in range(kills):
        # spread over the run, on machines of any speed; what is in the log already lets a process
        # be killed at once, before its first step or in the middle of the resume
        child.wait_for_step(broken, 1 + int(0.9 * STEPS * chance.uniform(0, killed + 1) / kills))
        time.sleep(chance.uniform(0.0, 0.05))
        child.send("SIGKILL")
        status, _, err = child.end()
        assert status == -9, f"over after {killed} kills: {err}"
        child = server.start("train", "--resume", "-o", broken)
    status, _, err = child.end()
    assert status == 0, err
    same(whole, broken)


def test_fault_02_killed_inside_a_save_at_any_call_of_it(server, begin, same):
    """Each process kills itself a few system calls further into its saves than the one before."""
    begin("whole-2", steps=400).end()
    begun = begin("broken-2", steps=400)
    begun.wait_for_step("broken-2")
    begun.kill()
    folder = server.home / "checkpoints" / "broken-2"
    for at in range(1, 80, 3):
        status, _, err = server.run("train", "--resume", "-o", "broken-2", die_at=["any", at])
        assert check_folder(folder) == []
        if status == 0:
            break
        assert status == -9, err
    else:
        finish(server, "broken-2")
    assert at > 30  # a save and the resume before it make about so many calls
    strays = [path.name for path in folder.rglob(".*") if path.name != ".lock"]
    assert strays == []
    same("whole-2", "broken-2", steps=400)


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "rename", "open"])
def test_fault_02_killed_at_the_kth_call_of_one_kind(server, begin, same, call):
    whole, broken = f"whole-{call}", f"broken-{call}"
    begin(whole, steps=200).end()
    begun = begin(broken, steps=200)
    begun.wait_for_step(broken)
    begun.kill()
    for at in range(8):
        status, _, err = server.run("train", "--resume", "-o", broken, die_at=[call, at])
        assert check_folder(server.home / "checkpoints" / broken) == []
        if status == 0:  # its last saves made fewer such calls
            break
        assert status == -9, err
    else:
        finish(server, broken)
    same(whole, broken, steps=200)


def test_fault_03_killed_during_the_resume_and_twice_in_a_row(server, begin, same):
    begin("whole-3", steps=400).end()
    begun = begin("broken-3", steps=400)
    begun.wait_for_step("broken-3", 50)
    begun.kill()
    chance = random.Random(3)
    for _ in range(10):
        child = server.start("train", "--resume", "-o", "broken-3")
        time.sleep(chance.uniform(0.0, 0.08))  # a resume reads and builds for as long
        child.kill()
    for at in range(12):  # the lock, the log, the first files
        server.start("train", "--resume", "-o", "broken-3", die_at=["any", at]).kill()
    finish(server, "broken-3")
    same("whole-3", "broken-3", steps=400)


def test_fault_01_killed_while_the_end_is_scored(server, begin, same):
    """All steps are done and saved: the resumed run has only the figures to find."""
    begin("whole-end", steps=60).end()
    begun = begin("broken-end", steps=60)
    state = server.home / "checkpoints" / "broken-end" / "resume"
    while not any('"step": 60,' in path.read_text() for path in state.glob("state-*.json")):
        time.sleep(0.001)
    begun.kill()
    server.run("train", "--resume", "-o", "broken-end")
    same("whole-end", "broken-end", steps=60)


def test_fault_11_the_lock_of_a_dead_process_holds_nobody_up(server, begin):
    begun = begin("locked", steps=100_000)
    begun.wait_for_step("locked")
    begun.kill()
    lock = server.home / "checkpoints" / "locked" / ".lock"
    assert f'"pid": {begun.pid}' in lock.read_text()
    status, _, err = server.run("train", "--resume", "-o", "locked", "--max-steps", 1)
    assert status == 0, err
