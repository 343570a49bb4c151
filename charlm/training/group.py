"""Several processes that train one model: what they say to each other.

The first process leads: it alone reads the command line, looks at held-out text, writes and
speaks. Before each step it gives an order; the others wait for one, and follow. Each process
carries some rows of the batch through time, and the gradients are summed, so that the result is
that of one process with the whole batch.
"""

from __future__ import annotations

import contextlib
import datetime
import enum
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from charlm.base.errors import ConfigError, TaskError
from charlm.base.processes import Place

# A process that dies is noticed at once; this is for machines that vanish without a word.
PATIENCE = datetime.timedelta(minutes=30)
Arrays = dict[str, npt.NDArray[Any]]


class Order(enum.IntEnum):
    """What the first process may ask of all."""

    BEGIN = 0
    STEP = 1
    GATHER = 2
    END = 3


class Group:
    """The processes of one training.

    Args:
        place: of this process.
        device: what it trains on.

    Attributes:
        signalled: whether a signal came here or, after a step, to any of the processes.

    Raises:
        TaskError: if they do not find each other.
    """

    def __init__(self, place: Place, device: torch.device) -> None:
        self.place, self.signalled = place, False
        backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
        with _told(place):
            dist.init_process_group(backend, timeout=PATIENCE)
        self._buffer = torch.empty(0)
        self._open = True

    def rows_of(self, batch_size: int) -> slice:
        """Return which rows of a batch this process carries.

        Raises:
            ConfigError: if there is not a row for each.
        """
        rank, size = self.place.rank, self.place.size
        if batch_size < size:
            raise ConfigError(
                f"a batch of {batch_size} streams cannot be parted among {size} processes; "
                f"give --batch-size {size} or more"
            )
        return slice(batch_size * rank // size, batch_size * (rank + 1) // size)

    def order(self, what: Order, value: float = 0.0) -> None:
        """Tell all what is next; only the first process may."""
        with _told(self.place):
            dist.broadcast(torch.tensor([float(what), value], dtype=torch.float64), 0)

    def await_order(self) -> tuple[Order, float]:
        """Return what is next, and the number that goes with it."""
        told = torch.zeros(2, dtype=torch.float64)
        with _told(self.place):
            dist.broadcast(told, 0)
        return Order(int(told[0])), float(told[1])

    def tell(self, values: Any) -> None:
        """Send plain JSON values to all others."""
        text = torch.frombuffer(bytearray(json.dumps(values).encode()), dtype=torch.uint8)
        with _told(self.place):
            dist.broadcast(torch.tensor([len(text)]), 0)
            dist.broadcast(text, 0)

    def hear(self) -> Any:
        """Return what the first process tells."""
        length = torch.zeros(1, dtype=torch.int64)
        with _told(self.place):
            dist.broadcast(length, 0)
            text = torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(text, 0)
        return json.loads(text.numpy().tobytes())

    def send(self, arrays: Arrays) -> None:
        """Send arrays to all others."""
        self.tell([[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()])
        with _told(self.place):
            for array in arrays.values():
                dist.broadcast(_bytes(array), 0)

    def receive(self) -> Arrays:
        """Return the arrays that the first process sends."""
        arrays = {name: np.empty(shape, kind) for name, kind, shape in self.hear()}
        with _told(self.place):
            for array in arrays.values():
                dist.broadcast(_bytes(array), 0)
        return arrays

    def sum_gradients(self, parameters: Iterable[Tensor], loss: float) -> float:
        """Sum the gradients, and the losses, of all processes; return the sum of the losses.

        Each gives the gradient and the loss of its own share of the batch.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        total, signals = self.sum_on_device(gradients, torch.tensor(loss)).tolist()
        self.signalled |= signals > 0.0
        return float(total)

    def sum_on_device(self, gradients: list[Tensor], loss: Tensor) -> Tensor:
        """Sum gradients and losses as `sum_gradients`, looking at no value.

        Returns:
            (2,) the sum of the losses, and how many processes a signal has come to.
        """
        size = sum(gradient.numel() for gradient in gradients) + 2
        if len(self._buffer) != size:
            self._buffer = torch.empty(size, device=gradients[0].device)
        buffer = self._buffer
        parts = buffer[:-2].split([gradient.numel() for gradient in gradients])
        views = [part.view_as(g) for part, g in zip(parts, gradients, strict=True)]
        torch._foreach_copy_(views, gradients)
        buffer[-2].copy_(loss)
        buffer[-1].fill_(float(self.signalled))
        with _told(self.place):
            dist.all_reduce(buffer)
        torch._foreach_copy_(gradients, views)
        return buffer[-2:]

    def gather(self, rows: Tensor, batch_size: int) -> Tensor:
        """Return the rows (B, F) of all processes, in order, to each of them."""
        whole = rows.new_zeros(batch_size, *rows.shape[1:])
        whole[self.rows_of(batch_size)] = rows
        with _told(self.place):
            dist.all_reduce(whole)
        return whole

    def end(self, status: int = 0) -> None:
        """Let the others go, with an exit status; those that are gone do not matter any more."""
        if self._open and self.place.leads:
            with contextlib.suppress(TaskError):
                self.order(Order.END, status)
        self.close()

    def close(self) -> None:
        """Leave the group."""
        if self._open:
            self._open = False
            with contextlib.suppress(RuntimeError):
                dist.destroy_process_group()


@contextlib.contextmanager
def _told(place: Place) -> Iterator[None]:
    """Say in one line that another process is gone."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise TaskError(
            f"process {place.rank + 1} of {place.size} lost the others; what was saved is intact: "
            "start the processes again with --resume"
        ) from error


def _bytes(array: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(array.reshape(-1).view(np.uint8))


def concatenated(group: Group, state: Sequence[tuple[Tensor, ...]], rows: int) -> list[Any]:
    """Return the state of all processes, layer by layer; all of them must ask for it."""
    return [tuple(group.gather(part, rows) for part in layer) for layer in state]
