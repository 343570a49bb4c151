"""The output layer and its loss on a CPU: one function that keeps a single array of logits.

With ten thousand words the softmax costs more than the recurrence. PyTorch would hold the logits
three times over (16-bit, float32, their gradient); here the product's own result is turned into
its gradient in place while it is hot.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from charlm.models import kernels
from charlm.models.recurrence import numpy_view
from charlm.models.threads import over_rows

TOGETHER = 64  # rows: waking a thread for fewer does not pay


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Any:
        logits = features @ weight.t()
        losses = torch.empty(len(targets), dtype=torch.float64)
        scale = torch.ones((), dtype=bias.dtype) / len(targets)
        arrays = (numpy_view(logits), bias.numpy(), targets.numpy(), scale.numpy()[()])
        over_rows(kernels.cross_entropy, len(targets), TOGETHER, *arrays, losses.numpy())
        ctx.save_for_backward(features, weight, logits)
        return losses.mean().to(bias.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        features, weight, grad_logits = ctx.saved_tensors
        grad_features = grad_logits @ weight
        grad_weight = grad_logits.t() @ features
        ones = grad_logits.new_ones(1, len(grad_logits))  # a product sums faster than `sum` does
        grad_bias = (ones @ grad_logits)[0].to(grad.dtype)
        if grad.item() != 1.0:
            grad_features *= grad.to(features.dtype)
            grad_weight *= grad.to(weight.dtype)
            grad_bias *= grad
        return grad_features, grad_weight, grad_bias, None


def linear_cross_entropy(features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the mean negative log-likelihood, in nats, of targets under a linear softmax layer.

    Shapes:
        features: (N, D); weight: (V, D), both of the type of the products.
        bias: (V,) float32 or float64; targets: (N,) int64. returns: scalar, as `bias`.

    Raises:
        IndexError: if a target is not in the vocabulary.
    """
    if len(targets):  # the kernel writes where they point
        lowest, highest = (int(end) for end in torch.aminmax(targets))
        if lowest < 0 or highest >= len(bias):
            raise IndexError(f"targets {lowest} to {highest} in a vocabulary of {len(bias)}")
    loss: Tensor = _LinearCrossEntropy.apply(features, weight, bias, targets)  # type: ignore[no-untyped-call]
    return loss
