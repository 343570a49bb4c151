"""The settings of a resumed run: its own, but for what the user says anew."""

from __future__ import annotations

import dataclasses
from typing import Any

from charlm.base.config import to_json
from charlm.base.errors import ConfigError
from charlm.training.config import TrainConfig
from charlm.training.presets import architecture_settings, budget_of

LIMITS = ("max_time", "epochs", "max_steps")


def merge(old: TrainConfig, new: TrainConfig) -> TrainConfig:
    """Return the old settings with those of the new that are not the defaults.

    One limit of the new takes the place of all limits of the old.

    Raises:
        ConfigError: if the new would change the text's units or the model's form.
    """
    default = TrainConfig()
    given = {
        field.name: getattr(new, field.name)
        for field in dataclasses.fields(TrainConfig)
        if getattr(new, field.name) != getattr(default, field.name)
    }
    fixed = [
        f"--{name.replace('_', '-')} {value} (it is {getattr(old, name)})"
        for name, value in given.items()
        if name in architecture_settings() and value != getattr(old, name)
    ]
    if fixed:
        raise ConfigError(
            f"a resumed training keeps its text and form; cannot change {', '.join(fixed)}"
        )
    freed = dict.fromkeys(LIMITS) if any(name in given for name in LIMITS) else {}
    return dataclasses.replace(old, **{**freed, **given})


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
