"""A stack of LSTM layers on a GPU, by kernels of our own, with gradients written by hand.

A window is parted into pieces. While one layer reads a piece, the layer above reads the piece
before, on a stream of its own: so many layers take hardly longer than one. Gradients come down the
same way. Products of whole pieces are the library's, those of single steps the kernels' of
`stack_triton`. The first layer's input can be rows of a table, multiplied once each and looked up.

Without a GPU the same happens by PyTorch's operations, one after the other; there it serves to test
it.

Source:
    Appleyard, Kocisky and Blunsom (2016), arXiv:1604.01946, for layers side by side; see
    `recurrence` for the equations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from charlm.models.lookup import summed_by_id
from charlm.models.stack_steps import GATES, Lanes, steps_of

PIECE, MOST_PIECES = 16, 8  # the least steps of a piece, and the most pieces of a window
PARTS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """A layer's weights, in the rows' order of `by_unit`, all of the type of products.

    Shapes:
        weight_hh: (4H, H); weight_ih: (4H, H), of the layer below, None for the first layer.
        bias: (4H,), or (T, B, 4H) for all that the layer gets besides; None for the first layer.
        mask: (1, B, H), what the states of the layer below are multiplied by, or None.
    """

    weight_hh: Tensor
    weight_ih: Tensor | None = None
    bias: Tensor | None = None
    mask: Tensor | None = None

    def tensors(self) -> tuple[Tensor | None, ...]:
        """Return its `PARTS`."""
        return self.weight_hh, self.weight_ih, self.bias, self.mask


def by_unit(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Return weights (4H, …) with the gates of a unit in neighbouring rows, as another type."""
    parts = weight.view(GATES, -1, *weight.shape[1:]).transpose(0, 1)
    return parts.to(dtype, memory_format=torch.contiguous_format).reshape(weight.shape)


def run(
    given: Tensor,
    index: Tensor | None,
    layers: Sequence[Layer],
    state: Sequence[tuple[Tensor, ...]],
) -> tuple[list[Tensor], list[tuple[Tensor, ...]]]:
    """Return the states of each layer, and of each layer the last state and cell.

    Shapes:
        given: (T, B, 4H), the first layer's pre-activations from its input with the bias, by unit;
            or (R, 4H), of which `index` (T, B) chooses.
        state: h and c of each layer, (B, H), contiguous.
        returns: (T, B, H) a layer, of the type of `given`; (B, H) of the state's type.
    """
    parts = [part for layer in layers for part in layer.tensors()]
    states = [part for layer in state for part in layer]
    found = _Stack.apply(len(layers), given, index, *parts, *states)  # type: ignore[no-untyped-call]
    outputs, last = found[: len(layers)], found[len(layers) :]
    return list(outputs), [(last[2 * n], last[2 * n + 1]) for n in range(len(layers))]


class _Stack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, count: int, given: Tensor, index: Tensor | None, *rest: Any) -> Any:
        layers, first = _layers(rest, count), rest[PARTS * count :]
        steps, rows = (given if index is None else index).shape[:2]
        size, given = layers[0].weight_hh.shape[1], given.contiguous()
        states = [given.new_empty(steps + 1, rows, size) for _ in layers]
        cells = [first[0].new_empty(steps + 1, rows, size) for _ in layers]
        gates = [given.new_empty(steps, rows, GATES * size) for _ in layers]
        inputs = [
            below[1:] if layer.mask is None else torch.empty_like(below[1:])
            for below, layer in zip(states, layers[1:], strict=False)
        ]
        for number in range(count):
            states[number][0].copy_(first[2 * number])
            cells[number][0].copy_(first[2 * number + 1])
        work = steps_of(given)
        with Lanes(given.device, count) as lanes:
            for number, low, high in waves(steps, count):
                layer, source, ids = layers[number], given, index
                with lanes.of(number, needs=number - 1):
                    if number:  # the product lies where the gates will be
                        source, ids = gates[number], None
                        _read(states[number - 1][1:], inputs[number - 1], source, layer, low, high)
                    about = states[number], cells[number], gates[number]
                    for t in range(low, high):
                        work.forward(layer.weight_hh, source, ids, *about, t)
        ctx.count, ctx.table = count, None if index is None else len(given)
        ctx.save_for_backward(index, *rest[: PARTS * count], *states, *cells, *gates, *inputs)
        ctx.set_materialize_grads(False)
        ends = [part[-1] for both in zip(states, cells, strict=True) for part in both]
        last = [end.to(one.dtype, copy=True) for end, one in zip(ends, first, strict=True)]
        return *(part[1:] for part in states), *last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        count, (index, *saved) = ctx.count, ctx.saved_tensors
        of_last = grads[count:]
        layers, saved = _layers(saved, count), saved[PARTS * count :]
        states, cells, gates = (saved[n * count : (n + 1) * count] for n in range(3))
        inputs = [None, *saved[3 * count :]]
        above = [_or_zeros(grad, part[1:]) for grad, part in zip(grads, states, strict=False)]
        changes = [part.new_empty(len(part) + 1, *part.shape[1:]) for part in gates]
        carried, turned = [], []
        for number, layer in enumerate(layers):
            changes[number][-1].zero_()
            carried.append(_or_zeros(of_last[2 * number + 1], cells[number][0]))
            turned.append(layer.weight_hh.t().contiguous())
        work = steps_of(gates[0])
        found: list[list[Tensor | None]] = [[] for _ in layers]
        with Lanes(gates[0].device, count) as lanes:
            for number, low, high in waves(len(gates[0]), count, falling=True):
                with lanes.of(number, needs=number + 1):
                    if number < count - 1:
                        _descend(changes[number + 1], above[number], layers[number + 1], low, high)
                    of_state = of_last[2 * number]
                    if of_state is not None and high == len(gates[0]):
                        above[number][-1].add_(of_state)
                    about = above[number], cells[number], gates[number], changes[number]
                    for t in range(high - 1, low - 1, -1):
                        work.backward(turned[number], *about, carried[number], t)
                    if low == 0:
                        parts = changes[number][:-1], states[number][:-1], inputs[number]
                        found[number] = _of_weights(layers[number], *parts)
        of_given = changes[0][:-1]
        if ctx.table is not None:
            of_given = summed_by_id(index, of_given, ctx.table)
        of_first: list[Tensor | None] = []
        for number, layer in enumerate(layers):
            asked = ctx.needs_input_grad[3 + PARTS * count + 2 * number]
            of_h = changes[number][0] @ layer.weight_hh if asked else None
            of_first += [None if of_h is None else of_h.to(cells[number].dtype), carried[number]]
        return None, of_given, None, *(part for parts in found for part in parts), *of_first


