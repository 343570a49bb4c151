"""Faults 6 to 12 and 23 to 28: full, broken, read-only, linked and vanished folders; no memory."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from injection import failing

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import load_model, load_resume, read_metrics
from charlm.store.folder import check_folder
from charlm.tasks.train import train_language_model
from charlm.tasks.train_events import Message, StepRecord
from charlm.training.config import TrainConfig

SMALL = {
    "hidden_size": 8,
    "embedding_dim": 4,
    "batch_size": 4,
    "bptt": 8,
    "precision": "float32",
    "threads": 1,
}
ERRORS = {
    "ENOSPC": OSError(errno.ENOSPC, "No space left on device"),
    "EIO": OSError(errno.EIO, "Input/output error"),
    "EINTR": InterruptedError(errno.EINTR, "Interrupted system call"),
}


def train(home, name="run", **options):
    settings = TrainConfig(**SMALL | {"max_steps": 20, "save_every": "0.001s"} | options)
    return train_language_model([str(home / "cats.txt")], settings, name=name)


def resumed(name="run"):
    return list(train_language_model([], TrainConfig(), name=name, resume=True))


@pytest.mark.parametrize("error", ERRORS)
def test_fault_09_a_training_that_fails_at_any_call_keeps_a_whole_model_and_goes_on(
    home_of_cats, monkeypatch, error
):
    """Some two hundred calls of saves in a thread, of the log and of the lock; each seventh."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    offset = list(ERRORS).index(error)
    for at in range(offset, 140, 7):
        name = f"{error}{at}"
        folder = home_of_cats / "checkpoints" / name
        with (
            failing(monkeypatch, at, lambda: ERRORS[error], forever=False) as calls,
            contextlib.suppress(CheckpointError),
        ):
            list(train(home_of_cats, name))
        assert calls.fired
        if load_state(folder) is None:  # the very first save failed
            continue
        assert check_folder(folder) == []
        model, state = load_model(folder, verify=True), load_resume(folder)
        assert state.step <= model.training["steps"] or model.training["steps"] == 0
        if model.training["finished"] is not True:
            assert resumed(name)[-1].steps == 20


def load_state(folder):
    return load_resume(folder) if folder.is_dir() else None


def test_fault_06_a_full_disk_at_a_save_is_one_line_and_the_old_model_stays(
    home_of_cats, monkeypatch
):
    events = train(home_of_cats, max_steps=100_000, save_every="0.05s")
    for event in events:
        if isinstance(event, StepRecord):
            break
    folder = home_of_cats / "checkpoints" / "run"
    with (
        failing(monkeypatch, 3, lambda: ERRORS["ENOSPC"], forever=True, calls=("write",)),
        pytest.raises(CheckpointError) as caught,
    ):
        list(events)
    assert str(caught.value).startswith("disk full while writing ")
    assert str(caught.value).endswith(
        "what was there before is intact: free some space; "
        "then go on with: charlm train --resume --name run"
    )
    assert check_folder(folder) == []
    step = load_resume(folder).step
    assert resumed_to(step + 5) == step + 5


def resumed_to(steps):
    config = TrainConfig(max_steps=steps)
    return list(train_language_model([], config, name="run", resume=True))[-1].steps


def test_fault_06_a_full_file_system_exits_1_with_one_line(server, small):
    """A real one of 1 MB, where the system lets us mount it."""
    import subprocess

    mount = server.home / "full"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(mount)], capture_output=True
    )
    if made.returncode:
        pytest.skip("mounting a file system needs rights that we lack")
    try:
        (mount / "folder").mkdir()
        link = server.home / "checkpoints" / "full"
        link.symlink_to(mount / "folder", target_is_directory=True)
        argv = ("train", "cats.txt", "-o", "full", *small, "--threads", 1)
        (mount / "ballast").write_bytes(bytes(120 << 10))
        status, _, err = server.run(*argv, "--max-steps", 100_000, "--save-every", "0.05s")
        assert status == 1
        assert err.splitlines()[-1].startswith("charlm: disk full while writing ")
        (mount / "ballast").unlink()
        assert check_folder(link) == []
        step = load_resume(link).step
        status, _, err = server.run("train", "--resume", "-o", "full", "--max-steps", step + 3)
        assert status == 0, err
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)


