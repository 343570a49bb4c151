"""Frozen dataclasses as settings: fields with help and bounds, checked at once, to JSON and back.

A config is a `@dataclass(frozen=True, kw_only=True, slots=True)` whose fields are simple values
(bool, int, float, str, None of those, or tuples of them) declared with `setting(...)`, and whose
`__post_init__` calls `check(self)`.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from charlm.base.errors import ConfigError
from charlm.base.registry import did_you_mean

C = TypeVar("C")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What is known of one field beside its type: its help text and its range."""

    help: str
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[str, ...] = ()


def setting(
    default: Any,
    help: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Return a dataclass field with `default`, a help text and bounds."""
    about = Setting(help=help, ge=ge, gt=gt, le=le, lt=lt, choices=choices)
    return dataclasses.field(default=default, metadata={"setting": about})


def field_of(config_class: type, name: str) -> Any:
    """Return a dataclass field as another config class has it: default, help text and bounds."""
    (field,) = (one for one in dataclasses.fields(config_class) if one.name == name)
    return dataclasses.field(default=field.default, metadata=field.metadata)


def part_of(config_class: Callable[..., C], whole: Any) -> C:
    """Return the config whose fields are among those of a larger one."""
    names = [field.name for field in dataclasses.fields(config_class)]  # type: ignore[arg-type]
    return config_class(**{name: getattr(whole, name) for name in names})


def settings_of(config_class: type) -> dict[str, Setting]:
    """Return the `Setting` of each field of a config class, in order."""
    return {
        field.name: field.metadata["setting"]
        for field in dataclasses.fields(config_class)
        if "setting" in field.metadata
    }


def check(config: Any) -> None:
    """Raise one `ConfigError` that lists every field out of its type or range."""
    hints = typing.get_type_hints(type(config))
    problems = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        problem = _type_problem(value, hints[field.name])
        about = field.metadata.get("setting")
        if not problem and about is not None and value is not None:
            problem = _range_problem(value, about)
        if problem:
            problems.append(f"{field.name} {problem}, got {value!r}")
    if problems:
        raise ConfigError("; ".join(problems))


def _type_problem(value: Any, hint: Any) -> str:
    options = typing.get_args(hint) if _is_union(hint) else (hint,)
    for option in options:
        origin = typing.get_origin(option) or option
        if origin is float and isinstance(value, int | float) and not isinstance(value, bool):
            return "" if math.isfinite(value) else "must be a finite number"
        if origin is int and isinstance(value, bool):
            continue
        if origin is tuple:
            if isinstance(value, tuple):
                return ""
        elif isinstance(value, origin):
            return ""
    return f"must be {' or '.join(_type_name(option) for option in options)}"


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _type_name(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(hint, "nothing" if hint is type(None) else str(hint))


def _range_problem(value: Any, about: Setting) -> str:
    if about.choices and value not in about.choices:
        near = did_you_mean(str(value), about.choices)
        return f"must be one of {', '.join(about.choices)}{near}"
    low, high = [], []
    if about.ge is not None and value < about.ge:
        low.append(f"at least {_number(about.ge)}")
    if about.gt is not None and value <= about.gt:
        low.append(f"more than {_number(about.gt)}")
    if about.le is not None and value > about.le:
        high.append(f"at most {_number(about.le)}")
    if about.lt is not None and value >= about.lt:
        high.append(f"less than {_number(about.lt)}")
    return f"must be {' and '.join(low + high)}" if low or high else ""


def _number(bound: float) -> str:
    return f"{bound:.0f}" if float(bound).is_integer() else f"{bound:g}"  # 1000000, not 1e+06


def to_json(config: Any) -> dict[str, Any]:
    """Return the fields of a config as plain JSON values."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(config).items()
    }


def from_json(config_class: type[C], values: object, *, where: str = "config") -> C:
    """Return a config from plain JSON values.

    Args:
        config_class: the dataclass to build.
        values: what a JSON file held.
        where: the file or place, for the error message.

    Raises:
        ConfigError: if `values` is no object, has unknown keys, or fails the checks.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: expected an object, found {type(values).__name__}")
    known = {field.name for field in dataclasses.fields(config_class)}  # type: ignore[arg-type]
    unknown = sorted(str(key) for key in values if key not in known)
    if unknown:
        raise ConfigError(
            f"{where}: unknown keys {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return config_class(**plain)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
