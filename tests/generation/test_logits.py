"""Every transform: by hand, on one row and on many, and what holds for any logits."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from charlm.generation.logits import (
    keep_min_p,
    keep_top_k,
    keep_top_p,
    mask_ids,
    penalise_repeats,
    scale_temperature,
    softmax,
)

INF = np.inf
FILTERS = {
    "top_k": lambda x: keep_top_k(x, 3),
    "top_p": lambda x: keep_top_p(x, 0.6),
    "min_p": lambda x: keep_min_p(x, 0.3),
}
TRANSFORMS = FILTERS | {
    "mask": lambda x: mask_ids(x, [0, 2]),
    "penalty": lambda x: penalise_repeats(x, [1, 2], 1.7),
    "temperature": lambda x: scale_temperature(x, 0.7),
}


def any_logits(shape):
    values = st.floats(-50, 50, width=32)
    return hnp.arrays(np.float32, shape, elements=values)


ROWS = any_logits(hnp.array_shapes(min_dims=1, max_dims=1, min_side=3, max_side=12))
BATCHES = any_logits(st.tuples(st.integers(1, 4), st.integers(3, 12)))


@pytest.mark.parametrize("name", TRANSFORMS)
@given(batch=BATCHES)
def test_a_batch_is_its_rows_one_by_one(name, batch):
    transform = TRANSFORMS[name]
    np.testing.assert_array_equal(transform(batch), np.stack([transform(row) for row in batch]))


@pytest.mark.parametrize("name", TRANSFORMS)
@given(row=ROWS)
def test_the_argument_is_not_changed(name, row):
    before = row.copy()
    found = TRANSFORMS[name](row)
    found[...] = 7
    np.testing.assert_array_equal(row, before)


@pytest.mark.parametrize("name", FILTERS)
@given(row=ROWS)
def test_a_filter_keeps_the_likeliest_and_leaves_what_it_keeps_alone(name, row):
    found = FILTERS[name](row)
    kept = found > -INF
    assert kept[row.argmax()]
    np.testing.assert_array_equal(found[kept], row[kept])
    # nothing dropped is likelier than anything kept
    assert row[~kept].max(initial=-INF) <= row[kept].min()


@given(row=ROWS, p=st.floats(0.01, 1.0))
def test_the_nucleus_reaches_its_mass_and_is_the_smallest_that_does(row, p):
    probs = softmax(row.astype(np.float64))
    kept = probs[keep_top_p(row.astype(np.float64), p) > -INF]
    assert kept.sum() >= p - 1e-9
    assert kept.sum() - kept.min() < p + 1e-9


@given(row=ROWS, temperature=st.floats(0.05, 20))
def test_temperature_keeps_the_order_of_tokens(row, temperature):
    scaled = scale_temperature(row, temperature)
    order = np.argsort(row, kind="stable")
    assert (np.diff(scaled[order]) >= 0).all()


def test_top_k_by_hand():
    logits = np.array([[1.0, 4.0, 2.0, 3.0], [9.0, 0.0, 8.0, 0.0]])
    expected = [[-INF, 4.0, -INF, 3.0], [9.0, -INF, 8.0, -INF]]
    np.testing.assert_array_equal(keep_top_k(logits, 2), expected)


def test_top_k_keeps_exactly_k_of_equals_the_lowest_ids():
    np.testing.assert_array_equal(keep_top_k(np.ones(4), 2), [1, 1, -INF, -INF])


@pytest.mark.parametrize("k", [0, 3, 99])
def test_top_k_of_none_or_of_all_keeps_everything(k):
    np.testing.assert_array_equal(keep_top_k(np.array([1.0, 2.0, 3.0]), k), [1, 2, 3])


def test_top_p_by_hand_in_any_order_of_tokens():
    probs = np.array([0.2, 0.5, 0.25, 0.05])
    found = np.exp(keep_top_p(np.log(probs), 0.7))
    np.testing.assert_allclose(found, [0, 0.5, 0.25, 0])


def test_top_p_of_one_drops_nothing_however_unlikely():
    logits = np.array([0.0, -40.0, -80.0], dtype=np.float32)
    np.testing.assert_array_equal(keep_top_p(logits, 1.0), logits)


def test_top_p_truly_cuts():
    assert np.isneginf(keep_top_p(np.log([0.9, 0.06, 0.04]), 0.5)).tolist() == [False, True, True]


def test_min_p_by_hand():
    found = np.exp(keep_min_p(np.log([0.5, 0.3, 0.15, 0.05]), 0.3))
    np.testing.assert_allclose(found, [0.5, 0.3, 0.15, 0.0])


def test_min_p_of_zero_keeps_everything():
    logits = np.array([0.0, -700.0])
    np.testing.assert_array_equal(keep_min_p(logits, 0.0), logits)


def test_temperature_by_hand():
    probs = softmax(scale_temperature(np.log([0.2, 0.8]), 0.5))
    np.testing.assert_allclose(probs, [0.04 / 0.68, 0.64 / 0.68])


def test_a_tiny_temperature_is_the_argmax_without_overflow():
    found = softmax(scale_temperature(np.array([1.0, 3.0, 2.0], dtype=np.float32), 1e-300))
    np.testing.assert_array_equal(found, [0.0, 1.0, 0.0])


def test_temperature_leaves_masked_tokens_masked():
    found = scale_temperature(np.array([-INF, 0.0, 1.0]), 2.0)
    np.testing.assert_array_equal(found, [-INF, -0.5, 0.0])


def test_penalty_by_hand_counts_a_token_once_however_often_it_came():
    found = penalise_repeats(np.array([3.0, -3.0, 3.0, 0.0]), [0, 1, 0, 0, 3], 1.5)
    np.testing.assert_allclose(found, [2.0, -4.5, 3.0, 0.0])


def test_penalty_below_one_encourages():
    np.testing.assert_allclose(penalise_repeats(np.array([1.0, -1.0]), [0, 1], 0.5), [2.0, -0.5])


@pytest.mark.parametrize("penalty", [1e-300, 1e300])
def test_no_penalty_makes_an_infinity(penalty):
    logits = np.array([3.0, -3.0, 0.0], dtype=np.float32)
    assert np.isfinite(penalise_repeats(logits, [0, 1, 2], penalty)).all()


def test_penalty_leaves_masked_tokens_masked():
    found = penalise_repeats(np.array([-INF, 1.0]), [0], 2.0)
    np.testing.assert_array_equal(found, [-INF, 1.0])


def test_masks_by_hand():
    np.testing.assert_array_equal(mask_ids(np.zeros((2, 3)), [0, 2]), [[-INF, 0, -INF]] * 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: keep_top_k(x, -1), "k must be at least 0, got -1"),
        (lambda x: keep_top_p(x, 0.0), "p must be in (0, 1], got 0.0"),
        (lambda x: keep_top_p(x, float("nan")), "p must be in (0, 1], got nan"),
        (lambda x: keep_min_p(x, 1.5), "p must be in [0, 1], got 1.5"),
        (
            lambda x: scale_temperature(x, 0.0),
            "temperature must be a finite number above 0, got 0.0",
        ),
        (
            lambda x: penalise_repeats(x, [0], -1.0),
            "penalty must be a finite number above 0, got -1.0",
        ),
    ],
)
def test_a_setting_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(np.zeros(3))
