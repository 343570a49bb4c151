"""What a training consists of, whoever moves it on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Protocol

import torch

from charlm.base.errors import TaskError
from charlm.models.language_model import LanguageModel
from charlm.models.layers import Share, State
from charlm.training.batches import Streams
from charlm.training.group import Group, Order, concatenated
from charlm.training.optim import AdamW, AveragedWeights
from charlm.training.scaling import LossScale


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """One update of the weights, or the last of `steps` that are told together.

    `loss` is the mean nats per token of their windows.
    """

    step: int
    loss: float
    grad_norm: float
    learning_rate: float
    steps: int = 1


class TrainingDivergedError(TaskError):
    """The loss or its gradient was no number; the weights are those before the update."""


class Queue(Protocol):
    """Updates that a device was asked for."""

    def settle(self) -> Iterator[Update]:
        """Wait for all of them; yield those that were not told yet."""
        ...


@dataclasses.dataclass(kw_only=True, slots=True)
class Trainer:
    """All that changes while a model learns: everything a continuation needs.

    Attributes:
        scale: of the loss, where gradients are float16.
        read_every: how many updates a GPU makes between two looks at their losses.
        queue: of a GPU, once it was asked for an update.
    """

    model: LanguageModel
    optimizer: AdamW
    streams: Streams
    generator: torch.Generator
    learning_rate: float
    max_grad_norm: float
    averages: AveragedWeights | None = None
    step: int = 0
    state: list[State] = dataclasses.field(default_factory=list)
    group: Group | None = None
    scale: LossScale | None = None
    read_every: int = 1
    queue: Queue | None = None

    @property
    def batch_size(self) -> int:
        """How many streams are read side by side, by all processes together."""
        return len(self.streams.cursors)

    @property
    def tokens_per_step(self) -> int:
        """How many tokens one update predicts."""
        return self.batch_size * self.streams.bptt

    def join(self, group: Group) -> None:
        """From now on carry some rows of the batch; the others do the rest."""
        rows = group.rows_of(self.batch_size)
        self.group, self.streams.rows = group, rows
        self.model.share = Share(rows, self.batch_size)
        self.state = [tuple(part[rows] for part in layer) for layer in self.state]

    def settle(self) -> Iterator[Update]:
        """Wait for all updates that were asked for; yield those that were not told yet.

        Raises:
            TrainingDivergedError: if one of them failed.
        """
        if self.queue is not None:
            yield from self.queue.settle()

    def whole_state(self) -> list[State]:
        """Return the state of every row; the first process may ask for it between two steps."""
        if self.group is None or not self.state:
            return self.state
        self.group.order(Order.GATHER)
        return concatenated(self.group, self.state, self.batch_size)


def diverged(trainer: Trainer, what: str, rate: float) -> TrainingDivergedError:
    """Return the error of an update that `trainer.step` does not count."""
    return TrainingDivergedError(
        f"training diverged at step {trainer.step + 1}: {what} (learning rate {rate:.2g}); "
        f"the weights of step {trainer.step} are kept; try --learning-rate "
        f"{trainer.learning_rate / 3:.1g}"
    )
