"""What the continuations of trainings have in common: the state to go on from, its settings."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from charlm.base.config import to_json
from charlm.base.errors import CheckpointError, ConfigError
from charlm.store.checkpoint import ResumeState, load_model, load_resume
from charlm.tasks.train_events import Message
from charlm.tasks.train_folder import model_folder, newest_unfinished

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    C = TypeVar("C", bound=DataclassInstance)
else:
    C = TypeVar("C")

LIMITS = ("max_time", "epochs")


def folder_to_resume(name: str | None, kind: str, noun: str) -> Path:
    """Return the folder whose training is to go on: that of a name, else the newest unfinished.

    Args:
        name: of the model, where the user said one.
        kind: of the model.
        noun: how messages name such a model, with its article.

    Raises:
        CheckpointError: if there is none.
    """
    folder = model_folder(name) if name else newest_unfinished(kind, noun)
    if not folder.is_dir():
        raise CheckpointError(f"nothing to resume: there is no {folder}; leave out --resume")
    return folder


def state_to_resume(folder: Path, kind: str, noun: str) -> ResumeState:
    """Return the training state of a folder, whose lock is held.

    Args:
        folder: of the model.
        kind: what it must be of.
        noun: how messages name such a model, with its article.

    Raises:
        CheckpointError: if there is none of that kind, or it is damaged.
    """
    found = load_resume(folder)
    if found is None or found.state.get("kind") != kind:
        raise CheckpointError(
            f"nothing to resume: {folder} holds no unfinished training of {noun}; leave out "
            "--resume and add --overwrite to train it anew"
        )
    return found


def settings_to_resume(old: C, new: C, may_change: Collection[str], noun: str) -> C:
    """Return the settings of a continuation: the old ones, with those of the new that were given.

    One limit of the new takes the place of all limits of the old.

    Args:
        old: of the run to go on with.
        new: what the user said now; a setting that is the default was not given.
        may_change: fields that a continuation may have otherwise.
        noun: how messages name another such model, as `a new tagger`.

    Raises:
        ConfigError: for settings that cannot change under way.
    """
    default = type(new)()
    names = [field.name for field in dataclasses.fields(new)]
    given: dict[str, Any] = {
        name: getattr(new, name) for name in names if getattr(new, name) != getattr(default, name)
    }
    for name, value in given.items():
        if name not in may_change and value != getattr(old, name):
            raise ConfigError(
                f"{name} is {getattr(old, name)!r} in the run to go on with; leave it out, or "
                f"train {noun} with another --name"
            )
    freed = dict.fromkeys(LIMITS) if any(name in given for name in LIMITS) else {}
    return dataclasses.replace(old, **{**freed, **given})


def nothing_done(step: int, config: Any) -> Message:
    """Return what tells that a continuation ended where it began: its limit had been reached."""
    named = [(name, getattr(config, name)) for name in LIMITS]
    said = " and ".join(f"--{name.replace('_', '-')} {v}" for name, v in named if v is not None)
    asked = f"by {said}" if said else "by the epochs that suit the texts"
    return Message(
        text=f"no update was made: step {step:,} is the end {asked}; give a larger --epochs or "
        "--max-time to go on",
        warning=True,
    )


def words_checksum(*lists: Sequence[str]) -> str:
    """Return a checksum of the words, and of what else has rows, in the order of their rows."""
    digest = hashlib.sha256()
    for words in lists:
        digest.update(f"{len(words)}\n".encode())
        digest.update("\n".join(words).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def require_same_words(folder: Path, before: object, now: str, noun: str) -> None:
    """Raise `CheckpointError` if rows that were learnt are not those of the words as they are now.

    Args:
        folder: of the model.
        before: the checksum of its state; None in states that have none, which are taken.
        now: the checksum of the words now.
        noun: how messages name another such model, as `a new tagger`.
    """
    if before is not None and before != now:
        raise CheckpointError(
            f"the words have changed since {folder} was begun (their checksum differs); bring the "
            f"old --vectors or --from back, or train {noun} with --name"
        )


def require_something_left(folder: Path, found: ResumeState, merged: Any) -> None:
    """Raise `CheckpointError` if the run has ended, and nothing new is asked of it.

    A run that was killed when all was learnt, but not yet saved, has not ended.
    """
    asked = to_json(merged)
    if asked != found.state.get("config"):
        return
    try:
        training = load_model(folder, weights=False).training
    except CheckpointError:  # its damage is no loss: a state is there
        return
    is_its_own = training.get("config") == asked and training.get("steps") == found.step
    if is_its_own and training.get("finished") is True:
        raise CheckpointError(
            f"{folder} is finished (step {found.step:,}); to extend it, give a larger --epochs or "
            "--max-time"
        )
