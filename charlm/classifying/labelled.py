"""A text with its label, as a line or row of a file has it."""

from __future__ import annotations

from typing import NamedTuple


class Labelled(NamedTuple):
    """A text with its label; `line` is where it begins in its file, from 1."""

    label: str
    text: str
    line: int
