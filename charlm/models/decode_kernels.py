"""Kernels of our own for decoding on a GPU, where Triton is there; else PyTorch's operations do.

Triton comes with PyTorch for CUDA on Linux. Its interpreter (`TRITON_INTERPRET=1`) runs the same
kernels on a CPU, very slowly.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os

import torch
from torch import Tensor

from charlm.base.devices import compiles

logger = logging.getLogger(__name__)

FEW_ROWS = 8  # up to so many rows weights are read for each, and a layer is one kernel
MOST_UNITS = 8_192  # of a layer, whose weights are counted in 32 bits
MOST_DRAWN = 8_192  # tokens that one program can draw from
UNITS, COLUMNS = 4, 512  # a program's share of a layer, and how much of a row it reads at once
CELL_UNITS = 256


@functools.cache
def is_there(device: torch.device) -> bool:
    """Return whether the kernels run on a device."""
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if device.type != "cuda" and not interpreted:
        return False
    if importlib.util.find_spec("triton") is None or not (interpreted or compiles()):
        return False
    try:
        return _runs(device)
    except Exception as error:  # whatever Triton lacks here: a C compiler, a newer GPU
        logger.info("decoding without kernels of our own: %s", error)
        return False


def _runs(device: torch.device) -> bool:
    """Return whether a small product comes out right; all kernels are tried."""
    row, weight = torch.arange(16.0, device=device)[None], torch.eye(16, device=device)
    out, ids = torch.empty_like(row), torch.zeros(1, dtype=torch.int32, device=device)
    cell, gates = torch.zeros_like(row), torch.zeros(1, 64, device=device)
    lstm_cell(gates, gates, ids.long(), torch.zeros_like(row), cell)
    lstm_few(torch.zeros(64, 16, device=device), gates, ids.long(), None, row, out, cell)
    half, slots = torch.full((1, 1), 0.5, dtype=torch.float64, device=device), ids.long()
    settings = torch.tensor([1.0, 0.0], dtype=torch.float64, device=device)
    ring = half, ids[None].clone(), torch.zeros(1, 1, device=device)
    draw(row, None, settings, ring, ids.long(), slots, greedy=False)
    linear_few(row, weight, None, out)
    return bool(torch.equal(out, row))


def _power(number: int) -> int:
    """Return the least power of two that is not below a number."""
    return 1 << (number - 1).bit_length()


def lstm_cell(product: Tensor, given: Tensor, ids: Tensor, hidden: Tensor, cell: Tensor) -> None:
    """Finish an LSTM layer's step: `hidden` and `cell` (B, H) are changed.

    Shapes:
        product: (B, 4H); given: (ids, 4H) to look up, or (1, 4H) for all; ids: (B,).
    """
    from charlm.models import decode_triton

    rows, size = hidden.shape
    block = min(CELL_UNITS, _power(size))
    decode_triton.lstm_cell[(rows, -(-size // block))](
        product,
        given,
        ids,
        hidden,
        cell,
        hidden.stride(0),
        cell.stride(0),
        size,
        by_id=len(given) > 1,
        block=block,
    )


def lstm_few(
    weight: Tensor,
    given: Tensor,
    ids: Tensor,
    below: Tensor | None,
    own: Tensor,
    hidden: Tensor,
    cell: Tensor,
) -> None:
    """Do an LSTM layer's whole step for few rows: `hidden` (B, H) is written, `cell` changed.

    Shapes:
        weight: (4H, H) or with `below` (4H, 2H); given, ids: as for `lstm_cell`.
        below, own: (B, H), of the layer below and its own old state, in other memory than `hidden`.
    """
    from charlm.models import decode_triton

    rows, size = hidden.shape
    decode_triton.lstm_few[(-(-size // UNITS), rows)](
        own if below is None else below,
        own,
        weight,
        given,
        ids,
        hidden,
        cell,
        hidden.stride(0),
        size,
        has_below=below is not None,
        by_id=len(given) > 1,
        units=UNITS,
        step=min(COLUMNS, _power(size)),
        num_warps=8,
    )


def linear_few(source: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """Write few rows (B, in) times a weight (size, in) to `out` (B, size)."""
    from charlm.models import decode_triton

    size, width = weight.shape
    decode_triton.linear_few[(-(-size // UNITS), len(source))](
        source,
        weight,
        weight if bias is None else bias,
        out,
        source.stride(0),
        width,
        size,
        has_bias=bias is not None,
        units=UNITS,
        step=min(COLUMNS, _power(width)),
    )


def draw(
    logits: Tensor,
    mask: Tensor | None,
    settings: Tensor,
    ring: tuple[Tensor, Tensor, Tensor],
    fed: Tensor,
    slots: Tensor,
    *,
    greedy: bool,
) -> None:
    """Draw a token a row: write it and its log-probability to the ring, and what is read next.

    Shapes:
        logits: (B, V), contiguous; mask: (V,); settings: (2,) float64, temperature and min_p.
        ring: uniforms, ids and log-probabilities, each (places, B); fed, slots: (B,).
    """
    from charlm.models import decode_triton

    rows, vocab = logits.shape
    uniforms, ids, log_probs = ring
    block = _power(vocab)
    decode_triton.draw[(rows,)](
        logits,
        logits if mask is None else mask.view(torch.uint8),
        settings,
        uniforms,
        ids,
        log_probs,
        fed,
        slots,
        rows,
        len(ids),
        vocab,
        has_mask=mask is not None,
        greedy=greedy,
        block=block,
        num_warps=1 if block <= 256 else 4 if block <= 2048 else 8,
    )
