"""Aligned columns for people: on a terminal cut to its width, in a pipe never cut."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from charlm.render.console import bold, one_line, out, width


def columns_of(text: str) -> int:
    """Return how many terminal columns a sanitised text takes.

    Example:
        >>> columns_of("abc"), columns_of("漢字")
        (3, 4)
    """
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    return max(int(wcswidth(text)), 0)


def cut(text: str, columns: int) -> str:
    """Return as much of `text` as fits, with an ellipsis where something was left out.

    Example:
        >>> cut("shakespeare", 6), cut("漢字漢字", 5), cut("abc", 3)
        ('shake…', '漢字…', 'abc')
    """
    if columns_of(text) <= columns:
        return text
    while text and columns_of(text) > columns - 1:
        text = text[:-1]
    return text + "…" if columns > 0 else ""


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Return `text` filled with blanks to `columns`."""
    blanks = " " * (columns - columns_of(text))
    return blanks + text if right else text + blanks


def layout(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: set[int], limit: int | None
) -> list[str]:
    """Return the lines of a table; the first is the header.

    Args:
        header: a title a column.
        rows: cells, already one line each.
        right: columns to align at the right.
        limit: widest line, or None; the widest column gives way first. Where the columns cannot
            fit at all, each row becomes a block of `title: cell` lines instead.
    """
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(columns_of(row[i]) for row in table) for i in range(len(header))]
    if limit is not None and not _shrink(widths, limit):
        return _blocks(header, rows, limit)
    lines = []
    for row in table:
        cells = [
            pad(cut(cell, widths[i]), widths[i], right=i in right) for i, cell in enumerate(row)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _shrink(widths: list[int], limit: int) -> bool:
    room = limit - 2 * (len(widths) - 1)
    excess = sum(widths) - room
    widest = widths.index(max(widths))
    if excess > 0 and widths[widest] - excess >= 8:
        widths[widest] -= excess
        excess = 0
    return excess <= 0


def _blocks(header: Sequence[str], rows: Sequence[Sequence[str]], limit: int) -> list[str]:
    lines = []
    for row in rows:
        lines.append("")
        lines += [cut(f"{title}: {cell}", limit) for title, cell in zip(header, row, strict=True)]
    return lines or [""]


def show_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: set[int] | None = None
) -> None:
    """Write a table to stdout; every cell is made one harmless line first."""
    clean = [[one_line(cell) for cell in row] for row in rows]
    lines = layout(header, clean, right=right or set(), limit=width(sys.stdout))
    if lines[0]:
        out(bold(lines[0], sys.stdout), trusted=True)
    for line in lines[1:]:
        out(line, trusted=True)


def show_facts(facts: Sequence[tuple[str, str]], *, indent: int = 0) -> None:
    """Write `name   value` lines to stdout, names aligned."""
    widest = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        out(f"{' ' * indent}{name:<{widest}}  {one_line(value)}".rstrip(), trusted=True)


def count(value: float | None) -> str:
    """Return a count as people read it.

    Example:
        >>> count(950), count(12_345), count(999_999), count(None)
        ('950', '12.3k', '1M', '-')
    """
    if value is None:
        return "-"
    for unit_size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit_size * 0.9995:  # 999,500 reads 1M, not 1e+03k
            return f"{value / unit_size:.3g}{unit}"
    return f"{value:.0f}"


def size(value: float | None) -> str:
    """Return bytes as people read them.

    Example:
        >>> size(900), size(1_500_000)
        ('900 B', '1.5 MB')
    """
    if value is None:
        return "-"
    for unit_size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit_size:
            return f"{value / unit_size:.1f} {unit}"
    return f"{value:.0f} B"


def figure(value: float | None, digits: int = 4) -> str:
    """Return a measured figure, or a dash where there is none.

    Example:
        >>> figure(1.45678), figure(None)
        ('1.457', '-')
    """
    return "-" if value is None else f"{value:.{digits}g}"
