"""Weights, their averages and Adam's moments as arrays by name, and back, exactly."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from charlm.store.resume import require_array

Arrays = dict[str, npt.NDArray[Any]]
MOMENTS = ("exp_avg", "exp_avg_sq")


def pack_weights(
    names: Sequence[str],
    weights: Sequence[Tensor],
    averages: Sequence[Tensor],
    moments: Mapping[Tensor, Mapping[str, Tensor]],
) -> Arrays:
    """Return a copy of all that the next update of some weights depends on.

    Args:
        names: of the weights, in their order.
        weights: that are learnt.
        averages: one a weight.
        moments: an optimiser's state; one of weights that never moved is zero.
    """
    found: Arrays = {}
    for name, weight, average in zip(names, weights, averages, strict=True):
        found[f"weight.{name}"] = _copied(weight)
        found[f"average.{name}"] = _copied(average)
        own = moments.get(weight, {})
        for part in MOMENTS:
            found[f"{part}.{name}"] = _copied(own.get(part, torch.zeros_like(weight)))
    return found


def unpack_weights(
    arrays: Mapping[str, npt.NDArray[Any]],
    prefix: str,
    names: Sequence[str],
    weights: Sequence[Tensor],
    averages: Sequence[Tensor],
    moments: MutableMapping[Tensor, Any],
    step: int,
) -> None:
    """Put weights, averages and moments where `pack_weights` found others of the same names.

    Args:
        arrays: what it returned, each name behind `prefix`.
        step: updates done.

    Raises:
        KeyError, ValueError: if one is missing, or is none of such weights.
    """
    for name, weight, average in zip(names, weights, averages, strict=True):
        weight.data.copy_(_like(arrays, f"{prefix}weight.{name}", weight))
        average.copy_(_like(arrays, f"{prefix}average.{name}", weight))
        own = {part: _like(arrays, f"{prefix}{part}.{name}", weight) for part in MOMENTS}
        moments[weight] = {"step": torch.tensor(float(step)), **own}


def pack_generator(generator: torch.Generator) -> npt.NDArray[Any]:
    """Return a generator's state."""
    return np.array(generator.get_state().numpy())


def unpack_generator(generator: torch.Generator, state: npt.NDArray[Any]) -> None:
    """Put a generator into a state that `pack_generator` returned.

    Raises:
        ValueError: if it is none.
    """
    try:
        generator.set_state(torch.from_numpy(np.array(state)))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"no state of a random generator: {error}") from error


def _copied(tensor: Tensor) -> npt.NDArray[Any]:
    return np.array(tensor.detach().numpy())


def _like(arrays: Mapping[str, npt.NDArray[Any]], name: str, weight: Tensor) -> Tensor:
    return torch.from_numpy(require_array(arrays, name, weight.shape))
