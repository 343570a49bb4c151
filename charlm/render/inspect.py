"""Tables of what goes on inside a model: units that follow something, gates that saturate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from charlm.render.console import talk
from charlm.render.tables import show_table

if TYPE_CHECKING:
    from charlm.tasks.inspect_gates import GateResult
    from charlm.tasks.inspect_neurons import NeuronsResult

_MEANINGS = {
    "input": "what is new enters the cell",
    "forget": "the cell is kept",
    "output": "the cell is shown",
    "reset": "the old state is seen",
    "update": "the old state is kept",
}


def show_matches(found: NeuronsResult) -> None:
    """Write the units that follow each trait best, and on stderr what to make of it."""
    rows = [
        [
            one.trait,
            str(one.layer),
            str(one.unit),
            f"{one.correlation:+.2f}",
            f"{one.deviation:.2f}",
        ]
        for one in found.matches
    ]
    if rows:
        header = ["it follows", "layer", "unit", "r", "spread"]
        show_table(header, rows, right=(1, 2, 3, 4), spare=(4,))
        talk(f"charlm: in a text of this length |r| up to {found.chance:.2g} may be chance alone")
    else:
        talk("charlm: no unit follows anything here")
    if found.absent:
        talk(f"charlm: the same at every token, so left out: {', '.join(found.absent)}")


def show_gate_table(found: Sequence[GateResult]) -> None:
    """Write how open each gate is, and the shares of its values that are saturated."""
    rows = [
        [
            str(one.layer),
            one.gate,
            f"{one.mean:.2f}",
            f"{one.left:.0%}",
            f"{one.right:.0%}",
            _MEANINGS[one.gate],
        ]
        for one in found
    ]
    header = ["layer", "gate", "mean", "<0.1", ">0.9", "when open"]
    show_table(header, rows, right=(0, 2, 3, 4), spare=(5, 0))
