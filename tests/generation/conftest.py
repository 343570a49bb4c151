"""A bigram model written by hand behind the same protocol: every answer is computable on paper."""

from __future__ import annotations

import numpy as np
import pytest


class BigramModel:
    """p(next | last) from a table of `vocab_size + 1` rows; the state is how many ids were read."""

    def __init__(self, table):
        with np.errstate(divide="ignore"):
            self.logits = np.log(np.asarray(table, dtype=np.float64))
        self.vocab_size = self.logits.shape[1]
        self.bos_id = self.vocab_size
        self.steps = 0

    def initial_state(self, batch_size):
        return np.zeros(batch_size, dtype=np.int64)

    def step(self, ids, state):
        assert ids.shape == state.shape
        self.steps += 1
        return self.logits[ids].copy(), state + 1

    def read(self, ids, state):
        assert len(ids) == len(state)
        return self.logits[ids].copy(), state + ids.shape[1]

    def select(self, state, rows):
        return state[rows]


class Letters:
    """A stream decoder: id 0 is a, 1 is b, …; with `pairs`, text comes two letters at a time."""

    def __init__(self, pairs=False):
        self.pairs = pairs
        self.held = ""

    def push(self, token_id):
        self.held += "abcdefgh"[token_id]
        if self.pairs and len(self.held) < 2:
            return ""
        text, self.held = self.held, ""
        return text

    def flush(self):
        text, self.held = self.held, ""
        return text


@pytest.fixture
def bigram():
    """After a: b mostly; after b: c mostly; after c: a or the end d; d stays. It begins with a."""
    return BigramModel(
        [
            [0.1, 0.6, 0.2, 0.1],
            [0.2, 0.1, 0.7, 0.0],
            [0.5, 0.1, 0.1, 0.3],
            [0.0, 0.0, 0.0, 1.0],
            [0.4, 0.3, 0.2, 0.1],
        ]
    )


@pytest.fixture
def make_bigram():
    """Return the class, for other tables."""
    return BigramModel


@pytest.fixture
def letters():
    """Return the decoder class."""
    return Letters
