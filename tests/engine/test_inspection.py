"""Gates and states are the textbook's; gradients those of autograd and finite differences."""

import math

import numpy as np
import pytest
import torch

from charlm.engine.cells import gru_step, lstm_step, rnn_step
from charlm.engine.config import LanguageModelConfig
from charlm.engine.inspection import last_loss_gradients, read_layers

SHAPES = [
    {"cell": "lstm"},
    {"cell": "lstm", "num_layers": 3, "skip": True},
    {"cell": "lstm", "num_layers": 2, "tie_weights": True},
    {"cell": "lstm", "tie_weights": True, "embedding_dim": 8},
    {"cell": "rnn", "num_layers": 2},
    {"cell": "rnn", "num_layers": 2, "skip": True, "tie_weights": True},
    {"cell": "gru", "reset": "after", "num_layers": 2},
    {"cell": "gru", "reset": "before", "num_layers": 2},
    {"cell": "gru", "reset": "before", "num_layers": 2, "skip": True},
]
IDS = np.random.default_rng(1).integers(0, 11, 12)


@pytest.fixture(params=SHAPES, ids=lambda shape: "-".join(map(str, shape.values())))
def network(request):
    config = LanguageModelConfig(
        **{"vocab_size": 11, "embedding_dim": 7, "hidden_size": 8} | request.param
    )
    rng = np.random.default_rng(0)
    return config, {n: 0.5 * rng.standard_normal(s) for n, s in config.tensor_shapes().items()}


def step(config, tensors, index, x, h, c):
    """One step of a layer by torch's own operations; returns h, c and the gates."""
    names = ("weight_ih", "weight_hh", "bias")
    w_ih, w_hh, bias = (tensors[f"layers.{index}.{name}"] for name in names)
    if config.cell == "rnn":
        return torch.tanh(w_ih @ x + w_hh @ h + bias), c, {}
    if config.cell == "lstm":
        i, f, g, o = (w_ih @ x + w_hh @ h + bias).chunk(4)
        i, f, o = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)
        c = f * c + i * torch.tanh(g)
        return o * torch.tanh(c), c, {"input": i, "forget": f, "output": o}
    given, size = w_ih @ x + bias, len(h)
    r, z = torch.sigmoid(given[: 2 * size] + w_hh[: 2 * size] @ h).chunk(2)
    w_n = w_hh[2 * size :]
    if config.reset == "after":
        recurrent = r * (w_n @ h + tensors[f"layers.{index}.bias_hn"])
    else:
        recurrent = w_n @ (r * h)
    n = torch.tanh(given[2 * size :] + recurrent)
    return z * h + (1 - z) * n, c, {"reset": r, "update": z}


def unrolled(config, weights, ids):
    """The logits after the last id, and per step and layer h, c and gates, all in one graph."""
    tensors = {name: torch.from_numpy(w).requires_grad_() for name, w in weights.items()}
    zero = torch.zeros(config.hidden_size, dtype=torch.float64)
    h, c, kept = [zero] * config.num_layers, [zero] * config.num_layers, []
    for token in ids.tolist():
        embedded = x = tensors["embedding.weight"][token]
        steps = []
        for index in range(config.num_layers):
            below = torch.cat([x, embedded]) if index and config.skip else x
            h[index], c[index], gates = step(config, tensors, index, below, h[index], c[index])
            x = h[index]
            steps.append((h[index], c[index], gates))
        kept.append(steps)
    features = torch.cat(h) if config.skip else h[-1]
    if config.has_projection:
        features = tensors["projection.weight"] @ features
    tied = tensors["embedding.weight"][: config.vocab_size]
    output = tied if config.tie_weights else tensors["output.weight"]
    return output @ features + tensors["output.bias"], kept


def test_gradients_equal_autograd(network):
    config, weights = network
    inputs = np.concatenate([[config.bos_id], IDS[:-1]])
    logits, kept = unrolled(config, weights, inputs)
    parts = 2 if config.cell == "lstm" else 1
    for steps in kept:
        for layer in steps:
            for state in layer[:parts]:
                state.retain_grad()
    expected_loss = -torch.log_softmax(logits, dim=0)[int(IDS[-1])]
    expected_loss.backward()
    loss, layers = last_loss_gradients(config, weights, IDS, steps=100)
    assert loss == pytest.approx(expected_loss.item(), rel=1e-12)
    assert len(layers) == config.num_layers
    for index, layer in enumerate(layers):
        assert (layer.cell is None) == (config.cell != "lstm")
        for part, found in enumerate((layer.hidden, layer.cell)[:parts]):
            expected = np.stack([steps[index][part].grad.numpy() for steps in kept])
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def test_gradients_equal_finite_differences(network):
    """A state is shifted where it stands, by the equations of `engine.cells`."""
    config, weights = network
    inputs = np.concatenate([[config.bos_id], IDS[:-1]])
    _, layers = last_loss_gradients(config, weights, IDS, steps=100)
    rng, small = np.random.default_rng(2), 1e-5
    for part, name in enumerate(("hidden", "cell")[: 2 if config.cell == "lstm" else 1]):
        for index in range(config.num_layers):
            t, way = int(rng.integers(0, len(inputs))), rng.standard_normal(config.hidden_size)
            up, down = (
                shifted_loss(config, weights, inputs, (t, index, part, sign * small * way))
                for sign in (1, -1)
            )
            found = getattr(layers[index], name)[t] @ way
            assert found == pytest.approx((up - down) / (2 * small), rel=1e-5, abs=1e-9)


