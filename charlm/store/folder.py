"""Several files that change together: a reader sees one whole version, the old or the new.

A save writes all files of the new version into `.saving/`, fsyncs them, and renames that folder
to `.next/`: this one rename is the commit. Then the files move up into the model folder one by
one, `manifest.json` last, and the empty `.next/` goes. So at every instant

- the current manifest is `.next/manifest.json` if there is one, else `manifest.json`;
- a file of the version of `.next/` lies there or, once moved, in the model folder;
- a reader opens all files, then looks whether the manifest is still the same, else begins anew.

A writer that is killed leaves a whole old version (before the commit) or a whole new one (after
it); the next writer throws `.saving/` away and finishes the moves. One writer at a time: callers
hold `store.lock.FolderLock`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from charlm.base.errors import CheckpointError
from charlm.store.files import (
    Contents,
    clear_strays,
    disk_errors,
    fsync_folder,
    hash_file,
    open_plain,
    open_regular,
    read_all,
    write_new,
)
from charlm.store.manifest import CARD, MANIFEST, REMEDY, Manifest, dump_manifest, read_manifest

SAVING = ".saving"
NEXT = ".next"
_TRIES = 100


def commit(folder: Path, files: Mapping[str, Contents]) -> None:
    """Make `files` the new version of a model folder, all at once.

    Args:
        folder: made if missing; a symbolic link to a folder is followed and kept.
        files: contents by name; without `manifest.json`, which is written here.

    Raises:
        CheckpointError: if the disk is full or refuses; the version before is intact.
    """
    with disk_errors(folder, "what was there before is intact"):
        folder.mkdir(parents=True, exist_ok=True)
        recover(folder)
        try:
            _stage(folder / SAVING, files)
            os.rename(folder / SAVING, folder / NEXT)  # noqa: PTH104 - through os: see files.py
            fsync_folder(folder)
        except BaseException:
            with contextlib.suppress(OSError):
                _discard(folder)
            raise
    try:
        settle(folder)
    except (OSError, CheckpointError) as error:  # it is durable in .next/ and read from there
        import logging  # a query, which logs nothing, starts 6 ms sooner without

        logging.getLogger(__name__).warning(
            "%s: saved, but its files could not be moved: %s", folder, error
        )


def _stage(staging: Path, files: Mapping[str, Contents]) -> None:
    os.mkdir(staging)  # noqa: PTH102
    written = {name: write_new(staging / name, contents) for name, contents in files.items()}
    write_new(staging / MANIFEST, dump_manifest(written))
    fsync_folder(staging)


def recover(folder: Path) -> None:
    """Finish or undo what a killed writer left; only for the one who may write.

    Raises:
        OSError: if the disk refuses.
        CheckpointError: if the disk cannot be read.
    """
    clear_strays(folder)
    _remove(folder / SAVING)
    if not os.path.lexists(folder / NEXT):
        return
    try:
        manifest = read_manifest(folder / NEXT / MANIFEST)
        faults = _faults(folder, manifest, NEXT)
    except CheckpointError as error:
        faults = [error]
    for fault in faults:
        _require_damage(fault)
    if faults:
        _discard(folder)
    else:
        settle(folder)


def _require_damage(fault: CheckpointError) -> None:
    """Raise a fault of the disk: what cannot be read now may be the only whole version."""
    cause = fault.__cause__
    if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
        raise fault


def settle(folder: Path) -> None:
    """Move the files of a committed version from `.next/` to their places; may be repeated.

    Raises:
        OSError: if the disk refuses; the version is still whole for readers.
        CheckpointError: if there is no committed version.
    """
    new = read_manifest(folder / NEXT / MANIFEST)
    old: set[str] = set()
    with contextlib.suppress(CheckpointError):
        old = set(read_manifest(folder / MANIFEST).files)
    for name in new.files:
        with contextlib.suppress(FileNotFoundError):  # moved before
            os.replace(folder / NEXT / name, folder / name)  # noqa: PTH105
    for name in old - set(new.files):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(folder / name)  # noqa: PTH108
    fsync_folder(folder)  # the manifest must never be there before its files
    os.replace(folder / NEXT / MANIFEST, folder / MANIFEST)  # noqa: PTH105
    fsync_folder(folder)
    os.rmdir(folder / NEXT)  # noqa: PTH106


def _discard(folder: Path) -> None:
    _remove(folder / SAVING)
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder / NEXT, folder / SAVING)  # noqa: PTH104 - uncommitted in one step
    _remove(folder / SAVING)


def _remove(staging: Path) -> None:
    """Remove a folder of plain files, if it is there; a link is removed, not followed."""
    if staging.is_symlink() or staging.is_file():
        os.unlink(staging)  # noqa: PTH108
    elif staging.is_dir():
        for name in os.listdir(staging):  # noqa: PTH208
            os.unlink(staging / name)  # noqa: PTH108
        os.rmdir(staging)  # noqa: PTH106


class Version:
    """The open files of one whole version of a model folder."""

    def __init__(self, folder: Path, manifest: Manifest, fds: Mapping[str, int]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.fds = fds

    def check_size(self, name: str) -> None:
        """Raise `CheckpointError` if a file has not the size that the manifest says."""
        found, wanted = os.fstat(self.fds[name]).st_size, self.manifest.files[name].size
        if found != wanted:
            fault = "is cut" if found < wanted else "was altered"
            raise CheckpointError(
                f"{self.folder / name} {fault}: it has {found:,} bytes, "
                f"{MANIFEST} says {wanted:,}; {REMEDY}"
            )

    def check_sum(self, name: str, sha256: str) -> None:
        """Raise `CheckpointError` if the contents of a file have not the manifest's checksum."""
        if sha256 != self.manifest.files[name].sha256:
            raise CheckpointError(
                f"{self.folder / name} was altered: its sha256 differs from {MANIFEST}; {REMEDY}"
            )

    def read(self, name: str, limit: int, *, verify: bool = True) -> bytes:
        """Return the contents of a file of at most `limit` bytes, checked by the manifest."""
        self.check_size(name)
        data = read_all(self.fds[name], self.folder / name, limit)
        if verify:
            self.check_sum(name, hashlib.sha256(data).hexdigest())
        return data


