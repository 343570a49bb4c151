"""Text before the cursor -> what may stand there. No terminal is needed to ask."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from charlm.base.config import settings_of
from charlm.base.errors import CharlmError
from charlm.generation.sampling import SamplingConfig
from charlm.render.console import sanitize
from charlm.repl.commands import COMMANDS, Command
from charlm.repl.kept import words_that_begin
from charlm.repl.parsing import QUOTES
from charlm.repl.session import Session

MOST_FILES = 200
MOST_WORDS = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Suggestion:
    """A text for the place of the last `replaces` characters, and what to say of it."""

    text: str
    replaces: int = 0
    about: str = ""


def is_command(text: str) -> bool:
    """Return whether a line is a command, and no text for the model."""
    return text.startswith("/") and not text.startswith("//")


def asks_model(text: str) -> bool:
    """Return whether the model is asked how a command line may go on."""
    name, blank, rest = text[1:].partition(" ")
    if not blank or name not in COMMANDS or COMMANDS[name].completes:
        return False
    *before, word = rest.split(" ")
    return not word.startswith("--") and not (before and before[-1] == "--model")


def suggest(session: Session, text: str, *, asked: bool) -> Iterator[Suggestion]:
    """Yield what may stand behind `text`.

    Args:
        asked: the user pressed Tab; then the model, too, is asked how a half word ends.
    """
    if not is_command(text):
        if asked:
            yield from _words(session, text.removeprefix(QUOTES))
        return
    name, blank, rest = text[1:].partition(" ")
    if not blank:
        for one in COMMANDS.values():
            if one.name.startswith(name):
                yield Suggestion(f"/{one.name}", len(text), one.help)
    elif name in COMMANDS:
        yield from _arguments(session, COMMANDS[name], rest, asked=asked)


def _arguments(
    session: Session, command: Command, rest: str, *, asked: bool
) -> Iterator[Suggestion]:
    *before, word = rest.split(" ")
    if command.completes == "training":
        yield from _training(session, before, word, asked=asked)
    elif word.startswith("--"):
        for option in command.options:
            if f"--{option}".startswith(word) and f"--{option}" not in before:
                yield Suggestion(f"--{option}", len(word))
    elif (before and before[-1] == "--model") or command.completes == "model":
        yield from _models(word, asked=asked)
    elif command.completes == "word":
        model = _value(before, "--model")
        if word and not (before and before[-1] == "--top-n"):
            yield from _vocabulary(session, model, word)
    elif command.completes == "setting":
        if not before:
            settings = settings_of(SamplingConfig)
            yield from _named(
                word, {name: about.help for name, about in settings.items()}, asked=asked
            )
    elif command.completes == "command":
        yield from _named(word, {one.name: one.help for one in COMMANDS.values()}, asked=asked)
    elif command.completes == "file":
        yield from _files(rest)
    elif asked and not command.completes and rest:
        yield from _words(session, rest)


def _named(word: str, known: dict[str, str], *, asked: bool) -> Iterator[Suggestion]:
    for name, about in known.items():
        if name.startswith(word) and (asked or name != word):
            yield Suggestion(name, len(word), about)


def _models(word: str, *, asked: bool) -> Iterator[Suggestion]:
    """Yield models by name; behind a slash, folders."""
    from charlm.store.locate import list_models

    if os.sep in word:
        yield from _files(word)
    for folder in list_models():
        name = f'"{folder.name}"' if " " in folder.name else folder.name
        if folder.name.startswith(word.removeprefix('"')) and (asked or name != word):
            yield Suggestion(name, len(word), "model")


def _value(words: list[str], option: str) -> str | None:
    """Return what stands behind an option."""
    return words[words.index(option) + 1] if option in words[:-1] else None


def _training(
    session: Session, before: list[str], word: str, *, asked: bool
) -> Iterator[Suggestion]:
    """Yield what `charlm train` takes here, as a shell offers it."""
    found = session.complete_training([one for one in before if one], word)
    if found is None:
        yield from _files(word)
        return
    for text, about in found:
        if asked or text != word:
            yield Suggestion(text, len(word), about)


def _vocabulary(session: Session, model: str | None, word: str) -> Iterator[Suggestion]:
    """Yield words that have a vector, the most frequent first."""
    try:
        space = session.others.spaces.open(model).space
    except (CharlmError, OSError):
        return
    half = word.lower() if space.lowercase else word
    for one in itertools.islice(words_that_begin(space.words, half), MOST_WORDS):
        if sanitize(one) == one and one != half:
            yield Suggestion(one, len(word))


def _files(text: str) -> Iterator[Suggestion]:
    folder, name = os.path.split(text)
    try:
        found = sorted(Path(folder or ".").expanduser().iterdir())[:MOST_FILES]
    except (OSError, RuntimeError):
        return
    for path in found:
        if path.name.startswith(name) and (name or not path.name.startswith(".")):
            slash = os.sep if path.is_dir() else ""
            yield Suggestion(path.name + slash, len(name))


def _words(session: Session, text: str) -> Iterator[Suggestion]:
    """Yield the likeliest ends of a half word, as whole words to see; nothing if none is known."""
    from charlm.tasks.complete import complete_word

    opened = session.ready()
    if opened is None:
        return
    half = text.rsplit(None, 1)[-1] if text and not text[-1].isspace() else ""
    try:
        with session.guessing():
            ends = complete_word(opened, text)
    except CharlmError:
        return
    for end in ends:
        if sanitize(end) == end and "\n" not in end:
            yield Suggestion(half + end, len(half))


def guess(session: Session, text: str) -> str:
    """Return how the model would go on, for a ghost behind the cursor; "" for nothing to show."""
    from charlm.tasks.complete import guess_next

    opened = session.ready()
    if opened is None or is_command(text) or not text.strip():
        return ""
    try:
        with session.guessing() as is_wanted:
            found = guess_next(opened, text.removeprefix(QUOTES), is_wanted=is_wanted)
    except CharlmError:
        return ""
    found = found.split("\n", 1)[0]
    return found if sanitize(found) == found and "\t" not in found else ""
