"""An LSTM layer for cuDNN: its weights where the library wants them, in sizes that suit it.

cuDNN has a kernel that stays on the GPU for all steps of a window. PyTorch takes it for single
layers in float16 whose sizes are multiples of 128, up to 1,024 units, and whose batch is one of 8,
up to 128 (`get_algo` in its cudnn/RNN.cpp). Other sizes can be padded with zeros: a unit whose
weights are zero stays at zero and tells others nothing, so the result is the same.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

GATES = 4
UNITS, MOST_UNITS = 128, 1024
ROWS, MOST_ROWS = 8, 128


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """Features that a layer reads, and its units."""

    inputs: int
    hidden: int


def padded(sizes: Sizes) -> Sizes | None:
    """Return the least sizes of the kernel that stays, none smaller; None for too many units."""
    hidden = _multiple(sizes.hidden, UNITS)
    if hidden > MOST_UNITS:
        return None
    # below 192 units PyTorch takes a kernel for small layers instead, which can be much slower
    return Sizes(_multiple(sizes.inputs, UNITS), max(hidden, 2 * UNITS))


def padded_rows(rows: int) -> int:
    """Return the least batch of the kernel that stays; more than it takes are left as they are."""
    return _multiple(rows, ROWS) if rows <= MOST_ROWS else rows


def _multiple(size: int, of: int) -> int:
    return -(-size // of) * of


class Block:
    """One layer's weights in one piece of memory that stays where it is.

    Attributes:
        weights: of input and state, then both biases, each gate by gate; the second bias is zero.
    """

    def __init__(self, sizes: Sizes, dtype: torch.dtype, device: torch.device) -> None:
        self.sizes = sizes
        width = GATES * sizes.hidden
        shapes = ((width, sizes.inputs), (width, sizes.hidden), (width,), (width,))
        self.weights = [torch.zeros(shape, dtype=dtype, device=device) for shape in shapes]
        if device.type == "cuda":
            mode = torch.backends.cudnn.rnn.get_cudnn_mode("LSTM")
            settings = (sizes.inputs, mode, sizes.hidden, 0, 1, False, False)
            with torch.no_grad():  # moves the tensors into one block, in cuDNN's order
                torch._cudnn_rnn_flatten_weight(self.weights, len(shapes), *settings)

    def fill(self, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> None:
        """Write a layer's weights of any float type; what is padded stays zero."""
        places = [_part(w, s) for w, s in zip(self.weights, _shapes(weight_ih, bias), strict=False)]
        sources = [
            source.view(place.shape)
            for source, place in zip((weight_ih, weight_hh, bias), places, strict=True)
        ]
        torch._foreach_copy_(places, sources)


def _shapes(weight_ih: Tensor, bias: Tensor) -> list[tuple[int, ...]]:
    """Return the shapes of a gate's part of both weights and of the bias."""
    hidden = len(bias) // GATES
    return [(hidden, weight_ih.shape[1]), (hidden, hidden), (hidden,)]


def _part(whole: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a view of a (4 gates * units, …) tensor without its padding, (4, *shape)."""
    gates = whole.view(GATES, whole.shape[0] // GATES, *whole.shape[1:])
    return gates[(slice(None), *(slice(size) for size in shape))]


class _Placed(torch.autograd.Function):
    """`block, weight_ih, weight_hh, bias -> the block's tensors`, which hold them."""

    @staticmethod
    def forward(ctx: Any, block: Block, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Any:
        block.fill(weight_ih, weight_hh, bias)
        ctx.shapes = _shapes(weight_ih, bias)
        ctx.types = [weight.dtype for weight in (weight_ih, weight_hh, bias)]
        return tuple(weight.detach() for weight in block.weights)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        found = [
            _part(grad, shape).to(dtype).reshape(-1, *shape[1:])
            for grad, shape, dtype in zip(grads, ctx.shapes, ctx.types, strict=False)
        ]
        return None, *found


def lstm(
    block: Block,
    inputs: Tensor,
    state: tuple[Tensor, ...],
    weights: tuple[Tensor, Tensor, Tensor],
    *,
    rows: int,
    training: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return all outputs, the last state and the last cell of an LSTM layer.

    Shapes:
        inputs: (T, B, I), of the block's type; state: h and c, (B, H), of any.
        weights: (4H, I), (4H, H) and the bias (4H,), of any type.
        returns: (T, B, H) of the block's type; (B, H) twice, of the state's.

    Args:
        block: of these sizes or larger ones.
        rows: the batch that the kernel sees, B or more.
    """
    size, batch = weights[1].shape[1], inputs.shape[1]
    more = rows - batch
    placed = _Placed.apply(block, *weights)  # type: ignore[no-untyped-call]
    first = [
        _grown(part.to(inputs.dtype), block.sizes.hidden - size, more).unsqueeze(0)
        for part in state
    ]
    grown = _grown(inputs, block.sizes.inputs - inputs.shape[2], more)
    settings = (True, 1, 0.0, training, False, False)
    outputs, h, c = torch._VF.lstm(grown, first, list(placed), *settings)
    if more or size != block.sizes.hidden:
        outputs, h, c = (part[:, :batch, :size] for part in (outputs, h, c))
    return outputs, h[0].to(state[0].dtype), c[0].to(state[1].dtype)


def _grown(part: Tensor, features: int, rows: int) -> Tensor:
    """Return a tensor (…, B, F) with zeros behind its rows and features."""
    return F.pad(part, (0, features, 0, rows)) if features or rows else part.contiguous()
