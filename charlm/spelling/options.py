"""What was found that each form may stand for, in arrays that grow.

A form is a word of a text in lower case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.spelling.lexicon import MOST_PARTS

Array = npt.NDArray[Any]

KEEP, KEEP_UNKNOWN, OTHER_WORD, SPLIT, CONFUSED, FIXED = range(6)


class Form(NamedTuple):
    """Where the options of a form lie; the first is the form itself.

    Attributes:
        known: whether it is in the lexicon.
        derived: whether it is made of known words, see `affixes`.
        random: of an unknown form, how probable it is that it comes of an edit at random, where
            such are as many as others; -1 where nothing is near.
        edit: the kind of that edit, as `edits` numbers them.
        rarity: from 0 for a frequent word to 1 for one that nearly never comes.
    """

    first: int
    size: int
    known: bool
    derived: bool = False
    rarity: float = 0.0
    random: float = -1.0
    edit: int = 0


class Options:
    """All options of all forms seen so far, in arrays that grow.

    Attributes:
        tokens: (options, MOST_PARTS), -1 behind the last.
        costs: (options,), -log p(form | option) in nats, as people misspell; of an unknown form
            itself, -log p of its spelling.
        random: (options,), the same for edits at random.
        edits: (options,), which edits these are, as `edits` numbers them.
        kinds: (options,), what is done: KEEP, OTHER_WORD, …
        texts: what would stand in the text.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.random: npt.NDArray[np.float32] = np.zeros(1024, dtype=np.float32)
        self.edits: npt.NDArray[np.uint8] = np.zeros(1024, dtype=np.uint8)
        self.tokens: npt.NDArray[np.int32] = np.full((1024, MOST_PARTS), -1, dtype=np.int32)
        self.costs: npt.NDArray[np.float32] = np.zeros(1024, dtype=np.float32)
        self.kinds: npt.NDArray[np.uint8] = np.zeros(1024, dtype=np.uint8)
        self.texts: list[str] = []

    def add(
        self,
        tokens: Array,
        costs: Array,
        random: Array,
        edits: Array,
        kinds: Array,
        texts: Sequence[str],
    ) -> int:
        """Append options and return the place of the first."""
        first, last = len(self.texts), len(self.texts) + len(texts)
        while last > len(self.costs):
            self.tokens = np.concatenate([self.tokens, np.full_like(self.tokens, -1)])
            self.costs = np.concatenate([self.costs, np.zeros_like(self.costs)])
            self.random = np.concatenate([self.random, np.zeros_like(self.random)])
            self.edits = np.concatenate([self.edits, np.zeros_like(self.edits)])
            self.kinds = np.concatenate([self.kinds, np.zeros_like(self.kinds)])
        self.tokens[first:last], self.costs[first:last] = tokens, costs
        self.kinds[first:last], self.random[first:last] = kinds, random
        self.edits[first:last] = edits
        self.texts.extend(texts)
        return first
