"""The NumPy BiRNN: textbook steps, batches of any make-up, long sequences, distinct inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.engine import birnn, cells
from charlm.engine.birnn import BiRNN
from charlm.engine.birnn_config import BiRNNConfig

CONFIG = BiRNNConfig(input_size=3, hidden_size=4, num_layers=2)


def make(config=CONFIG, prefix=""):
    rng = np.random.default_rng(0)
    shapes = config.tensor_shapes().items()
    tensors = {prefix + name: rng.normal(0, 0.5, shape).astype("f4") for name, shape in shapes}
    return BiRNN(config, tensors, prefix), tensors


def inputs(tokens):
    return np.random.default_rng(1).normal(size=(tokens, 3)).astype(np.float32)


def textbook_lstm(x, tensors, name):
    h = c = np.zeros(4)
    states = []
    for step in x:
        weights = [tensors[f"{name}.{part}"] for part in ("weight_ih", "weight_hh", "bias")]
        h, c = cells.lstm_step(step, h, c, *weights)
        states.append(h)
    return np.array(states)


def test_every_layer_follows_the_textbook_equations_in_both_directions():
    net, tensors = make()
    x = inputs(5)
    for index, found in enumerate(net.run_layers(x, [5])):
        ahead = textbook_lstm(x, tensors, f"layers.{index}.forwards")
        back = textbook_lstm(x[::-1], tensors, f"layers.{index}.backwards")[::-1]
        x = np.concatenate([ahead, back], axis=1)
        np.testing.assert_allclose(found, x, rtol=1e-5, atol=1e-6)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 9), max_size=12))
def test_sequences_read_together_equal_each_read_alone(lengths):
    net, _ = make()
    x = inputs(sum(lengths))
    together = net.run(x, lengths)
    assert together.shape == (sum(lengths), 8)
    start = 0
    for length in lengths:
        part = slice(start, start + length)
        np.testing.assert_allclose(together[part], net.run(x[part], [length]), atol=1e-6)
        start += length


@pytest.mark.parametrize(("cell", "reset"), [("lstm", "after"), ("gru", "after"), ("rnn", "after")])
def test_long_sequences_and_many_batches_change_nothing(cell, reset, monkeypatch):
    net, _ = make(BiRNNConfig(input_size=3, hidden_size=4, num_layers=2, cell=cell, reset=reset))
    lengths = [40, 3, 0, 17, 17, 1]
    whole = net.run(inputs(78), lengths)
    monkeypatch.setattr(birnn, "CHUNK_TOKENS", 7)
    monkeypatch.setattr(birnn, "BATCH_ROWS", 2)
    np.testing.assert_allclose(net.run(inputs(78), lengths), whole, atol=1e-6)


@pytest.mark.parametrize("table_bytes", [0, 1 << 20])
def test_distinct_inputs_may_be_named_by_an_index(table_bytes, monkeypatch):
    monkeypatch.setattr(birnn, "TABLE_BYTES", table_bytes)
    net, _ = make(prefix="rnn.")
    distinct, index = inputs(4), np.array([0, 3, 3, 1, 2, 0, 0])
    found = net.run(distinct, [4, 3], index)
    np.testing.assert_allclose(found, net.run(distinct[index], [4, 3]), atol=1e-6)


def test_no_sequences_at_all_give_no_outputs():
    net, _ = make()
    assert net.run(inputs(0), []).shape == (0, 8)
    assert net.run(inputs(0), [0, 0]).shape == (0, 8)


def test_lengths_that_do_not_fit_the_inputs_are_refused():
    net, _ = make()
    with pytest.raises(ValueError, match="lengths have 4 tokens, not as many as there are inputs"):
        net.run(inputs(5), [4])


def test_an_index_beyond_the_inputs_is_refused():
    net, _ = make()
    with pytest.raises(IndexError, match="an index leaves the 2 distinct inputs"):
        net.run(inputs(2), [3], np.array([0, 2, 1]))


def test_products_kept_by_a_caller_give_the_same():
    net, _ = make()
    distinct, index = inputs(4), np.array([0, 3, 3, 1, 2, 0, 0])
    found = net.run_products(net.products(distinct), [4, 3], index)
    np.testing.assert_allclose(found, net.run(distinct[index], [4, 3]), atol=1e-6)
    with pytest.raises(ValueError, match="lengths have 6 tokens"):
        net.run_products(net.products(distinct), [4, 2], index)
