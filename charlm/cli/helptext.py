"""Help pages, drawn from the command specifications."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence

from charlm.cli.index import DEFAULTS, INDEX
from charlm.cli.spec import COMMON, Argument, Command, Option
from charlm.render.console import bold, out, width

WIDEST = 90
_NAMES = {int: "N", float: "X", str: "TEXT", bool: ""}

ABOUT = "Small recurrent language models: train on your own text, then sample, score and compare."
FIRST_STEPS = (
    ("charlm train", "a good model of the built-in corpus, in about a minute"),
    ("charlm train lm novel.txt --max-time 3m", "the same on a text of your own"),
    ('charlm sample "def " -n 400', "let the newest model write"),
    ('charlm score "I like apples" "like I apples"', "which is likelier?"),
)
TOP_OPTIONS = (
    *COMMON,
    Option("version", "show the version", kind=bool, default=False),
    Option("show_completion", "print the completion script of a shell", metavar="bash|zsh|fish"),
    Option("install_completion", "install it for a shell", metavar="bash|zsh|fish"),
)


def _limit() -> int:
    columns = width(sys.stdout) or _set_columns() or WIDEST
    return max(16, min(columns, WIDEST))


def _set_columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() else 0


def show_top_help() -> None:
    """Write the page of `charlm --help`."""
    out(_fill("Usage: charlm COMMAND [OPTIONS] [ARGUMENTS]"))
    out()
    out(_fill(ABOUT))
    _section("Commands", [(name, entry.summary) for name, entry in INDEX.items()])
    _section("Options", [(_left(option), option.help) for option in TOP_OPTIONS])
    _examples(FIRST_STEPS)
    out()
    out(_fill("charlm COMMAND --help tells more. Exit status: 0 done, 1 failed, 2 usage."))


def show_group_help(group: str) -> None:
    """Write the page of a group of commands."""
    out(_fill(f"Usage: charlm {group} COMMAND [OPTIONS] [ARGUMENTS]"))
    rows = [(name, e.summary) for name, e in INDEX.items() if name.startswith(group + " ")]
    _section("Commands", rows)
    first = rows[0][0]
    _examples(((f"charlm {first}", rows[0][1]),))


def show_help(command: Command) -> None:
    """Write the page of one command."""
    arguments = " ".join(_usage(argument) for argument in command.arguments)
    name = command.name
    if name in DEFAULTS:
        name = f"{name} [{DEFAULTS[name]}]"
    out(_fill(f"Usage: charlm {name} [OPTIONS] {arguments}".rstrip()))
    out()
    out(_fill(f"{command.summary[0].upper()}{command.summary[1:]}."))
    if command.notes:
        out(_fill(command.notes))
    if command.arguments:
        _section("Arguments", [(a.name.upper(), a.help) for a in command.arguments])
    options = (*command.options, *COMMON)
    _section("Options", [(_left(option), _help(option)) for option in options])
    _examples(command.examples)


def _usage(argument: Argument) -> str:
    name = argument.name.upper() + ("…" if argument.repeats else "")
    return name if argument.required else f"[{name}]"


def _left(option: Option) -> str:
    short = f"-{option.short}, " if option.short else "    "
    value = option.metavar or _NAMES[option.kind]
    if option.values and not option.metavar:
        value = "|".join(option.values)
    spelling = option.spelling
    if option.negatable:
        spelling = f"--[no-]{spelling[2:]}"
    return f"{short}{spelling}{' ' + value if value else ''}"


def _help(option: Option) -> str:
    if option.repeats:
        return f"{option.help} (may be repeated)"
    if option.default in (None, False, "", ()) or option.name == "verbose":
        return option.help
    if option.default is True:
        return f"{option.help} [on]"
    return f"{option.help} [{option.default}]"


def _section(title: str, rows: Sequence[tuple[str, str]]) -> None:
    out()
    out(bold(f"{title}:", sys.stdout), trusted=True)
    limit = _limit()
    column = min(max(len(left) for left, _ in rows) + 4, 34)
    for left, right in rows:
        out("\n".join(_row(left, right, column, limit)))


def _row(left: str, right: str, column: int, limit: int) -> list[str]:
    if limit < column + 20:  # a narrow terminal: the help under its option
        under = textwrap.wrap(right, limit - 4, break_long_words=False)
        return [f"  {left.strip()}", *[f"    {line}" for line in under]]
    lines = textwrap.wrap(right, limit - column) or [""]
    head = f"  {left}"
    if len(head) + 2 > column:
        return [head, *[" " * column + line for line in lines]]
    return [head.ljust(column) + lines[0], *[" " * column + line for line in lines[1:]]]


def _examples(examples: Sequence[tuple[str, str]]) -> None:
    out()
    out(bold("Examples:", sys.stdout), trusted=True)
    for line, what in examples:
        out(f"  $ {line}")
        out(f"      {what}")


def _fill(text: str) -> str:
    return textwrap.fill(text, _limit(), break_long_words=False, break_on_hyphens=False)
