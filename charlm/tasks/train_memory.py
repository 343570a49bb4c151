"""Too little memory told with figures: what was tried, and what to try instead."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator

import torch

from charlm.base.errors import TaskError
from charlm.models.memory import is_lack_of_memory, largest_that_fits, let_go
from charlm.training.presets import Plan
from charlm.training.trainer import Trainer


@contextlib.contextmanager
def memory_errors(plan: Plan, trainer: Trainer, kept: Callable[[], str]) -> Iterator[None]:
    """Turn a lack of memory in the body into a `TaskError` with the batch to try next.

    On a GPU that batch is tried first: the trainer is of no more use then.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_lack_of_memory(error):
            raise
        rows = plan.batch_size
        advice = f"try --batch-size {max(1, rows // 2)}"
        if isinstance(error, torch.OutOfMemoryError):
            traceback.clear_frames(error.__traceback__)  # they hold what did not fit
            fits = largest_that_fits(rows, lambda fewer: _fits(trainer, fewer, plan.bptt))
            advice = f"{fits} would fit: try --batch-size {fits}" if fits else "not even one fits"
        other = "a shorter --bptt or a smaller --hidden-size"
        raise TaskError(
            f"out of memory with {rows} streams of {plan.bptt} tokens on "
            f"{trainer.model.output.bias.device.type}; {advice}, {other}; {kept()}"
        ) from error


def _fits(trainer: Trainer, rows: int, bptt: int) -> bool:
    """Return whether there is memory for one update of so many rows, with room for its like.

    Of several processes this one alone tries, with as many as would be the most of one.
    """
    model, device = trainer.model, trainer.model.output.bias.device
    if trainer.group is not None:
        size = trainer.group.place.size
        if rows < size:
            return False
        rows = -(-rows // size)
    model.share = None
    trainer.queue = None
    trainer.state = []
    trainer.optimizer.zero_grad()
    let_go(device)
    ids = torch.zeros(rows, bptt, dtype=torch.int64, device=device)
    try:
        loss, _ = model.loss(ids, ids, model.initial_state(rows), trainer.generator)
        loss.backward()
        if not trainer.optimizer.state:  # the moments are still to come
            room = 2 * sum(p.numel() * p.element_size() for p in model.parameters())
            torch.empty(room, dtype=torch.uint8, device=device)
    except RuntimeError as error:
        if not is_lack_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)
        return False
    finally:
        trainer.optimizer.zero_grad()
        let_go(device)
    return True
