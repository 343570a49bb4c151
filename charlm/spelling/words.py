"""What of a line is a word to be corrected, and what is left alone.

Left alone are URLs, e-mail addresses, paths, options, code (in backquotes or fences, prompts,
`snake_case`, camelCase), mark-up, numbers and words with digits, and dotted names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LOWER, CAPITAL, CAPITALS = range(3)
WORD, NUMBER, OTHER, BREAK = range(4)
_LETTERS = r"[^\W\d_]+(?:['’][^\W\d_]+)*"
_CHUNK = re.compile(r"\S+")
_PLAIN = re.compile(rf"([(\"'“‘\[*]*)({_LETTERS})([)\"'”’\],;:.?!…*]*)")
_WORD = re.compile(_LETTERS)
_CAMEL = re.compile(r"[^\W\d_A-Z]*[a-zß-ÿ][A-ZÀ-Þ]")
_FOREIGN = re.compile(
    r"[\d@_#$%=<>{}|~^+&\\`]"  # digits, addresses, code
    r"|[^\W\d_]\.[^\W\d_]"  # e.g., file.txt
    r"|://|^www\.|^--?[a-z]|^\W*/|^\.{1,2}/|/.*/|/$|\(\)"
    r"|[\u0300-\u036f\u200d\ufe0f]"  # marks that belong to the letter before them
    r"|[\ud800-\udfff\ufffd]"  # bytes that are no UTF-8
)
_SPANS = re.compile(r"(`+)[^`].*?\1|<[a-zA-Z/!][^<>]{0,500}>|\]\([^()\s]*\)")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_CODE_LINE = re.compile(
    r"\s*(?:\$ |>>> |\.\.\. |#!|[{}]\s*$"
    # prose, too, has lines that begin with from, import and class
    r"|from [\w.]+ import\b|import .+ from ['\"]|import [\w.]*\w(?: as \w+)?(?:, [\w. ]+)?;?\s*$"
    r"|(?:async )?def \w+\(|class \w+(?:\(.*\))?:\s*$)"
)
_INDENTED = re.compile(r"(?: {4}|\t)\s*\S.*(?:[=;{}|]|\(\)|\w\(|--\w|\s/\w)")
_END = re.compile(r"[.!?]+(?=[\s\"'”’)]|$)")
_LONGEST = 60


class Piece(NamedTuple):
    """A part of a line: a word, or something that is not corrected.

    Attributes:
        start, end: in characters of the line.
        kind: WORD, NUMBER, OTHER, or BREAK, the end of a sentence.
        form: a word in lower case, its apostrophes straight.
        case: LOWER, CAPITAL (the first letter) or CAPITALS.
    """

    start: int
    end: int
    kind: int
    form: str = ""
    case: int = LOWER


class Reader:
    """Cuts lines into pieces, one after another; remembers whether it is inside a code block."""

    def __init__(self) -> None:
        self._fenced = False

    def read(self, line: str) -> list[Piece]:
        """Return the pieces of the next line."""
        if _FENCE.match(line):
            self._fenced = not self._fenced
            return []
        if self._fenced or _CODE_LINE.match(line) or _INDENTED.match(line):
            return []
        return list(_pieces(line))


def _pieces(line: str) -> Iterator[Piece]:
    closed = _closed_spans(line)
    for match in _CHUNK.finditer(line):
        start, end = match.span()
        if closed and any(low < end and start < high for low, high in closed):
            yield Piece(start, end, OTHER)
            continue
        chunk = match[0]
        plain = _PLAIN.fullmatch(chunk)
        if plain is not None:
            low, high = plain.span(2)
            yield _word(plain[2], start + low)
            if _END.search(plain[3]):
                yield Piece(start + high, end, BREAK)
        elif len(chunk) > 4 * _LONGEST or _FOREIGN.search(chunk):
            yield Piece(start, end, NUMBER if chunk[:1].isdigit() else OTHER)
            if _END.search(chunk[-1:]):
                yield Piece(end, end, BREAK)
        else:
            for word in _WORD.finditer(chunk):
                yield _word(word[0], start + word.start())
            if _END.search(chunk):
                yield Piece(end, end, BREAK)


def _word(text: str, start: int) -> Piece:
    end = start + len(text)
    if len(text) > _LONGEST:
        return Piece(start, end, OTHER)
    form = text.lower()
    if text == form:
        case = LOWER
    elif text[0] != form[0] and text[1:] == form[1:]:
        case = CAPITAL
    elif text == text.upper():
        case = CAPITALS
    elif _CAMEL.search(text):
        return Piece(start, end, OTHER)
    else:
        case = CAPITAL
    if len(form) != len(text):  # a letter whose lower case is two
        return Piece(start, end, OTHER)
    return Piece(start, end, WORD, form.replace("’", "'"), case)


def _closed_spans(line: str) -> list[tuple[int, int]]:
    if "`" not in line and "<" not in line and "](" not in line:
        return []
    return [match.span() for match in _SPANS.finditer(line)]


def restore_case(word: str, like: str) -> str:
    """Return a correction in the case and with the apostrophe of what it replaces.

    Example:
        >>> restore_case("the", "Teh"), restore_case("the", "TEH"), restore_case("it's", "it’")
        ('The', 'THE', 'it’s')
    """
    if len(like) > 1 and like.isupper():
        word = word.upper()
    elif like[:1].isupper():
        word = word[:1].upper() + word[1:]
    return word.replace("'", "’") if "’" in like else word
