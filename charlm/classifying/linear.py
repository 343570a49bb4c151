"""The linear branch: multinomial logistic regression on n-grams weighed by how they tell labels.

Every weight is u * r, where r is the log of how much likelier an n-gram is under a label than under
the others, and u is what is learnt, held small: an n-gram that tells nothing can hardly weigh much.

Source:
    Wang and Manning (2012), "Baselines and Bigrams", NBSVM; here with a logistic loss and, for
    several labels, one softmax instead of one machine a label.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.classifying.ngrams import Forms, Keys, word_ngrams

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Sparse(NamedTuple):
    """A sparse matrix: `values` at (`rows`, `columns`)."""

    rows: Ints
    columns: Ints
    values: Floats
    shape: tuple[int, int]

    def times(self, weights: Floats) -> Floats:
        """Return this matrix times one of (columns, labels)."""
        return _gathered(self.rows, self.columns, self.values, weights, self.shape[0])

    def transposed_times(self, errors: Floats) -> Floats:
        """Return the transpose of this matrix times one of (rows, labels)."""
        return _gathered(self.columns, self.rows, self.values, errors, self.shape[1])

    def take(self, chosen: npt.NDArray[np.bool_]) -> Sparse:
        """Return the rows that are chosen, renumbered."""
        kept = chosen[self.rows]
        numbers = np.cumsum(chosen) - 1
        return Sparse(
            numbers[self.rows[kept]],
            self.columns[kept],
            self.values[kept],
            (int(chosen.sum()), self.shape[1]),
        )


def _gathered(targets: Ints, sources: Ints, values: Floats, given: Floats, number: int) -> Floats:
    columns = [
        np.bincount(targets, weights=values * column[sources], minlength=number)
        for column in given.T
    ]
    return np.stack(columns, axis=1)


class Bags(NamedTuple):
    """The n-grams of texts, (texts, n-grams): `longer` + `words` times `parts`.

    Attributes:
        words: (texts, forms), how often each text has each form of a word.
        parts: (forms, n-grams), what a form consists of: itself and its characters. Few forms
            make many texts, so that this is far smaller than the characters of all texts.
        longer: (texts, n-grams), those of several words.
    """

    words: Sparse
    parts: Sparse
    longer: Sparse

    def times(self, weights: Floats) -> Floats:
        """Return the n-grams of texts times (n-grams, labels)."""
        return self.words.times(self.parts.times(weights)) + self.longer.times(weights)

    def transposed_times(self, errors: Floats) -> Floats:
        """Return the transpose of the n-grams of texts times (texts, labels)."""
        of_words = self.parts.transposed_times(self.words.transposed_times(errors))
        return of_words + self.longer.transposed_times(errors)

    def take(self, chosen: npt.NDArray[np.bool_]) -> Bags:
        """Return the texts that are chosen."""
        return self._replace(words=self.words.take(chosen), longer=self.longer.take(chosen))


def build_bags(
    texts: Sequence[Sequence[str]], chars: tuple[int, int], order: int, min_count: int = 1
) -> tuple[Keys, Bags]:
    """Return the keys of all n-grams seen often enough, sorted, and which text has which.

    Args:
        texts: cut into words.
        chars: shortest and longest n-grams of characters within words; (0, 0) for none.
        order: words in the longest n-gram.
        min_count: leave out n-grams seen less often.
    """
    forms = Forms(chars)
    flat = forms.flatten(texts)
    hashes, parts, starts = forms.arrays()
    uses = np.bincount(flat.forms, minlength=len(hashes))
    owners = np.repeat(np.arange(len(hashes)), np.diff(starts))
    longer = list(word_ngrams(flat, hashes, order))[1:]
    keys = np.concatenate([hashes, parts, *(found for found, _ in longer)])
    seen = np.concatenate(
        [uses, uses[owners], np.ones(len(keys) - len(hashes) - len(parts), dtype=np.int64)]
    )
    known, columns = np.unique(keys, return_inverse=True)
    kept = np.bincount(columns, weights=seen) >= min_count
    numbers = np.cumsum(kept) - 1
    split = len(hashes) + len(parts)
    of_forms = np.concatenate([np.arange(len(hashes)), owners])
    of_texts = np.concatenate([np.zeros(0, np.int64), *(where for _, where in longer)])
    width = int(kept.sum())
    return known[kept], Bags(
        _counted(flat.texts, flat.forms, (flat.number, len(hashes))),
        _chosen(of_forms, columns[:split], kept, numbers, (len(hashes), width)),
        _chosen(of_texts, columns[split:], kept, numbers, (flat.number, width)),
    )


def _chosen(
    rows: Ints,
    columns: Ints,
    kept: npt.NDArray[np.bool_],
    numbers: Ints,
    shape: tuple[int, int],
) -> Sparse:
    inside = kept[columns]
    return _counted(rows[inside], numbers[columns[inside]], shape)


def _counted(rows: Ints, columns: Ints, shape: tuple[int, int]) -> Sparse:
    """Return a matrix of how often each place comes."""
    places, counts = np.unique(rows * max(1, shape[1]) + columns, return_counts=True)
    width = max(1, shape[1])
    return Sparse(places // width, places % width, counts.astype(np.float64), shape)


def log_ratios(bags: Bags, labels: Ints, number: int, smoothing: float = 1.0) -> Floats:
    """Return how much each n-gram speaks for each label, (n-grams, labels), in nats."""
    gold = np.eye(number)[labels]
    inside = bags.transposed_times(gold)
    outside = inside.sum(axis=1, keepdims=True) - inside
    inside, outside = inside + smoothing, outside + smoothing
    ratios: Floats = np.log(inside / inside.sum(axis=0)) - np.log(outside / outside.sum(axis=0))
    return ratios


def log_softmax(logits: Floats) -> Floats:
    """Return log-probabilities, over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def fit_linear(
    bags: Bags,
    labels: Ints,
    number: int,
    *,
    penalty: float,
    power: float = 1.0,
    iterations: int = 60,
) -> tuple[Floats, Floats]:
    """Return the weights (n-grams, labels) and the bias of each label.

    Args:
        penalty: how much a squared factor u costs, in nats a text.
    """
    ratios = log_ratios(bags, labels, number)
    ratios = np.sign(ratios) * np.abs(ratios) ** power
    rows = len(labels)
    gold = np.eye(number)[labels]

    def loss(flat: Floats) -> tuple[float, Floats]:
        factors, bias = flat[:-number].reshape(-1, number), flat[-number:]
        scores = log_softmax(bags.times(ratios * factors) + bias)
        errors = (np.exp(scores) - gold) / rows
        value = -float((scores * gold).sum()) / rows + 0.5 * penalty * float((factors**2).sum())
        slope = ratios * bags.transposed_times(errors) + penalty * factors
        return value, np.concatenate([slope.ravel(), errors.sum(axis=0)])

    start = np.zeros(ratios.shape[0] * number + number)
    start[-number:] = np.log(np.maximum(gold.mean(axis=0), 1e-9))
    best = minimize(loss, start, iterations)
    return ratios * best[:-number].reshape(-1, number), best[-number:]


