"""The loss curves of models, as points to draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from charlm.base.errors import TaskError
from charlm.store.checkpoint import read_metrics
from charlm.store.locate import find_model

MAX_POINTS = 2_000


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One line of a plot: a model's training or validation figures over its steps."""

    model: str
    kind: str
    steps: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        """What the legend says."""
        return f"{self.model} {self.kind}"


# What can be drawn: its key in a step record and in a validation record, and its title.
MEASURES = {
    "bits-per-char": ("bits_per_char", "bits_per_char", "bits per character"),
    "loss": ("loss", "nats_per_token", "nats per token"),
    "learning-rate": ("learning_rate", "", "learning rate"),
    "grad-norm": ("grad_norm", "", "gradient norm"),
    "speed": ("tokens_per_second", "", "tokens per second"),
}


def read_curves(names: Sequence[str | None], measure: str) -> list[Curve]:
    """Return the curves of models by name or folder, training before validation.

    Raises:
        CheckpointError: if a model does not exist.
        TaskError: if none of them kept a figure of that sort.
    """
    step_key, valid_key, _ = MEASURES[measure]
    curves = []
    for name in names:
        folder = find_model(name).folder
        records = read_metrics(folder)
        for kind, record_kind, key in (("train", "step", step_key), ("valid", "valid", valid_key)):
            points = _points(records, record_kind, key)
            if not points and key == "nats_per_token":  # of a classifier
                points = _points(records, record_kind, "nats_per_text")
            if points:
                steps, values = zip(*thin(points), strict=True)
                curves.append(
                    Curve(model=folder.resolve().name, kind=kind, steps=steps, values=values)
                )
    if not curves:
        models = ", ".join(str(name) for name in names if name) or "the model"
        raise TaskError(f"{models}: no figures of a training in metrics.jsonl, so none to draw")
    return curves


def _points(records: Sequence[dict[str, Any]], kind: str, key: str) -> list[tuple[float, float]]:
    found = [
        (_figure(r.get("step")), _figure(r.get(key))) for r in records if r.get("kind") == kind
    ]
    return [(x, y) for x, y in found if x is not None and y is not None]


def _figure(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e300 else None  # neither NaN nor infinite


def thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most about `MAX_POINTS` of the points, the last one among them."""
    stride = -(-len(points) // MAX_POINTS)
    kept = list(points[::stride])
    if kept[-1] != points[-1]:
        kept.append(points[-1])
    return kept
