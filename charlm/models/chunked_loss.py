"""The output layer and its loss in parts that fit a GPU's memory, whatever the vocabulary.

The gradient is made with the loss: logits of a part of the rows are turned into it at once, so
that no more than one part's are ever there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

PART_BYTES = 1 << 29
# So many products of a gradient, at most 1, and a feature, about 1, are still a float16 number.
MOST_ROWS = 16_384


class _ChunkedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        rows: int,
        differentiates: bool,
    ) -> Any:
        total = bias.new_zeros(())
        grads = []
        if differentiates:
            grads = [torch.empty_like(features), torch.zeros_like(weight), torch.zeros_like(bias)]
        narrow = weight.to(features.dtype)
        for start in range(0, len(targets), rows):
            part = slice(start, start + rows)
            inputs, wanted = features[part], targets[part].unsqueeze(1)
            logits = (inputs @ narrow.t()).to(bias.dtype).add_(bias)
            norm = logits.logsumexp(dim=1, keepdim=True)
            total += (norm - logits.gather(1, wanted)).sum()
            if differentiates:
                _add_gradients(grads, part, logits.sub_(norm).exp_(), inputs, narrow, wanted)
        ctx.save_for_backward(*grads)
        ctx.count = len(targets)
        return total / len(targets)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        scale = grad / ctx.count
        found = [part * scale.to(part.dtype) for part in ctx.saved_tensors]
        return *found, None, None, None


def _add_gradients(
    grads: list[Tensor], part: slice, probs: Tensor, inputs: Tensor, weight: Tensor, wanted: Tensor
) -> None:
    """Add the gradients of one part's summed loss, from its probabilities, which are spent."""
    probs.scatter_(1, wanted, probs.gather(1, wanted) - 1.0)
    grads[2] += probs.sum(dim=0)
    narrow = probs.to(inputs.dtype)
    grads[0][part] = narrow @ weight
    grads[1] += (narrow.t() @ inputs).to(grads[1].dtype)


def chunked_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, rows: int | None = None
) -> Tensor:
    """Return the mean negative log-likelihood, in nats, of targets under a linear softmax layer.

    Shapes:
        features: (N, D), of the type of the products; weight: (V, D) and bias: (V,), of their own.
        targets: (N,) int64. returns: scalar, as `bias`.

    Args:
        rows: how many are done at a time; None takes as many as fit in half a gigabyte.
    """
    if rows is None:
        rows = max(64, min(MOST_ROWS, PART_BYTES // (bias.element_size() * len(bias))))
    differentiates = torch.is_grad_enabled()
    loss: Tensor = _ChunkedLoss.apply(  # type: ignore[no-untyped-call]
        features, weight, bias, targets, rows, differentiates
    )
    return loss