def minimize(
    loss: Callable[[Floats], tuple[float, Floats]], start: Floats, iterations: int
) -> Floats:
    """Return where a smooth convex function is least, by L-BFGS with up to ten pairs of steps.

    As many pairs are kept as go into a gigabyte, at least three.

    Source:
        Nocedal and Wright (2006), "Numerical Optimization", algorithms 7.4 and 7.5.
    """
    place, (value, slope) = start, loss(start)
    room = (1 << 30) // (2 * start.nbytes)
    pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=max(3, min(room, 10)))
    for _ in range(iterations):
        direction = _two_loops(slope, pairs)
        falls = float(direction @ slope)
        step = 1.0 if pairs else min(1.0, 1.0 / (np.abs(slope).sum() + 1e-12))
        while True:
            there, (then, slope_there) = (new := place + step * direction), loss(new)
            if then <= value + 1e-4 * step * falls or step < 1e-10:
                break
            step *= 0.5
        moved, turned = there - place, slope_there - slope
        curvature = float(moved @ turned)
        if curvature > 1e-12:
            pairs.append((moved, turned, 1.0 / curvature))
        better = value - then
        place, value, slope = there, then, slope_there
        if better < 1e-6 * max(abs(value), 1e-3):
            break
    return place


def _two_loops(slope: Floats, pairs: deque[tuple[Floats, Floats, float]]) -> Floats:
    direction = -slope
    shares = []
    for moved, turned, weight in reversed(pairs):
        share = weight * float(moved @ direction)
        direction = direction - share * turned
        shares.append(share)
    if pairs:
        moved, turned, weight = pairs[-1]
        direction = direction / (weight * float(turned @ turned))
    for (moved, turned, weight), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + (share - weight * float(turned @ direction)) * moved
    return direction