def shifted_loss(config, weights, inputs, shift):
    at, where, part, change = shift
    h = np.zeros((config.num_layers, config.hidden_size))
    c = h.copy()
    for t, token in enumerate(inputs):
        embedded = x = weights["embedding.weight"][token]
        for index in range(config.num_layers):
            below = np.concatenate([x, embedded]) if index and config.skip else x
            names = ("weight_ih", "weight_hh", "bias")
            own = [weights[f"layers.{index}.{name}"] for name in names]
            here = (t, index) == (at, where)
            if config.cell == "lstm":
                # A shifted cell is read by the output gate, too: h is made of it anew.
                old = h[index].copy(), c[index].copy()
                h[index], c[index] = lstm_step(below, *old, *own)
                if here and part == 1:
                    gates = own[0] @ below + own[1] @ old[0] + own[2]
                    o = 1 / (1 + np.exp(-gates[3 * config.hidden_size :]))
                    c[index] += change
                    h[index] = o * np.tanh(c[index])
            elif config.cell == "rnn":
                h[index] = rnn_step(below, h[index], *own)
            else:
                bias_hn = weights.get(f"layers.{index}.bias_hn")
                h[index] = gru_step(below, h[index], *own, bias_hn, reset=config.reset)
            if here and part == 0:
                h[index] += change
            x = h[index]
    features = np.concatenate(h) if config.skip else h[-1]
    if config.has_projection:
        features = weights["projection.weight"] @ features
    tied = weights["embedding.weight"][: config.vocab_size]
    logits = (tied if config.tie_weights else weights["output.weight"]) @ features
    logits += weights["output.bias"]
    return np.log(np.exp(logits).sum()) - logits[IDS[-1]]


def test_fewer_steps_are_the_last_of_all(network, monkeypatch):
    config, weights = network
    monkeypatch.setattr("charlm.engine.inspection.BLOCK", 3)
    loss, layers = last_loss_gradients(config, weights, IDS, steps=100)
    less, last = last_loss_gradients(config, weights, IDS, steps=4)
    assert less == pytest.approx(loss, rel=1e-12)
    for one, other in zip(layers, last, strict=True):
        np.testing.assert_allclose(other.hidden, one.hidden[-4:], rtol=1e-9)


def test_states_and_gates_equal_torch(network, monkeypatch):
    config, weights = network
    monkeypatch.setattr("charlm.engine.inspection.BLOCK", 5)
    _, kept = unrolled(config, weights, np.concatenate([[config.bos_id], IDS]))
    seen = [0] * config.num_layers
    for block in read_layers(config, weights, IDS):
        assert block.start == seen[block.index]
        for offset in range(len(block.states)):
            h, c, gates = kept[1 + block.start + offset][block.index]
            state = torch.tanh(c) if config.cell == "lstm" else h
            np.testing.assert_allclose(block.states[offset], state.detach(), atol=1e-13)
            assert list(block.gates) == list(gates)
            for name, gate in gates.items():
                np.testing.assert_allclose(block.gates[name][offset], gate.detach(), atol=1e-13)
        seen[block.index] += len(block.states)
    assert seen == [len(IDS)] * config.num_layers


def test_one_unit_by_hand():
    """h = tanh(w h): from h_2, through the output alone; from h_1, through h_2 = tanh(h_1 / 2)."""
    config = LanguageModelConfig(
        vocab_size=2, cell="rnn", embedding_dim=1, hidden_size=1, num_layers=1
    )
    weights = {name: np.zeros(shape) for name, shape in config.tensor_shapes().items()}
    weights["embedding.weight"][:] = [[0.0], [0.0], [1.0]]  # the beginning of a text is 1
    weights["layers.0.weight_ih"][:] = 1.0
    weights["layers.0.weight_hh"][:] = 0.5
    weights["output.weight"][:] = [[0.0], [1.0]]
    loss, [layer] = last_loss_gradients(config, weights, np.array([0, 1]), steps=9)
    h_1 = math.tanh(1.0)
    h_2 = math.tanh(0.5 * h_1)
    p = 1 / (1 + math.exp(-h_2))
    assert loss == pytest.approx(-math.log(p))
    by_h_2 = p - 1
    expected = [[by_h_2 * (1 - h_2**2) * 0.5], [by_h_2]]
    np.testing.assert_allclose(layer.hidden, expected, rtol=1e-12)
    [block] = read_layers(config, weights, np.array([0]))
    np.testing.assert_allclose(block.states, [[h_2]])
    assert block.gates == {}


def test_gradients_reach_below_the_range_of_float32():
    config = LanguageModelConfig(
        vocab_size=3, cell="rnn", embedding_dim=2, hidden_size=2, num_layers=1
    )
    shapes = config.tensor_shapes().items()
    weights = {name: np.full(shape, 0.1, np.float32) for name, shape in shapes}
    weights["output.weight"][0] = 1.0
    _, [layer] = last_loss_gradients(config, weights, np.zeros(80, int), steps=80)
    norms = np.linalg.norm(layer.hidden, axis=1)
    assert 0.0 < norms[0] < 1e-50
    assert layer.hidden.dtype == np.float64
