"""How open the gates of a recurrent model are over a text, and how often they saturate."""

from __future__ import annotations

import dataclasses

import numpy as np

from charlm.base.errors import TaskError
from charlm.engine.inspection import GATE_NAMES
from charlm.tasks.inspect_reading import Reading

# Values beyond these count as saturated.
LEFT, RIGHT = 0.1, 0.9


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class GateResult:
    """One kind of gate of a layer over a text.

    Attributes:
        layer: from 1.
        gate: its name.
        mean: over units and tokens.
        left: the share of values below `LEFT`.
        right: the share of values above `RIGHT`.
        per_token: the mean over units at each token.
    """

    layer: int
    gate: str
    mean: float
    left: float
    right: float
    per_token: tuple[float, ...]


def inspect_gates(reading: Reading, *, layer: int | None = None) -> list[GateResult]:
    """Return the gates of each layer, the first layer first.

    Args:
        layer: one by number, from 1; None for all.

    Raises:
        TaskError: if the model has no gates, or no such layer.

    Source:
        Karpathy, Johnson and Fei-Fei (2016), arXiv:1506.02078, left and right saturation.
    """
    wanted, config = reading.layers(layer), reading.network.config
    if not GATE_NAMES[config.cell]:
        raise TaskError(
            f"{reading.opened.name!r} is a tanh RNN, which has no gates; "
            "an LSTM or a GRU has (charlm train lm --cell lstm)"
        )
    names = [(index, name) for index in wanted for name in GATE_NAMES[config.cell]]
    means: dict[tuple[int, str], list[float]] = {key: [] for key in names}
    left, right = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for block in reading.blocks():
        for name, values in block.gates.items():
            key = (block.index, name)
            if block.index in wanted:
                means[key] += values.mean(axis=1, dtype=np.float64).tolist()
                left[key] += int((values < LEFT).sum())
                right[key] += int((values > RIGHT).sum())
    count = len(reading.ids) * config.hidden_size
    return [
        GateResult(
            layer=index + 1,
            gate=name,
            mean=float(np.mean(means[index, name])),
            left=left[index, name] / count,
            right=right[index, name] / count,
            per_token=tuple(means[index, name]),
        )
        for index, name in names
    ]
