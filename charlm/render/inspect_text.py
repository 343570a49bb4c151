"""A text with numbers of its tokens: coloured by one unit's state, or with a digit under each."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from charlm.render.console import bold, out, wants_color, width
from charlm.render.surprisal import PIPE_COLUMNS, Cell, has_many_colors, visible, wrap
from charlm.render.tables import columns_of

if TYPE_CHECKING:
    from charlm.tasks.inspect_gates import GateResult
    from charlm.tasks.inspect_neurons import UnitResult

# Where levels of a state end, and their ink and ground: from red, which is -1, to blue, +1.
STATE_LEVELS = (-0.75, -0.5, -0.25, 0.25, 0.5, 0.75)
SIXTEEN = ("1;97;41", "30;41", "31", "", "34", "30;46", "1;97;44")
MANY = ("1;38;5;231;48;5;124", "38;5;16;48;5;203", "38;5;16;48;5;224", "",
        "38;5;16;48;5;189", "38;5;16;48;5;111", "1;38;5;231;48;5;19")  # fmt: skip


def show_unit(texts: Sequence[str], found: UnitResult, *, cell: str) -> None:
    """Write a text coloured by a unit's state, or with a digit under each token; and a legend.

    Args:
        texts: what each token stands for.
        found: the states.
        cell: of the model; of an LSTM the state is tanh of the cell.
    """
    columns = width(sys.stdout) or PIPE_COLUMNS
    colored = wants_color(sys.stdout)
    cells = build_cells(texts, found.states)
    for line in wrap(cells, columns):
        for row in [_painted(line)] if colored else [_text(line), _digits(line, tenths_of_two)]:
            out(row, trusted=True)
    what = "tanh of the cell" if cell == "lstm" else "the hidden state"
    values = [value for value in found.states if math.isfinite(value)]
    span = f", {min(values):.2f} to {max(values):.2f}" if values else ""
    show_words(f"layer {found.layer}, unit {found.unit}: {what}{span}", columns)
    if not colored:
        show_words("below: the state, from 0 for -1 to 9 for +1", columns)
        return
    edges = [f"{edge:g}" for edge in STATE_LEVELS]
    names = [f"<{edge}" for edge in edges[:3]] + ["about 0"] + [f"≥{edge}" for edge in edges[3:]]
    legend = [Cell(f" {name} ", 0.0, level) for level, name in enumerate(names)]
    for line in wrap(legend, columns):
        out(_painted(line), trusted=True)


def show_gates_over(texts: Sequence[str], found: Sequence[GateResult]) -> None:
    """Write a text with a row of digits for each gate under it, layer by layer, and a legend."""
    columns = width(sys.stdout) or PIPE_COLUMNS
    for layer in dict.fromkeys(one.layer for one in found):
        out(bold(f"layer {layer}", sys.stdout), trusted=True)
        gates = [one for one in found if one.layer == layer]
        rows = [wrap(build_cells(texts, one.per_token), max(columns - 2, 1)) for one in gates]
        for lines in zip(*rows, strict=True):
            out(f"  {_text(lines[0])}".rstrip(), trusted=True)
            for gate, line in zip(gates, lines, strict=True):
                out(f"{gate.gate[0]} {_digits(line, tenths)}", trusted=True)
    names = ", ".join(dict.fromkeys(f"{one.gate[0]} {one.gate}" for one in found))
    show_words(f"below: the mean of each gate in tenths, 9 for 0.9 and more ({names})", columns)


def show_words(text: str, columns: int) -> None:
    """Write words of our own on lines of some columns."""
    cells = [Cell(f"{word} ", 0.0, 0) for word in text.split()]
    for line in wrap(cells, columns + 1):  # the blank at the end is not written
        out("".join(cell.text for cell in line).rstrip(), trusted=True)


def build_cells(texts: Sequence[str], values: Sequence[float]) -> list[Cell]:
    """Return tokens as they are shown, each with its value.

    Where several stand for one character, the value is that of the last.

    Example:
        >>> [(cell.text, cell.bits, cell.level) for cell in build_cells(["", "é"], [0.1, 0.9])]
        [('é', 0.9, 6)]
    """
    cells: list[Cell] = []
    for text, value in zip(texts, values, strict=True):
        if not text:
            continue
        shown = visible(text)
        if cells and not columns_of(shown) and not cells[-1].ends_line:
            shown = cells.pop().text + shown
        level = sum(value >= end for end in STATE_LEVELS)
        cells.append(Cell(shown, value, level, text.endswith("\n")))
    return cells


def tenths(value: float) -> int:
    """Return which tenth of 0 to 1 a value is in, 0 to 9.

    Example:
        >>> tenths(0.0), tenths(0.59), tenths(1.0)
        (0, 5, 9)
    """
    return min(max(int(value * 10), 0), 9)


def tenths_of_two(value: float) -> int:
    """Return which tenth of -1 to 1 a value is in, 0 to 9.

    Example:
        >>> tenths_of_two(-1.0), tenths_of_two(-0.01), tenths_of_two(0.01), tenths_of_two(1.0)
        (0, 4, 5, 9)
    """
    return tenths((value + 1) / 2)


def _painted(line: Sequence[Cell]) -> str:
    paints = MANY if has_many_colors() else SIXTEEN
    return "".join(
        f"\x1b[{paints[cell.level]}m{cell.text}\x1b[0m" if paints[cell.level] else cell.text
        for cell in line
    )


def _text(line: Sequence[Cell]) -> str:
    return "".join(cell.text for cell in line).rstrip()


def _digits(line: Sequence[Cell], digit: Callable[[float], int]) -> str:
    """Return a digit under the beginning of each token, behind its blanks."""
    parts = []
    for cell in line:
        room = columns_of(cell.text)
        blanks = min(len(cell.text) - len(cell.text.lstrip()), max(room - 1, 0))
        shown = str(digit(cell.bits)) if math.isfinite(cell.bits) else "?"
        parts.append((" " * blanks + shown[:room]).ljust(room))
    return "".join(parts).rstrip()
