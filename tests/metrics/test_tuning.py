"""Weights that put the right rows first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charlm.metrics.tuning import count_right, tune_weights


def test_right_rows_are_counted_and_ties_are_not_right():
    lists = [np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 1.0], [1.0, 1.0]])]
    assert count_right(lists, [0, 0], np.array([0.0])) == 1
    assert count_right(lists, [0, 0], np.array([1.0])) == 0


def test_a_score_that_is_the_truth_is_found():
    rng = np.random.default_rng(0)
    lists = [rng.standard_normal((5, 3)) for _ in range(40)]
    rights = [int((table @ [1.0, 2.0, -0.5]).argmax()) for table in lists]
    weights = tune_weights(lists, rights)
    assert count_right(lists, rights, weights) >= 39


def test_one_weight_is_found_exactly():
    """Right where 1 + 2 w > 3 and 4 > 1 + 2 w: w between 1 and 1.5."""
    lists = [np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[4.0, 0.0], [1.0, 2.0]])]
    (weight,) = tune_weights(lists, [0, 0])
    assert 1.0 < weight < 1.5


@given(st.integers(0, 10_000))
def test_tuning_is_never_worse_than_the_model_alone(seed):
    rng = np.random.default_rng(seed)
    lists = [rng.standard_normal((int(rng.integers(1, 5)), 3)) for _ in range(6)]
    rights = [int(rng.integers(len(table))) for table in lists]
    weights = tune_weights(lists, rights)
    assert np.isfinite(weights).all()
    assert count_right(lists, rights, weights) >= count_right(lists, rights, np.zeros(2))
