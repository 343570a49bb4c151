"""Clipping, averaging and the schedule, by values computed by hand."""

import math

import pytest
import torch

from charlm.training.clock import Clock
from charlm.training.optim import (
    BETAS,
    EPSILON,
    AveragedWeights,
    build_adamw,
    clip_gradients,
    schedule,
    set_learning_rate,
)


def parameter(*values: float, grad: tuple[float, ...] | None = None) -> torch.nn.Parameter:
    made = torch.nn.Parameter(torch.tensor(values))
    if grad is not None:
        made.grad = torch.tensor(grad)
    return made


def test_gradients_beyond_the_norm_are_scaled_together():
    one, other = parameter(0.0, grad=(3.0,)), parameter(0.0, grad=(4.0,))
    assert clip_gradients([one, other], 1.0) == pytest.approx(5.0)
    assert one.grad.item() == pytest.approx(0.6)
    assert other.grad.item() == pytest.approx(0.8)


def test_gradients_within_the_norm_are_left_alone():
    one = parameter(0.0, 0.0, grad=(0.3, 0.4))
    assert clip_gradients([one], 1.0) == pytest.approx(0.5)
    assert one.grad.tolist() == pytest.approx([0.3, 0.4])


def test_a_norm_that_is_no_number_scales_nothing():
    one = parameter(0.0, 0.0, grad=(math.nan, 9.0))
    assert math.isnan(clip_gradients([one], 1.0))
    assert one.grad[1].item() == 9.0


def test_averages_look_back_on_their_share_of_the_run():
    weight = parameter(0.0)
    averages = AveragedWeights([weight], share=0.5)
    expected = 0.0
    for update in range(1, 19):
        weight.data.fill_(float(update))
        averages.update()
        if update % 4 == 0:
            expected += (update - expected) / (1 + 0.5 * update / 4)
    assert averages.averages[0].item() == pytest.approx(expected)
    averages.swap()
    assert weight.item() == pytest.approx(expected)
    averages.swap()
    assert weight.item() == 18.0


def test_the_schedule_rises_then_falls_to_its_floor():
    values = [schedule(step / 100) for step in range(101)]
    top = values.index(max(values))
    assert top == 3
    assert values[:4] == sorted(values[:4])
    assert values[3:] == sorted(values[3:], reverse=True)
    assert values[-1] == pytest.approx(0.1)
    assert schedule(1.0, floor=0.0) == pytest.approx(0.0)
    assert schedule(7.0) == schedule(1.0)


def test_only_matrices_are_decayed():
    linear = torch.nn.Linear
    model = torch.nn.ModuleDict({"embedding": linear(2, 2), "output": linear(2, 3)})
    decayed, free = build_adamw(model, learning_rate=0.1, weight_decay=0.2).param_groups
    assert [p.shape for p in decayed["params"]] == [(3, 2)]
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.2, 0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_steps_are_those_of_torch_and_of_the_paper(dtype):
    draw = torch.Generator().manual_seed(0)
    models = [torch.nn.ModuleDict({"output": torch.nn.Linear(5, 3, dtype=dtype)}) for _ in "abc"]
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict())
    own = build_adamw(models[0], learning_rate=0.1, weight_decay=0.2)
    groups = [
        {"params": [getattr(models[1].output, name)], "weight_decay": decay}
        for name, decay in (("weight", 0.2), ("bias", 0.0))
    ]
    peer = torch.optim.AdamW(groups, lr=0.1, betas=BETAS, eps=EPSILON)
    weight = models[2].output.weight.detach().double()
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    for step in range(1, 6):
        rate = 0.1 / step
        for optimizer in (own, peer):
            set_learning_rate(optimizer, rate)
            optimizer.zero_grad()
        for ours, theirs in zip(models[0].parameters(), models[1].parameters(), strict=True):
            ours.grad = torch.randn(ours.shape, generator=draw, dtype=dtype)
            theirs.grad = ours.grad.clone()
        own.step()
        peer.step()
        grad = models[0].output.weight.grad.double()
        first = BETAS[0] * first + (1 - BETAS[0]) * grad
        second = BETAS[1] * second + (1 - BETAS[1]) * grad**2
        whole, spread = first / (1 - BETAS[0] ** step), second / (1 - BETAS[1] ** step)
        weight = weight - rate * (whole / (spread.sqrt() + EPSILON) + 0.2 * weight)
    for ours, theirs in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    limit = 1e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(models[0].output.weight.double(), weight, rtol=limit, atol=limit)


def test_what_has_no_gradient_stays():
    model = torch.nn.ModuleDict({"output": torch.nn.Linear(2, 3)})
    before = model.output.weight.clone()
    model.output.bias.grad = torch.ones(3)
    build_adamw(model, learning_rate=0.1, weight_decay=0.2).step()
    assert torch.equal(model.output.weight, before)
    assert clip_gradients([model.output.weight], 1.0) == 0.0


def test_the_clock_counts_what_was_used_before_and_no_long_gap(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = Clock(5.0, longest_gap=10.0)
    now[0] = 103.0
    assert clock.elapsed() == 8.0
    now[0] = 1_000.0  # the machine slept
    assert clock.elapsed() == 18.0
    now[0] = 900.0  # a clock that goes back
    assert clock.elapsed() == 18.0
