"""What a command is: data from which parsing, help and completion are all derived.

Why no framework: a query has 250 ms from the shell to its first character, of which NumPy takes
half; importing a command-line framework with its validation library took as long again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from charlm.base.errors import CharlmError


class UsageError(CharlmError):
    """The command line cannot be understood; exit status 2."""


class Option(NamedTuple):
    """One option. `name` is its key among the values; it is spelt `--name` with dashes.

    `kind` is str, int, float or bool. A bool is a flag; with `negatable` it can be taken back by
    `--no-name`. An option that `repeats` gives a tuple. `complete` names what a shell may offer:
    model, corpus, file or nothing; `values` does so for fixed words (the command checks them).
    """

    name: str
    help: str
    kind: type = str
    short: str = ""
    default: Any = None
    metavar: str = ""
    values: tuple[str, ...] = ()
    negatable: bool = False
    repeats: bool = False
    complete: str = ""

    @property
    def spelling(self) -> str:
        """The long form, with dashes."""
        return "--" + self.name.replace("_", "-")


class Argument(NamedTuple):
    """One positional argument; one that `repeats` takes all that are left, as a tuple."""

    name: str
    help: str
    required: bool = False
    repeats: bool = False
    complete: str = ""


class Command(NamedTuple):
    """One command: its texts, what it takes, and the function that carries it out.

    `run` gets the values by name and returns the exit status. `examples` are command lines with
    what each does.
    """

    name: str
    summary: str
    run: Callable[[Mapping[str, Any]], int]
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    notes: str = ""


MODEL = Option(
    "model",
    "name or folder of the model (default: the newest, else the bundled one)",
    short="m",
    metavar="NAME",
    complete="model",
)
JSON = Option("json", "print one JSON object a line", kind=bool, default=False)
COMMON = (
    Option("verbose", "tell more on stderr; twice for debugging", kind=bool, short="v", default=0),
    Option("debug", "show the traceback of an error", kind=bool, default=False),
    Option("help", "show this help", kind=bool, short="h", default=False),
)
