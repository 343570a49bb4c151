"""The heat map as a page or a picture of its own: .html, where each token tells its story when
pointed at, or .svg."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from charlm.render.console import one_line, sanitize
from charlm.render.surprisal import Cell, build_cells, levels_for, wrap
from charlm.render.tables import columns_of, figure
from charlm.store.files import write_atomic

if TYPE_CHECKING:
    from charlm.tasks.score import ScoreResult, TokenScore

# From paper to dark red: steps that also differ in lightness, so that grey prints can be read.
GROUNDS = ("#ffffff", "#fdf3cf", "#fbd98b", "#f7ad5e", "#cc4a22", "#9b1c2e")
INKS = ("#222222", "#222222", "#222222", "#222222", "#ffffff", "#ffffff")
COLUMNS, ADVANCE, LINE, MARGIN = 80, 9, 24, 16  # of the picture: characters, and pixels


def write_page(path: Path, results: Sequence[ScoreResult], model: str) -> None:
    """Write the heat maps of some texts to a .html or .svg file.

    Raises:
        CheckpointError: if the file cannot be written.
    """
    levels = levels_for([item.text for result in results for item in result.per_token])
    texts = [
        build_cells(
            [(item.text, item.log_prob) for item in result.per_token],
            levels,
            [_story(item) for item in result.per_token],
        )
        for result in results
    ]
    make = _picture if path.suffix.lower() == ".svg" else _page
    write_atomic(path, make(results, texts, levels, model).encode("utf-8", "replace"))


def _story(item: TokenScore) -> str:
    """Return what a token says of itself, in lines."""
    bits = -item.log_prob / math.log(2.0)
    lines = [f"{one_line(item.token)}: {bits:.2f} bits, p = {math.exp(item.log_prob):.3g}"]
    if item.rank:
        lines.append(f"rank {item.rank:,}; likeliest:")
    lines += [f"{one_line(o.token)}  {math.exp(o.log_prob):.1%}" for o in item.alternatives]
    return "\n".join(lines)


def _names(levels: Sequence[float]) -> list[str]:
    edges = [f"{edge:g}" for edge in levels]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"below {edges[0]}", *between, f"{edges[-1]} or more"]


def _page(
    results: Sequence[ScoreResult],
    texts: Sequence[Sequence[Cell]],
    levels: Sequence[float],
    model: str,
) -> str:
    styles = "".join(
        f".s{level}{{background:{ground};color:{ink}}}"
        for level, (ground, ink) in enumerate(zip(GROUNDS, INKS, strict=True))
    )
    legend = " ".join(f'<span class="s{i}">{name}</span>' for i, name in enumerate(_names(levels)))
    bodies = "".join(
        f'<p class="text">{"".join(map(_span, cells))}</p><p class="facts">{_facts(result)}</p>'
        for result, cells in zip(results, texts, strict=True)
    )
    title = html.escape(one_line(model))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Surprisal under {title}</title><style>"
        "body{font-family:sans-serif;margin:2em auto;max-width:60em;padding:0 1em;"
        "background:#fff;color:#222}"
        ".text{font-family:ui-monospace,monospace;font-size:1.1em;line-height:1.7;"
        "white-space:pre-wrap;overflow-wrap:anywhere}.facts{color:#555}"
        ".legend span{padding:.15em .5em;border:1px solid #ccc}"
        f"{styles}</style></head><body><h1>Surprisal under {title}</h1>"
        f'<p class="legend">Bits a token: {legend}</p>{bodies}</body></html>\n'
    )


def _span(cell: Cell) -> str:
    text, title = html.escape(cell.text), html.escape(cell.title, quote=True)
    line_end = "\n" if cell.ends_line else ""
    return f'<span class="s{cell.level}" title="{title}">{text}</span>{line_end}'


def _facts(result: ScoreResult) -> str:
    return (
        f"log-probability {result.log_prob:.3f} nats, {result.tokens:,} tokens, perplexity "
        f"{figure(result.perplexity)}, {figure(result.bits_per_char)} bits per character"
    )


def _picture(
    results: Sequence[ScoreResult],
    texts: Sequence[Sequence[Cell]],
    levels: Sequence[float],
    model: str,
) -> str:
    rows = [[Cell(sanitize(f"Surprisal under {one_line(model)}, bits a token"), 0.0, 0)]]
    rows += list(wrap([Cell(f" {n} ", 0.0, i) for i, n in enumerate(_names(levels))], COLUMNS))
    for result, cells in zip(results, texts, strict=True):
        rows += [[], *wrap(cells, COLUMNS), [Cell(_facts(result), 0.0, 0)]]
    columns = max(sum(columns_of(cell.text) for cell in row) for row in rows)
    wide, high = 2 * MARGIN + ADVANCE * columns, 2 * MARGIN + LINE * len(rows)
    shapes = "\n".join(shape for number, row in enumerate(rows) for shape in _shapes(row, number))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
        f'viewBox="0 0 {wide} {high}" font-family="ui-monospace,monospace" font-size="15">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{shapes}\n</svg>\n'
    )


def _shapes(row: Sequence[Cell], number: int) -> Iterator[str]:
    """Yield the ground and the text of each cell; its length is set, whatever the font."""
    x, y = MARGIN, MARGIN + LINE * number
    for cell in row:
        size = ADVANCE * columns_of(cell.text)
        if cell.level:
            yield (
                f'<rect x="{x}" y="{y}" width="{size}" height="{LINE - 2}" '
                f'fill="{GROUNDS[cell.level]}"/>'
            )
        if cell.text.strip():
            story = f"<title>{html.escape(cell.title)}</title>" if cell.title else ""
            yield (
                f'<text x="{x}" y="{y + 16}" fill="{INKS[cell.level]}" textLength="{size}" '
                f'lengthAdjust="spacingAndGlyphs" xml:space="preserve">'
                f"{html.escape(cell.text)}{story}</text>"
            )
        x += size
