"""Bars of numbers on a log scale, the token of each under it."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from charlm.render.console import bold, one_line, out, width
from charlm.render.inspect_text import show_words
from charlm.render.surprisal import PIPE_COLUMNS, visible
from charlm.render.tables import columns_of, cut

if TYPE_CHECKING:
    from charlm.tasks.inspect_gradients import GradientsResult, Reach

ROWS = 5
WIDEST = 12  # columns of a token
LEAST_WITH_AXIS = 40  # columns; with fewer the scale is told in words alone
BEGINNING = "^"
_EIGHTHS = " ▁▂▃▄▅▆▇█"


def show_gradients(found: GradientsResult) -> None:
    """Write the norms of gradients as bars, a chart a layer and state, all on one scale."""
    columns = width(sys.stdout) or PIPE_COLUMNS
    low, high = decades([norm for reach in found.reaches for norm in reach.norms])
    for reach in found.reaches:
        for line in _wrapped_title(reach, columns):
            out(bold(line, sys.stdout), trusted=True)
        for line in bars(found.texts, reach.norms, low=low, high=high, columns=columns):
            out(line, trusted=True)
    show_words(
        f"bars: |d loss / d state| after each token, on a log scale from 1e{low} to 1e{high}",
        columns,
    )
    loss = f"{found.nll:.3f} nats" if math.isfinite(found.nll) else "no number"
    show_words(f"loss: {loss}, of the token that came next:", columns)
    out(cut(f"'{one_line(found.target)}'", columns), trusted=True)


def _wrapped_title(reach: Reach, columns: int) -> list[str]:
    import textwrap

    return textwrap.wrap(title(reach.layer, reach.state, reach.decay), max(columns, 1))


def title(layer: int, state: str, decay: float | None) -> str:
    """Return what a chart shows, and what a step back does to it.

    Example:
        >>> title(1, "hidden", 0.5)
        'layer 1, hidden: ×0.5 a step back, halves every step'
        >>> title(2, "cell", 1.001), title(2, "cell", None)
        ('layer 2, cell: ×1 a step back', 'layer 2, cell')
    """
    text = f"layer {layer}, {state}"
    if decay is None:
        return text
    text += f": ×{decay:.3g} a step back"
    if not 0.0 < decay < 0.999:
        return text
    steps = f"{math.log(0.5) / math.log(decay):.2g}"
    return f"{text}, halves every {'step' if steps == '1' else f'{steps} steps'}"


def decades(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten between which all positive values lie, at least one apart.

    Example:
        >>> decades([0.02, 0.5]), decades([1.0, 0.0]), decades([])
        ((-2, 0), (0, 1), (-1, 0))
    """
    logs = [math.log10(value) for value in values if 0.0 < value < math.inf]
    if not logs:
        return -1, 0
    low = math.floor(min(logs))
    return low, max(math.ceil(max(logs)), low + 1)


def bars(
    texts: Sequence[str], values: Sequence[float], *, low: int, high: int, columns: int
) -> list[str]:
    """Return the lines of a chart; what does not fit the columns follows below.

    Args:
        texts: of each token, any; nothing for the beginning of a text.
        values: the height of each, on a scale of powers of ten.
        low: the power of ten at the ground.
        high: that at the top.
        columns: for all.
    """
    labels = [f"1e{high}", *[""] * (ROWS - 2), f"1e{low}"]
    margin = max(map(len, labels)) + 1 if columns >= LEAST_WITH_AXIS else 0
    names = _names(texts)
    gap = int(any(columns_of(name) > 1 for name in names))
    room = max(columns - margin, 1)
    lines = []
    for part in _parts([columns_of(name) + gap for name in names], room + gap):
        shown = [cut(name, room) for name in names[part]]
        columns_each = [columns_of(name) for name in shown]
        heights = [_height(value, low, high) for value in values[part]]
        for row in range(ROWS):
            label = labels[row].rjust(margin - 1) + " " if margin else ""
            marks = [_mark(height, ROWS - 1 - row) for height in heights]
            drawn = [mark * size for mark, size in zip(marks, columns_each, strict=True)]
            lines.append((label + (" " * gap).join(drawn)).rstrip())
        lines.append((" " * margin + (" " * gap).join(shown)).rstrip())
    return lines


def _names(texts: Sequence[str]) -> list[str]:
    """Return what stands under the bars: a blank alone is kept, before a word it is not."""
    names = []
    for index, text in enumerate(texts):
        shown = visible(text)
        shown = cut(shown.strip() or shown[:1], WIDEST)
        if not columns_of(shown):  # part of a character, or a mark that needs one to stand on
            shown = " " + shown
        names.append(shown if text or index else BEGINNING)
    return names


def _parts(sizes: Sequence[int], room: int) -> list[slice]:
    """Return how bars of some columns are parted into charts."""
    parts, start, used = [], 0, 0
    for index, size in enumerate(sizes):
        if used and used + size > room:
            parts.append(slice(start, index))
            start, used = index, 0
        used += size
    return [*parts, slice(start, len(sizes))]


def _height(value: float, low: int, high: int) -> int:
    """Return a bar's height in eighths of a row; what is not 0 is seen."""
    if not 0.0 < value < math.inf:
        return 0
    share = (math.log10(value) - low) / (high - low)
    return min(max(round(8 * ROWS * share), 1), 8 * ROWS)


def _mark(height: int, row: int) -> str:
    """Return what a bar shows in a row, which count from the ground."""
    eighths = min(max(height - 8 * row, 0), 8)
    if (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf"):
        return _EIGHTHS[eighths]
    return "#" if eighths >= 4 or (eighths and not row) else " "