def test_fault_07_a_full_disk_in_the_log_costs_records_and_one_warning(home_of_cats, monkeypatch):
    with failing(monkeypatch, 0, lambda: ERRORS["ENOSPC"], forever=True, calls=("pwrite",)):
        events = list(train(home_of_cats))
    path = home_of_cats / "checkpoints" / "run" / "metrics.jsonl"
    warnings = [event.text for event in events if isinstance(event, Message) and event.warning]
    assert warnings == [
        f"cannot write {path}: No space left on device; training goes on without it"
    ]
    assert events[-1].steps == 20
    assert read_metrics(path.parent) == []


def test_fault_08_a_read_only_folder_is_refused_before_the_first_step(server, small):
    """As a user without rights: root may write anywhere."""
    user = None if os.getuid() != 0 else 65534
    home = Path(tempfile.mkdtemp(prefix="charlm-read-only-"))
    try:
        home.chmod(0o755)
        (home / "checkpoints" / "fixed").mkdir(parents=True)
        (home / "checkpoints" / "fixed").chmod(0o555)
        (home / "cats.txt").write_text("the cat sat on the mat.\n" * 40)
        argv = ("train", home / "cats.txt", "-o", "fixed", *small, "--max-steps", 5)
        status, _, err = server.run(*argv, user=user, home=str(home))
        folder = home / "checkpoints" / "fixed"
        assert status == 1
        assert err == f"charlm: cannot write {folder}: Permission denied; nothing was changed\n"
        assert list(folder.iterdir()) == []
    finally:
        shutil.rmtree(home)


def test_fault_08_a_model_that_cannot_be_replaced_is_told_before_the_first_step(
    home_of_cats, monkeypatch
):
    list(train(home_of_cats))
    settings = TrainConfig(**SMALL | {"max_steps": 5})
    events = train_language_model(
        [str(home_of_cats / "cats.txt")], settings, name="run", overwrite=True
    )
    seen = []
    refused = OSError(errno.EROFS, "Read-only file system")
    with (
        failing(monkeypatch, 1, lambda: refused, forever=True, calls=("open",)),
        pytest.raises(CheckpointError, match="Read-only file system; nothing was changed"),
    ):
        seen.extend(events)
    assert not any(isinstance(event, StepRecord) for event in seen)


def test_fault_10_a_second_training_in_one_folder_exits_1_naming_process_and_host(server, small):
    import socket

    argv = ("train", "cats.txt", "-o", "shared", *small, "--threads", 1)
    first = server.start(*argv, "--max-steps", 10_000_000)
    first.wait_for_step("shared")
    try:
        for more in ([], ["--overwrite"], ["--resume"]):
            status, _, err = server.run(*argv, *more)
            assert status == 1
            assert f"shared is in use by process {first.pid} on {socket.gethostname()} (" in err
            assert len(err.splitlines()) == 1
    finally:
        first.kill()


def test_fault_12_a_model_is_replaced_only_on_request(home_of_cats):
    list(train(home_of_cats))
    with pytest.raises(CheckpointError, match=r"run exists; add --resume .* --overwrite"):
        list(train(home_of_cats))


def test_fault_13_a_changed_text_or_form_is_refused_a_changed_rate_recorded(home_of_cats):
    events = train(home_of_cats, max_steps=100)
    next(event for event in events if isinstance(event, StepRecord))
    events.close()
    folder = home_of_cats / "checkpoints" / "run"
    with pytest.raises(Exception, match=r"cannot change --cell gru \(it is lstm\)"):
        list(train_language_model([], TrainConfig(cell="gru"), name="run", resume=True))
    (home_of_cats / "other.txt").write_text("quite another text\n" * 100)
    other = [str(home_of_cats / "other.txt")]
    with pytest.raises(CheckpointError, match="the corpus has changed since"):
        list(train_language_model(other, TrainConfig(), name="run", resume=True))
    list(train_language_model([], TrainConfig(learning_rate=0.01), name="run", resume=True))
    history = load_model(folder).training["history"]
    assert [line["what"] for line in history] == ["begun", "resumed", "finished"]
    assert history[1]["changed"] == {"learning_rate": [None, 0.01]}


