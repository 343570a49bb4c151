"""Where a training puts its model: the folder of a name, and whether it is free."""

from __future__ import annotations

import contextlib
import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import has_resume, read_summary
from charlm.store.documents import read_json
from charlm.store.files import disk_errors, require_writable
from charlm.store.locate import checkpoints_dir
from charlm.store.lock import LOCK, FolderLock, require_unlocked
from charlm.store.manifest import BACKWARD
from charlm.text.romanize import to_ascii

MOST_NAME_LETTERS = 80  # of 100: a number may follow


def model_folder(name: str) -> Path:
    """Return the folder of the user's model of that name."""
    return checkpoints_dir() / name


def require_free(folder: Path, overwrite: bool, *, can_resume: bool = True) -> None:
    """Raise `CheckpointError` if there is a model that nobody asked to replace, or a training."""
    require_unlocked(folder)
    if is_taken(folder) and not overwrite:
        resume = "--resume to go on with it, " if can_resume and has_resume(folder) else ""
        raise CheckpointError(
            f"{folder} exists; add {resume}--overwrite to replace it, or name another with --name"
        )


def name_after(corpus: str) -> str:
    r"""Return a name that a model may have, after a corpus that may be named in any way.

    Example:
        >>> [name_after(name) for name in ("novel", "Mon été (2)", "\x1b[31mred", "Øre", "红楼梦")]
        ['novel', 'Mon-ete-2', '31mred', 'Ore', 'text']
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", to_ascii(corpus)).strip("._-")
    return name[:MOST_NAME_LETTERS].rstrip("._-") or "text"


def free_name(corpus: str, overwrite: bool) -> str:
    """Return a name after that of the corpus, or that with the first number that is free."""
    wanted = name_after(corpus)
    if overwrite or not is_taken(model_folder(wanted)):
        return wanted
    number = 2
    while is_taken(model_folder(f"{wanted}-{number}")):
        number += 1
    return f"{wanted}-{number}"


def is_taken(folder: Path) -> bool:
    """Return whether there is more in a folder than a lock and a log."""
    return folder.exists() and any(
        path.name not in (".lock", "metrics.jsonl") for path in folder.iterdir()
    )


def newest_unfinished(kind: str = "", noun: str = "") -> Path:
    """Return the folder whose training state is the newest of those that are not finished.

    Args:
        kind: of model, as a state of its training tells; empty for any.
        noun: how messages name such a model, with its article.

    Raises:
        CheckpointError: if there is none.
    """
    patterns = ("*/resume/state-*.json", f"*/{BACKWARD}/resume/state-*.json")
    found = [path for pattern in patterns for path in checkpoints_dir().glob(pattern)]
    for state in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True):
        if kind and _kind_of(state) != kind:
            continue
        folder = checkpoints_dir() / state.relative_to(checkpoints_dir()).parts[0]
        summary = read_summary(folder)
        if summary.unfinished or summary.problem:
            return folder
    what = f"training of {noun}" if noun else "training"
    raise CheckpointError(
        f"nothing to resume: no unfinished {what} in {checkpoints_dir()}; leave out --resume"
    )


def _kind_of(state: Path) -> str:
    """Return the kind of model that a training state is of; empty where it cannot be told."""
    try:
        values = read_json(state).get("state")
    except CheckpointError:
        return ""
    found = values.get("kind", "lm") if isinstance(values, dict) else ""
    return found if isinstance(found, str) else ""


@contextlib.contextmanager
def claimed(name: str | None) -> Iterator[None]:
    """Hold the folder of a new model while it is made, and see at once that it can be written.

    A folder that nothing came into is removed.

    Args:
        name: of the model; where nobody said one, only the folder of all models is tried.

    Raises:
        CheckpointError: if the folder is in use, or may not be written.
    """
    home = checkpoints_dir()
    with disk_errors(home, "nothing was changed"):
        home.mkdir(parents=True, exist_ok=True)
    try:
        if name is None:
            require_writable(home)
            yield
        else:
            with FolderLock(model_folder(name)):
                yield from _held(model_folder(name))
    finally:
        with contextlib.suppress(OSError):  # it stays unless it is empty
            home.rmdir()


def _held(folder: Path) -> Iterator[None]:
    try:
        require_writable(folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            if [path.name for path in folder.iterdir()] == [LOCK]:
                (folder / LOCK).unlink()
                folder.rmdir()


@contextlib.contextmanager
def claimed_last(folder: Path, name: str | None) -> Iterator[None]:
    """Hold a folder that has its name only now; within `claimed` it is held where it was named."""
    with contextlib.nullcontext() if name is not None else FolderLock(folder):
        yield


def lasting(specs: Sequence[str]) -> list[str]:
    """Return what a text is from as it is found from any folder; names of corpora stay.

    To be asked once, when the text is read: later folders may have gone, or others come.

    Example:
        >>> lasting(["python", "-", "/a/b.txt"])
        ['python', '-', '/a/b.txt']
    """
    return [_from_anywhere(spec) if _is_place(spec) else spec for spec in specs]


def _from_anywhere(spec: str) -> str:
    if Path(spec).is_absolute():
        return spec
    here = str(Path.cwd())
    return str(Path(here if Path(spec).exists() else glob.escape(here), spec))


def _is_place(spec: str) -> bool:
    return spec != "-" and (Path(spec).exists() or glob.has_magic(spec))
