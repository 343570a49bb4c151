"""The deep bidirectional RNN against torch.nn, against single rows, and against NumPy."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from charlm.engine.birnn import BiRNN as EngineBiRNN
from charlm.engine.birnn_config import BiRNNConfig
from charlm.models.birnn import BiRNN

CELLS = [("lstm", "after"), ("gru", "after"), ("gru", "before"), ("rnn", "after")]
LENGTHS = [5, 1, 0, 9, 3]


def make(cell, reset="after", *, dtype=torch.float64, backend="products", **more):
    settings = {"input_size": 4, "hidden_size": 3, "num_layers": 2} | more
    net = BiRNN(BiRNNConfig(cell=cell, reset=reset, **settings), backend=backend)
    net.initialise(torch.Generator().manual_seed(0))
    net.dtype = dtype
    return net.to(dtype).eval()


def inputs(lengths=LENGTHS, size=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(max(lengths), len(lengths), size, generator=generator, dtype=dtype)


def in_torch(net):
    """Return torch.nn's network with the weights of ours."""
    kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
    config = net.config
    other = kinds[config.cell](
        config.input_size, config.hidden_size, config.num_layers, bidirectional=True
    ).double()
    for layer in range(config.num_layers):
        for direction, suffix in (("forwards", ""), ("backwards", "_reverse")):
            ours = net.layers[layer][direction]
            bias_hh = torch.zeros_like(ours.bias)
            if ours.bias_hn is not None:
                bias_hh[2 * config.hidden_size :] = ours.bias_hn
            for name, value in (
                ("weight_ih", ours.weight_ih),
                ("weight_hh", ours.weight_hh),
                ("bias_ih", ours.bias),
                ("bias_hh", bias_hh),
            ):
                getattr(other, f"{name}_l{layer}{suffix}").data.copy_(value.data)
    return other


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_deep_stack_equals_torch_nn_on_packed_sequences_forward_and_backward(cell):
    net, lengths = make(cell), [9, 5, 3, 1]
    other = in_torch(net)
    x, y = inputs(lengths).requires_grad_(), inputs(lengths).requires_grad_()
    ours = net(x, torch.tensor(lengths))
    theirs, _ = pad_packed_sequence(other(pack_padded_sequence(y, lengths))[0])
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-10, atol=1e-10)
    first = net.layers[0]["backwards"].weight_ih.grad
    torch.testing.assert_close(first, other.weight_ih_l0_reverse.grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("cell", "reset"), CELLS)
def test_a_row_alone_equals_the_same_row_among_others_whatever_pads_it(cell, reset):
    net, x = make(cell, reset), inputs()
    together = net(x, torch.tensor(LENGTHS))
    x[torch.arange(9)[:, None] >= torch.tensor(LENGTHS)] = 1e3
    torch.testing.assert_close(net(x, torch.tensor(LENGTHS)), together, rtol=0, atol=0)
    for row, length in enumerate(LENGTHS):
        if length:
            alone = net(x[:length, row : row + 1], torch.tensor([length]))
            torch.testing.assert_close(together[:length, row], alone[:, 0])
        assert not together[length:, row].any()


@pytest.mark.parametrize(("cell", "reset"), CELLS)
def test_the_backward_direction_is_the_forward_one_on_the_sequence_reversed(cell, reset):
    net, lengths = make(cell, reset, num_layers=1), torch.tensor([6])
    layer = net.layers[0]
    layer["backwards"].load_state_dict(layer["forwards"].state_dict())
    x = inputs([6])
    outputs, mirrored = net(x, lengths), net(x.flip(0), lengths)
    torch.testing.assert_close(outputs[..., 3:], mirrored.flip(0)[..., :3])


def test_forward_states_never_see_the_future_nor_backward_states_the_past():
    net, x = make("lstm", num_layers=1), inputs([7])
    before = net(x, torch.tensor([7]))
    x[4] += 1.0
    after = net(x, torch.tensor([7]))
    changed = (before != after).any(dim=1)  # (T, 2H)
    moved = (before[:, 0] != after[:, 0]).reshape(7, 2, 3).any(dim=2)
    assert moved[:, 0].tolist() == [False] * 4 + [True] * 3
    assert moved[:, 1].tolist() == [True] * 5 + [False] * 2
    assert changed.shape == (7, 6)


def test_dropout_is_one_mask_a_row_for_all_steps_and_only_in_training():
    net, x, lengths = make("gru"), inputs([6, 6]), torch.tensor([6, 6])
    plain = net(x, lengths, dropout=0.5, generator=torch.Generator())
    torch.testing.assert_close(plain, net(x, lengths), rtol=0, atol=0)
    out = net.train()(x, lengths, dropout=0.5, generator=torch.Generator().manual_seed(3))
    zero = out == 0.0
    assert (zero.all(dim=0) | ~zero.any(dim=0)).all()
    assert zero.any()
    assert not zero.all()


def test_without_the_backward_direction_the_outputs_are_the_forward_ones():
    both, one = make("lstm", num_layers=1), make("lstm", num_layers=1, bidirectional=False)
    one.layers[0]["forwards"].load_state_dict(both.layers[0]["forwards"].state_dict())
    x, lengths = inputs(), torch.tensor(LENGTHS)
    torch.testing.assert_close(one(x, lengths), both(x, lengths)[..., :3])


@pytest.mark.parametrize("backend", ["rows", "products"])
@pytest.mark.parametrize(("cell", "reset"), CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_numpy_gives_what_torch_gives_in_the_order_of_the_texts(
    cell, reset, backend, bidirectional
):
    more = {"dtype": torch.float32, "backend": backend, "bidirectional": bidirectional}
    net, x = make(cell, reset, **more), inputs(dtype=torch.float32)
    layers = net.all_layers(x, torch.tensor(LENGTHS))
    tensors = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    engine = EngineBiRNN(net.config, tensors)
    flat = np.concatenate([x[:length, row].numpy() for row, length in enumerate(LENGTHS)])
    for ours, theirs in zip(engine.run_layers(flat, LENGTHS), layers, strict=True):
        wanted = [theirs[:length, row].detach() for row, length in enumerate(LENGTHS)]
        np.testing.assert_allclose(ours, np.concatenate(wanted), rtol=1e-5, atol=1e-5)
