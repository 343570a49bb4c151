"""Whether this machine has what charlm needs, and whether a model folder is sound."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from charlm.base.errors import CharlmError
from charlm.store.checkpoint import load_model, load_resume, read_metrics
from charlm.store.folder import NEXT, SAVING, check_folder
from charlm.store.locate import LANGUAGE_MODEL_KINDS, find_model
from charlm.store.lock import require_unlocked
from charlm.store.manifest import BACKWARD, CARD, MANIFEST, read_manifest
from charlm.tasks.doctor_disk import look_at_disk
from charlm.tasks.doctor_machine import look_at_machine
from charlm.tasks.finding import Finding
from charlm.tasks.load import open_model

_OF_EVERY_FOLDER = (MANIFEST, "metrics.jsonl", "resume", ".lock", NEXT, SAVING, BACKWARD)
MAX_NOTES = 20


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelHealth:
    """What was found in a model folder; it is sound where there are no faults."""

    name: str
    folder: str
    sound: bool
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    note: str = ""


def check_machine() -> list[Finding]:
    """Return all that was found out about this machine; a finding may be a problem.

    Imports torch, which takes a second or more, if it is installed.
    """
    return [*look_at_machine(), *look_at_disk()]


def check_model(name: str | None) -> ModelHealth:
    """Return whether a model folder is sound: every file is read, and the model opened.

    Args:
        name: name or folder; None takes the newest.

    Raises:
        CheckpointError: if there is no such folder.
    """
    found = find_model(name)
    folder = found.folder
    faults, notes = _without_card(check_folder(folder), folder)
    faults += [] if faults else _open_faults(folder)
    notes += _notes(folder)
    if not faults and load_model(folder, weights=False).training.get("direction") == "forward":
        _look_at_backward(folder, faults, notes)
    for read in (read_metrics, load_resume):
        try:
            state = read(folder)
        except CharlmError as error:
            faults.append(str(error))
            continue
        warning = getattr(state, "warning", None)
        if warning:
            notes.append(warning)
    return ModelHealth(
        name=folder.resolve().name,
        folder=str(folder),
        sound=not faults,
        faults=tuple(faults),
        notes=tuple(notes[:MAX_NOTES]),
        note=found.how,
    )


def _look_at_backward(folder: Path, faults: list[str], notes: list[str]) -> None:
    """Add what is wrong or unusual about the other half of a bidirectional pair."""
    place = folder.absolute() / BACKWARD
    if not place.is_dir():
        notes.append(f"its backward model is not begun; charlm train --resume --name {folder.name}")
        return
    other = check_model(str(place))
    faults += other.faults
    notes += [f"{BACKWARD}: {note}" for note in other.notes]


def _without_card(faults: list[str], folder: Path) -> tuple[list[str], list[str]]:
    """Part faults from notes: a model card is for people, who may write in it."""
    card = folder / CARD
    others = [fault for fault in faults if not fault.startswith(f"{card} ")]
    edited = len(others) < len(faults)
    return others, [f"{CARD} is not as it was saved; nothing depends on it"] if edited else []


def _open_faults(folder: Path) -> list[str]:
    """Return what is wrong though every checksum is right: the files may not fit each other."""
    try:
        stored = load_model(folder, verify=True)
        if stored.kind in LANGUAGE_MODEL_KINDS:
            open_model(str(folder.resolve()))
        else:
            stored.tensors(floats_only=False)
    except CharlmError as error:
        return [str(error)]
    return []


def _notes(folder: Path) -> list[str]:
    """Return what is unusual about a folder and harmless."""
    notes = []
    try:
        require_unlocked(folder)
    except CharlmError as error:
        return [str(error)]
    if (folder / SAVING).exists():
        notes.append("a save was broken off; the next training clears it away")
    if (folder / NEXT).exists():
        notes.append("a save is whole but not moved into place; the next training does it")
    try:
        known = {*_OF_EVERY_FOLDER, *read_manifest(folder / MANIFEST).files}
        others = sorted(path.name for path in folder.iterdir() if path.name not in known)
    except (CharlmError, OSError):
        return notes  # the faults tell it
    return notes + [f"{name} is no file of the model; it is never opened" for name in others]
