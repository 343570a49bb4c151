"""The LSTM whose threads carry rows through time: any size, any threads, rows looked up."""

import numpy as np
import pytest
import torch

from charlm.models import lstm_rows, recurrence
from charlm.models.layers import rows_can
from charlm.models.registers import PANEL, ROWS, VECTOR_BYTES, has_bfloat16, panel_shape
from charlm.models.threads import over_rows

TYPES = [torch.float64, torch.float32, torch.bfloat16]
LIMITS = {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 5e-2}
# rows and units that fill registers and groups, and that do not
SHAPES = [(3, 7, 24), (2, 8, 64), (3, 5, 80), (2, 1, 2), (2, 3, 10), (2, 4, 272)]


def gradients(run, dtype, shape, index=None):
    """Return outputs and gradients of a seeded LSTM of a shape (T, B, H)."""
    steps, rows, units = shape
    kept = torch.float64 if dtype == torch.float64 else torch.float32
    draw = torch.Generator().manual_seed(1)

    def randn(*size, scale=1.0, kind=dtype):
        return (torch.randn(*size, generator=draw) * scale).to(kind).requires_grad_()

    inputs = randn(steps, rows, 4 * units) if index is None else randn(9, 4 * units)
    weight = randn(4 * units, units, scale=units**-0.5)
    h, c = randn(rows, units, kind=kept), randn(rows, units, kind=kept)
    outputs = run(inputs, weight, h, c)
    above = torch.randn(steps, rows, units, generator=draw).to(kept)
    total = (outputs[0].to(kept) * above).sum() + 2 * outputs[1].sum() + 3 * outputs[2].sum()
    return [*outputs, *torch.autograd.grad(total, [inputs, weight, h, c])]


def assert_near(found, wanted, limit):
    for one, other in zip(found, wanted, strict=True):
        size = max(1.0, other.double().abs().max().item())
        torch.testing.assert_close(one.double(), other.double(), rtol=0, atol=limit * size)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_outputs_and_gradients_equal_those_of_a_product_a_step(dtype, shape):
    if dtype == torch.bfloat16 and not has_bfloat16():
        pytest.skip("this processor has no bfloat16 products")
    found = gradients(lstm_rows.lstm, dtype, shape)
    assert_near(found, gradients(recurrence.lstm, dtype, shape), LIMITS[dtype])


def test_rows_looked_up_get_the_sum_of_their_gradients():
    index = torch.tensor([[0, 3, 3], [8, 3, 0], [1, 1, 8], [2, 0, 1]])
    shape = (4, 3, 24)

    def looked_up(inputs, weight, h, c):
        return recurrence.lstm(inputs[index], weight, h, c)

    def by_index(inputs, weight, h, c):
        return lstm_rows.lstm(inputs, weight, h, c, index)

    wanted = gradients(looked_up, torch.float64, shape, index)
    assert_near(gradients(by_index, torch.float64, shape, index), wanted, 1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_number_of_threads_changes_no_bit_of_states_or_their_gradients(dtype):
    if dtype == torch.bfloat16 and not has_bfloat16():
        pytest.skip("this processor has no bfloat16 products")
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(gradients(lstm_rows.lstm, dtype, (3, 3 * ROWS + 1, 32)))
    finally:
        torch.set_num_threads(before)
    outputs, h, c, grad_inputs, _, grad_h, grad_c = zip(*results, strict=True)
    for one, other in (outputs, h, c, grad_inputs, grad_h, grad_c):
        assert torch.equal(one, other)


def test_every_row_is_worked_on_once_whatever_the_threads():
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            for rows in (1, 4, 7, 40):
                counts = np.zeros(rows, dtype=int)

                def work(first, last, counts):
                    counts[first:last] += 1

                over_rows(work, rows, 4, counts)
                assert counts.tolist() == [1] * rows
    finally:
        torch.set_num_threads(before)


def test_an_error_in_a_thread_reaches_the_caller():
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    def work(first, last):
        if first:
            raise ValueError("in another thread")

    try:
        with pytest.raises(ValueError, match="in another thread"):
            over_rows(work, 8, 4)
    finally:
        torch.set_num_threads(before)


def test_panels_have_room_for_every_output_and_pair_bfloat16():
    lanes = VECTOR_BYTES // 4
    assert panel_shape(np.dtype(np.float32), 10, 6) == (1, 6, PANEL, lanes)
    assert panel_shape(np.dtype(np.uint16), PANEL * lanes + 1, 6) == (2, 3, PANEL, lanes)
    assert panel_shape(np.dtype(np.float64), PANEL * lanes, 6) == (2, 6, PANEL, lanes // 2)


def test_what_rows_cannot_do_is_left_to_products():
    assert rows_can("lstm", torch.empty(1, 7))
    assert not rows_can("gru", torch.empty(1, 8))
    assert not rows_can("lstm", torch.empty(1, 8, dtype=torch.float16))
    assert not rows_can("lstm", torch.empty(1, 7, dtype=torch.bfloat16))
