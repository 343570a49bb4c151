"""Opening the model that a command works with, and saying which one where nobody named it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charlm.render.console import talk

if TYPE_CHECKING:
    from charlm.tasks.load import OpenModel


def open_chosen(name: str | None) -> OpenModel:
    """Return the model of that name; without one say on stderr which was taken."""
    from charlm.tasks.load import open_model

    opened = open_model(name)
    say_note(opened.note)
    return opened


def say_note(note: str) -> None:
    """Say on stderr which model was taken, if nobody named one."""
    if note:
        talk(f"charlm: {note}")
