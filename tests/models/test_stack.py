"""A stack of LSTM layers in pieces equals torch.nn's, forwards and back; on the CPU."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from charlm.engine.config import LanguageModelConfig
from charlm.models import stack
from charlm.models.language_model import Dropouts, LanguageModel
from charlm.models.stack import Layer, by_unit, waves
from charlm.models.stack_steps import tile

INPUTS = 5


def peers(count, size):
    """Return nn.LSTM layers in float64, and our layers with their weights, which get gradients."""
    nets = [nn.LSTM(size if n else INPUTS, size).double() for n in range(count)]
    for net in nets:
        nn.init.zeros_(net.bias_hh_l0).requires_grad_(False)
    return nets


def layers_of(nets, masks):
    made = []
    for number, (net, mask) in enumerate(zip(nets, masks, strict=True)):
        weight = by_unit(net.weight_hh_l0, torch.float64)
        if number == 0:
            made.append(Layer(weight))
        else:
            inputs = by_unit(net.weight_ih_l0, torch.float64)
            made.append(Layer(weight, inputs, by_unit(net.bias_ih_l0, torch.float64), mask))
    return made


@pytest.mark.parametrize(
    ("count", "steps", "rows", "size", "by_id", "masked"),
    [
        (1, 5, 3, 4, False, False),
        (1, 40, 2, 4, True, False),
        (2, 7, 3, 6, False, True),
        (2, 70, 1, 4, True, True),
        (3, 150, 2, 4, True, False),
        (3, 33, 2, 4, False, True),
    ],
)
def test_outputs_and_all_gradients_are_those_of_torch(count, steps, rows, size, by_id, masked):
    torch.manual_seed(0)
    nets = peers(count, size)
    index = torch.randint(9, (steps, rows)) if by_id else None
    inputs = torch.randn(*((9,) if by_id else (steps, rows)), INPUTS, dtype=torch.float64)
    inputs.requires_grad_()
    masks = [None] + [
        torch.rand(1, rows, size, dtype=torch.float64).round() * 2 if masked else None
    ] * (count - 1)
    state = [
        tuple(torch.randn(rows, size, dtype=torch.float64).requires_grad_() for _ in range(2))
        for _ in nets
    ]
    hidden, expected = inputs if index is None else inputs[index], []
    for net, mask, first in zip(nets, masks, state, strict=True):
        read = hidden if mask is None else hidden * mask
        hidden, last = net(read, tuple(part.unsqueeze(0) for part in first))
        expected.append(tuple(part[0] for part in last))

    weight, bias = nets[0].weight_ih_l0, nets[0].bias_ih_l0
    given = F.linear(inputs, by_unit(weight, torch.float64), by_unit(bias, torch.float64))
    outputs, after = stack.run(given, index, layers_of(nets, masks), state)
    found = outputs[-1]
    torch.testing.assert_close(found, hidden, rtol=0, atol=1e-10)
    for ours, theirs in zip(after, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)

    shares = torch.randn_like(hidden)
    leaves = [inputs, *(part for both in state for part in both)]
    leaves += [p for net in nets for p in net.parameters() if p.requires_grad]

    def objective(outputs, last):
        return (outputs * shares).sum() + sum(
            (n + 1) * part.sin().sum() for n, both in enumerate(last) for part in both
        )

    wanted = torch.autograd.grad(objective(hidden, expected), leaves, retain_graph=True)
    got = torch.autograd.grad(objective(found, after), leaves, retain_graph=True)
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    wanted = torch.autograd.grad((hidden * shares).sum(), leaves)  # as training asks
    got = torch.autograd.grad((found * shares).sum(), leaves)
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("count", "skip"), [(1, False), (3, False), (3, True), (1, True)])
@pytest.mark.parametrize("vocab_size", [12, 3000])
@pytest.mark.parametrize(
    "rates", [{}, {"layer": 0.3, "output": 0.4, "weight": 0.5}, {"input": 0.5}]
)
def test_a_model_learns_the_same_with_its_layers_side_by_side(count, skip, vocab_size, rates):
    config = LanguageModelConfig(
        vocab_size=vocab_size, embedding_dim=6, hidden_size=8, num_layers=count, skip=skip
    )
    found = []
    ids = torch.randint(vocab_size, (3, 41), generator=torch.Generator().manual_seed(1))
    for backend in ("products", "stacked"):
        model = LanguageModel(config, Dropouts(**rates)).double()
        model.initialise(torch.Generator().manual_seed(2))
        model.use(torch.float64, backend=backend)
        draw = torch.Generator().manual_seed(3)
        loss, state = model.loss(ids[:, :-1], ids[:, 1:], model.initial_state(3), draw)
        loss.backward()
        gradients = [p.grad for p in model.parameters()]
        found.append([loss.detach(), *gradients, *(part.detach() for one in state for part in one)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-12)


def test_the_processors_share_the_work():
    # 128 programs each, which read the least: 64 rows or columns of 512, and 32 of 2,048
    assert tile(64, 512, 4, 132) == (32, 8)
    assert tile(64, 512, 1, 132) == (16, 16)
    assert tile(1, 512, 4, 132) == (16, 4)
    for rows, size in ((64, 1024), (32, 1150), (512, 512), (3, 5)):
        for gates in (1, 4):
            some_rows, units = tile(rows, size, gates, 132)
            assert some_rows + gates * units <= 128
            assert gates * units >= 16


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("steps", [1, 17, 150, 333])
def test_waves_come_after_what_they_need_and_hold_every_step_once(count, steps):
    for falling in (False, True):
        done = [0] * count
        order = range(count - 1, -1, -1) if falling else range(count)
        first = order[0]
        for number, low, high in waves(steps, count, falling=falling):
            assert (steps - high if falling else low) == done[number]
            done[number] += high - low
            if number != first:
                assert done[number] <= done[number + (1 if falling else -1)]
        assert done == [steps] * count
