"""`charlm plot`: loss curves in the terminal or as a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from charlm.base.registry import did_you_mean
from charlm.cli.spec import JSON, Argument, Command, Option, UsageError
from charlm.render.console import out

_MEASURES = ("bits-per-char", "loss", "learning-rate", "grad-norm", "speed")
_SUFFIXES = (".png", ".svg", ".html")


def run(values: Mapping[str, Any]) -> int:
    """Draw the curves."""
    measure, output = values["measure"], values["output"]
    if measure not in _MEASURES:
        near = did_you_mean(measure, _MEASURES)
        raise UsageError(f"--measure must be one of {', '.join(_MEASURES)}{near}, got {measure!r}")
    if output is not None and Path(output).suffix.lower() not in _SUFFIXES:
        raise UsageError(f"--output must end in {', '.join(_SUFFIXES)}, got {output!r}")
    from charlm.tasks.plot import MEASURES, read_curves

    curves = read_curves(values["name"] or [None], measure)
    if values["json"]:
        from charlm.render.machine import emit

        for curve in curves:
            emit({**dataclasses.asdict(curve), "measure": measure})
        return 0
    from charlm.render.plots import draw, save_picture

    title = MEASURES[measure][2]
    if output is None:
        draw(curves, title)
        return 0
    save_picture(curves, title, Path(output))
    out(f"wrote {output}")
    return 0


PLOT = Command(
    "plot",
    "draw the loss curves of models",
    run,
    arguments=(Argument("name", "models to draw in one picture", repeats=True, complete="model"),),
    options=(
        Option("measure", "what to draw", default="bits-per-char", values=_MEASURES),
        Option("output", "picture instead: .png, .svg or .html", metavar="FILE", complete="file"),
        JSON,
    ),
    examples=(
        ("charlm plot", "the newest model, in the terminal"),
        ("charlm plot small large --output curves.svg", "two models in one picture"),
    ),
)
