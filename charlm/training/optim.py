"""The optimiser, its rate over time, the clipping of gradients, the averaging of weights."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

BETAS, EPSILON = (0.9, 0.99), 1e-8


class AdamW:
    """Adam with decoupled weight decay: `torch.optim.AdamW`, without what its generality costs.

    For a small model half the time of an update of `torch.optim` goes into hooks, checks and the
    sorting of tensors. Groups and state are arranged as there, one step count for all.

    Args:
        groups: dicts of `params` and their `weight_decay`.

    Source:
        Loshchilov and Hutter (2019), arXiv:1711.05101, algorithm 2.
    """

    def __init__(self, groups: list[dict[str, Any]], *, lr: float) -> None:
        self.param_groups = [{"lr": lr, **group} for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Let go of all gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self, rate: Tensor | None = None, skipped: Tensor | None = None) -> None:
        """Move every parameter that has a gradient.

        Args:
            rate: the learning rate where the device holds it; else that of each group is taken.
            skipped: float32 on the device; 1 leaves everything as it is, without anybody waiting.
        """
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if not moved:
                continue
            states = [self._state(parameter) for parameter in moved]
            steps = [state["step"] for state in states]
            if skipped is None:
                torch._foreach_add_(steps, 1.0)
            else:  # as a list: a single tensor would be asked for its value
                torch._foreach_add_(steps, [1.0 - skipped] * len(steps))
            torch._fused_adamw_(
                moved,
                [p.grad for p in moved],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                lr=group["lr"] if rate is None else rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=group["weight_decay"],
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
                found_inf=skipped,
            )

    def _state(self, parameter: Tensor) -> dict[str, Tensor]:
        state = self.state.get(parameter)
        if state is None:
            state = self.state[parameter] = {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return state


def build_adamw(model: nn.Module, *, learning_rate: float, weight_decay: float) -> AdamW:
    """Return AdamW that decays matrices and leaves biases and embeddings alone."""
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim > 1 and not name.startswith("embedding")
        (decayed if matrix else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=learning_rate)


def schedule(progress: float, *, warmup: float = 0.03, floor: float = 0.1) -> float:
    """Return the share of the peak learning rate at a progress of 0 to 1.

    It rises in a line and falls in a cosine to `floor`, where averaged weights do the rest.

    Example:
        >>> [round(schedule(p), 3) for p in (0.0, 0.03, 0.5, 1.0)]
        [0.01, 0.998, 0.55, 0.1]

    Source:
        Loshchilov and Hutter (2017), arXiv:1608.03983.
    """
    progress = min(max(progress, 0.0), 1.0)
    rise = min(1.0, max(progress / warmup, 0.01)) if warmup else 1.0
    return rise * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress)))


def set_learning_rate(optimizer: AdamW, learning_rate: float) -> None:
    """Set the rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def clip_gradients(parameters: Iterable[Tensor], max_norm: float) -> float:
    """Scale gradients by `max_norm / norm` where their global norm is larger; return the norm.

    A norm that is not finite is returned and nothing is scaled.

    Source:
        Pascanu et al. (2013), arXiv:1211.5063.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return 0.0
    norm = float(torch.stack(torch._foreach_norm(gradients)).norm())
    if math.isfinite(norm) and norm > max_norm:
        torch._foreach_mul_(gradients, max_norm / norm)
    return norm


EVERY = 4


class AveragedWeights:
    """A moving average of a model's parameters over the last `share` of the updates so far.

    The window grows with the run, so that it suits short runs and long ones, whose length nobody
    knows beforehand. Only every fourth update is averaged: its neighbours are nearly the same, and
    large models would pay for each.

    Source:
        Polyak and Juditsky (1992) for averaging; Karras et al. (2024), arXiv:2312.02696, for a
        window in proportion to the run.
    """

    def __init__(self, parameters: Iterable[Tensor], share: float) -> None:
        self.share = share
        self.updates = 0
        self.parameters = list(parameters)
        self.averages = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self, alive: Tensor | None = None) -> None:
        """Count an update; every fourth moves the averages by 1 / (1 + share * n / 4).

        Args:
            alive: on the device, 0-dim; 0 leaves the averages as they are, 1 moves them.
        """
        self.updates += 1
        if self.updates % EVERY:
            return
        weight = 1.0 / (1.0 + self.share * self.updates / EVERY)
        if alive is None:
            torch._foreach_lerp_(self.averages, self.parameters, weight)
            return
        apart = torch._foreach_sub(self.parameters, self.averages)
        torch._foreach_mul_(apart, alive * weight)
        torch._foreach_add_(self.averages, apart)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the averages and the parameters; a second call changes them back."""
        for average, parameter in zip(self.averages, self.parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)
