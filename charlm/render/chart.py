"""Curves drawn with characters, by plotext; the legend stands below, where it hides no curve."""

from __future__ import annotations

from collections.abc import Sequence

Points = Sequence[tuple[float, float]]

_COLORS = (6, 3, 2, 5, 4, 1)  # of the terminal's palette: cyan, yellow, green, magenta, blue, red
MARKS = "•+x*o#"


def chart(
    curves: Sequence[tuple[str, Points]], *, columns: int, rows: int, color: bool, title: str
) -> list[str]:
    """Return the lines of a chart: title, canvas with axes, legend.

    Where curves cannot be told apart by colour, each is drawn by a mark of its own.

    Args:
        curves: label and points (x, y) of each, at least one point.
        columns: width of the whole.
        rows: height of the canvas, without axes and legend.
        color: whether to use terminal colours.
        title: the first line.
    """
    import plotext

    marks = not color and len(curves) > 1
    figure = plotext.figure  # plotext has this one, for all
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(columns, rows + 4)  # two lines of frame, the ticks and their label
    figure.label("step")
    low, high = _heights(curves)
    figure.ruler("y").lim(low, high)
    steps = [x for _, points in curves for x, _ in points]
    ticks = sorted({min(steps), (min(steps) + max(steps)) // 2, max(steps)})
    figure.ruler("x").ticks(ticks, [f"{x:.0f}" for x in ticks])
    for index, (_, points) in enumerate(curves):
        across, up = zip(*points, strict=True)
        mark = MARKS[index % len(MARKS)] if marks else "braille"
        marker = plotext.marker(mark, _COLORS[index % len(_COLORS)] if color else None)
        signal = figure.signal(list(across), [min(y, high) for y in up], marker=marker)
        figure.draw(signal.lines())
    canvas = figure.build().string(colorless=not color)
    lines = [line.rstrip() for line in canvas.splitlines()]
    return [title, *lines, *_legend(curves, color=color, marks=marks)]


def _legend(curves: Sequence[tuple[str, Points]], *, color: bool, marks: bool) -> list[str]:
    lines = []
    for index, (label, points) in enumerate(curves):
        mark = MARKS[index % len(MARKS)] if marks else "━"
        if color:
            mark = f"\x1b[38;5;{_COLORS[index % len(_COLORS)]}m{mark}\x1b[0m"
        values = [y for _, y in points]
        lines.append(f"{mark} {label}: lowest {min(values):.4g}, last {values[-1]:.4g}")
    return lines


def _heights(curves: Sequence[tuple[str, Points]]) -> tuple[float, float]:
    """Return the range to show. The first losses are far above the rest and would flatten it:
    what lies higher than four times the height of each curve's middle above the lowest is cut off.
    """
    heights = [sorted(y for _, y in points) for _, points in curves]
    low, high = min(ys[0] for ys in heights), max(ys[-1] for ys in heights)
    if low == high:
        return low, low + (abs(low) or 1.0)
    ceiling = low + 4.0 * max(ys[len(ys) // 2] - low for ys in heights)
    return (low, ceiling) if low < ceiling < high else (low, high)
