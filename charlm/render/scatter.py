"""Words on a plane: as characters, or as a picture or page in a file."""

from __future__ import annotations

import html
import io
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charlm.render.console import is_terminal, one_line, out, wants_color
from charlm.render.tables import columns_of
from charlm.store.files import write_atomic

if TYPE_CHECKING:
    from charlm.tasks.vectors_plot import Picture, PlacedWord

_COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#17becf")
_PALETTE = (6, 1, 2, 5, 3, 4)
# where the machine has one of them, Chinese and Japanese words can be drawn
_MORE_FONTS = (
    "Noto Sans CJK SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Heiti SC",
    "Hiragino Sans GB",
    "Arial Unicode MS",
)
_WIDE, _HIGH, _MARGIN = 960, 720, 60


def draw_words(picture: Picture) -> None:
    """Write the words to stdout where they stand; a word without room is left out."""
    for line in scatter(picture, *_room(), color=wants_color(sys.stdout)):
        out(line, trusted=True)


def _room() -> tuple[int, int]:
    size = shutil.get_terminal_size((80, 24))
    columns, rows = (size.columns, size.lines) if is_terminal(sys.stdout) else (80, 24)
    return max(columns, 10), max(rows - 4, 5)


def scatter(picture: Picture, columns: int, rows: int, *, color: bool = False) -> list[str]:
    """Return the lines of a plane of words; a last one says how many found no room."""
    places = _scaled(picture.words, columns, rows)
    taken = [[False] * columns for _ in range(rows)]
    written: list[list[tuple[int, str, int]]] = [[] for _ in range(rows)]
    left_out = 0
    for word, (x, y) in zip(picture.words, places, strict=True):
        name = one_line(word.word)
        size = columns_of(name)
        start = min(max(round(x) - size // 2, 0), columns - size)
        row = min(round(y), rows - 1)
        if start < 0 or any(taken[row][max(start - 1, 0) : start + size + 1]):
            left_out += 1
            continue
        taken[row][start : start + size] = [True] * size
        written[row].append((start, name, word.cluster))
    lines = [_line(sorted(parts), color) for parts in written]
    note = f"; no room for {left_out:,}" if left_out else ""
    return [f"{one_line(picture.title)}{note}", *lines]


def _line(parts: Sequence[tuple[int, str, int]], color: bool) -> str:
    line, end = "", 0
    for start, name, cluster in parts:
        shown = name
        if color:
            shown = f"\x1b[38;5;{_PALETTE[(cluster - 1) % len(_PALETTE)]}m{name}\x1b[0m"
        line += " " * (start - end) + shown
        end = start + columns_of(name)
    return line


def _scaled(words: Sequence[PlacedWord], wide: float, high: float) -> list[tuple[float, float]]:
    """Return places from 0 to `wide - 1` and from `high - 1`, below, to 0, above."""
    xs, ys = [word.x for word in words], [word.y for word in words]
    low_x, low_y = min(xs), min(ys)
    span_x, span_y = (max(xs) - low_x) or 1.0, (max(ys) - low_y) or 1.0
    return [
        ((x - low_x) / span_x * (wide - 1), (1 - (y - low_y) / span_y) * (high - 1))
        for x, y in zip(xs, ys, strict=True)
    ]


def save_words(picture: Picture, path: Path) -> None:
    """Write the plane to a file, whole or not at all; its suffix says PNG, SVG or HTML.

    Raises:
        CheckpointError: if the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind == ".png":
        data = _png(picture)
    elif kind == ".svg":
        data = _svg(picture).encode()
    else:
        data = _page(picture).encode()
    write_atomic(path, data)


def _svg(picture: Picture) -> str:
    places = _scaled(picture.words, _WIDE - 2 * _MARGIN, _HIGH - 2 * _MARGIN)
    shapes = []
    for word, (x, y) in zip(picture.words, places, strict=True):
        name = html.escape(one_line(word.word))
        near = html.escape(", ".join(map(one_line, word.near)))
        story = f"<title>{name}{': near ' + near if near else ''}</title>"
        fill = _COLORS[(word.cluster - 1) % len(_COLORS)]
        left, top = x + _MARGIN, y + _MARGIN
        shapes.append(
            f'<g fill="{fill}">{story}<circle cx="{left:.1f}" cy="{top:.1f}" r="3.5"/>'
            f'<text x="{left + 6:.1f}" y="{top + 4:.1f}">{name}</text></g>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDE}" height="{_HIGH}" '
        f'viewBox="0 0 {_WIDE} {_HIGH}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f'<text x="{_MARGIN}" y="30" font-size="16">{html.escape(one_line(picture.title))}</text>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def _page(picture: Picture) -> str:
    title = html.escape(one_line(picture.title))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>body{{font-family:sans-serif;margin:1em}}"
        "svg{max-width:100%;height:auto}g{opacity:.75;cursor:default}"
        "g:hover{opacity:1;font-weight:bold;font-size:18px}</style></head>"
        f"<body>{_svg(picture)}</body></html>\n"
    )


def _png(picture: Picture) -> bytes:
    import warnings

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import font_manager, pyplot

    there = {font.name for font in font_manager.fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in _MORE_FONTS if name in there)]
    # Words are untrusted: no formulas.
    settings: Any = {"text.parse_math": False, "font.family": fonts}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box is drawn for it
        figure, axes = pyplot.subplots(figsize=(12, 9), layout="constrained")
        for word in picture.words:
            fill = _COLORS[(word.cluster - 1) % len(_COLORS)]
            axes.plot(word.x, word.y, "o", color=fill, markersize=3)
            axes.annotate(one_line(word.word), (word.x, word.y), color=fill, fontsize=8)
        axes.set(title=one_line(picture.title), xticks=[], yticks=[])
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=110)
        pyplot.close(figure)
    return file.getvalue()
