"""Updates that a device makes by itself: text, states, rates and losses lie there.

One update is the same work at every step, on the same tensors, and waits for nothing: on a GPU it
is recorded once (`models.graphs`) and asked for many times. On a CPU the same function runs as it
stands; there it serves to test it.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from charlm.models.graphs import Recorded
from charlm.models.layers import State
from charlm.training.feeds import Relay, choose_feed
from charlm.training.optim import schedule
from charlm.training.scaling import LossScale
from charlm.training.trainer import Trainer, Update, diverged

# The most updates between two looks at their losses, and about how long these may take: only then
# signals, saves and looks have their turn. How many those are is learnt from a few.
MOST_UNREAD, MOST_SECONDS, AT_FIRST = 256, 0.25, 8
COLUMNS = 4  # loss, norm, whether all went well so far, and signals to other processes
# Layers that would bring a state to the type of products at once, and the one after back.
NARROW = ("cudnn", "padded")


@dataclasses.dataclass(slots=True)
class Posted:
    """Results on their way: `rates` of the updates they are of, the last one being `step`.

    The updates were asked for from `begun` to `ended`, on the clock of `perf_counter`.
    """

    step: int
    rates: list[float]
    rows: Tensor
    arrived: torch.cuda.Event | None
    begun: float
    ended: float


class DeviceStep:
    """Asks a device for updates, and tells their losses later.

    Args:
        trainer: moved on; its `state` lies in this object's tensors from now on.
    """

    def __init__(self, trainer: Trainer) -> None:
        model = trainer.model
        self.trainer, self.device = trainer, model.output.bias.device
        self.dtype = model.output.bias.dtype
        self.feed = choose_feed(trainer.streams, self.device)
        rows = len(trainer.streams.cursors[trainer.streams.rows])
        state = trainer.state or model.initial_state(rows)
        self._whole = torch.stack([part.detach() for layer in state for part in layer])
        parts = iter(self._whole)
        self.state: list[State] = [tuple(next(parts) for _ in layer) for layer in state]
        trainer.state = self.state
        if model.dtype == torch.float16 and trainer.scale is None:
            trainer.scale = LossScale(self.device)
        self.alive = torch.ones((), dtype=torch.bool, device=self.device)
        self.moved = torch.ones((), dtype=self.dtype, device=self.device)
        self._row = torch.zeros(COLUMNS, dtype=self.dtype, device=self.device)
        self.results = torch.zeros(MOST_UNREAD, COLUMNS, dtype=self.dtype, device=self.device)
        self._rate = Relay((), self.dtype, self.device)
        self._unread: list[float] = []
        self._posted: deque[Posted] = deque()
        self._most = AT_FIRST
        self._begun = self._taken = 0.0
        self._signals = torch.zeros((), dtype=self.dtype, device=self.device)
        alone = trainer.group is None
        self._update = Recorded(
            self._work, self.device, trainer.generator, self._renew, records=alone
        )

    def advance(self, share: float) -> None:
        """Ask for one update, at this share of the run; returns before it is made."""
        trainer = self.trainer
        if not self._unread:
            self._begun = perf_counter()
        rate = trainer.learning_rate * schedule(share)
        self.feed.send()
        self._rate.send(np.array(rate))
        self._update()
        self.results[len(self._unread)].copy_(self._row)
        if trainer.averages is not None:
            trainer.averages.update(self.moved)
        trainer.step += 1
        self._unread.append(rate)

    def forget(self) -> None:
        """Leave it to another process to read what came of the updates so far."""
        self._unread.clear()

    def collect(self) -> Iterator[Update]:
        """Yield updates that have been made, once so many were asked for since the last time.

        Raises:
            TrainingDivergedError: if the loss or the gradient of one was not finite.
        """
        full = len(self._unread) >= min(self._most, MOST_UNREAD)
        if full or (self._unread and self.trainer.step % self.trainer.read_every == 0):
            self._post()
        while len(self._posted) > 1:  # the newest is left until the device has other work
            yield self._take()

    def settle(self) -> Iterator[Update]:
        """Wait for everything that was asked for; yield the updates that were not told yet.

        Raises:
            TrainingDivergedError: as `collect`.
        """
        if self._unread:
            self._post()
        while self._posted:
            yield self._take()

    def _post(self) -> None:
        """Have the results so far copied to the host, after the work that makes them."""
        rates, self._unread = self._unread, []
        found = self.results[: len(rates)]
        arrived = None
        if self.device.type == "cuda":
            rows = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
            rows.copy_(found, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
        else:
            rows = found.clone()
        times = self._begun, perf_counter()
        self._posted.append(Posted(self.trainer.step, rates, rows, arrived, *times))

    def _take(self) -> Update:
        """Return the oldest results that were posted, as one update."""
        posted = self._posted.popleft()
        if posted.arrived is not None:
            posted.arrived.synchronize()
        self._learn_pace(posted)
        rows, rates = posted.rows.double().numpy(), posted.rates
        if self.trainer.group is not None:
            self.trainer.group.signalled |= bool((rows[:, 3] > 0.0).any())
        bad = np.flatnonzero(rows[:, 2] == 0.0)
        if len(bad):
            raise self._failed(posted, int(bad[0]), rows[bad[0]])
        norms = rows[:, 1]
        finite = norms[np.isfinite(norms)]  # one in float16 may overflow, and was left out
        norm = float(finite[-1]) if len(finite) else float(norms[-1])
        return Update(posted.step, float(rows[:, 0].mean()), norm, rates[-1], len(rates))

    def _learn_pace(self, posted: Posted) -> None:
        """Settle how many updates are asked for at a time, by how long these took.

        The device made them since the results before these were there, unless it had to wait.
        """
        now = perf_counter()
        made = now - max(self._taken, posted.begun)
        seconds = max(made, posted.ended - posted.begun, 1e-9) / len(posted.rates)
        self._most = max(1, min(2 * self._most, int(MOST_SECONDS / seconds)))
        self._taken = now

    def _failed(self, posted: Posted, number: int, row: np.ndarray) -> Exception:
        """Return the error of the first update that could not be made; the device made no later."""
        self._posted.clear()
        self._unread = []
        self.trainer.step = posted.step - len(posted.rates) + number
        what = f"the loss is {row[0]:g}"
        if np.isfinite(row[0]):
            what = f"the gradient's norm is {row[1]:g}"
        return diverged(self.trainer, what, posted.rates[number])

    def _renew(self, generator: torch.Generator) -> None:
        """Go on with another generator, and without a recording."""
        self.trainer.generator = generator
        model = self.trainer.model
        if model.backend == "stacked":  # thousands of kernels, too many to be asked for singly
            model.use(model.dtype, backend="cudnn")

    def _work(self) -> None:
        """Make one update. Nothing in here may look at a value."""
        trainer, model, scale = self.trainer, self.trainer.model, self.trainer.scale
        window = self.feed.window()
        whole = self._whole * window.kept.unsqueeze(1)
        if model.backend in NARROW:
            whole = whole.to(model.dtype)
        parts = iter(whole)
        state = [tuple(next(parts) for _ in layer) for layer in self.state]
        loss, after = model.loss(window.inputs, window.targets, state, trainer.generator)
        trainer.optimizer.zero_grad()
        if trainer.group is not None:
            loss = loss * (state[0][0].shape[0] / trainer.batch_size)
        (loss if scale is None else loss * scale.factor).backward()
        with torch.no_grad():
            self._move(loss.detach(), after)

    def _move(self, loss: Tensor, after: list[State]) -> None:
        """Clip, update the weights, and note what came out; after a bad step leave all alone."""
        trainer, scale = self.trainer, self.trainer.scale
        gradients = [p.grad for p in trainer.model.parameters() if p.grad is not None]
        if trainer.group is not None:
            loss, signals = trainer.group.sum_on_device(gradients, loss).clone()
            self._signals.copy_(signals)
        norm = torch.stack(torch._foreach_norm(gradients)).norm()
        moves, divisor = self._judge(loss, norm, scale)
        if scale is not None:
            norm = norm / divisor
        factor = (trainer.max_grad_norm / norm).clamp_(max=1.0)
        torch._foreach_mul_(gradients, factor if scale is None else factor / divisor)
        self.moved.copy_(moves)
        trainer.optimizer.step(self._rate.buffer, (~moves).float())
        parts = torch.stack([part for layer in after for part in layer])
        torch.where(self.alive, parts, self._whole, out=self._whole)
        torch.stack([loss, norm, self.alive.to(self.dtype), self._signals], out=self._row)

    def _judge(
        self, loss: Tensor, norm: Tensor, scale: LossScale | None
    ) -> tuple[Tensor, Tensor | float]:
        """Return whether the weights may move, and by what gradients are too large."""
        finite = norm - norm == 0.0
        if scale is None:
            self.alive.logical_and_(finite & (loss - loss == 0.0))
            return self.alive, 1.0
        # a factor that was too large is no failure, but an update less
        divisor = scale.factor.clone()
        self.alive.logical_and_((loss - loss == 0.0) & (finite | ~scale.at_its_least()))
        scale.learn(finite)
        return self.alive & finite, divisor
