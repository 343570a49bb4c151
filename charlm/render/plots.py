"""Curves in the terminal, or as PNG, SVG and HTML files."""

from __future__ import annotations

import html
import io
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from charlm.base.errors import TaskError
from charlm.render.chart import chart
from charlm.render.console import is_terminal, one_line, out, wants_color


class Drawable(Protocol):
    """A line with a label."""

    @property
    def label(self) -> str:
        """What the legend says."""

    @property
    def kind(self) -> str:
        """`train` or `valid`."""

    @property
    def steps(self) -> tuple[float, ...]:
        """Places along the horizontal axis."""

    @property
    def values(self) -> tuple[float, ...]:
        """Heights."""


def draw(curves: Sequence[Drawable], title: str) -> None:
    """Write the curves to stdout as characters."""
    columns, rows = _terminal_size()
    lines = chart(
        [(one_line(c.label), list(zip(c.steps, c.values, strict=True))) for c in curves],
        columns=min(columns, 120),
        rows=max(5, min(rows - 6 - len(curves), 24)),
        color=wants_color(sys.stdout),
        title=title,
    )
    for line in lines:
        out(line, trusted=True)


def _terminal_size() -> tuple[int, int]:
    size = shutil.get_terminal_size((80, 24))
    return (size.columns, size.lines) if is_terminal(sys.stdout) else (80, 24)


def save_picture(curves: Sequence[Drawable], title: str, path: Path) -> None:
    """Write the curves to a file, whole or not at all; its suffix says whether PNG, SVG or HTML.

    Raises:
        TaskError: if the file cannot be written.
    """
    kind = path.suffix.lower().lstrip(".")
    data = _picture(curves, title, "svg" if kind == "html" else kind)
    if kind == "html":
        data = _page(curves, title, data)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise TaskError(f"cannot write {path}: {error.strerror or error}") from error


def _picture(curves: Sequence[Drawable], title: str, kind: str) -> bytes:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # Labels are untrusted: no formulas. A fixed salt and no date make the file reproducible.
    settings: Any = {"svg.hashsalt": "charlm", "text.parse_math": False}
    with matplotlib.rc_context(settings):
        figure, axes = pyplot.subplots(figsize=(9, 5), layout="constrained")
        for curve in curves:
            style = "-" if curve.kind == "train" else "o--"
            label = one_line(curve.label).removeprefix("_")
            axes.plot(curve.steps, curve.values, style, label=label, markersize=3)
        axes.set(xlabel="step", ylabel=title)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
        pyplot.close(figure)
    return file.getvalue()


def _page(curves: Sequence[Drawable], title: str, svg: bytes) -> bytes:
    picture = svg.decode("utf-8")
    picture = picture[picture.index("<svg") :]
    rows = "".join(
        f"<tr><td>{html.escape(one_line(curve.label))}</td><td>{min(curve.values):.4f}</td>"
        f"<td>{curve.values[-1]:.4f}</td><td>{curve.steps[-1]:.0f}</td></tr>"
        for curve in curves
    )
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>body{{font-family:sans-serif;margin:2em}}"
        "svg{max-width:100%;height:auto}td,th{padding:.2em 1em;text-align:right}</style></head>"
        f"<body><h1>{html.escape(title)}</h1>{picture}<table>"
        f"<tr><th>curve</th><th>lowest</th><th>last</th><th>steps</th></tr>{rows}</table>"
        f"</body></html>{os.linesep}"
    )
    return text.encode("utf-8")
