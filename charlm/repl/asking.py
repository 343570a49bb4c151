"""Which command of a session asks a model of which kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charlm.base.errors import CharlmError, CheckpointError, TaskError

if TYPE_CHECKING:
    from charlm.tasks.load import OpenModel

_ASKED_BY = {
    "vectors": ("/neighbors", "WORD", "word vectors"),
    "speller": ("/spell", "TEXT", "a speller"),
    "tagger": ("/tag", "TEXT", "a tagger"),
    "classifier": ("/classify", "TEXT", "a classifier"),
}


def open_writer(name: str | None) -> OpenModel:
    """Return the model of that name, which writes and scores; None takes the newest.

    Raises:
        CheckpointError: if there is none, or it is damaged.
        TaskError: if it is of a kind that another command asks, naming that.
    """
    from charlm.tasks.load import open_model

    try:
        return open_model(name)
    except CheckpointError as error:
        kind = _kind(name)
        if name is None or kind not in _ASKED_BY:
            raise
        command, takes, what = _ASKED_BY[kind]
        shown = f'"{name}"' if " " in name else name
        raise TaskError(
            f"{name!r} holds {what}, which cannot write; {command} --model {shown} {takes} asks it"
        ) from error


def _kind(name: str | None) -> str:
    from charlm.tasks.kinds import model_kind

    try:
        return model_kind(name) if name is not None else ""
    except (CharlmError, OSError):
        return ""
