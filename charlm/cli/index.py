"""All commands by name, without importing any: so help and completion answer at once."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import NamedTuple

from charlm.cli.spec import Command, UsageError


class Entry(NamedTuple):
    """Where a command is defined, and its line in the list of commands."""

    module: str
    attribute: str
    summary: str


INDEX: dict[str, Entry] = {
    "train": Entry("train", "TRAIN", "train a language model on text"),
    "sample": Entry("sample", "SAMPLE", "let a model write"),
    "score": Entry("score", "SCORE", "tell how probable a text is"),
    "evaluate": Entry("evaluate", "EVALUATE", "measure a model on held-out text"),
    "models": Entry("models", "MODELS", "list the models"),
    "show": Entry("show", "SHOW", "tell all about one model"),
    "plot": Entry("plot", "PLOT", "draw the loss curves of models"),
    "corpus list": Entry("corpus", "LIST", "list the corpora"),
    "corpus show": Entry("corpus", "SHOW", "tell about one corpus, with its first lines"),
    "corpus add": Entry("corpus", "ADD", "keep a text of your own as a corpus"),
}
# A group's sub-command that may be left out. `train` alone means `train lm`.
DEFAULTS = {"train": "lm"}
GROUPS = tuple(dict.fromkeys([name.split()[0] for name in INDEX if " " in name]))


def load_command(name: str) -> Command:
    """Return the command of that name, importing its module and no other."""
    entry = INDEX[name]
    module = importlib.import_module(f"charlm.cli.{entry.module}")
    command: Command = getattr(module, entry.attribute)
    return command


def names_under(group: str) -> list[str]:
    """Return the sub-commands of a group."""
    return [name.split()[1] for name in INDEX if name.startswith(group + " ")]


def find(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the name of the command that `words` start with, and the words after it.

    A group without a sub-command gives the group's name.

    Raises:
        UsageError: if there is no such command; the message names the nearest.
    """
    first, rest = words[0], list(words[1:])
    if first in GROUPS:
        if not rest or rest[0].startswith("-"):
            return first, rest
        if rest[0] not in names_under(first):
            raise UsageError(_unknown(f"{first} ", rest[0], names_under(first)))
        return f"{first} {rest[0]}", rest[1:]
    if first not in INDEX:
        raise UsageError(_unknown("", first, top_level()))
    if first in DEFAULTS and rest and rest[0] == DEFAULTS[first]:
        rest = rest[1:]
    return first, rest


def top_level() -> list[str]:
    """Return the first words of all commands, in order."""
    return list(dict.fromkeys(name.split()[0] for name in INDEX))


def _unknown(prefix: str, word: str, known: list[str]) -> str:
    from charlm.base.registry import did_you_mean

    near = did_you_mean(word, known)
    return f"no command '{prefix}{word}'{near}; known: {', '.join(known)}"
