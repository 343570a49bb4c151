"""A config class to options and back: a field with help and bounds is all that an option takes."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from charlm.base.config import settings_of
from charlm.base.errors import ConfigError
from charlm.cli.spec import Option, UsageError

C = TypeVar("C")


def options_from(
    config_class: type,
    *,
    short: Mapping[str, str] | None = None,
    complete: Mapping[str, str] | None = None,
    leave_out: Collection[str] = (),
) -> tuple[Option, ...]:
    """Return an option for every field of a config class that has a `Setting`.

    Args:
        config_class: a dataclass as `base.config` describes.
        short: one-letter spellings by field.
        complete: by field, what a shell may offer as its value.
        leave_out: fields that are no options.
    """
    hints = typing.get_type_hints(config_class)
    defaults = {field.name: field.default for field in dataclasses.fields(config_class)}
    return tuple(
        _option(name, about, hints[name], defaults[name], short or {}, complete or {})
        for name, about in settings_of(config_class).items()
        if name not in leave_out
    )


def _option(
    name: str,
    about: Any,
    hint: Any,
    default: Any,
    short: Mapping[str, str],
    complete: Mapping[str, str],
) -> Option:
    kind, repeats = _kind(hint)
    return Option(
        name,
        about.help,
        kind=kind,
        short=short.get(name, ""),
        default=default,
        values=about.choices,
        negatable=kind is bool,
        repeats=repeats,
        complete=complete.get(name, ""),
    )


def _kind(hint: Any) -> tuple[type, bool]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    return hint, False


def config_from(config_class: Callable[..., C], values: Mapping[str, Any]) -> C:
    """Return the config that the values of a command line describe.

    Raises:
        UsageError: for values out of range, in the spelling of the options.
    """
    names = [field.name for field in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    try:
        return config_class(**{name: values[name] for name in names if name in values})
    except ConfigError as error:
        raise UsageError(spell_options(str(error), names)) from error


def spell_options(message: str, names: Collection[str]) -> str:
    """Return a message of `check` with each field in the spelling of its option.

    Example:
        >>> spell_options("top_p must be more than 0, got 0", ["top_p"])
        '--top-p must be more than 0, got 0'
    """
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    pattern = rf"(^|; )({known})(?= )"
    return re.sub(pattern, lambda m: f"{m[1]}--{m[2].replace('_', '-')}", message)
