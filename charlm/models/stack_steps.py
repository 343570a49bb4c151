"""Single steps of LSTM layers on a GPU, forwards and back, and streams for layers side by side."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from typing import Any, Self

import torch
from torch import Tensor

from charlm.base.devices import compiles

GATES = 4
TYPES = (torch.float16, torch.bfloat16)  # of states and weights that the kernels multiply
STEP, STAGES = 128, 4  # columns multiplied at once, and stretches of them under way
UNITS, LEAST = (4, 8, 16, 32), 16  # of a program; and its columns, for tensor cores
ROWS = (16, 32, 64)
MOST_AT_ONCE = 128  # rows and columns of a program's factors: they lie in its fast memory


@functools.cache
def is_there(device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether the kernels run on a device, and multiply this type."""
    if device.type != "cuda" or dtype not in TYPES:
        return False
    return importlib.util.find_spec("triton") is not None and compiles()


class Lanes:
    """A stream of a GPU for each layer; the first layer has the one that is current.

    What is asked for after the body comes after all of it. On a CPU all is done in the order in
    which it is asked for.
    """

    def __init__(self, device: torch.device, count: int) -> None:
        self._streams: list[torch.cuda.Stream] = []
        if device.type == "cuda":
            here = torch.cuda.current_stream(device)
            # PyTorch has few streams, and gives them out again
            sides = [side for side in _side_streams(device, count) if side != here]
            self._streams = [here, *sides[: count - 1]]

    def __enter__(self) -> Self:
        for side in self._streams[1:]:
            side.wait_stream(self._streams[0])
        return self

    def __exit__(self, *error: object) -> None:
        for side in self._streams[1:]:
            self._streams[0].wait_stream(side)

    def of(self, number: int, needs: int) -> contextlib.AbstractContextManager[Any]:
        """Ask in here for work of one layer, after what was asked of the layer that it needs."""
        if not self._streams:
            return contextlib.nullcontext()
        if 0 <= needs < len(self._streams):
            self._streams[number].wait_stream(self._streams[needs])
        return torch.cuda.stream(self._streams[number])


@functools.cache
def _side_streams(device: torch.device, count: int) -> list[torch.cuda.Stream]:
    return [torch.cuda.Stream(device) for _ in range(count)]


class _Plain:
    """Steps by PyTorch's operations."""

    def forward(
        self,
        weight: Tensor,
        given: Tensor,
        ids: Tensor | None,
        states: Tensor,
        cells: Tensor,
        gates: Tensor,
        t: int,
    ) -> None:
        pre = given[t] if ids is None else given[ids[t]]
        i, f, g, o = _gates(torch.addmm(pre, states[t], weight.t()).to(cells.dtype))
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        cells[t + 1] = f * cells[t] + i * g
        states[t + 1] = o * cells[t + 1].tanh()
        gates[t] = torch.stack([i, f, g, o], dim=-1).flatten(1)

    def backward(
        self,
        weight: Tensor,
        above: Tensor,
        cells: Tensor,
        gates: Tensor,
        changes: Tensor,
        carried: Tensor,
        t: int,
    ) -> None:
        i, f, g, o = _gates(gates[t].to(cells.dtype))
        grad = above[t].to(cells.dtype) + changes[t + 1].to(cells.dtype) @ weight.t().to(
            cells.dtype
        )
        tanh = cells[t + 1].tanh()
        of_cell = carried + grad * o * (1.0 - tanh * tanh)
        carried.copy_(of_cell * f)
        found = [
            of_cell * g * i * (1.0 - i),
            of_cell * cells[t] * f * (1.0 - f),
            of_cell * i * (1.0 - g * g),
            grad * tanh * o * (1.0 - o),
        ]
        changes[t] = torch.stack(found, dim=-1).flatten(1)


def _gates(whole: Tensor) -> tuple[Tensor, ...]:
    return whole.view(len(whole), -1, GATES).unbind(dim=2)


class _Kernels:
    """Steps by kernels, one each; they change the tensors as `_Plain` does."""

    def __init__(self, processors: int) -> None:
        from charlm.models import stack_triton

        self._kernels, self._processors = stack_triton, processors

    def forward(
        self,
        weight: Tensor,
        given: Tensor,
        ids: Tensor | None,
        states: Tensor,
        cells: Tensor,
        gates: Tensor,
        t: int,
    ) -> None:
        _, rows, size = states.shape
        some_rows, units = tile(rows, size, GATES, self._processors)
        self._kernels.forward[-(-size // units), -(-rows // some_rows)](
            weight,
            given,
            weight if ids is None else ids,
            states,
            cells,
            gates,
            t,
            rows,
            size,
            by_id=ids is not None,
            num_rows=some_rows,
            num_units=units,
            step=STEP,
            num_stages=STAGES,
        )

    def backward(
        self,
        weight: Tensor,
        above: Tensor,
        cells: Tensor,
        gates: Tensor,
        changes: Tensor,
        carried: Tensor,
        t: int,
    ) -> None:
        _, rows, size = cells.shape
        some_rows, units = tile(rows, size, 1, self._processors)
        self._kernels.backward[-(-size // units), -(-rows // some_rows)](
            weight,
            above,
            cells,
            gates,
            changes,
            carried,
            t,
            rows,
            size,
            num_rows=some_rows,
            num_units=units,
            step=STEP,
            num_stages=STAGES,
        )


@functools.cache
def tile(rows: int, size: int, gates: int, processors: int) -> tuple[int, int]:
    """Return how many rows and units a program does, so that the busiest processor reads least.

    Args:
        gates: columns that a unit has in the product of a step.
        processors: that the programs are spread over.
    """
    units = [n for n in UNITS if n * gates >= LEAST]
    shapes = [(m, n) for m in ROWS for n in units if m + n * gates <= MOST_AT_ONCE]

    def cost(shape: tuple[int, int]) -> tuple[int, int]:
        some_rows, some_units = shape
        programs = -(-rows // some_rows) * -(-size // some_units)
        return -(-programs // processors) * (some_rows + gates * some_units), programs

    return min(shapes, key=cost)


def steps_of(like: Tensor) -> _Plain | _Kernels:
    """Return what makes steps on tensors like this."""
    if not is_there(like.device, like.dtype):
        return _Plain()
    return _Kernels(torch.cuda.get_device_properties(like.device).multi_processor_count)