@contextlib.contextmanager
def open_version(folder: Path) -> Iterator[Version]:
    """Yield the current version of a model folder, its files open.

    Raises:
        CheckpointError: if there is no folder, no model in it, or a file is missing.
    """
    _require_folder(folder)
    with contextlib.ExitStack() as stack:
        yield _open_whole(folder, stack)


def _open_whole(folder: Path, stack: contextlib.ExitStack) -> Version:
    for attempt in range(_TRIES):
        place, manifest = current_manifest(folder)
        with contextlib.ExitStack() as opened:
            problem = None
            fds = {}
            try:
                for name in manifest.files:
                    if name != CARD:  # for people, who may change it: nothing reads it
                        fds[name] = _open_member(folder, place, name)
                        opened.callback(os.close, fds[name])
            except CheckpointError as error:
                problem = error
            if current_manifest(folder)[1].raw == manifest.raw:
                if problem is not None:
                    raise CheckpointError(f"{problem}; {REMEDY}") from problem
                stack.push(opened.pop_all())
                return Version(folder, manifest, fds)
        time.sleep(0.001 * attempt)  # a writer moved files meanwhile
    raise CheckpointError(f"{folder} changes faster than it can be read; try again")


def _open_member(folder: Path, place: str, name: str) -> int:
    if place and os.path.lexists(folder / place / name):
        try:
            return open_plain(folder / place / name)
        except CheckpointError:
            if os.path.lexists(folder / place / name):
                raise  # it is there and no plain file; else it was moved up meanwhile
    return open_plain(folder / name)


def current_manifest(folder: Path) -> tuple[str, Manifest]:
    """Return the manifest that counts now, and the place (`.next` or empty) it was found in."""
    if os.path.lexists(folder / NEXT / MANIFEST):
        with contextlib.suppress(CheckpointError):  # moved up meanwhile, or damaged
            return NEXT, read_manifest(folder / NEXT / MANIFEST)
    if not os.path.lexists(folder / MANIFEST):
        raise CheckpointError(_no_model(folder))
    return "", read_manifest(folder / MANIFEST)


def _require_folder(folder: Path) -> None:
    if not folder.exists():
        raise CheckpointError(f"no model folder {str(folder)!r}")
    if not folder.is_dir():
        with open_regular(folder.resolve()) as fd:
            head = os.read(fd, 4)
        if head[:1] == b"\x80" or head == b"PK\x03\x04":
            raise CheckpointError(
                f"{folder} is a pickle or zip file, refused: charlm never unpickles; "
                "expected a model folder"
            )
        raise CheckpointError(f"{folder} is a file; expected a model folder")


def _no_model(folder: Path) -> str:
    from charlm.store.lock import find_holder  # only here, off the way of every query

    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    holder = find_holder(folder)
    if holder and not holder.startswith(f"process {os.getpid()} "):  # else it is who asks
        return f"{folder} holds no model yet; {holder} is working on it"
    if "resume" in names <= {"resume", "metrics.jsonl"}:
        return (
            f"{folder} holds no model, only a training state; go on with --resume, or train it "
            "again with --overwrite"
        )
    if names - {"metrics.jsonl"}:
        return f"{folder} holds no whole model: it has no {MANIFEST}; {REMEDY}"
    return f"{folder} holds no model: it has no {MANIFEST}; charlm train makes one"


def _faults(folder: Path, manifest: Manifest, place: str) -> list[CheckpointError]:
    """Return what is wrong with the files of a version, each read and checked."""
    faults = []
    for name in manifest.files:
        try:
            _check_file(folder, manifest, place, name)
        except CheckpointError as error:
            faults.append(error)
    return faults


def _check_file(folder: Path, manifest: Manifest, place: str, name: str) -> None:
    fd = _open_member(folder, place, name)
    try:
        version = Version(folder, manifest, {name: fd})
        version.check_size(name)
        version.check_sum(name, hash_file(fd, folder / name))
    finally:
        os.close(fd)


def check_folder(folder: Path) -> list[str]:
    """Return all that is wrong with a model folder, one line a fault; none where it is sound."""
    try:
        _require_folder(folder)
        place, manifest = current_manifest(folder)
    except CheckpointError as error:
        return [str(error)]
    return [str(fault) for fault in _faults(folder, manifest, place)]
