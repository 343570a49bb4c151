"""What stands beside the arrays of a training state, checked: the file may be anybody's."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, cast, get_args

from charlm.base.config import from_json, to_json
from charlm.base.errors import CharlmError, CheckpointError
from charlm.models.arithmetic import DTYPES, Arithmetic
from charlm.models.layers import Backend
from charlm.training.config import MOST_STEPS, TrainConfig

KIND = "lm"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RunState:
    """All that a continuation needs and that is no array.

    Attributes:
        trainer: place of every reader and random states, for `training.resume.unpack`.
        plan: for `Plan.from_values`.
        device: the kind of it; of an early run taken for a CPU.
        threads: those of the run, None of an early one.
        window: sum and number of the losses since the last record.
        looked: step of the last look at the validation text.
        looks: for `Looks.restore`.
        best: loss and step of the best weights.
    """

    trainer: dict[str, Any]
    config: TrainConfig
    corpus: list[str]
    sha256: str
    plan: dict[str, Any]
    arithmetic: Arithmetic
    device: str
    threads: int | None
    elapsed: float
    log_every: int
    window: tuple[float, int]
    looked: int
    looks: tuple[float, float]
    history: list[dict[str, Any]]
    best: tuple[float, int] | None

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return values | {
            "config": to_json(self.config),
            "arithmetic": list(dataclasses.astuple(self.arithmetic)),
            "window": list(self.window),
            "looks": list(self.looks),
            "best": None if self.best is None else list(self.best),
        }


def run_state(values: dict[str, Any], folder: Path) -> RunState:
    """Return the state that a folder's `resume/` holds.

    Raises:
        CheckpointError: if it is none of a language model.
    """
    kind = values.get("kind", KIND)
    if kind != KIND:
        raise CheckpointError(
            f"{folder} holds a training of {str(kind)[:40]}; go on with it by "
            f"charlm train {str(kind)[:40]} --resume --name {folder.name}"
        )
    try:
        return _checked(values, f"{folder}/resume")
    except CharlmError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise CheckpointError(
            f"the training state in {folder} is malformed ({what[:200]}); "
            "train it again with --overwrite"
        ) from error


def _checked(values: dict[str, Any], where: str) -> RunState:
    config = from_json(TrainConfig, values["config"], where=where)
    losses, count = _several(values["window"], 2)
    begun, spent = _several(values.get("looks", [0.0, 0.0]), 2)
    best = values["best"]
    return RunState(
        trainer=_a(dict, values["trainer"]),
        config=config,
        corpus=[_a(str, spec) for spec in _a(list, values["corpus"])],
        sha256=_a(str, values["sha256"]),
        plan=_a(dict, values["plan"]),
        arithmetic=_arithmetic(values["arithmetic"]),
        device=_a(str, values.get("device", "cpu")),
        threads=_whole(values["threads"], 1, 1024) if "threads" in values else None,
        elapsed=_number(values["elapsed"], 0.0),
        log_every=_whole(values["log_every"], 1),
        window=(_number(losses), _whole(count)),
        looked=_whole(values.get("looked", -1), -1),
        looks=(_number(begun), _number(spent)),
        history=[_a(dict, line) for line in _a(list, values.get("history", []))],
        best=None if best is None else _best(best),
    )


def _best(value: Any) -> tuple[float, int]:
    loss, step = _several(value, 2)
    return _number(loss), _whole(step)


def _arithmetic(value: Any) -> Arithmetic:
    precision, backend, speed = _several(value, 3)
    if precision not in DTYPES or backend not in get_args(Backend):
        raise ValueError(f"arithmetic {precision!r} in {backend!r}")
    return Arithmetic(precision, cast(Backend, backend), None if speed is None else _number(speed))


def _a(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.60} where {kind.__name__} is expected")
    return value


def _several(value: Any, count: int) -> list[Any]:
    found = _a(list, value)
    if len(found) != count:
        raise ValueError(f"{len(found)} values where {count} are expected")
    return cast(list[Any], found)


def _number(value: Any, least: float = -math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r:.60} where a number is expected")
    number = float(value)  # an OverflowError for huge whole numbers
    if not (math.isfinite(number) and number >= least):
        raise ValueError(f"the number {number!r}")
    return number


def _whole(value: Any, least: int = 0, most: int = MOST_STEPS) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r:.60} where a whole number is expected")
    if not least <= value <= most:
        raise ValueError(f"the number {value!r:.60}")
    return value
