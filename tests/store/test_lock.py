from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from charlm.base.errors import CheckpointError
from charlm.store import lock as lock_module
from charlm.store.lock import FolderLock

HOLD = """
import sys
from pathlib import Path
from charlm.store.lock import FolderLock
lock = FolderLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"held\n"
    yield child
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()


def test_a_second_process_is_told_who_holds_the_folder_until_it_is_killed(tmp_path, holder):
    with pytest.raises(CheckpointError) as caught:
        FolderLock(tmp_path).acquire()
    message = re.sub(r"since [0-9-]+T[0-9:]+Z", "since TIME", str(caught.value))
    assert message == (
        f"{tmp_path} is in use by process {holder.pid} on {socket.gethostname()} (since TIME); "
        "wait until it ends, or choose another name"
    )
    holder.kill()
    holder.wait()
    with FolderLock(tmp_path) as lock:
        lock.check()


def test_a_lock_is_free_again_after_release_and_the_folder_is_made(tmp_path):
    folder = tmp_path / "new"
    with FolderLock(folder) as first:
        with pytest.raises(CheckpointError, match=f"is in use by process {os.getpid()} on"):
            FolderLock(folder).acquire()
        first.release()
        with FolderLock(folder):
            first.release()
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_lock_file_of_noise_is_no_obstacle_and_names_nobody(tmp_path):
    (tmp_path / ".lock").write_bytes(b"\xff{" * 5000)
    with FolderLock(tmp_path):
        (tmp_path / ".lock").write_bytes(b"\xff{")
        with pytest.raises(CheckpointError, match="is in use by another process; wait"):
            FolderLock(tmp_path).acquire()


def test_a_folder_that_vanishes_is_noticed(tmp_path):
    folder = tmp_path / "run"
    with FolderLock(folder) as lock:
        lock.check()
        shutil.rmtree(folder)
        with pytest.raises(CheckpointError) as caught:
            lock.check()
    assert str(caught.value) == f"{folder} was removed or replaced while it was in use"


def test_a_linked_lock_file_is_not_written_through(tmp_path):
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError) as caught:
        FolderLock(tmp_path).acquire()
    assert str(caught.value) == (
        f"cannot write {tmp_path}: Too many levels of symbolic links; nothing was changed"
    )
    assert not (tmp_path / "elsewhere").exists()


def test_without_locks_in_the_file_system_work_goes_on_with_a_warning(
    tmp_path, monkeypatch, caplog
):
    def refuse(fd, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock_module.fcntl, "flock", refuse)
    with FolderLock(tmp_path):
        pass
    assert "no locks on this file system" in caplog.text


def test_without_fcntl_nothing_is_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(lock_module, "fcntl", None)
    with FolderLock(tmp_path), FolderLock(tmp_path):
        pass
