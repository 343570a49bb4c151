"""What a bit-identical continuation needs: the last two whole training states of a run.

A state is `resume/state-N.safetensors` (weights, optimizer, averages, random state, data
position: all that is numbers) and `resume/state-N.json` (the step, the rest, and the checksum of
both); N counts saves. No file is ever changed: the numbers are written first, the rename of the
JSON file is the commit, then all but the new state and the one before it are removed. The newest
stays when the run has ended, so that it can be extended; who needs the room may remove `resume/`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from charlm.base.errors import CheckpointError
from charlm.store.documents import dump_json, read_json
from charlm.store.files import (
    clear_strays,
    disk_errors,
    fsync_folder,
    open_regular,
    write_atomic,
)
from charlm.store.manifest import FORMAT, check_format
from charlm.store.tensors import LARGEST, Array, load_buffer, parse_tensors, write_tensors

RESUME = "resume"
_STATE = re.compile(r"state-(\d{1,18})\.json")
_KEYS = {"format", "step", "size", "sha256", "state", "checksum"}


class ResumeState(NamedTuple):
    """A training state; `warning` tells if it is not the newest that was saved."""

    step: int
    tensors: dict[str, Array]
    state: dict[str, Any]
    warning: str | None


def save_resume(
    folder: Path, step: int, tensors: Mapping[str, Array], state: dict[str, Any]
) -> None:
    """Make this the state that `load_resume` returns; the one before stays as a fallback.

    Args:
        folder: the model folder, whose lock the caller holds.
        step: updates done.
        tensors: all that is numbers, exactly.
        state: the rest in plain JSON values.

    Raises:
        CheckpointError: if the disk is full or refuses; the state before is intact.
        ValueError: if `state` holds NaN or an infinity, or a dtype cannot be stored.
    """
    place = folder / RESUME
    dump_json(state)  # a mistake in it shows before anything is written
    _refuse_link(place)
    with disk_errors(place, "the previous training state is intact"):
        place.mkdir(parents=True, exist_ok=True)
        clear_strays(place)
        before = _serials(place)
        serial = max(before, default=0) + 1
    written = write_atomic(_numbers(place, serial), lambda out: write_tensors(out, tensors))
    record = {
        "format": FORMAT,
        "step": step,
        "size": written.size,
        "sha256": written.sha256,
        "state": state,
    }
    record["checksum"] = _checksum(record)
    write_atomic(_json(place, serial), dump_json(record))
    fallback = [other for other in before if _has_its_size(place, other)][:1]
    with contextlib.suppress(OSError):  # the state is safe; old ones only take room
        _drop_all_but(place, {serial, *fallback})


def _refuse_link(place: Path) -> None:
    """Raise where `resume/` leads elsewhere: old states are removed there, and by whose leave?"""
    if place.is_symlink():
        raise CheckpointError(f"{place} is a symbolic link; expected a folder")


def _checksum(record: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in record.items() if key != "checksum"}
    return hashlib.sha256(dump_json(rest)).hexdigest()


def _json(place: Path, serial: int) -> Path:
    return place / f"state-{serial}.json"


def _numbers(place: Path, serial: int) -> Path:
    return place / f"state-{serial}.safetensors"


def _serials(place: Path) -> list[int]:
    """Return the numbers of all committed states, the newest first."""
    if not place.is_dir():
        return []
    matches = (_STATE.fullmatch(name) for name in os.listdir(place))  # noqa: PTH208
    return sorted({int(match[1]) for match in matches if match}, reverse=True)


def _has_its_size(place: Path, serial: int) -> bool:
    try:
        size = read_json(_json(place, serial)).get("size")
        return _numbers(place, serial).lstat().st_size == size
    except (CheckpointError, OSError):
        return False


def _drop_all_but(place: Path, keep: set[int]) -> None:
    names = {path.name for one in keep for path in (_json(place, one), _numbers(place, one))}
    stale = [name for name in sorted(os.listdir(place)) if name not in names]  # noqa: PTH208
    for name in stale:  # sorted: a state's JSON goes before its numbers
        if name.startswith("state-"):
            os.unlink(place / name)  # noqa: PTH108


def has_resume(folder: Path) -> bool:
    """Return whether there is a training state in a folder, whole or not."""
    return bool(_serials(folder / RESUME))


def load_resume(folder: Path) -> ResumeState | None:
    """Return the newest whole training state of a folder, or None if there is none.

    A state that is cut or altered is passed over for the one before, with a warning.

    Raises:
        CheckpointError: if there are states, and none of them is whole.
    """
    place = folder / RESUME
    faults: list[str] = []
    for serial in _serials(place):
        try:
            found = _load(place, serial)
        except CheckpointError as error:
            faults.append(str(error))
            continue
        if faults:
            return found._replace(warning=f"{faults[0]}; going on from step {found.step:,}")
        return found
    if faults:
        raise CheckpointError(f"{faults[0]}; no whole training state is left: use --overwrite")
    return None


def require_array(tensors: Mapping[str, Array], name: str, shape: Sequence[int]) -> Array:
    """Return a copy of an array of numbers with a point out of a state.

    Raises:
        KeyError: if there is none of that name.
        ValueError: if it has another shape or type, or holds what no sound training has.
    """
    array = np.array(tensors[name])
    if array.shape != tuple(shape) or array.dtype.kind != "f":
        raise ValueError(f"{name} has the shape {array.shape} of {array.dtype}")
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(f"{name} holds NaN, or a number beyond {LARGEST:g}")
    return array


def _load(place: Path, serial: int) -> ResumeState:
    path, numbers = _json(place, serial), _numbers(place, serial)
    record = read_json(path)
    check_format(record.get("format"), str(path))
    step, state = record.get("step"), record.get("state")
    if set(record) != _KEYS or type(step) is not int or not isinstance(state, dict):
        raise CheckpointError(f"{path} is no training state")
    if _checksum(record) != record["checksum"]:
        raise CheckpointError(f"{path} was altered: its checksum differs")
    with open_regular(numbers) as fd:
        buffer = load_buffer(fd, numbers, in_memory=False)
    if len(buffer) != record["size"]:
        raise CheckpointError(f"{numbers} is cut or was altered: it has {len(buffer):,} bytes")
    if hashlib.sha256(buffer).hexdigest() != record["sha256"]:
        raise CheckpointError(f"{numbers} was altered: its sha256 differs")
    views = parse_tensors(buffer, str(numbers), widen=False)
    return ResumeState(step, {name: view.copy() for name, view in views.items()}, state, None)


def keep_newest(folder: Path) -> None:
    """Remove all training states but the newest, once its run has ended and its model is saved."""
    place = folder / RESUME
    serials = _serials(place)
    if serials and _has_its_size(place, serials[0]):
        with contextlib.suppress(OSError):  # old ones only take room
            _drop_all_but(place, {serials[0]})


def clear_resume(folder: Path) -> None:
    """Remove the training states of a folder, if it has any.

    Raises:
        CheckpointError: if the system refuses.
    """
    place = folder / RESUME
    if not place.is_dir() or place.is_symlink():
        return
    with disk_errors(place, "nothing else was changed"):
        clear_strays(place)
        _drop_all_but(place, set())
        fsync_folder(place)
        with contextlib.suppress(OSError):  # something of the user's lies in it
            os.rmdir(place)  # noqa: PTH106
