"""Curves in characters."""

import pytest

from charlm.render.chart import chart


def test_a_chart_by_hand():
    points = [(0.0, 4.0), (8.0, 4.0), (8.0, 0.0)]  # along the top, then down at the right
    assert chart([("a", points)], columns=14, rows=5, color=False, title="t") == [
        "t",
        " ┌───────────┐",
        "4┤⠠⠤⠤⠤⠤⠤⠤⠤⠤⠤⡄│",
        "3┤          ⡇│",
        "2┤          ⡇│",
        "1┤          ⡇│",
        "0┤          ⠃│",
        " └┬────┬────┬┘",
        "  0    4    8",
        "      step",
        "━ a: lowest 0, last 0",
    ]


def test_curves_are_told_apart_without_colour():
    curves = [("a", [(0.0, 1.0), (1.0, 1.0)]), ("b", [(0.0, 2.0), (1.0, 2.0)])]
    lines = chart(curves, columns=30, rows=6, color=False, title="t")
    assert "+" * 24 in lines[2]
    assert "•" * 24 in lines[7]
    assert lines[-2:] == ["• a: lowest 1, last 1", "+ b: lowest 2, last 2"]


@pytest.mark.parametrize("columns", [80, 20, 8, 5])
def test_a_chart_is_as_wide_as_it_may(columns):
    curves = [("a", [(0.0, 1.0), (1000.0, 2.5)]), ("b", [(5.0, 2.0)])]
    lines = chart(curves, columns=columns, rows=6, color=False, title="t")
    assert max(map(len, lines[1:-2])) == columns
    assert "\x1b" not in "".join(lines)


def test_the_colours_of_canvas_and_legend_are_the_same_and_closed():
    curves = [("a", [(0.0, 1.0), (1.0, 1.0)]), ("b", [(0.0, 2.0), (1.0, 2.0)])]
    lines = chart(curves, columns=30, rows=6, color=True, title="t")
    assert "\x1b[38;5;3m⠠" in lines[2]
    assert lines[-1].startswith("\x1b[38;5;3m━\x1b[0m b: ")
    assert all(line.endswith("\x1b[0m") for line in lines[1:-2])


def test_a_first_loss_far_above_the_rest_does_not_flatten_it():
    points = [(0.0, 1000.0), *[(float(x), 2.0 - x / 100) for x in range(1, 100)]]
    assert "1000" not in "".join(chart([("a", points)], columns=40, rows=8, color=False, title=""))


def test_a_curve_that_lies_above_the_other_is_in_the_picture():
    low = [(float(x), 1.0 + 1.0 / (1 + x)) for x in range(100)]
    lines = chart(
        [("a", low), ("b", [(0.0, 3.0), (99.0, 2.0)])], columns=40, rows=8, color=False, title="t"
    )
    assert sum("+" in line for line in lines[2:10]) > 3
