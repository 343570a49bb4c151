"""Arguments to values: options anywhere, `--name value`, `--name=value`, `-n5`, `--` ends them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from charlm.cli.spec import COMMON, Argument, Command, Option, UsageError


def parse(command: Command, argv: Sequence[str]) -> dict[str, Any]:
    """Return the value of every argument and option of `command`.

    Raises:
        UsageError: for what is unknown, missing, too much or of the wrong type. `--help` wins
            over all of these: then the values hold only what was read before it.
    """
    options = (*command.options, *COMMON)
    values: dict[str, Any] = {o.name: () if o.repeats else o.default for o in options}
    spellings = _spellings(options)
    words: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if word.startswith("--"):
            _read_long(word, rest, spellings, values)
        elif word.startswith("-") and word != "-" and not _is_number(word):
            _read_short(word, rest, spellings, values)
        else:
            words.append(word)
        if values["help"]:
            return values
    _place(command.arguments, words, values)
    return values


def _spellings(options: Iterable[Option]) -> dict[str, tuple[Option, bool]]:
    found: dict[str, tuple[Option, bool]] = {}
    for option in options:
        found[option.spelling] = (option, True)
        if option.short:
            found["-" + option.short] = (option, True)
        if option.negatable:
            found["--no-" + option.spelling[2:]] = (option, False)
    return found


def _read_long(
    word: str, rest: list[str], spellings: dict[str, tuple[Option, bool]], values: dict[str, Any]
) -> None:
    spelling, has_value, value = word.partition("=")
    if spelling not in spellings:
        raise UsageError(unknown_option(spelling, spellings))
    option, positive = spellings[spelling]
    if option.kind is bool:
        if has_value:
            raise UsageError(f"{spelling} takes no value, got {value!r}")
        _set_flag(option, positive, values)
        return
    _set_value(option, spelling, value if has_value else _next(spelling, rest), values)


def _read_short(
    word: str, rest: list[str], spellings: dict[str, tuple[Option, bool]], values: dict[str, Any]
) -> None:
    cluster = word[1:]
    while cluster:
        spelling, cluster = "-" + cluster[0], cluster[1:]
        if spelling not in spellings:
            raise UsageError(unknown_option(spelling if len(word) == 2 else word, spellings))
        option, positive = spellings[spelling]
        if option.kind is not bool:
            value = cluster.removeprefix("=") if cluster else _next(spelling, rest)
            _set_value(option, spelling, value, values)
            return
        _set_flag(option, positive, values)


def _next(spelling: str, rest: list[str]) -> str:
    if not rest:
        raise UsageError(f"{spelling} needs a value")
    return rest.pop(0)


def _set_flag(option: Option, positive: bool, values: dict[str, Any]) -> None:
    values[option.name] = values[option.name] + 1 if option.name == "verbose" else positive


def _set_value(option: Option, spelling: str, text: str, values: dict[str, Any]) -> None:
    value = _convert(option, spelling, text)
    values[option.name] = (*values[option.name], value) if option.repeats else value


def _convert(option: Option, spelling: str, text: str) -> Any:
    if option.kind is str:
        return text
    try:
        return option.kind(text)
    except ValueError:
        wanted = "a whole number" if option.kind is int else "a number"
        raise UsageError(f"{spelling} must be {wanted}, got {text!r}") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return word[1:2].isdigit() or word[1:2] == "."


def _place(arguments: Sequence[Argument], words: list[str], values: dict[str, Any]) -> None:
    left = list(words)
    for argument in arguments:
        if argument.required and not left:
            raise UsageError(f"{argument.name.upper()} is missing: {argument.help}")
        if argument.repeats:
            values[argument.name], left = tuple(left), []
        else:
            values[argument.name] = left.pop(0) if left else None
    if left:
        hint = "; put a text of several words in quotes" if arguments else ""
        raise UsageError(f"unexpected argument {left[0]!r}{hint}")


def unknown_option(spelling: str, known: Iterable[str]) -> str:
    """Return the message for an option that does not exist, with the nearest that does."""
    from charlm.base.registry import did_you_mean

    near = did_you_mean(spelling, [name for name in known if name.startswith("--")])
    return f"no option {spelling!r}{near}"
