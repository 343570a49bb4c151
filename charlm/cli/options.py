"""A config class to Click options and back: a field with help and bounds is all an option takes."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import click

from charlm.base.config import settings_of
from charlm.base.errors import ConfigError
from charlm.base.registry import did_you_mean
from charlm.cli.completion import complete_model

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])


class Word(click.Choice[str]):
    """One of a few words; a wrong one is told with the nearest right one."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return the message for a word that is none of them."""
        near = did_you_mean(str(value), self.choices)
        return f"{value!r} is not one of {', '.join(self.choices)}{near}"


json_option = click.option("--json", "as_json", is_flag=True, help="print one JSON object a line")
encoding_option = click.option(
    "--encoding-errors",
    type=Word(("strict", "replace", "skip")),
    default="strict",
    show_default=True,
    help="what to do with invalid UTF-8",
)
model_option = click.option(
    "-m",
    "--model",
    metavar="NAME",
    shell_complete=complete_model,
    help="name or folder of the model (default: the newest, else the bundled one)",
)


def options_from(
    config_class: type,
    *,
    short: Mapping[str, str] | None = None,
    complete: Mapping[str, Any] | None = None,
    leave_out: Collection[str] = (),
) -> Callable[[F], F]:
    """Return a decorator that adds an option for every field that has a `Setting`.

    The config itself checks the ranges, in `config_from`.

    Args:
        config_class: a dataclass as `base.config` describes.
        short: one-letter spellings by field.
        complete: by field, what offers values to a shell (Click's `shell_complete`).
        leave_out: fields that take no option.
    """
    hints = typing.get_type_hints(config_class)
    defaults = {field.name: field.default for field in dataclasses.fields(config_class)}
    options = []
    for name, about in settings_of(config_class).items():
        if name in leave_out:
            continue
        kind, repeats = _kind(hints[name])
        spelling = "--" + name.replace("_", "-")
        if kind is bool:
            spelling = f"{spelling}/--no-{spelling[2:]}"
        spellings = [f"-{short[name]}"] if short and name in short else []
        option = click.option(
            *spellings,
            spelling,
            name,
            type=Word(about.choices) if about.choices else kind,
            multiple=repeats,
            default=defaults[name],
            show_default=True,
            shell_complete=(complete or {}).get(name),
            help=about.help + (" (may be repeated)" if repeats else ""),
        )
        options.append(option)

    def add(function: F) -> F:
        for option in reversed(options):  # as if they stood above the function in this order
            function = option(function)
        return function

    return add


def _kind(hint: Any) -> tuple[type, bool]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    return hint, False


def config_from(config_class: Callable[..., C], values: Mapping[str, Any]) -> C:
    """Return the config that the values of a command line describe.

    Raises:
        click.UsageError: for values out of range, in the spelling of the options.
    """
    names = [field.name for field in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    try:
        return config_class(**{name: values[name] for name in names if name in values})
    except ConfigError as error:
        raise click.UsageError(spell_options(str(error), names)) from error


def spell_options(message: str, names: Collection[str]) -> str:
    """Return a message of `check` with each field in the spelling of its option.

    Example:
        >>> spell_options("top_p must be more than 0, got 0", ["top_p"])
        '--top-p must be more than 0, got 0'
    """
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    pattern = rf"(^|; )({known})(?= )"
    return re.sub(pattern, lambda m: f"{m[1]}--{m[2].replace('_', '-')}", message)
