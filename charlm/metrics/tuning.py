"""Weights of a linear score under which the right one of several stands first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

ROUNDS = 20
RIDGE = 1e-3


def count_right(lists: Sequence[Float64], rights: Sequence[int], weights: Float64) -> int:
    """Return in how many lists the right row alone has the highest score.

    Args:
        lists: (rows, features) each; the first feature has the weight 1.
        rights: the number of the right row in each list.
        weights: of the other features.
    """
    whole = np.concatenate([[1.0], weights])
    count = 0
    for table, right in zip(lists, rights, strict=True):
        scores = table @ whole
        count += int((scores >= scores[right]).sum() == 1)
    return count


def tune_weights(lists: Sequence[Float64], rights: Sequence[int]) -> Float64:
    """Return weights of all features but the first, which has the weight 1.

    They start where the right rows are likeliest under a softmax over each list, and are then
    moved one at a time to where most lists are right, by an exact search along the line.

    Args:
        lists: (rows, features) each.
        rights: the number of the right row in each list.

    Source:
        Och (2003), Minimum error rate training, for the search along a line.
    """
    extras = lists[0].shape[1] - 1
    starts = [np.zeros(extras), _likeliest(lists, rights)]
    tuned = [_climb(lists, rights, start) for start in starts]
    return max(tuned, key=lambda weights: count_right(lists, rights, weights))


def _likeliest(lists: Sequence[Float64], rights: Sequence[int]) -> Float64:
    """Return the maximum of the conditional likelihood by Newton's method, first weight 1."""
    scale = np.maximum(np.concatenate(lists).std(axis=0), 1e-9)
    weights = np.zeros(len(scale))
    for _ in range(ROUNDS):
        gradient, hessian = -RIDGE * weights, RIDGE * np.eye(len(weights))
        for table, right in zip(lists, rights, strict=True):
            rows = table / scale
            scores = rows @ weights
            probs = np.exp(scores - scores.max())
            probs /= probs.sum()
            mean = probs @ rows
            gradient += rows[right] - mean
            hessian += (rows * probs[:, None]).T @ rows - np.outer(mean, mean)
        step = np.linalg.solve(hessian, gradient)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    raw = weights / scale
    if raw[0] <= 0.0:  # the model is of no use here: the others count as much as they can
        raw[0] = np.abs(raw).max() * 1e-3 or 1.0
    return np.asarray(raw[1:] / raw[0])


def _climb(lists: Sequence[Float64], rights: Sequence[int], start: Float64) -> Float64:
    weights, best = start.copy(), count_right(lists, rights, start)
    improved = True
    while improved:
        improved = False
        for index in range(len(weights)):
            value, right = _best_on_line(lists, rights, weights, index)
            if right > best:
                weights[index], best, improved = value, right, True
    return weights


def _best_on_line(
    lists: Sequence[Float64], rights: Sequence[int], weights: Float64, index: int
) -> tuple[float, int]:
    """Return the middle of the values of one weight under which most lists are right.

    Along the line a row's score is `a + b x`; the right row wins in one interval of x a list, and
    the best x lies in most of these intervals.
    """
    whole = np.concatenate([[1.0], weights])
    whole[index + 1] = 0.0
    events: list[tuple[float, int]] = []
    for table, right in zip(lists, rights, strict=True):
        low, high = _winning_interval(table @ whole, table[:, index + 1], right)
        if low < high:
            events += [(low, 1), (high, -1)]
    best, value, depth = 0, float(weights[index]), 0
    events.sort()
    for place, (x, change) in enumerate(events):
        depth += change
        if depth > best and place + 1 < len(events):
            best, value = depth, _middle(x, events[place + 1][0])
    return value, best


def _winning_interval(a: Float64, b: Float64, right: int) -> tuple[float, float]:
    """Return the open interval of x in which row `right` alone is highest."""
    low, high = -np.inf, np.inf
    for other in range(len(a)):
        if other == right:
            continue
        gap, slope = a[right] - a[other], b[right] - b[other]
        if slope > 0.0:
            low = max(low, -gap / slope)
        elif slope < 0.0:
            high = min(high, -gap / slope)
        elif gap <= 0.0:
            return 0.0, 0.0
    return float(low), float(high)


def _middle(low: float, high: float) -> float:
    if np.isinf(low):
        return 0.0 if np.isinf(high) else high - 1.0
    return low + 1.0 if np.isinf(high) else (low + high) / 2.0
