"""What a training run keeps: its best weights, its history, and the saves of both."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import torch

from charlm.base.config import to_json
from charlm.store.checkpoint import MetricsLog
from charlm.tasks.train_build import Built
from charlm.tasks.train_data import TrainData
from charlm.tasks.train_folder import lasting
from charlm.tasks.train_save import Model, Saver, State
from charlm.tasks.train_state import RunState
from charlm.training.config import TrainConfig
from charlm.training.resume import Arrays, Snapshot


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """Where a run stands beside its weights; see `RunState`."""

    elapsed: float
    log_every: int
    window: tuple[float, int]
    looked: int
    looks: tuple[float, float]


class Kept:
    """The best weights of a run so far, and what is written of it.

    Args:
        built: the run.
        corpus_specs: where its text is from, as the user said it.
        direction: which of a pair it is; empty for none.

    Attributes:
        best: loss, step and weights of the best look; None before the first.
        history: what happened, a line each.
        ends: whether the run has come to its end.
        carried: arrays that every state has beside those of the training, as they are.
    """

    def __init__(
        self,
        saver: Saver,
        built: Built,
        data: TrainData,
        config: TrainConfig,
        corpus_specs: list[str],
        direction: str,
    ) -> None:
        self.saver, self._built, self._data, self._config = saver, built, data, config
        self._corpus_specs, self._direction = corpus_specs, direction
        self._lasting = lasting(corpus_specs)
        self._trainer = built.trainer
        self.best: tuple[float, int, Arrays] | None = None
        self.history: list[dict[str, Any]] = []
        self.ends = False
        self.carried: Arrays = {}
        self._snapshot = Snapshot()

    def note(self, what: str, changed: dict[str, Any] | None = None) -> None:
        """Add a line to the history; `changed` maps settings to what they were and are."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = {"what": what, "step": self._trainer.step, "at": now}
        self.history.append(line | ({"changed": changed} if changed else {}))

    def look(self, loss: float) -> bool:
        """Keep the weights as they are now if none had a smaller loss; return whether so."""
        better = self.best is None or loss < self.best[0]
        if better:
            self.best = (loss, self._trainer.step, self.arrays())
        return better

    def arrays(self) -> Arrays:
        """Return a copy of the weights as they are now."""
        return {
            name: np.array(tensor.detach().to("cpu", torch.float32).numpy())
            for name, tensor in self._trainer.model.state_dict().items()
        }

    def best_weights(self) -> tuple[int, Arrays]:
        """Return the best weights and their step; those of the last snapshot if none are known."""
        if self.best is not None:
            return self.best[1], self.best[2]
        return self._snapshot.step, self._snapshot.weights()

    def save(self, marks: Marks, metrics: MetricsLog | None) -> None:
        """Save now, and wait for it."""
        self.saver.wait()
        self.start(marks, metrics)
        self.saver.wait()

    def start(self, marks: Marks, metrics: MetricsLog | None) -> None:
        """Begin to save the best weights as the model, then all that a continuation needs."""
        self._snapshot.take(self._trainer)
        step, weights = self.best_weights()
        report = self._report(step, marks) | {"valid": None, "test": None}
        self.saver.start(Model(weights=weights, report=report), self._state(marks), metrics)

    def end(self, figures: dict[str, Any], marks: Marks, metrics: MetricsLog) -> None:
        """Save the model of a finished run with its figures."""
        self.ends = True
        step, weights = self.best_weights()
        report = self._report(step, marks) | figures
        self.saver.start(Model(weights=weights, report=report), None, metrics)
        self.saver.wait()

    def _report(self, best_step: int, marks: Marks) -> dict[str, Any]:
        """Return what `training.json` tells of the run."""
        tokens, plan = len(self._data.train.ids), self._built.plan
        return {
            **({"direction": self._direction} if self._direction else {}),
            "config": to_json(self._config),
            "corpus": self._corpus_specs,
            "corpus_sha256": self._data.sha256,
            "description": self._data.description,
            "plan": plan.to_values(),
            "precision": self._built.arithmetic.precision,
            "device": self._built.device.type,
            "threads": self._built.threads,
            "parameters": plan.model.count_parameters(),
            "steps": self._trainer.step,
            "best_step": best_step,
            "epochs": self._trainer.step * self._trainer.tokens_per_step / tokens,
            "duration_seconds": marks.elapsed,
            "tokens": tokens,
            "torch": torch.__version__,
            "finished": self.ends,
            "history": list(self.history),
        }

    def _state(self, marks: Marks) -> State:
        arrays = self._snapshot.arrays | self.carried
        if self.best is not None:
            arrays |= {f"best.{name}": array for name, array in self.best[2].items()}
        state = RunState(
            trainer=self._snapshot.values,
            config=self._config,
            corpus=self._lasting,
            sha256=self._data.sha256,
            plan=self._built.plan.to_values(),
            arithmetic=self._built.arithmetic,
            device=self._built.device.type,
            threads=self._built.threads,
            **{field.name: getattr(marks, field.name) for field in dataclasses.fields(marks)},
            history=list(self.history),
            best=None if self.best is None else self.best[:2],
        )
        return State(step=self._snapshot.step, tensors=arrays, values=state.to_values())