def test_a_finished_run_is_extended_by_a_larger_limit(home_of_cats):
    list(train(home_of_cats))
    folder = home_of_cats / "checkpoints" / "run"
    with pytest.raises(CheckpointError) as caught:
        resumed()
    assert str(caught.value) == (
        f"{folder} is finished (--max-steps 20, step 20); to extend it, give a larger --max-time, "
        "--epochs or --max-steps"
    )
    assert load_model(folder).training["steps"] == 20
    assert resumed_to(50) == 50
    stored = load_model(folder)
    assert stored.training["steps"] == 50
    assert [line["what"] for line in stored.training["history"]] == [
        "begun",
        "finished",
        "resumed",
        "finished",
    ]
    assert [r["step"] for r in read_metrics(folder) if r["kind"] == "step"] == [10, 20, 30, 40, 50]


def test_fault_04_a_torn_model_is_made_again_from_the_training_state(home_of_cats):
    events = train(home_of_cats, max_steps=100)
    next(event for event in events if isinstance(event, StepRecord))
    events.close()
    folder = home_of_cats / "checkpoints" / "run"
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is cut"):
        load_model(folder)
    assert resumed()[-1].steps == 100
    assert check_folder(folder) == []


def test_fault_23_too_little_memory_is_one_line_and_the_old_model_stays(server, small):
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not say how much memory a process uses")
    # few units and many tokens: its arrays are so large that malloc returns each to the system
    sizes = ("--hidden-size", 64, "--batch-size", 512, "--bptt", 512, "--precision", "float32")
    argv = ("train", "cats.txt", "-o", "poor", *sizes, "--max-steps", 20, "--threads", 1)
    child = server.start(*argv, limit_memory=16 << 20)
    status, _, err = child.end()
    assert status == 1
    assert (
        "charlm: out of memory with 512 streams of 512 tokens on cpu; try --batch-size 256" in err
    )
    assert "is intact" in err.splitlines()[-1]
    assert check_folder(server.home / "checkpoints" / "poor") == []


def test_fault_25_a_folder_removed_while_training_is_an_error_at_the_next_save(home_of_cats):
    events = train(home_of_cats, max_steps=100_000, save_every="0.05s")
    next(event for event in events if isinstance(event, StepRecord))
    folder = home_of_cats / "checkpoints" / "run"
    for thread in threading.enumerate():
        if thread.name == "save":  # one under way would finish in a new folder
            thread.join()
    shutil.move(folder, home_of_cats / "elsewhere")
    with pytest.raises(CheckpointError, match="run was removed or replaced while it was in use"):
        list(events)
    assert not folder.exists()


def test_fault_26_linked_folders_are_followed_and_kept(home_of_cats):
    for name in ("disk", "disk/run"):
        (home_of_cats / name).mkdir()
    (home_of_cats / "disk" / "checkpoints").mkdir()
    (home_of_cats / "checkpoints").symlink_to(home_of_cats / "disk" / "checkpoints")
    (home_of_cats / "checkpoints" / "run").symlink_to(home_of_cats / "disk" / "run")
    list(train(home_of_cats))
    assert (home_of_cats / "checkpoints").is_symlink()
    assert (home_of_cats / "checkpoints" / "run").is_symlink()
    assert check_folder(home_of_cats / "disk" / "run") == []
    resume = home_of_cats / "disk" / "run" / "resume"
    shutil.rmtree(resume)
    outside = home_of_cats / "outside"
    outside.mkdir()
    (outside / "state-1.json").write_text("{}")
    resume.symlink_to(outside)
    with pytest.raises(CheckpointError):
        list(train_language_model([], TrainConfig(max_steps=40), name="run", resume=True))
    assert [path.name for path in outside.iterdir()] == ["state-1.json"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_fault_28_every_file_has_the_mode_that_the_umask_gives(home_of_cats, mask):
    before = os.umask(mask)
    try:
        list(train(home_of_cats))
    finally:
        os.umask(before)
    folder = home_of_cats / "checkpoints" / "run"
    for path in [folder, *folder.rglob("*")]:
        wanted = (0o777 if path.is_dir() else 0o666) & ~mask
        assert oct(stat.S_IMODE(path.stat().st_mode)) == oct(wanted), path
