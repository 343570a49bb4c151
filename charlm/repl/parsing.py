"""A line of a session in parts: command, options, texts, words."""

from __future__ import annotations

import dataclasses
import re

from charlm.base.errors import ConfigError
from charlm.base.registry import did_you_mean

QUOTES = '"""'
_QUOTED = re.compile(r'"[^"]*"(?:(?:\s+|\s*\|\s*)"[^"]*")*')


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A command's name without its slash, and what stands behind it and a blank.

    No name, plain text.
    """

    name: str
    rest: str


def parse_line(text: str) -> Line:
    r'''Return what a line asks for.

    Text between triple quotes is plain text of any lines; two slashes at the start mean a text
    that begins with one.

    Example:
        >>> parse_line("/set top_p 0.9"), parse_line("Once upon")
        (Line(name='set', rest='top_p 0.9'), Line(name='', rest='Once upon'))
        >>> parse_line("//etc"), parse_line('"""a\nb"""')
        (Line(name='', rest='/etc'), Line(name='', rest='a\nb'))
    '''
    if text.startswith(QUOTES):
        return Line("", text.removeprefix(QUOTES).removesuffix(QUOTES))
    if text.startswith("//"):
        return Line("", text[1:])
    if not text.startswith("/"):
        return Line("", text)
    name = text[1:].split(None, 1)[:1]
    rest = text[1 + len(name[0]) :].rstrip() if name else ""
    return Line(name[0] if name else "help", rest.removeprefix(" "))


def is_open(text: str) -> bool:
    r'''Return whether triple quotes begin in a text and do not end.

    Example:
        >>> is_open('"""a\n'), is_open('"""a"""'), is_open("a")
        (True, False, False)
    '''
    inside = text.removeprefix(QUOTES)
    return inside != text and not inside.rstrip("\n").endswith(QUOTES)


def split_options(rest: str, known: dict[str, bool]) -> tuple[dict[str, str], str]:
    """Return the options at the start of a line, and the rest of it.

    Args:
        rest: what stands behind a command.
        known: names without dashes; True for those that take a value.

    Raises:
        ConfigError: for an option that is not known, or lacks its value.

    Example:
        >>> split_options("--tokens To be", {"tokens": False})
        ({'tokens': ''}, 'To be')
        >>> split_options("--top-p 0.9 To be", {"top-p": True})
        ({'top-p': '0.9'}, 'To be')
    """
    found: dict[str, str] = {}
    while rest.startswith("--"):
        word, _, rest = rest.partition(" ")
        rest = rest.lstrip(" ")
        if word == "--":
            break
        name, has_value, value = word[2:].partition("=")
        name = name.replace("_", "-")
        if name not in known:
            options = ", ".join(f"--{one}" for one in known) or "none"
            raise ConfigError(f"no option '--{name}'{did_you_mean(name, known)}; known: {options}")
        if known[name] and not has_value:
            value, rest = _first_value(rest)
            if not value:
                raise ConfigError(f"--{name} needs a value")
        found[name] = value
    return found, rest


def split_texts(rest: str) -> list[str]:
    """Return texts that `|` parts, each without the blanks and the quotes around it.

    As on a shell's command line, quotes may also part them by themselves.

    Raises:
        ConfigError: if there is nothing between the quotes.

    Example:
        >>> split_texts('I saw a van | "eyes awe of an"')
        ['I saw a van', 'eyes awe of an']
        >>> split_texts('"I saw a van" "eyes awe of an"')
        ['I saw a van', 'eyes awe of an']
        >>> split_texts('"I saw a van"|"eyes awe of an"')
        ['I saw a van', 'eyes awe of an']
    """
    if quoted := _QUOTED.fullmatch(rest.strip()):
        found = [text for text in re.findall(r'"([^"]*)"', quoted[0]) if text.strip()]
        if not found:
            raise ConfigError("there is no text between the quotes")
        return found
    texts = [unquoted(part.strip()) for part in rest.split(" | ")]
    return [text for text in texts if text]


def split_words(rest: str) -> list[str]:
    """Return words that blanks part; quotes keep the words of a phrase together.

    Example:
        >>> split_words('paris "new york" don"t')
        ['paris', 'new york', 'don"t']
    """
    words: list[str] = []
    while rest := rest.lstrip():
        end = rest.find('"', 1) if rest.startswith('"') else -1
        if end > 0 and (end + 1 == len(rest) or rest[end + 1].isspace()):
            word, rest = rest[1:end], rest[end + 1 :]
        else:
            word, rest = (*rest.split(None, 1), "")[:2]
        if word:
            words.append(word)
    return words


def whole_number(text: str, name: str) -> int:
    """Return a number of things to show.

    Raises:
        ConfigError: if it is none, or too large; `name` says what it is for.
    """
    if not (text.isdecimal() and 0 < int(text[:9]) <= 100_000):
        raise ConfigError(f"{name} must be a whole number from 1 to 100000, got {text[:40]!r}")
    return int(text)


def unquoted(text: str) -> str:
    """Return a text without the quotes around it, if there are such and none inside."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
        return text[1:-1]
    return text


def _first_value(rest: str) -> tuple[str, str]:
    """Return an option's value, which quotes keep together, and what stands behind it."""
    end = rest.find('"', 1) if rest.startswith('"') else -1
    if end > 0 and rest[end + 1 : end + 2] in ("", " "):
        return rest[1:end], rest[end + 1 :].lstrip(" ")
    value, _, rest = rest.partition(" ")
    return value, rest.lstrip(" ")
