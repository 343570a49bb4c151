"""The training loop: a generator that yields one record per update."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

import torch

from charlm.models.language_model import LanguageModel
from charlm.training.device_step import DeviceStep
from charlm.training.group import Order, concatenated
from charlm.training.optim import clip_gradients, schedule, set_learning_rate
from charlm.training.trainer import Trainer as Trainer
from charlm.training.trainer import TrainingDivergedError as TrainingDivergedError
from charlm.training.trainer import Update as Update
from charlm.training.trainer import diverged

LOSS_SCALE = 1024.0
# Kinds of devices that make whole updates by themselves.
BY_THEMSELVES: tuple[str, ...] = ("cuda",)


def train_steps(trainer: Trainer, progress: Callable[[], float]) -> Iterator[Update]:
    """Yield one `Update` per step, on a GPU one for several, until `progress()` reaches 1.

    Args:
        trainer: changed in place.
        progress: share of the run that is over, 0 to 1; the learning rate follows it.

    Raises:
        TrainingDivergedError: before an update whose loss or gradient is not finite.
    """
    trainer.model.train()
    if _is_by_itself(trainer):
        yield from device_steps(trainer, progress)
        return
    while (share := progress()) < 1.0:
        if trainer.group is not None:
            trainer.group.order(Order.STEP, share)
        yield _train_step(trainer, share)


def device_steps(trainer: Trainer, progress: Callable[[], float]) -> Iterator[Update]:
    """Yield what `train_steps` does, several updates as one, while the device is at later ones.

    `trainer.step` and the weights run ahead of what is yielded; `trainer.settle()` tells the rest.

    Raises:
        TrainingDivergedError: as `train_steps`; the device makes no update after a failed one.
    """
    trainer.model.train()
    while (share := progress()) < 1.0:
        if trainer.group is not None:
            trainer.group.order(Order.STEP, share)
        queue = _queue(trainer)
        queue.advance(share)
        yield from queue.collect()
    yield from trainer.settle()


def _is_by_itself(trainer: Trainer) -> bool:
    return trainer.model.output.bias.device.type in BY_THEMSELVES


def _queue(trainer: Trainer) -> DeviceStep:
    if not isinstance(trainer.queue, DeviceStep):
        trainer.queue = DeviceStep(trainer)
    return trainer.queue


def follow_steps(trainer: Trainer, note: Callable[[], None]) -> int:
    """Do what the first process orders until it ends; return the exit status that it asks for.

    Args:
        trainer: changed in place.
        note: called before each step, to pass on a signal.

    Where an update cannot be made the first process finds the same, and orders what is next.

    Raises:
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
            if _is_by_itself(trainer):
                queue = _queue(trainer)
                queue.advance(value)
                queue.forget()
            else:
                with contextlib.suppress(TrainingDivergedError):
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
        raise diverged(trainer, f"the loss is {value}", rate)
    norm = clip_gradients(model.parameters(), trainer.max_grad_norm)
    if not math.isfinite(norm):
        raise diverged(trainer, f"the gradient's norm is {norm}", rate)
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
