"""The loss curves of models, as points to draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charlm.base.errors import TaskError
from charlm.store.checkpoint import read_metrics
from charlm.store.locate import find_model

MAX_POINTS = 2_000

# What can be drawn: its keys in a step record and in a validation record, for kinds of models
# write different ones. Where nobody says which, the first one that all the models have.
MEASURES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "bits-per-char": (("bits_per_char",), ("bits_per_char",)),
    "loss": (("loss",), ("nats_per_token", "nats_per_text")),
    "accuracy": ((), ("accuracy",)),
    "learning-rate": (("learning_rate",), ()),
    "grad-norm": (("grad_norm",), ()),
    "speed": (("tokens_per_second", "words_per_second"), ()),
}
_TITLES = {
    "bits-per-char": "bits per character",
    "nats_per_token": "nats per token",
    "nats_per_text": "nats per text",
    "grad-norm": "gradient norm",
    "tokens_per_second": "tokens per second",
    "words_per_second": "words per second",
}


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


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plot:
    """Curves of one measure, and what stands beside their axis.

    `note` says which model was chosen, where nobody named one.
    """

    measure: str
    title: str
    curves: list[Curve]
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Figures:
    """What one model's training has written, by measure: curves, and how each is called."""

    name: str
    curves: dict[str, list[Curve]]
    titles: dict[str, str]


def read_curves(names: Sequence[str | None], measure: str | None = None) -> Plot:
    """Return the curves of models by name or folder, training before validation.

    Args:
        names: the models; None is the newest.
        measure: one of `MEASURES`; None takes the first that all of them have.

    Raises:
        CheckpointError: if a model does not exist.
        TaskError: if one of them kept no figure of that sort.
    """
    found = [find_model(name, choose="NAME") for name in names]
    models = [
        _figures(str(name or one.folder.name), one.folder)
        for name, one in zip(names, found, strict=True)
    ]
    for model in models:
        if not model.curves:
            raise TaskError(
                f"{model.name}: no figures of a training in metrics.jsonl, so none to draw"
            )
    measure = measure or _common(models)
    for model in models:
        if measure not in model.curves:
            raise TaskError(
                f"{model.name}: no {measure} in its metrics.jsonl; it has {', '.join(model.curves)}"
            )
    titles = {model.titles[measure] for model in models}
    return Plot(
        measure=measure,
        title=titles.pop() if len(titles) == 1 else measure.replace("-", " "),
        curves=[curve for model in models for curve in model.curves[measure]],
        note=next((one.how for one in found if one.how), ""),
    )


def _common(models: Sequence[_Figures]) -> str:
    for measure in MEASURES:
        if all(measure in model.curves for model in models):
            return measure
    each = "; ".join(f"{model.name} has {', '.join(model.curves)}" for model in models)
    raise TaskError(f"no measure that all of these models have, so none to draw together: {each}")


def _figures(name: str, folder: Path) -> _Figures:
    records = read_metrics(folder)
    curves: dict[str, list[Curve]] = {}
    titles: dict[str, str] = {}
    for measure, (step_keys, valid_keys) in MEASURES.items():
        title = measure.replace("-", " ")
        for kind, record_kind, keys in (
            ("train", "step", step_keys),
            ("valid", "valid", valid_keys),
        ):
            for key in keys:
                if points := _points(records, record_kind, key):
                    steps, values = zip(*thin(points), strict=True)
                    curve = Curve(
                        model=folder.resolve().name, kind=kind, steps=steps, values=values
                    )
                    curves.setdefault(measure, []).append(curve)
                    title = _TITLES.get(key) or _TITLES.get(measure) or title
                    break
        titles[measure] = title
    if "bits-per-char" in curves:  # a language model's, held out or not
        titles["loss"] = _TITLES["nats_per_token"]
    return _Figures(name=name, curves=curves, titles=titles)


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
