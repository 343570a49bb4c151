"""A larger loss for float16: gradients too small for the type would be zero."""

from __future__ import annotations

import torch
from torch import Tensor

START, SMALLEST, LARGEST = 2.0**15, 1.0, 2.0**24
GROWS_AFTER = 1_000.0


class LossScale:
    """The factor of the loss, kept on the device: halved by an overflow, doubled after none.

    Attributes:
        values: (2,) float32, the factor and how many updates went well since it last changed.

    Source:
        Micikevicius et al. (2018), arXiv:1710.03740, section 3.2.
    """

    def __init__(self, device: torch.device) -> None:
        self.values = torch.tensor([START, 0.0], device=device)

    @property
    def factor(self) -> Tensor:
        """The factor, 0-dim."""
        return self.values[0]

    def at_its_least(self) -> Tensor:
        """Return, as a 0-dim bool, whether it cannot be halved any more."""
        return self.values[0] <= SMALLEST

    @torch.no_grad()
    def learn(self, finite: Tensor) -> None:
        """Change after an update, told (0-dim bool) whether its gradients were finite."""
        factor, well = self.values[0], self.values[1] + 1.0
        grown = torch.where(well >= GROWS_AFTER, 2.0 * factor, factor)
        next_factor = torch.where(finite, grown, 0.5 * factor).clamp(SMALLEST, LARGEST)
        well = well * (finite & (well < GROWS_AFTER))  # a zero for `where` would come from the host
        self.values.copy_(torch.stack([next_factor, well]))
