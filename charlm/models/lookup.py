"""Rows of a small table by their numbers, with a gradient that a GPU sums as one product.

PyTorch sorts the numbers to add up the gradients of equal ones: a dozen pieces of work, longer than
all else that a small vocabulary's embedding costs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

SMALL = 1024


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Tensor, table: Tensor, dtype: torch.dtype) -> Any:
        ctx.save_for_backward(ids)
        ctx.rows, ctx.dtype = len(table), table.dtype
        return F.embedding(ids, table.to(dtype))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (ids,) = ctx.saved_tensors
        return None, summed_by_id(ids, grad, ctx.rows).to(ctx.dtype), None


def summed_by_id(ids: Tensor, parts: Tensor, rows: int) -> Tensor:
    """Return for each row the sum of the parts that have its number, as one product.

    Shapes:
        ids: any shape; parts: (*ids, F); returns (rows, F).
    """
    numbers = torch.arange(rows, device=ids.device).unsqueeze(1)
    chosen = (numbers == ids.reshape(1, -1)).to(parts.dtype)  # (rows, ids)
    return chosen @ parts.reshape(-1, parts.shape[-1])


def looked_up(ids: Tensor, table: Tensor, dtype: torch.dtype) -> Tensor:
    """Return rows of a table as another type.

    Shapes:
        ids: any shape; table: (R, F); returns (*ids, F).
    """
    if table.device.type == "cpu" or len(table) > SMALL:
        return F.embedding(ids, table).to(dtype)
    found: Tensor = _Lookup.apply(ids, table, dtype)  # type: ignore[no-untyped-call]
    return found
