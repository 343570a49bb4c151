"""Whatever fails and whenever the process dies: a whole version, and the right one."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from injection import Killed, failing

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import load_model, load_resume, save_resume
from charlm.store.folder import check_folder

FAILURES = {
    "full once": (lambda: OSError(errno.ENOSPC, "No space left on device"), False),
    "full from then on": (lambda: OSError(errno.ENOSPC, "No space left on device"), True),
    "broken once": (lambda: OSError(errno.EIO, "Input/output error"), False),
    "broken from then on": (lambda: OSError(errno.EIO, "Input/output error"), True),
    "interrupted once": (lambda: InterruptedError(errno.EINTR, "Interrupted system call"), False),
    "killed": (Killed, True),
}


AMID_THE_MOVES = 33  # a call of a second save: after the commit, before the end


@pytest.fixture
def quick_disk(monkeypatch):
    """No real fsync: a process that dies, unlike a machine, leaves what it wrote."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)


def names_in(folder) -> list[str]:
    return [path.name for path in folder.iterdir()]


def no_model_yet(folder) -> bool:
    try:
        load_model(folder)
    except CheckpointError as error:
        return "no model" in str(error)
    return False


def step_of(folder) -> int:
    """The step of the model in a folder, which all its parts must agree on."""
    stored = load_model(folder, verify=True)
    step = stored.training["steps"]
    assert {float(array.flat[0]) for array in stored.tensors().values()} == {float(step)}
    assert stored.tokenizer_files["vocab.json"] == b'["a"]\n'
    return step


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize("failure", FAILURES)
def test_fault_09_a_save_that_fails_at_any_call_leaves_a_whole_model(
    tmp_path, save, monkeypatch, failure
):
    fail, forever = FAILURES[failure]
    for at in range(200):
        folder = tmp_path / str(at)
        save(folder, 1)
        raised = False
        with failing(monkeypatch, at, fail, forever=forever) as clock:
            try:
                save(folder, 2)
            except (CheckpointError, Killed):
                raised = True
        found = step_of(folder)
        assert found in ((1, 2) if raised else (2,))
        save(folder, 3)
        assert (step_of(folder), check_folder(folder)) == (3, [])
        assert not [name for name in names_in(folder) if name.startswith(".")]
        if not clock.fired:
            break
    assert at > 25  # a save makes that many calls; the last round made them all


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize("failure", FAILURES)
def test_fault_09_a_save_after_a_kill_that_fails_at_any_call_leaves_a_whole_model(
    tmp_path, save, monkeypatch, failure
):
    """The second writer finds files half moved, and must not lose them when its disk fails."""
    fail, forever = FAILURES[failure]
    for at in range(200):
        folder = tmp_path / str(at)
        save(folder, 1)
        with failing(monkeypatch, AMID_THE_MOVES, Killed, forever=True), pytest.raises(Killed):
            save(folder, 2)
        assert (folder / ".next" / "manifest.json").exists()
        assert 0 < len(names_in(folder / ".next")) - 1 < 5
        assert step_of(folder) == 2
        raised = False
        with failing(monkeypatch, at, fail, forever=forever) as clock:
            try:
                save(folder, 3)
            except (CheckpointError, Killed):
                raised = True
        assert step_of(folder) in ((2, 3) if raised else (3,))
        if not clock.fired:
            break
    assert at > 25


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize("failure", FAILURES)
def test_fault_09_a_first_save_that_fails_leaves_nothing_that_looks_like_a_model(
    tmp_path, save, monkeypatch, failure
):
    fail, forever = FAILURES[failure]
    for at in range(0, 60, 3):
        folder = tmp_path / str(at)
        try:
            with failing(monkeypatch, at, fail, forever=forever):
                save(folder, 1)
        except (CheckpointError, Killed):
            assert no_model_yet(folder) or step_of(folder) == 1  # it failed after the commit
        else:
            assert step_of(folder) == 1


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize("failure", FAILURES)
def test_fault_09_a_resume_state_is_never_lost(tmp_path, monkeypatch, failure):
    fail, forever = FAILURES[failure]
    for at in range(100):
        folder = tmp_path / str(at)
        folder.mkdir()
        for step in (1, 2):
            save_resume(folder, step, {"w": np.full(3, step)}, {"step": step})
        raised = False
        with failing(monkeypatch, at, fail, forever=forever) as clock:
            try:
                save_resume(folder, 3, {"w": np.full(3, 3)}, {"step": 3})
            except (CheckpointError, Killed):
                raised = True
        found = load_resume(folder)
        assert found.warning is None
        assert found.step in ((2, 3) if raised else (3,))
        assert found.tensors["w"].tolist() == [found.step] * 3
        assert found.state == {"step": found.step}
        save_resume(folder, 4, {"w": np.full(3, 4)}, {"step": 4})
        assert load_resume(folder).step == 4
        assert len(names_in(folder / "resume")) == 4
        if not clock.fired:
            break
    assert at > 10


def test_fault_06_a_full_disk_is_said_in_one_line(tmp_path, save, monkeypatch):
    folder = tmp_path / "model"
    save(folder, 1)
    full = lambda: OSError(errno.ENOSPC, "No space left on device")  # noqa: E731
    with (
        failing(monkeypatch, 8, full, forever=False),
        pytest.raises(CheckpointError) as caught,
    ):
        save(folder, 2)
    assert str(caught.value) == (
        f"disk full while writing {folder}; what was there before is intact: "
        "free some space and try again"
    )


CHILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import numpy as np
    from charlm.store.checkpoint import save_model, save_resume
    folder, step = Path(sys.argv[1]), int(sys.argv[2])
    print("ready", flush=True)
    while True:
        step += 1
        save_model(
            folder, kind="lm", model_config={}, tokenizer_config={},
            tokenizer_files={"vocab.json": b'["a"]\\n'},
            tensors={"w": np.full(20_000, step, np.float32)},
            training={"steps": step}, card="",
        )
        save_resume(folder, step, {"w": np.full(20_000, step)}, {"step": step})
    """
)


def start(folder, step):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(step)], stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"ready\n"
    return child


def kill(child):
    child.kill()
    child.wait()
    child.stdout.close()


def test_fault_02_kill_9_in_the_middle_of_saving_leaves_whole_versions(tmp_path):
    chance = random.Random(0)
    step = resumed_step = 0
    for _ in range(15):
        child = start(tmp_path, step)
        time.sleep(chance.uniform(0.0, 0.12))
        kill(child)
        if step == 0 and no_model_yet(tmp_path):
            continue  # killed before the very first save was done
        found = step_of(tmp_path)
        assert found >= step
        resumed = load_resume(tmp_path)
        if resumed is not None:
            assert resumed.warning is None
            assert resumed_step <= resumed.step <= found
            resumed_step = resumed.step
            assert set(resumed.tensors["w"]) == {resumed.step}
        step = found
    assert step >= resumed_step > 0


def test_fault_24_a_reader_sees_whole_versions_while_a_writer_saves(tmp_path):
    child = start(tmp_path, 0)
    try:
        while not (tmp_path / "manifest.json").exists():
            time.sleep(0.01)
        end, seen = time.monotonic() + 1.0, []
        while time.monotonic() < end:
            seen.append(step_of(tmp_path))
    finally:
        kill(child)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
