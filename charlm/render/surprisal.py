"""A text coloured by surprisal: how many bits of surprise each of its tokens was.

On a terminal with colours a token's background is its level; elsewhere a line of numbers stands
under each line of text, one under each token: bits, rounded, and 9 where there is room for one
digit and it would be more.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from charlm.metrics.likelihood import surprisal
from charlm.render.console import one_line, out, wants_color, width
from charlm.render.tables import columns_of

# Bits at which a level ends: for tokens of one character or byte, and for longer ones.
SHORT_LEVELS = (1.0, 2.0, 4.0, 6.0, 9.0)
LONG_LEVELS = (2.0, 4.0, 7.0, 10.0, 14.0)
# Ink and ground of each level: 16 colours every terminal has, and steps of the 256 many have.
SIXTEEN = ("", "30;46", "30;42", "30;43", "97;45", "1;97;41")
MANY = ("", "38;5;16;48;5;230", "38;5;16;48;5;222", "38;5;16;48;5;214", "38;5;16;48;5;203",
        "1;38;5;231;48;5;124")  # fmt: skip
PIPE_COLUMNS = 80


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One token as it is shown: harmless text of some columns, its bits, its level.

    `ends_line` marks a line end, which is shown and then taken.
    """

    text: str
    bits: float
    level: int
    ends_line: bool = False
    title: str = ""


def levels_for(texts: Sequence[str]) -> tuple[float, ...]:
    """Return where levels end, by the length of the tokens.

    Example:
        >>> levels_for(["a", "b"]), levels_for([" the", " cat"])
        ((1.0, 2.0, 4.0, 6.0, 9.0), (2.0, 4.0, 7.0, 10.0, 14.0))
    """
    longer = sum(len(text.strip()) > 1 for text in texts)
    return LONG_LEVELS if 3 * longer > len(texts) else SHORT_LEVELS


def level_of(bits: float, levels: Sequence[float]) -> int:
    """Return which level bits belong to, from 0.

    Example:
        >>> level_of(0.5, SHORT_LEVELS), level_of(1.0, SHORT_LEVELS), level_of(40, SHORT_LEVELS)
        (0, 1, 5)
    """
    return sum(bits >= end for end in levels)


def build_cells(
    tokens: Iterable[tuple[str, float]], levels: Sequence[float], titles: Sequence[str] = ()
) -> list[Cell]:
    """Return the cells of tokens, each a text and its natural log-probability.

    A token without a text of its own (part of a character, a combining mark) joins its neighbour,
    their bits summed.
    """
    cells: list[Cell] = []
    held = 0.0
    for index, (text, log_prob) in enumerate(tokens):
        bits = held + surprisal(log_prob)
        title = titles[index] if titles else ""
        if not text:
            held = bits
            continue
        held = 0.0
        shown = visible(text)
        if cells and shown and not columns_of(shown) and not cells[-1].ends_line:
            last = cells.pop()
            bits, shown, title = last.bits + bits, last.text + shown, last.title
        cells.append(Cell(shown, bits, level_of(bits, levels), text.endswith("\n"), title))
    return cells


def visible(text: str) -> str:
    """Return a token on one harmless line, a line end at its end as ↵."""
    shown = one_line(text.removesuffix("\n"))
    return shown + "↵" if text.endswith("\n") else shown


def show_heatmap(tokens: Sequence[tuple[str, float]]) -> None:
    """Write a text coloured by surprisal to stdout, and a legend."""
    levels = levels_for([text for text, _ in tokens])
    cells = build_cells(tokens, levels)
    colored = wants_color(sys.stdout)
    columns = width(sys.stdout) or PIPE_COLUMNS
    for line in wrap(cells, columns):
        for row in _colored(line) if colored else _numbered(line):
            out(row, trusted=True)
    for line in wrap(_legend(levels, colored), columns):
        plain = "".join(cell.text for cell in line).rstrip()
        out(_colored(line)[0] if colored else plain, trusted=True)


def wrap(cells: Sequence[Cell], columns: int) -> Iterator[list[Cell]]:
    """Yield the lines of cells: broken before a word that does not fit, else between characters."""
    line: list[Cell] = []
    used = 0
    for word in _words(cells):
        size = sum(columns_of(cell.text) for cell in word)
        if line and used + size > columns:
            yield line
            line, used = [], 0
        for cell in word:
            for part in _fitted(cell, columns):
                size = columns_of(part.text)
                if line and used + size > columns:
                    yield line
                    line, used = [], 0
                line.append(part)
                used += size
            if cell.ends_line:
                yield line
                line, used = [], 0
    if line:
        yield line


def _words(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    word: list[Cell] = []
    for cell in cells:
        if word and cell.text[:1].isspace():
            yield word
            word = []
        word.append(cell)
        if cell.ends_line or cell.text[-1:].isspace():
            yield word
            word = []
    if word:
        yield word


def _fitted(cell: Cell, columns: int) -> Iterator[Cell]:
    """Yield a cell in parts that fit a line."""
    text = cell.text
    while columns_of(text) > columns and len(text) > 1:
        end = len(text)
        while end > 1 and columns_of(text[:end]) > columns:
            end = min(end - 1, 2 * columns)
        yield dataclasses.replace(cell, text=text[:end])
        text = text[end:]
    yield dataclasses.replace(cell, text=text)


def _colored(line: Sequence[Cell]) -> list[str]:
    paints = MANY if has_many_colors() else SIXTEEN
    parts = []
    for cell in line:
        paint = paints[cell.level]
        parts.append(f"\x1b[{paint}m{cell.text}\x1b[0m" if paint else cell.text)
    return ["".join(parts)]


def has_many_colors() -> bool:
    """Return whether the terminal says that it has 256 colours."""
    return bool(os.environ.get("COLORTERM")) or "256color" in os.environ.get("TERM", "")


def _numbered(line: Sequence[Cell]) -> list[str]:
    numbers = []
    for cell in line:
        room = columns_of(cell.text)
        blanks = min(len(cell.text) - len(cell.text.lstrip()), max(room - 1, 0))
        numbers.append(" " * blanks + _number(cell.bits, room - blanks))
    return ["".join(cell.text for cell in line).rstrip(), "".join(numbers).rstrip()]


def _number(bits: float, room: int) -> str:
    """Return bits as a whole number in some columns.

    Example:
        >>> _number(12.4, 5), _number(12.4, 2), _number(12.4, 1)
        ('12   ', '12', '9')
    """
    number = f"{min(bits, 1e6):.0f}"
    if len(number) >= room and room < 3:  # numbers must not run together
        number = number if len(number) <= room else "9" * min(room, 1)
    return number[:room].ljust(room)


def _legend(levels: Sequence[float], colored: bool) -> list[Cell]:
    if not colored:
        words = "below: bits of surprise a token (9: 9 or more, where one digit has room)"
        return [Cell(f"{word} ", 0.0, 0) for word in words.split()]
    edges = [f"{edge:g}" for edge in levels]
    names = [f"<{edges[0]}"]
    names += [f"{low}-{high}" for low, high in pairwise(edges)]
    names.append(f"≥{edges[-1]}")
    shown = [Cell("bits: ", 0.0, 0)]
    for level, name in enumerate(names):
        shown += [Cell(f" {name} ", 0.0, level)]
    return shown
