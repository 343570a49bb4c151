"""The LSTM whose threads carry rows through time: any size, any threads, rows looked up."""

import numpy as np
import pytest
import torch
from numba.core import config

from charlm.models import lstm_rows, recurrence, registers
from charlm.models.cross_entropy import linear_cross_entropy
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


@pytest.mark.parametrize(
    ("named", "found"),
    [("", set()), ("+sse2,-avx512bf16,+avx2", {"sse2", "avx2"})],
    ids=["none", "some"],
)
def test_code_uses_no_instruction_that_numba_was_told_to_leave_out(monkeypatch, named, found):
    monkeypatch.setattr(config, "CPU_FEATURES", named)
    assert registers._features.__wrapped__() == found


def arguments(**changes):
    given = {
        "inputs": torch.zeros(3, 5, 16),
        "weight_hh": torch.zeros(16, 4),
        "h0": torch.zeros(5, 4),
        "c0": torch.zeros(5, 4),
    }
    return given | changes


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"h0": torch.zeros(4, 4)},
            ValueError,
            r"shapes do not fit: inputs (3, 5, 16), index (3, 5), weights (16, 4), "
            r"states (4, 4) and (5, 4)",
        ),
        (
            {"c0": torch.zeros(5, 4, dtype=torch.float64)},
            ValueError,
            "types do not fit: torch.float32, torch.float32, torch.float32, torch.float64",
        ),
        (
            {"inputs": torch.zeros(9, 16), "index": torch.full((3, 5), 9)},
            IndexError,
            "rows 9 to 9 of 9 were asked for",
        ),
        (
            {"inputs": torch.zeros(9, 16), "index": torch.full((3, 5), -1)},
            IndexError,
            "rows -1 to -1 of 9 were asked for",
        ),
    ],
    ids=["shapes", "types", "index", "negative index"],
)
def test_what_would_read_or_write_elsewhere_is_refused(changes, error, message):
    with pytest.raises(error) as raised:
        lstm_rows.lstm(**arguments(**changes))
    assert str(raised.value) == message


def test_an_odd_size_in_bfloat16_is_refused():
    halves = {"inputs": torch.zeros(3, 5, 12), "weight_hh": torch.zeros(12, 3)}
    given = {name: tensor.bfloat16() for name, tensor in halves.items()}
    with pytest.raises(ValueError, match=r"cannot run 3 units in torch\.bfloat16"):
        lstm_rows.lstm(**given, h0=torch.zeros(5, 3), c0=torch.zeros(5, 3))


@pytest.mark.parametrize("target", [-1, 7])
def test_a_target_outside_the_vocabulary_is_refused(target):
    with pytest.raises(IndexError) as raised:
        linear_cross_entropy(
            torch.zeros(1, 2), torch.zeros(7, 2), torch.zeros(7), torch.tensor([target])
        )
    assert str(raised.value) == f"targets {target} to {target} in a vocabulary of 7"


def test_an_index_and_states_of_any_layout_give_the_same():
    shape = (4, 3, 24)
    index = torch.tensor([[0, 3, 3], [8, 3, 0], [1, 1, 8], [2, 0, 1]])

    def plain(inputs, weight, h, c):
        return lstm_rows.lstm(inputs, weight, h, c, index)

    def strided(inputs, weight, h, c):
        return lstm_rows.lstm(
            inputs.t().contiguous().t(),
            weight.t().contiguous().t(),
            h.t().contiguous().t(),
            c.t().contiguous().t(),
            index.t().contiguous().t(),
        )

    wanted = gradients(plain, torch.float64, shape, index)
    assert_near(gradients(strided, torch.float64, shape, index), wanted, 1e-12)


def test_no_steps_and_no_rows_leave_the_state_as_it_was():
    states, h, c = lstm_rows.lstm(
        torch.zeros(0, 5, 16), torch.zeros(16, 4), torch.ones(5, 4), torch.ones(5, 4)
    )
    assert states.shape == (0, 5, 4)
    assert torch.equal(h, torch.ones(5, 4))
    assert torch.equal(c, torch.ones(5, 4))
    states, h, c = lstm_rows.lstm(
        torch.zeros(3, 0, 16), torch.zeros(16, 4), torch.ones(0, 4), torch.ones(0, 4)
    )
    assert states.shape == (3, 0, 4)


def test_what_is_not_a_number_stays_visible():
    inputs = torch.zeros(2, 3, 16)
    inputs[0, 1, 3] = float("nan")
    states, _, _ = lstm_rows.lstm(inputs, torch.zeros(16, 4), torch.zeros(3, 4), torch.zeros(3, 4))
    assert states[0].isnan().any(dim=1).tolist() == [False, True, False]
