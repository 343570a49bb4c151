"""The registry of commands: dispatch, `/help` and completion all follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from charlm.base.errors import ConfigError
from charlm.base.registry import did_you_mean
from charlm.repl.parsing import split_options
from charlm.repl.session import Session

Options = Mapping[str, str]
ONLY_SETTINGS = "[--SETTING VALUE]…"
Run = Callable[[Session, str, Options], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A command of the session.

    Attributes:
        name: without its slash.
        usage: its arguments, as /help shows them.
        help: what it does, in a few words.
        run: does it, given the session, what stands behind the command, and its options.
        options: names without dashes; True for those that take a value.
        completes: what its arguments are: "model", "setting", "command", "file", "word",
            "training", or "" for text.
        verbatim: blanks and line ends in front of its text belong to it.
    """

    name: str
    usage: str
    help: str
    run: Run
    options: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    completes: str = ""
    verbatim: bool = False

    def takes_text(self) -> bool:
        """Tell whether anything but options may stand behind the command."""
        return self.usage not in ("", ONLY_SETTINGS)


COMMANDS: dict[str, Command] = {}


def command(
    name: str,
    usage: str,
    help: str,
    *,
    options: Mapping[str, bool] | None = None,
    completes: str = "",
    verbatim: bool = False,
) -> Callable[[Run], Run]:
    """Return a decorator that registers a function as a command."""

    def add(run: Run) -> Run:
        if name in COMMANDS:
            raise ValueError(f"command {name!r} is registered twice")
        COMMANDS[name] = Command(name, usage, help, run, options or {}, completes, verbatim)
        return run

    return add


def run_command(session: Session, name: str, rest: str) -> None:
    """Carry out a command.

    Raises:
        ConfigError: if there is none of that name, or its options are wrong.
    """
    found = find_command(name)
    rest = rest if found.verbatim else rest.strip()
    options, rest = split_options(rest, dict(found.options)) if found.options else ({}, rest)
    if rest and not found.takes_text():
        raise ConfigError(f"/{found.name} takes no text, got {rest[:40]!r}; /help {found.name}")
    found.run(session, rest, options)


def find_command(name: str) -> Command:
    """Return the command of a name, or of the only one that begins so.

    Raises:
        ConfigError: if there is none; near misses are named.
    """
    if name in COMMANDS:
        return COMMANDS[name]
    begun = [one for one in COMMANDS if one.startswith(name)]
    if len(begun) == 1:
        return COMMANDS[begun[0]]
    if begun:
        raise ConfigError(f"/{name[:40]} may be {', '.join(f'/{one}' for one in begun)}")
    near = did_you_mean(f"/{name[:40]}", [f"/{one}" for one in COMMANDS])
    raise ConfigError(f"no command '/{name[:40]}'{near}; /help lists them")
