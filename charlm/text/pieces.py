r"""Cutting a text of any length into pieces whose ids, one after the other, are those of the whole.

Pieces end at line ends. A line too long for one piece is cut before white space. Where that is one
blank between two words, the piece behind it says so: to a tokenizer that implies such blanks
(`word`) it is not shown, for at the beginning of a text a blank would be written out. In scripts
without blanks the cut comes after their punctuation. Only where a line offers neither for 64 Ki
characters is it cut anywhere, and the tokens at that cut may differ.

Where the cuts come depends on the text alone, never on the portions in which it arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from charlm.text.scripts import is_tight, tight_symbol_pattern

PIECE_CHARS = 1 << 20
MAX_PIECE_CHARS = 4 << 20
_REACH = 1 << 16  # how far back from the longest piece a place inside a line is looked for


class Piece(NamedTuple):
    """A part of a text; `continued` where its first character is the blank of a cut line."""

    text: str
    continued: bool = False


def cut_pieces(
    texts: Iterable[str], *, size: int | None = None, most: int | None = None
) -> Iterator[Piece]:
    r"""Yield the text that arrives in portions as pieces of about `size` characters.

    Args:
        texts: portions of any length.
        size: characters after which the last line end is taken; None is `PIECE_CHARS`.
        most: characters that a piece has at most; None is `MAX_PIECE_CHARS`.

    Example:
        >>> [piece.text for piece in cut_pieces(["one\ntwo\n", "three"], size=5, most=9)]
        ['one\n', 'two\n', 'three']
    """
    size = PIECE_CHARS if size is None else size
    most = MAX_PIECE_CHARS if most is None else most
    held, continued = "", False
    for text in texts:
        held = held + text if held else text
        start = 0
        while len(held) - start > most:
            end, mid_line = _piece_end(held, start, size, most)
            yield Piece(held[start:end], continued)
            start, continued = end, mid_line
        held = held[start:] if start else held
    start = 0
    while start < len(held):
        end = _last_line_end(held, start, size, most) or len(held)
        yield Piece(held[start:end], continued)
        start, continued = end, False


def blocks(piece: Piece, size: int = 1 << 15) -> Iterator[Piece]:
    """Yield a piece in parts that a processor's cache holds, cut where no token changes.

    Splitting and looking up goes nearly twice as fast over them. A part is longer than `size`
    where no such place comes before.
    """
    text, start, continued, length = piece.text, 0, piece.continued, size
    while len(text) - start > length:
        limit = start + length
        end, mid_line = text.rfind("\n", start, limit) + 1, False
        if not end and (end := _last_white(text, start, limit)):
            mid_line = _is_implied(text, end)
        if not end:
            length *= 2
            continue
        yield Piece(text[start:end], continued)
        start, continued, length = end, mid_line, size
    if start < len(text):
        yield Piece(text[start:], continued)


def clip(texts: Iterable[str], start: int, stop: int) -> Iterator[str]:
    """Yield the characters `start` to `stop` of a text that arrives in portions.

    Example:
        >>> "".join(clip(["abc", "def", "ghi"], 2, 7))
        'cdefg'
    """
    place = 0
    for text in texts:
        if place >= stop:
            return
        if part := text[max(0, start - place) : stop - place]:
            yield part
        place += len(text)


def _piece_end(text: str, start: int, size: int, most: int) -> tuple[int, bool]:
    """Return where the piece from `start` ends, and whether that is before a blank in a line."""
    if end := _last_line_end(text, start, size, most):
        return end, False
    limit = start + most
    low = max(start, limit - _REACH)
    if white := _last_white(text, low, limit):
        return white, _is_implied(text, white)
    return _after_symbol(text, low, limit) or limit, False


def _last_line_end(text: str, start: int, size: int, most: int) -> int:
    """Return the end of the piece from `start`, 0 where no line ends soon enough.

    A text that ends within `size` is one piece.
    """
    if len(text) - start <= size:
        return len(text)
    end = text.rfind("\n", start, start + size) + 1
    return end or text.find("\n", start + size, start + most) + 1


def _last_white(text: str, low: int, limit: int) -> int:
    """Return where the last blanks and tabs between two places begin, 0 where none do."""
    white = max(text.rfind(" ", low + 1, limit), text.rfind("\t", low + 1, limit))
    while white > low and text[white - 1] in " \t":
        white -= 1
    return white if white > low else 0


def _is_implied(text: str, place: int) -> bool:
    """Return whether at this place is a single blank that is implied (see `word_chunks`)."""
    before, behind = text[place - 1], text[place + 1]
    return (
        text[place] == " "
        and behind not in " \t\n"
        and not is_tight(before)
        and not is_tight(behind)
    )


def _after_symbol(text: str, low: int, limit: int) -> int:
    """Return the place after the last punctuation of a script without blanks, 0 for none."""
    if text.isascii():
        return 0
    end = 0
    for match in tight_symbol_pattern().finditer(text, low, limit):
        end = match.end()
    return end
