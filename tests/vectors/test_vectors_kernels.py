"""The compiled kernels against PyTorch's gradients, in float64 and in float32."""

import numpy as np
import pytest
import torch

from charlm.vectors import simd, steps
from charlm.vectors.sampling import padded

ROWS, DIM = 12, 20


def _matrices(dtype, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(2):
        matrix = padded(ROWS, DIM, dtype)
        matrix[:, :DIM] = rng.normal(size=(ROWS, DIM)) * 0.5
        made.append(matrix)
    return made


def _expected(w, c, inputs, outputs, rate):
    """One step on `-log σ(c_pos·w) - Σ log σ(-c_neg·w)` summed over the inputs, by autograd."""
    w = torch.tensor(w.astype(np.float64), requires_grad=True)
    c = torch.tensor(c.astype(np.float64), requires_grad=True)
    logits = w[inputs] @ c[outputs].T
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1.0
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
    loss.backward()
    return (w - rate * w.grad).detach().numpy(), (c - rate * c.grad).detach().numpy(), loss.item()


def _step(w, c, inputs, outputs, rate):
    def addresses(matrix, rows):
        return np.array([matrix.ctypes.data + row * matrix.strides[0] for row in rows])

    ins, outs = addresses(w, inputs), addresses(c, outputs)
    room = 4 * len(outputs) + 64
    logits, factors = np.zeros(room, w.dtype), np.zeros(room, w.dtype)
    spare = np.zeros((4, w.shape[1]), w.dtype)
    return steps.step(
        len(inputs),
        w,
        ins.ctypes.data,
        outs.ctypes.data,
        len(outputs),
        w.strides[0] // simd.VECTOR_BYTES,
        logits,
        factors,
        addresses(spare, range(4)),
        rate,
        True,
    )


@pytest.mark.parametrize("inputs", [[3], [3, 7], [0, 3, 7, 9]])
@pytest.mark.parametrize("negatives", [1, 5, 7, 11])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_a_step_follows_the_published_gradient(inputs, negatives, dtype, tolerance):
    w, c = _matrices(dtype)
    outputs = list(range(negatives + 1))
    wanted_w, wanted_c, wanted_loss = _expected(w, c, inputs, outputs, 0.1)
    loss = _step(w, c, inputs, outputs, 0.1)
    np.testing.assert_allclose(w, wanted_w, atol=tolerance)
    np.testing.assert_allclose(c, wanted_c, atol=tolerance)
    assert loss == pytest.approx(wanted_loss, rel=1e-5)


@pytest.mark.parametrize("logit", [0.0, 6.0, -6.0, 30.0, -30.0, 1e4, -1e4, 3e38])
def test_the_sigmoid_is_safe_at_its_ends(logit):
    logits, factors = np.full(16, logit, np.float32), np.zeros(16, np.float32)
    steps.gradients(logits, factors, 1, 2, 0.5)
    down = 1 / (1 + np.exp(-min(max(float(logit), -700), 700)))
    assert factors[0] == pytest.approx(0.5 * (1 - down), abs=1e-7)
    assert factors[1] == pytest.approx(-0.5 * down, abs=1e-7)
