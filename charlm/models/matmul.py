"""The matrix product of a recurrent step, by the fastest way this build of PyTorch has.

A step multiplies a few rows by the same weights hundreds of times. oneDNN can bring those weights
into its own blocked order once; without that it does so at every call.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Product = Callable[[torch.Tensor], torch.Tensor]


# Bringing weights into oneDNN's order pays from about so many products on.
PAYS_FROM = 64


def repeated_product(weight: torch.Tensor, rows: int, times: int) -> Product:
    """Return the function `x -> x @ weight.T` for `times` different `x` of `rows` rows.

    Each call may overwrite the result of the one before.

    Shapes:
        weight: (out, in), float32 or bfloat16 on the CPU for the packed way, else any.
        x: (rows, in), contiguous.
        returns: (rows, out) of the same type.
    """
    if times >= PAYS_FROM and _can_pack(weight):
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)
        pointwise = torch.ops.mkldnn._linear_pointwise.default
        return lambda x: pointwise(x, packed, None, "none", [], "")
    transposed = weight.t()
    result = weight.new_empty(rows, weight.shape[0])
    return lambda x: torch.mm(x, transposed, out=result)


def _can_pack(weight: torch.Tensor) -> bool:
    return (
        weight.device.type == "cpu"
        and weight.dtype in (torch.float32, torch.bfloat16)
        and torch.backends.mkldnn.is_available()
        and _packing_works(weight.dtype)
    )


_PACKING_WORKS: dict[torch.dtype, bool] = {}


def _packing_works(dtype: torch.dtype) -> bool:
    """Try these operators once: they belong to PyTorch's compiler and promise nothing."""
    if dtype in _PACKING_WORKS:
        return _PACKING_WORKS[dtype]
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(32, 16, generator=generator).to(dtype)
    x = torch.randn(4, 16, generator=generator).to(dtype)
    try:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, 4)
        found = torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
        works = bool(torch.allclose(found.float(), (x @ weight.t()).float(), rtol=2e-2, atol=2e-1))
    except (RuntimeError, AttributeError, NotImplementedError):
        works = False
    _PACKING_WORKS[dtype] = works
    return works
