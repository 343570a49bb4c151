"""The training loop: a generator that yields one record per update."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import torch

from charlm.base.errors import TaskError
from charlm.models.language_model import LanguageModel
from charlm.models.layers import Share, State
from charlm.training.batches import Streams
from charlm.training.group import Group, Order, concatenated
from charlm.training.optim import (
    AdamW,
    AveragedWeights,
    clip_gradients,
    schedule,
    set_learning_rate,
)

LOSS_SCALE = 1024.0


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """One update of the weights; `loss` is the mean nats per token of its window."""

    step: int
    loss: float
    grad_norm: float
    learning_rate: float


class TrainingDivergedError(TaskError):
    """The loss or its gradient was no number; the weights are those before the update."""


@dataclasses.dataclass(kw_only=True, slots=True)
class Trainer:
    """All that changes while a model learns: everything a continuation needs."""

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

    def whole_state(self) -> list[State]:
        """Return the state of every row; the first process may ask for it between two steps."""
        if self.group is None or not self.state:
            return self.state
        self.group.order(Order.GATHER)
        return concatenated(self.group, self.state, self.batch_size)


def train_steps(trainer: Trainer, progress: Callable[[], float]) -> Iterator[Update]:
    """Yield one `Update` per step until `progress()` reaches 1.

    Args:
        trainer: changed in place.
        progress: share of the run that is over, 0 to 1; the learning rate follows it.

    Raises:
        TrainingDivergedError: before an update whose loss or gradient is not finite.
    """
    trainer.model.train()
    while (share := progress()) < 1.0:
        if trainer.group is not None:
            trainer.group.order(Order.STEP, share)
        yield _train_step(trainer, share)


def follow_steps(trainer: Trainer, note: Callable[[], None]) -> int:
    """Do what the first process orders until it ends; return the exit status that it asks for.

    Args:
        trainer: changed in place.
        note: called before each step, to pass on a signal.

    Raises:
        TrainingDivergedError: where the first process raises it, too.
        TaskError: if the others are gone.
    """
    group = trainer.group
    if group is None:
        raise ValueError("a process that is alone has nobody to follow")
    trainer.model.train()
    while True:
        order, value = group.await_order()
        if order is Order.END:
            return int(value)
        if order is Order.GATHER:
            concatenated(group, trainer.state, trainer.batch_size)
        else:
            note()
            _train_step(trainer, value)


def _train_step(trainer: Trainer, share: float) -> Update:
    model, device = trainer.model, trainer.model.output.bias.device
    window = trainer.streams.next_window()
    state = trainer.state or model.initial_state(len(window.inputs))
    if window.restarted.any():
        keep = torch.from_numpy(~window.restarted).to(device).unsqueeze(1)
        state = [tuple(part * keep for part in layer) for layer in state]
    inputs = torch.from_numpy(window.inputs).to(device)
    targets = torch.from_numpy(window.targets).to(device)
    loss, after = model.loss(inputs, targets, state, trainer.generator)
    value = _differentiate(trainer, loss)
    rate = trainer.learning_rate * schedule(share)
    if not math.isfinite(value):
        raise _diverged(trainer, f"the loss is {value}", rate)
    norm = clip_gradients(model.parameters(), trainer.max_grad_norm)
    if not math.isfinite(norm):
        raise _diverged(trainer, f"the gradient's norm is {norm}", rate)
    set_learning_rate(trainer.optimizer, rate)
    trainer.optimizer.step()
    if trainer.averages is not None:
        trainer.averages.update()
    trainer.state = [tuple(part.detach() for part in layer) for layer in after]
    trainer.step += 1
    return Update(trainer.step, value, norm, rate)


def _differentiate(trainer: Trainer, loss: torch.Tensor) -> float:
    """Set the gradients of the whole batch and return its loss; if that is finite."""
    value = float(loss.detach())
    trainer.optimizer.zero_grad()
    if trainer.group is None:
        if math.isfinite(value):
            _backward(loss, trainer.model)
        return value
    rows = trainer.streams.rows
    part = (rows.stop - rows.start) / trainer.batch_size
    _backward(loss * part, trainer.model)
    return trainer.group.sum_gradients(trainer.model.parameters(), value * part)


def _backward(loss: torch.Tensor, model: LanguageModel) -> None:
    """Set the gradients; in float16 by way of a larger loss, since small ones would vanish."""
    if model.dtype != torch.float16:
        loss.backward()
        return
    (loss * LOSS_SCALE).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    torch._foreach_mul_(gradients, 1.0 / LOSS_SCALE)


def _diverged(trainer: Trainer, what: str, rate: float) -> TrainingDivergedError:
    return TrainingDivergedError(
        f"training diverged at step {trainer.step + 1}: {what} (learning rate {rate:.2g}); "
        f"the weights of step {trainer.step} are kept; try --learning-rate "
        f"{trainer.learning_rate / 3:.1g}"
    )
