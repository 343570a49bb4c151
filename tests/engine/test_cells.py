"""The textbook cells equal `torch.nn`, and the form that torch lacks equals its formula by hand."""

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from charlm.engine.cells import gru_step, lstm_step, rnn_step, sigmoid

IN, HIDDEN, BATCH = 5, 6, 3


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def randomised(cell):
    """Give a torch cell weights large enough that every gate matters."""
    generator = torch.Generator().manual_seed(1)
    for parameter in cell.parameters():
        nn.init.normal_(parameter, generator=generator)
    return cell.double()


def weights_of(cell):
    return (cell.weight_ih.detach().numpy(), cell.weight_hh.detach().numpy())


def test_rnn_equals_torch(rng):
    cell = randomised(nn.RNNCell(IN, HIDDEN))
    x, h = rng.standard_normal((BATCH, IN)), rng.standard_normal((BATCH, HIDDEN))
    bias = (cell.bias_ih + cell.bias_hh).detach().numpy()
    expected = cell(torch.from_numpy(x), torch.from_numpy(h)).detach().numpy()
    np.testing.assert_allclose(rnn_step(x, h, *weights_of(cell), bias), expected, atol=1e-12)


def test_lstm_equals_torch(rng):
    cell = randomised(nn.LSTMCell(IN, HIDDEN))
    x = rng.standard_normal((BATCH, IN))
    h, c = rng.standard_normal((2, BATCH, HIDDEN))
    bias = (cell.bias_ih + cell.bias_hh).detach().numpy()
    expected = cell(torch.from_numpy(x), (torch.from_numpy(h), torch.from_numpy(c)))
    found = lstm_step(x, h, c, *weights_of(cell), bias)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), atol=1e-12)


def test_gru_with_reset_after_equals_torch(rng):
    cell = randomised(nn.GRUCell(IN, HIDDEN))
    x, h = rng.standard_normal((BATCH, IN)), rng.standard_normal((BATCH, HIDDEN))
    bias = cell.bias_ih.detach().numpy().copy()
    bias_hh = cell.bias_hh.detach().numpy()
    bias[: 2 * HIDDEN] += bias_hh[: 2 * HIDDEN]
    expected = cell(torch.from_numpy(x), torch.from_numpy(h)).detach().numpy()
    found = gru_step(x, h, *weights_of(cell), bias, bias_hh[2 * HIDDEN :])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_gru_with_reset_before_equals_its_formula_for_one_unit():
    x, h = 0.5, 0.8
    w_ih, w_hh = np.array([[1.0], [2.0], [3.0]]), np.array([[-1.0], [0.5], [2.0]])
    bias = np.array([0.1, -0.2, 0.3])
    r = 1 / (1 + math.exp(-(1.0 * x - 1.0 * h + 0.1)))
    z = 1 / (1 + math.exp(-(2.0 * x + 0.5 * h - 0.2)))
    n = math.tanh(3.0 * x + 0.3 + 2.0 * (r * h))
    found = gru_step(np.array([x]), np.array([h]), w_ih, w_hh, bias, reset="before")
    np.testing.assert_allclose(found, [z * h + (1 - z) * n], rtol=1e-14)


def test_the_two_forms_of_the_gru_differ_visibly(rng):
    x, h = rng.standard_normal(IN), rng.standard_normal(HIDDEN)
    w_ih, w_hh = rng.standard_normal((18, IN)), rng.standard_normal((18, HIDDEN))
    bias = np.zeros(18)
    after = gru_step(x, h, w_ih, w_hh, bias, np.zeros(6))
    before = gru_step(x, h, w_ih, w_hh, bias, reset="before")
    assert abs(after - before).max() > 0.05


def test_cells_take_any_leading_axes(rng):
    x, h = rng.standard_normal((2, 3, IN)), rng.standard_normal((2, 3, HIDDEN))
    w_ih, w_hh = rng.standard_normal((24, IN)), rng.standard_normal((24, HIDDEN))
    bias, c = rng.standard_normal(24), rng.standard_normal((2, 3, HIDDEN))
    whole, _ = lstm_step(x, h, c, w_ih, w_hh, bias)
    one, _ = lstm_step(x[1, 2], h[1, 2], c[1, 2], w_ih, w_hh, bias)
    np.testing.assert_allclose(whole[1, 2], one, atol=1e-14)


def test_sigmoid_is_symmetric_and_never_overflows():
    x = np.array([-800.0, -2.0, 0.0, 2.0, 800.0])
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), np.ones(5), atol=1e-15)
    np.testing.assert_allclose(sigmoid(x)[3], 1 / (1 + math.exp(-2)), rtol=1e-14)


@pytest.mark.parametrize(
    ("bias_hn", "reset", "message"),
    [
        (None, "after", "bias_hn is missing with reset='after'"),
        (np.zeros(1), "before", "bias_hn does not belong with reset='before'"),
        (None, "never", "reset must be 'after' or 'before', got 'never'"),
    ],
)
def test_gru_refuses_a_form_that_does_not_fit(bias_hn, reset, message):
    one = np.zeros(1)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        gru_step(one, one, np.zeros((3, 1)), np.zeros((3, 1)), np.zeros(3), bias_hn, reset=reset)
