"""Facts of the disk under CHARLM_HOME: room, and whether saves and locks work there, tried out."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from charlm.base.errors import CharlmError
from charlm.store.files import write_atomic
from charlm.store.locate import home, list_models
from charlm.tasks.finding import Finding
from charlm.text.corpora import list_corpora

LITTLE_ROOM = 1 << 30
# Between machines, locks and renames may not be what they are on a disk.
NETWORK = ("9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3")


def look_at_disk() -> Iterator[Finding]:
    """Yield where models are kept, how much room there is, and what works there."""
    place = home()
    yield _of("CHARLM_HOME", _shown(place))
    yield _of("models", f"{len(list_models()):,}")
    yield _of("corpora", f"{len(list_corpora()):,}")
    folder = _nearest(place)
    if folder is None:
        yield _of("folder", "is no folder", f"{place} is in the way: set CHARLM_HOME to a folder")
        return
    yield _room(folder)
    yield _kind(folder)
    yield from _trials(folder)


def _shown(place: Path) -> str:
    said = "" if os.environ.get("CHARLM_HOME") else "not set: the current folder, "
    made = "" if place.exists() else " (made when something is kept)"
    return f"{said}{place.absolute()}{made}"


def _nearest(place: Path) -> Path | None:
    """Return the folder, or where it is missing the one that it would be made in."""
    for folder in (place.absolute(), *place.absolute().parents):
        if folder.is_dir():
            return folder
        if os.path.lexists(folder):
            return None
    return None


def _room(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    value = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f} GB"
    problem = "less than 1 GB: free some space" if usage.free < LITTLE_ROOM else ""
    return _of("room", value, problem)


def _kind(folder: Path) -> Finding:
    kind = _file_system(folder)
    problem = ""
    if kind in NETWORK:
        problem = "a network file system: train in one place at a time, locks may not reach others"
    return _of("file system", kind or "unknown", problem)


def _file_system(folder: Path) -> str:
    """Return the kind of the file system that a folder is on, on Linux."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    best, kind = "", ""
    where = str(folder.resolve())
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = fields[1].replace("\\040", " ")
        inside = where == mount or where.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind


def _trials(folder: Path) -> Iterator[Finding]:
    """Try out in a folder of our own what saves and trainings rely on."""
    try:
        place = Path(tempfile.mkdtemp(prefix=".charlm-doctor-", dir=folder))
    except OSError as error:
        problem = f"{folder} may not be written: set CHARLM_HOME to a folder of yours"
        yield _of("writing", f"refused: {error.strerror or error}", problem)
        return
    try:
        for name, trial, remedy in _TRIALS:
            yield _try(name, trial, remedy, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _try(name: str, trial: Callable[[Path], str], remedy: str, place: Path) -> Finding:
    try:
        return _of(name, trial(place))
    except (OSError, CharlmError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return _of(name, f"fails: {reason}", remedy)


def _replacing(place: Path) -> str:
    """A file replaced while it is open: the old reader keeps the old, a new one sees the new."""
    path = place / "file"
    write_atomic(path, b"old")
    with path.open("rb") as reader:
        write_atomic(path, b"new")
        if (reader.read(), path.read_bytes()) != (b"old", b"new"):
            raise OSError("a replaced file changed under its reader")
    left = [one.name for one in place.iterdir() if one.name != "file"]
    if left:
        raise OSError(f"left behind {left[0]}")
    return "atomic, and synced to the disk"


def _folders(place: Path) -> str:
    (place / "a").mkdir()
    (place / "a" / "x").write_bytes(b"x")
    (place / "a").rename(place / "b")
    if (place / "a").exists() or not (place / "b" / "x").is_file():
        raise OSError("a renamed folder is in both places, or in none")
    return "renamed as a whole"


def _locking(place: Path) -> str:
    try:
        import fcntl
    except ImportError:
        return "none on this system: train once at a time in a folder"
    path = place / "lock"
    with path.open("w") as first, path.open("w") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise ValueError("two hold one lock")
    with path.open("w") as third:
        fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return "flock holds, and is free when its holder ends"


def _mapping(place: Path) -> str:
    path = place / "mapped"
    path.write_bytes(b"mapped")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        if view[:] != b"mapped":
            raise OSError("a mapped file reads otherwise")
    return "works"


def _names(place: Path) -> str:
    (place / "Name").write_bytes(b"")
    return "told apart by case" if not (place / "name").exists() else "the same in any case"


_ELSEWHERE = "set CHARLM_HOME to a folder on another disk"
_TRIALS = (
    ("saves", _replacing, _ELSEWHERE),
    ("folders", _folders, _ELSEWHERE),
    ("locks", _locking, "train once at a time in a folder, or " + _ELSEWHERE),
    ("mapped files", _mapping, _ELSEWHERE),
    ("names", _names, _ELSEWHERE),
)


def _of(name: str, value: str, problem: str = "") -> Finding:
    return Finding(topic="disk", name=name, value=value, problem=problem)
