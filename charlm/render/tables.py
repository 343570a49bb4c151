"""Tables for people: drawn by Rich on a terminal, in a pipe plain aligned columns, never cut."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

from charlm.render.console import bold, one_line, out, wants_color, width


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


def show_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    spare: Sequence[int] = (),
) -> None:
    """Write a table to stdout; every title and cell is made one harmless line first.

    Args:
        header: a title a column.
        rows: the cells.
        right: columns to align at the right.
        spare: columns that a terminal may lack, the first to go first, if that saves every row
            from wrapping.
    """
    header = [one_line(title) for title in header]
    clean = [[one_line(cell) for cell in row] for row in rows]
    limit = width(sys.stdout)
    if limit is not None:
        kept = _fitting([header, *clean], spare, limit)
        header = [header[column] for column in kept]
        clean = [[row[column] for column in kept] for row in clean]
        right = [place for place, column in enumerate(kept) if column in right]
        _show_fitted(header, clean, right, limit)
        return
    for number, line in enumerate(layout([header, *clean], right)):
        out(line if number else bold(line, sys.stdout), trusted=True)


def layout(table: Sequence[Sequence[str]], right: Collection[int]) -> list[str]:
    """Return the lines of a table of one-line cells, each column as wide as its widest."""
    widths = [max(map(columns_of, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = []
        for index, cell in enumerate(row):
            blanks = " " * (widths[index] - columns_of(cell))
            cells.append(blanks + cell if index in right else cell + blanks)
        lines.append("  ".join(cells).rstrip())
    return lines


def _fitting(table: Sequence[Sequence[str]], spare: Sequence[int], limit: int) -> list[int]:
    """Return the columns to show: all without the fewest of `spare`, or all if none will do."""
    widths = [max(map(columns_of, column)) for column in zip(*table, strict=True)]
    for left_out in range(len(spare) + 1):
        kept = [column for column in range(len(widths)) if column not in spare[:left_out]]
        if sum(widths[column] + 2 for column in kept) - 2 <= limit:
            return kept
    return list(range(len(widths)))


def _show_fitted(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int], limit: int
) -> None:
    """Write a table whose cells wrap, or where not even words fit, its rows as facts."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text  # as Text, no cell is taken for markup

    # To Rich a terminal without colours is none, so that it neither paints nor guesses a width.
    console = Console(width=limit, force_terminal=wants_color(sys.stdout))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(header):
        table.add_column(Text(title), justify="right" if index in right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    unlimited = console.options.update(max_width=100_000)
    if Measurement.get(console, unlimited, table).minimum > limit:
        for row in rows:
            show_facts(list(zip(header, row, strict=True)))
            out()
        return
    with console.capture() as drawn:
        console.print(table)
    out(drawn.get(), end="", trusted=True)


def show_facts(facts: Sequence[tuple[str, str]], *, indent: int = 0) -> None:
    """Write `name   value` lines to stdout, names aligned."""
    clean = [(one_line(name), one_line(value)) for name, value in facts]
    widest = max((columns_of(name) for name, _ in clean), default=0)
    for name, value in clean:
        blanks = " " * (widest - columns_of(name))
        out(f"{' ' * indent}{name}{blanks}  {value}".rstrip(), trusted=True)


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


def plural(number: int, thing: str) -> str:
    """Return how many there are of a thing, in digits.

    Example:
        >>> plural(1, "token"), plural(1200, "token")
        ('1 token', '1,200 tokens')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


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
