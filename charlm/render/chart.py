"""Curves drawn with characters: dots of Braille patterns, two by four to a cell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Points = Sequence[tuple[float, float]]

# Unicode Braille: the bit of the dot at [row][column] of a cell.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_COLORS = (36, 33, 32, 35, 34, 31)
MARKS = "•+x*o#"


def chart(
    curves: Sequence[tuple[str, Points]], *, columns: int, rows: int, color: bool, title: str
) -> list[str]:
    """Return the lines of a chart: title, canvas with axes, legend.

    Where curves cannot be told apart by colour, each is drawn by a mark of its own.

    Args:
        curves: label and points (x, y) of each, at least one point.
        columns: width of the whole, 30 or more.
        rows: height of the canvas.
        color: whether to use terminal colours.
        title: the first line.
    """
    low, high = _heights(curves)
    labels = [f"{high + (low - high) * row / (rows - 1):.4g}" for row in range(rows)]
    margin = max(map(len, labels)) + 1
    left, right = _extent([x for _, points in curves for x, _ in points])
    canvas = _Canvas(columns - margin - 1, rows, (left, right), (low, high))
    for index, (_, points) in enumerate(curves):
        canvas.draw(index, points)
    plain_marks = not color and len(curves) > 1
    lines = [title]
    for row in range(rows):
        label = labels[row] if row % 4 == 0 or row == rows - 1 else ""
        lines.append(f"{label:>{margin}}│{canvas.line(row, color=color, marks=plain_marks)}")
    lines.append(" " * margin + "└" + "─" * canvas.columns)
    first, last = f"{left:.0f}", f"{right:.0f} steps"
    lines.append(" " * (margin + 1) + first + last.rjust(canvas.columns - len(first)))
    return lines + _legend(curves, color=color, marks=plain_marks)


def _legend(curves: Sequence[tuple[str, Points]], *, color: bool, marks: bool) -> list[str]:
    lines = []
    for index, (label, points) in enumerate(curves):
        mark = MARKS[index % len(MARKS)] if marks else "━"
        if color:
            mark = _colored(mark, index)
        values = [y for _, y in points]
        lines.append(f"{mark} {label}: lowest {min(values):.4g}, last {values[-1]:.4g}")
    return lines


def _heights(curves: Sequence[tuple[str, Points]]) -> tuple[float, float]:
    """Return the range to show. The first losses are far above the rest and would flatten it:
    what lies higher than four times the middle's height above the lowest is cut off.
    """
    values = sorted(y for _, points in curves for _, y in points)
    low, high = _extent(values)
    middle = values[len(values) // 2]
    ceiling = low + 4.0 * (middle - low)
    return (low, ceiling) if low < ceiling < high else (low, high)


def _extent(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if low < high else (low, low + (abs(low) or 1.0))


class _Canvas:
    """Cells of dots; a cell belongs to the curve that was drawn into it last."""

    def __init__(
        self, columns: int, rows: int, x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        self.columns, self.rows = columns, rows
        self._x, self._y = x, y
        self._bits = [[0] * columns for _ in range(rows)]
        self._owner = [[0] * columns for _ in range(rows)]

    def draw(self, index: int, points: Points) -> None:
        places = [self._place(x, y) for x, y in points]
        for start, end in zip(places, places[1:] or places, strict=False):
            self._segment(index, start, end)

    def _place(self, x: float, y: float) -> tuple[int, int]:
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        down = min(max((self._y[1] - y) / (self._y[1] - self._y[0]), 0.0), 1.0)
        return round(across * (2 * self.columns - 1)), round(down * (4 * self.rows - 1))

    def _segment(self, index: int, start: tuple[int, int], end: tuple[int, int]) -> None:
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(steps + 1):
            x = round(start[0] + (end[0] - start[0]) * step / steps)
            y = round(start[1] + (end[1] - start[1]) * step / steps)
            self._bits[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            self._owner[y // 4][x // 2] = index

    def line(self, row: int, *, color: bool, marks: bool) -> str:
        runs = []
        cells = zip(self._bits[row], self._owner[row], strict=True)
        for owner, run in itertools.groupby(cells, key=lambda cell: cell[1] if cell[0] else -1):
            bits = [cell[0] for cell in run]
            if owner < 0:
                runs.append(" " * len(bits))
                continue
            mark = MARKS[owner % len(MARKS)]
            text = mark * len(bits) if marks else "".join(chr(0x2800 + dots) for dots in bits)
            runs.append(_colored(text, owner) if color else text)
        return "".join(runs).rstrip()


def _colored(text: str, index: int) -> str:
    return f"\x1b[{_COLORS[index % len(_COLORS)]}m{text}\x1b[0m"
