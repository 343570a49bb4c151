"""Which units of a recurrent model follow something simple, and what one unit does over a text."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.tasks.inspect_reading import Reading
from charlm.tasks.inspect_traits import TRAITS, traits_of

Float64 = npt.NDArray[np.float64]
# A unit that moves less than this, by its standard deviation, follows nothing that could be seen.
STILL = 0.05


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UnitMatch:
    """How one unit follows one trait of the text.

    Attributes:
        trait: a key of `TRAITS`.
        layer: from 1.
        unit: from 1.
        correlation: Pearson's, over the tokens.
        deviation: the standard deviation of the unit's state.
    """

    trait: str
    layer: int
    unit: int
    correlation: float
    deviation: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class NeuronsResult:
    """The units that follow each trait best.

    Attributes:
        matches: by trait in the order of `TRAITS`, the best first.
        absent: the traits that are the same at every token of the text.
        chance: the correlation that the best of as many units would have with any trait, had
            each token's states nothing to do with the text nor with the token before; a bound
            from below, as states do have to do with the one before.
    """

    matches: tuple[UnitMatch, ...]
    absent: tuple[str, ...]
    chance: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UnitResult:
    """The states of one unit after each token of a text, -1 to 1; layer and unit from 1."""

    layer: int
    unit: int
    states: tuple[float, ...]


def inspect_neurons(reading: Reading, *, layer: int | None = None, top: int = 3) -> NeuronsResult:
    """Return for each trait of the text the units whose states correlate with it most.

    Args:
        layer: one by number, from 1; None for all.
        top: units for each trait.

    Raises:
        TaskError: if the model has no such layer, or the text only one token.
    """
    wanted, size = reading.layers(layer), reading.network.config.hidden_size
    count = len(reading.ids)
    if count < 2:
        raise TaskError("the text has 1 token; nothing can vary over it")
    traits = traits_of(reading.texts)
    scales = traits.std(axis=0)
    traits = (traits - traits.mean(axis=0)) / np.where(scales > 0, scales, 1.0)
    sums = np.zeros((len(wanted), size))
    squares, products = np.zeros_like(sums), np.zeros((len(wanted), len(TRAITS), size))
    for block in reading.blocks():
        if block.index in wanted:
            place, states = block.index - wanted.start, block.states.astype(np.float64)
            sums[place] += states.sum(axis=0)
            squares[place] += (states**2).sum(axis=0)
            products[place] += traits[block.start : block.start + len(states)].T @ states
    deviations = np.sqrt(np.maximum(squares / count - (sums / count) ** 2, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = products / count / deviations[:, None]  # the traits' own mean is 0
    found[~((deviations >= STILL)[:, None] & np.isfinite(found))] = 0.0
    matches = [
        match
        for index, trait in enumerate(TRAITS)
        if scales[index] > 0
        for match in _best(trait, wanted.start, found[:, index], deviations, top)
    ]
    return NeuronsResult(
        matches=tuple(matches),
        absent=tuple(trait for trait, scale in zip(TRAITS, scales, strict=True) if not scale > 0),
        chance=min(1.0, math.sqrt(2 * math.log(2 * found[:, 0].size) / count)),
    )


def _best(
    trait: str, first: int, correlations: Float64, deviations: Float64, top: int
) -> list[UnitMatch]:
    """Return the units of the largest correlations (layers, units), whatever their sign."""
    order = np.argsort(-np.abs(correlations), axis=None, kind="stable")[:top]
    places = zip(*np.unravel_index(order, correlations.shape), strict=True)
    return [
        UnitMatch(
            trait=trait,
            layer=first + int(layer) + 1,
            unit=int(unit) + 1,
            correlation=float(np.clip(correlations[layer, unit], -1.0, 1.0)),
            deviation=float(deviations[layer, unit]),
        )
        for layer, unit in places
        if correlations[layer, unit]
    ]


def inspect_unit(reading: Reading, *, unit: int, layer: int | None = None) -> UnitResult:
    """Return what one unit does over a text.

    Args:
        unit: by number, from 1.
        layer: by number, from 1; None for the last.

    Raises:
        TaskError: if the model has no such layer or unit.
    """
    index, size = reading.layers(layer)[-1], reading.network.config.hidden_size
    if not 1 <= unit <= size:
        raise TaskError(f"{reading.opened.name!r} has {size:,} units a layer, got --unit {unit}")
    states: list[float] = []
    for block in reading.blocks():
        if block.index == index:
            states += block.states[:, unit - 1].tolist()
    return UnitResult(layer=index + 1, unit=unit, states=tuple(states))
