"""The settings of a resumed run: its own, but for what the user says anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from charlm.base.config import to_json
from charlm.base.errors import ConfigError
from charlm.training.config import TrainConfig
from charlm.training.presets import architecture_settings, budget_of

LIMITS = ("max_time", "epochs", "max_steps")


def merge(old: TrainConfig, new: TrainConfig, plan: Mapping[str, Any] | None = None) -> TrainConfig:
    """Return the old settings with those of the new that are not the defaults.

    One limit of the new takes the place of all limits of the old.

    Args:
        old: of the run that goes on.
        new: what the user says now.
        plan: what the run settled where the old left it open, as a plan's values.

    Raises:
        ConfigError: if the new would change the text's units, the model's form or the draws.
    """
    settled = _settled(plan or {})
    default = TrainConfig()
    given = {
        field.name: getattr(new, field.name)
        for field in dataclasses.fields(TrainConfig)
        if getattr(new, field.name) != getattr(default, field.name)
    }
    keeps = (*architecture_settings(), "seed")
    fixed = []
    for name, value in given.items():
        was = getattr(old, name)
        was = settled.get(name) if was is None else was
        if name in keeps and value != was:
            fixed.append(f"--{name.replace('_', '-')} {value} (it is {was})")
    if fixed:
        raise ConfigError(
            f"a resumed training keeps its text and form; cannot change {', '.join(fixed)}"
        )
    freed = dict.fromkeys(LIMITS) if any(name in given for name in LIMITS) else {}
    return dataclasses.replace(old, **{**freed, **given})


def _settled(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's values by the names of settings."""
    model = plan.get("model")
    return {**(model if isinstance(model, dict) else {}), **plan}


def changes(old: TrainConfig, new: TrainConfig) -> dict[str, list[Any]]:
    """Return what each setting that changed was and is, by name."""
    before, after = to_json(old), to_json(new)
    return {name: [before[name], after[name]] for name in before if before[name] != after[name]}


def said(value: Any) -> str:
    """Return a setting's value as a message names it."""
    return "unset" if value is None else str(value)


def limits(config: TrainConfig) -> str:
    """Return how long a run goes, as options."""
    named = {name: getattr(config, name) for name in LIMITS}
    words = [
        f"--{name.replace('_', '-')} {v:g}"
        if isinstance(v, float)
        else f"--{name.replace('_', '-')} {v}"
        for name, v in named.items()
        if v is not None
    ]
    return " ".join(words) or f"{budget_of(config).seconds:g} seconds"