def _layers(parts: Sequence[Any], count: int) -> list[Layer]:
    return [Layer(*parts[PARTS * n : PARTS * (n + 1)]) for n in range(count)]


def _or_zeros(grad: Tensor | None, like: Tensor) -> Tensor:
    if grad is None:
        return torch.zeros_like(like)
    return grad.to(like.dtype, copy=True).contiguous()


def _read(
    below: Tensor, masked: Tensor, product: Tensor, layer: Layer, low: int, high: int
) -> None:
    """Multiply a piece of the states below by a layer's input weights, and add its bias."""
    assert layer.weight_ih is not None
    assert layer.bias is not None
    if layer.mask is not None:
        torch.mul(below[low:high], layer.mask, out=masked[low:high])
    added = layer.bias if layer.bias.dim() == 1 else _flat(layer.bias[low:high])
    weight, out = layer.weight_ih.t(), _flat(product[low:high])
    torch.addmm(added, _flat(masked[low:high]), weight, out=out)


def _descend(changes: Tensor, above: Tensor, layer: Layer, low: int, high: int) -> None:
    """Add a piece of a layer's gradients to those of the states of the layer below."""
    assert layer.weight_ih is not None
    into = above[low:high]
    if layer.mask is None:
        _flat(into).addmm_(_flat(changes[low:high]), layer.weight_ih)
    else:
        found = _flat(changes[low:high]) @ layer.weight_ih
        into.addcmul_(found.view(into.shape), layer.mask)


def _flat(part: Tensor) -> Tensor:
    return part.view(-1, part.shape[-1])


def _of_weights(
    layer: Layer, changes: Tensor, before: Tensor, inputs: Tensor | None
) -> list[Tensor | None]:
    """Return the gradients of a layer's weights and of its bias, and None for its mask."""
    flat = _flat(changes).t()
    found: list[Tensor | None] = [flat @ _flat(before), None, None, None]
    if inputs is not None:
        is_vector = layer.bias is not None and layer.bias.dim() == 1
        found[1] = flat @ _flat(inputs)
        found[2] = _flat(changes).sum(dim=0) if is_vector else changes
    return found


def waves(steps: int, count: int, *, falling: bool = False) -> Iterator[tuple[int, int, int]]:
    """Yield (layer, first step, end) so that nothing comes before what it needs.

    Layers of one wave need nothing of each other; the one that is ahead comes last, since a lane
    that waits for another waits for all that was asked of it by then.

    Args:
        falling: from the last layer and the last step to the first.
    """
    pieces = 1 if count == 1 else max(1, min(MOST_PIECES, steps // PIECE))
    borders = [steps * n // pieces for n in range(pieces + 1)]
    for wave in range(pieces + count - 1):
        for behind in range(count - 1, -1, -1):
            piece = wave - behind
            if 0 <= piece < pieces:
                number = count - 1 - behind if falling else behind
                place = pieces - 1 - piece if falling else piece
                yield number, borders[place], borders[place + 1]
