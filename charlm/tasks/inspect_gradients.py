"""How much the loss of a text's last token depends on each state before it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from charlm.engine.inspection import last_loss_gradients
from charlm.tasks.inspect_reading import Reading

BEGINNING = ""  # the token that stands for the beginning of a text


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """The norms of the gradients by one kind of state of a layer, the earliest first.

    Attributes:
        layer: from 1.
        state: `hidden`, or `cell` of an LSTM.
        norms: |d loss / d state| after each token that was read.
        decay: what a norm is multiplied by for a step back in time, the geometric mean; None
            where there is one step or no gradient at all.
    """

    layer: int
    state: str
    norms: tuple[float, ...]
    decay: float | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class GradientsResult:
    """The gradients of one token's loss.

    Attributes:
        target: the last token, which is predicted.
        nll: its loss, in nats.
        tokens: what was read before it, the earliest first; `BEGINNING` for that of the text.
        texts: what they stand for in the text.
        reaches: by layer and state.
    """

    target: str
    nll: float
    tokens: tuple[str, ...]
    texts: tuple[str, ...]
    reaches: tuple[Reach, ...]


def inspect_gradients(
    reading: Reading, *, layer: int | None = None, steps: int = 100
) -> GradientsResult:
    """Return how far back in time the loss of the last token reaches.

    Args:
        layer: one by number, from 1; None for all.
        steps: at most so many steps back.

    Raises:
        TaskError: if the model has no such layer.
    """
    wanted, network = reading.layers(layer), reading.network
    with reading.threads():
        nll, layers = last_loss_gradients(network.config, network.tensors, reading.ids, steps=steps)
    reaches = []
    for index in wanted:
        reaches.append(_reach(index + 1, "hidden", layers[index].hidden))
        if layers[index].cell is not None:
            reaches.append(_reach(index + 1, "cell", layers[index].cell))
    last = len(reading.ids) - 1
    first = max(0, last + 1 - steps)
    read = range(first - 1, last)  # -1 is the beginning of the text
    return GradientsResult(
        target=reading.token(last),
        nll=nll,
        tokens=tuple(BEGINNING if place < 0 else reading.token(place) for place in read),
        texts=tuple(BEGINNING if place < 0 else reading.texts[place] for place in read),
        reaches=tuple(reaches),
    )


def _reach(layer: int, state: str, gradients: Any) -> Reach:
    norms = np.linalg.norm(gradients, axis=1).tolist()
    return Reach(layer=layer, state=state, norms=tuple(norms), decay=decay_of(norms))


def decay_of(norms: list[float]) -> float | None:
    """Return the geometric mean of the factors between neighbours, from the last to the first.

    Example:
        >>> decay_of([0.25, 3.0, 1.0]), decay_of([0.0, 1.0]), decay_of([1.0])
        (0.5, 0.0, None)
    """
    if len(norms) < 2 or not 0.0 < norms[-1] < math.inf or not math.isfinite(norms[0]):
        return None
    if norms[0] == 0.0:
        return 0.0
    return math.exp((math.log(norms[0]) - math.log(norms[-1])) / (len(norms) - 1))
