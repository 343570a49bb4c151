"""Each cell equals torch.nn with copied weights, forward and backward, in float64."""

import pytest
import torch
from torch import nn

from charlm.models.layers import RecurrentLayer, dropout_mask, locked_dropout

CASES = [("lstm", nn.LSTM), ("gru", nn.GRU), ("rnn", nn.RNN)]
T, B, INPUTS, H = 7, 5, 6, 8


def copied(cell: str, peer: nn.RNNBase) -> RecurrentLayer:
    """Return our layer with a peer's weights; its two biases are one here."""
    layer = RecurrentLayer(cell, INPUTS, H).double()
    with torch.no_grad():
        layer.weight_ih.copy_(peer.weight_ih_l0)
        layer.weight_hh.copy_(peer.weight_hh_l0)
        layer.bias.copy_(peer.bias_ih_l0 + peer.bias_hh_l0)
        if cell == "gru":
            layer.bias[2 * H :] = peer.bias_ih_l0[2 * H :]
            layer.bias_hn.copy_(peer.bias_hh_l0[2 * H :])
    return layer


def random_inputs(cell: str) -> tuple[torch.Tensor, list[torch.Tensor]]:
    parts = 2 if cell == "lstm" else 1
    inputs = torch.randn(T, B, INPUTS, dtype=torch.float64, requires_grad=True)
    state = [torch.randn(B, H, dtype=torch.float64, requires_grad=True) for _ in range(parts)]
    return inputs, state


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("backend", ["rows", "products", "native"])
@pytest.mark.parametrize(("cell", "peer_class"), CASES)
def test_outputs_states_and_gradients_equal_torch_nn(cell, peer_class, backend):
    peer = peer_class(INPUTS, H).double()
    layer = copied(cell, peer)
    inputs, state = random_inputs(cell)
    first = tuple(part.unsqueeze(0) for part in state)
    expected, last = peer(inputs, first if cell == "lstm" else first[0])
    last = last if cell == "lstm" else (last,)
    outputs, after = layer(inputs, tuple(state), layer.weight_hh, backend)

    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-10)
    for ours, theirs in zip(after, last, strict=True):
        torch.testing.assert_close(ours, theirs[0], rtol=0, atol=1e-10)

    weights = torch.randn_like(expected)

    def objective(found, parts):
        return (found * weights).sum() + sum((2 * part).sum() for part in parts)

    wanted = torch.autograd.grad(
        objective(expected, last), [inputs, *state, peer.weight_ih_l0, peer.weight_hh_l0]
    )
    found = torch.autograd.grad(
        objective(outputs, after), [inputs, *state, layer.weight_ih, layer.weight_hh]
    )
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("backend", ["rows", "products", "native"])
def test_gru_with_the_reset_before_equals_the_formula_of_cho(backend):
    layer = RecurrentLayer("gru", INPUTS, H, reset="before").double()
    layer.initialise(torch.Generator().manual_seed(1))
    inputs, (h0,) = random_inputs("gru")
    outputs, _ = layer(inputs, (h0,), layer.weight_hh, backend)

    h, expected = h0, []
    wr, wz, wn = layer.weight_ih.split(H)
    ur, uz, un = layer.weight_hh.split(H)
    br, bz, bn = layer.bias.split(H)
    for x in inputs:
        r = torch.sigmoid(x @ wr.T + br + h @ ur.T)
        z = torch.sigmoid(x @ wz.T + bz + h @ uz.T)
        n = torch.tanh(x @ wn.T + bn + (r * h) @ un.T)
        h = z * h + (1 - z) * n
        expected.append(h)
    expected = torch.stack(expected)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-10)
    wanted = torch.autograd.grad(expected.square().sum(), [inputs, h0, layer.weight_hh])
    found = torch.autograd.grad(outputs.square().sum(), [inputs, h0, layer.weight_hh])
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


def test_the_two_forms_of_the_gru_differ_with_the_same_weights():
    after = RecurrentLayer("gru", INPUTS, H).double()
    after.initialise(torch.Generator().manual_seed(1))
    before = RecurrentLayer("gru", INPUTS, H, reset="before").double()
    before.load_state_dict({k: v for k, v in after.state_dict().items() if k != "bias_hn"})
    inputs, state = random_inputs("gru")
    one, _ = after(inputs, tuple(state), after.weight_hh, "products")
    other, _ = before(inputs, tuple(state), before.weight_hh, "products")
    assert (one - other).abs().max() > 1e-2


@pytest.mark.parametrize("backend", ["rows", "products"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("cell", "reset"), [("lstm", "after"), ("gru", "after"), ("gru", "before"), ("rnn", "after")]
)
def test_lower_precisions_stay_near_float64(cell, reset, dtype, backend):
    layer = RecurrentLayer(cell, INPUTS, H, reset=reset)
    layer.initialise(torch.Generator().manual_seed(1))
    inputs = torch.randn(T, B, INPUTS)
    state = layer.zero_state(B)
    found, after = layer(inputs.to(dtype), state, layer.weight_hh.to(dtype), backend)
    assert found.dtype == dtype
    assert all(part.dtype == torch.float32 for part in after)
    exact = layer.double()
    state = tuple(part.double() for part in state)
    wanted, _ = exact(inputs.double(), state, exact.weight_hh, backend)
    limit = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=limit)


@pytest.mark.parametrize("backend", ["rows", "products"])
@pytest.mark.parametrize(
    ("cell", "reset"), [("lstm", "after"), ("gru", "after"), ("gru", "before"), ("rnn", "after")]
)
def test_one_long_pass_equals_two_chunks_with_the_state_carried(cell, reset, backend):
    layer = RecurrentLayer(cell, INPUTS, H, reset=reset).double()
    layer.initialise(torch.Generator().manual_seed(1))
    inputs, state = random_inputs(cell)
    whole, last = layer(inputs, tuple(state), layer.weight_hh, backend)
    first, middle = layer(inputs[:3], tuple(state), layer.weight_hh, backend)
    second, end = layer(inputs[3:], middle, layer.weight_hh, backend)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    for one, other in zip(end, last, strict=True):
        torch.testing.assert_close(one, other)


def test_the_forget_gate_starts_open_on_demand():
    plain, opened = (RecurrentLayer("lstm", INPUTS, H) for _ in range(2))
    plain.initialise(torch.Generator().manual_seed(0))
    opened.initialise(torch.Generator().manual_seed(0), forget_bias=1.0)
    expected = torch.zeros(4 * H)
    expected[H : 2 * H] = 1.0
    torch.testing.assert_close(opened.bias - plain.bias, expected)
    assert plain.bias.abs().max() <= H**-0.5


def test_locked_dropout_uses_one_mask_for_all_time_steps():
    inputs = torch.ones(9, 4, 50)
    dropped = locked_dropout(inputs, 0.4, torch.Generator().manual_seed(0))
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / 0.6).item()}


def test_a_dropout_mask_leaves_out_its_share_and_keeps_the_mean():
    mask = dropout_mask((100_000,), 0.3, torch.ones(1), torch.Generator().manual_seed(0))
    assert (mask == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert mask.mean().item() == pytest.approx(1.0, abs=0.02)
