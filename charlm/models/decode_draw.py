"""Drawing on a device: `generation.logits` and `generation.drawing` for many rows in torch.

The numbers that decide are the CPU's: each sample has its own stream, from the host, and what a
number means is found in float64. So a draw differs from the CPU's only where rounding in the
network moved the border between two tokens over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from charlm.base.errors import TaskError
from charlm.generation.sampling import SamplingConfig
from charlm.models import decode_kernels

# In place of a token, where nothing can be drawn.
NO_NUMBER, ALL_MASKED = -1, -2


class Draw:
    """Draws a token of each row; what it does depends on the settings alone.

    Args:
        config: as for `charlm.generation.drawing.Sampler`.
        masked_ids: ids never to be drawn.
        vocab_size: how many tokens there are.
    """

    def __init__(
        self,
        config: SamplingConfig,
        masked_ids: Sequence[int],
        vocab_size: int,
        device: torch.device,
    ) -> None:
        self.config = config
        self.vocab_size = vocab_size
        self.mask: Tensor | None = None
        if masked_ids:
            mask = torch.zeros(vocab_size, dtype=torch.bool)
            mask[list(masked_ids)] = True
            self.mask = mask.to(device)

        self.settings = torch.tensor(
            [config.temperature, config.min_p], dtype=torch.float64, device=device
        )

    @property
    def is_one_kernel(self) -> bool:
        """Whether `decode_kernels.draw` does what the settings ask for."""
        filters = self.window or self.config.top_k or self.config.top_p < 1.0
        few = self.vocab_size <= decode_kernels.MOST_DRAWN
        return not filters and few and decode_kernels.is_there(self.settings.device)

    @property
    def window(self) -> int:
        """How many ids before a draw it has to know."""
        penalises = self.config.repetition_penalty != 1.0
        return self.config.repetition_window if penalises else 0

    def __call__(self, logits: Tensor, uniform: Tensor, recent: Tensor) -> tuple[Tensor, Tensor]:
        """Return a token a row and the model's own log-probability of it.

        Shapes:
            logits: (B, V) float32; uniform: (B,) float64, 0 <= u < 1.
            recent: (B, W) the ids in the repetition window, V where there is none.
            returns: (B,) int64, `NO_NUMBER` or `ALL_MASKED` where nothing can be drawn; (B,)
                float64.
        """
        exact = logits.double()
        damaged = ~(exact < math.inf).all(dim=1)  # NaN is not less
        allowed = exact if self.mask is None else exact.masked_fill(self.mask, -math.inf)
        if self.window:
            allowed = _penalised(allowed, recent, self.config.repetition_penalty)
        if self.config.temperature == 0.0:
            token = allowed.argmax(dim=1)
        else:
            token = _inverse(self._filtered(allowed), uniform)
        token = token.clamp(0, self.vocab_size - 1)
        log_prob = exact.gather(1, token[:, None])[:, 0] - exact.logsumexp(dim=1)
        nothing = allowed.amax(dim=1) == -math.inf
        token = torch.where(nothing, ALL_MASKED, token)
        return torch.where(damaged, NO_NUMBER, token), log_prob

    def _filtered(self, logits: Tensor) -> Tensor:
        config = self.config
        if config.temperature != 1.0:
            logits = (logits - logits.amax(dim=1, keepdim=True)) / config.temperature
        if 0 < config.top_k < self.vocab_size:
            order = logits.sort(dim=1, descending=True, stable=True).indices[:, : config.top_k]
            kept = torch.full_like(logits, -math.inf)
            logits = kept.scatter(1, order, logits.gather(1, order))
        if config.top_p < 1.0:
            ordered, order = logits.sort(dim=1, descending=True, stable=True)
            probs = ordered.softmax(dim=1)
            dropped = probs.cumsum(dim=1) - probs >= config.top_p
            dropped[:, 0] = False  # rounding must not drop the likeliest
            logits = logits.masked_fill(
                torch.zeros_like(dropped).scatter(1, order, dropped), -math.inf
            )
        if config.min_p > 0.0:
            floor = logits.amax(dim=1, keepdim=True) + math.log(config.min_p)
            logits = logits.masked_fill(logits < floor, -math.inf)
        return logits


def _penalised(logits: Tensor, recent: Tensor, penalty: float) -> Tensor:
    """Return float64 logits with each row's recent tokens less likely, rounded to float32."""
    rows, vocab = logits.shape
    seen = torch.zeros(rows, vocab + 1, dtype=torch.bool, device=logits.device)
    seen = seen.scatter(1, recent, True)[:, :vocab]
    limit = torch.finfo(torch.float32).max  # a huge penalty must not make an infinity
    scaled = torch.where(logits > 0, logits / penalty, logits * penalty).clamp(-limit, limit)
    changed = torch.where(logits.isinf(), logits, scaled)
    return torch.where(seen, changed, logits).float().double()


def _inverse(logits: Tensor, uniform: Tensor) -> Tensor:
    """Return the token of each row whose stretch of the cumulative weights holds `uniform`."""
    weights = (logits - logits.amax(dim=1, keepdim=True)).exp()
    mass = weights.cumsum(dim=1)
    token = torch.searchsorted(mass, uniform[:, None] * mass[:, -1:], right=True)
    # uniform times total was rounded up to the total: the last that can be drawn
    places = torch.arange(logits.shape[1], device=logits.device)
    last = (places * (weights > 0)).amax(dim=1, keepdim=True)
    return torch.minimum(token, last)[:, 0]


def require_drawn(ids: Sequence[int]) -> None:
    """Raise the `TaskError` that the marks among drawn ids stand for.

    Raises:
        TaskError: if the model's logits were no numbers, or every token was masked.
    """
    worst = min(ids, default=0)
    if NO_NUMBER in ids:
        raise TaskError("the model gave a probability that is no number; its weights are damaged")
    if worst == ALL_MASKED:
        raise TaskError("every token is masked: nothing is left to draw from")
