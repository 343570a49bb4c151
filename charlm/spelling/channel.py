"""How probable a misspelling is, given the word that was meant.

Two ways to misspell a word are mixed, in shares that a text tells as it goes (see `priors`).
People spell as they hear and mistype as keyboards lie: each letter or short run of letters is
rewritten with a learnt probability, and the likeliest way through the word counts (Brill and
Moore). And anything may happen anywhere: one or two edits at random, each place and letter as
likely as any other.

A letter is known to the learnt table as one of 32 classes: a to z, the apostrophe, any other.

Source:
    Brill and Moore (2000), An improved error model for noisy channel spelling correction.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.spelling.edits import SHARES, edit_kinds

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

CLASSES = 32
APOSTROPHE, FOREIGN, EDGE = 27, 28, 31
SHIPPED = Path(__file__).parent / "channel.json"
MOST_RUN = 3
_NEVER = np.float32(60.0)
_DELETE, _INSERT, _REPLACE, _EXCHANGE = SHARES
_NEAR = 0.01
_SECOND = 0.15  # of random misspellings have two edits
_LETTERS = 26.0
_PAIRS = 8192
_SLOTS = 1 << 15


class Channel:
    """-log p(misspelling | word, it is misspelt), for many pairs at once."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        """Take a table as `learning.learn_channel` makes it; see `_parse` for its parts."""
        self.table = table
        self.replace, self.delete, self.insert, self.exchange = (
            _matrix(table, name) for name in ("replace", "delete", "insert", "exchange")
        )
        self._keys = np.full(_SLOTS, -1, dtype=np.int64)
        self._costs = np.full(_SLOTS, _NEVER, dtype=np.float32)
        self._shapes = self._store_rules(table.get("rules", []))
        self.fused = frozenset(str(word) for word in table.get("fused", []))
        self.confused = [[str(word) for word in words] for words in table.get("confused", [])]

    def _store_rules(self, rules: list[list[Any]]) -> list[tuple[int, int]]:
        shapes = set()
        for source, target, cost in sorted(rules, key=lambda rule: float(rule[2])):
            if not (1 <= len(source) <= MOST_RUN and 0 <= len(target) <= MOST_RUN):
                raise CheckpointError(f"the rule {source!r} to {target!r} is too long or short")
            key = np.array([_key(source) * CLASSES**MOST_RUN + _key(target)])
            slot = int(_slots(key)[0])
            if self._keys[slot] < 0:  # of two in one slot the likelier stays
                self._keys[slot], self._costs[slot] = key[0], cost
                shapes.add((len(source), len(target)))
        return sorted(shapes)

    def costs(
        self,
        words: Array,
        word_lengths: Int64,
        typed: Array,
        typed_lengths: Int64,
        classes: npt.NDArray[np.uint8],
        *,
        band: int = 2,
    ) -> tuple[Float32, Float32]:
        """Return -log p of pairs as people spell and mistype, and of edits at random, in nats.

        Shapes:
            words, typed: (letters, pairs), codes of an alphabet, 0 behind the end.
            classes: (256,), the class of each code.
        """
        learnt = np.empty(words.shape[1], dtype=np.float32)
        random = np.empty(words.shape[1], dtype=np.float32)
        order = np.argsort(word_lengths, kind="stable")
        for start in range(0, len(order), _PAIRS):
            part = order[start : start + _PAIRS]
            rows, columns = int(word_lengths[part].max()), int(typed_lengths[part].max())
            ends = (word_lengths[part], typed_lengths[part])
            pair = (words[:rows, part], typed[:columns, part])
            learnt[part] = self._learnt(*pair, *ends, classes, band)
            random[part] = _random(*pair, *ends, band)
        return learnt, random

    def _learnt(
        self,
        words: Array,
        typed: Array,
        word_lengths: Int64,
        typed_lengths: Int64,
        classes: npt.NDArray[np.uint8],
        band: int,
    ) -> Float32:
        source, target = classes[words].astype(np.int64), classes[typed].astype(np.int64)
        edge = np.full(source.shape[1], EDGE, dtype=np.int64)
        runs = {1: source, **_runs(source)}, {0: edge[None] * 0, 1: target, **_runs(target)}

        def cost(table: list[list[Float32]], i: int, j: int) -> Float32:
            found = np.full(source.shape[1], _NEVER, dtype=np.float32)
            before = source[i - 2] if i > 1 else edge
            if i and j:
                step = np.where(
                    words[i - 1] == typed[j - 1], 0, self.replace[source[i - 1], target[j - 1]]
                )
                np.minimum(found, table[i - 1][j - 1] + step, out=found)
            if i:
                step = self.delete[before, source[i - 1]]
                np.minimum(found, table[i - 1][j] + step, out=found)
            if j:
                behind = source[i - 1] if i else edge
                step = self.insert[behind, target[j - 1]]
                np.minimum(found, table[i][j - 1] + step, out=found)
            if i > 1 and j > 1:
                swapped = (words[i - 1] == typed[j - 2]) & (words[i - 2] == typed[j - 1])
                step = np.where(swapped, self.exchange[source[i - 2], source[i - 1]], _NEVER)
                np.minimum(found, table[i - 2][j - 2] + step, out=found)
            for long, short in self._shapes:
                if i >= long and j >= short and abs((i - long) - (j - short)) <= band:
                    first = runs[0][long][i - long]
                    second = runs[1][short][j - short] if short else runs[1][0][0]
                    key = first * CLASSES**MOST_RUN + second
                    slots = _slots(key)
                    step = np.where(self._keys[slots] == key, self._costs[slots], _NEVER)
                    np.minimum(found, table[i - long][j - short] + step, out=found)
            return found

        return _walk(words, typed, word_lengths, typed_lengths, band, cost)


def mix(learnt: Float32, random: Float32, share: Float32 | float) -> Float32:
    """Return -log p where `share` of the misspellings are random."""
    mixed: Float32 = -np.logaddexp(np.log1p(-share) - learnt, np.log(share) - random)
    return mixed


def random_kinds(
    costs: Float32, word_lengths: Int64, typed_lengths: Int64
) -> npt.NDArray[np.uint8]:
    """Return the kinds of edits (`edits`) that these costs of edits at random come of."""
    exchanged = np.log(word_lengths.astype(np.float32)) - math.log(_EXCHANGE)
    single = _are_single(costs, word_lengths, typed_lengths)
    return edit_kinds(single, costs < exchanged + _NEAR, word_lengths - typed_lengths)


def _are_single(costs: Float32, word_lengths: Int64, typed_lengths: Int64) -> npt.NDArray[np.bool_]:
    """Return which costs of edits at random are those of one edit at most."""
    places = np.log(word_lengths.astype(np.float32))
    letters = np.float32(math.log(_LETTERS))
    longer = word_lengths - typed_lengths
    inserted, replaced = letters - math.log(_INSERT), letters - math.log(_REPLACE)
    most = np.select([longer > 0, longer < 0], [-math.log(_DELETE), inserted], replaced)
    return np.asarray((np.abs(longer) < 2) & (costs < places + most + _NEAR))


def _random(
    words: Array, typed: Array, word_lengths: Int64, typed_lengths: Int64, band: int
) -> Float32:
    """Return -log p of one or two edits anywhere."""
    places = np.log(word_lengths.astype(np.float32))
    letters = np.float32(math.log(_LETTERS))
    delete, exchange = places - math.log(_DELETE), places - math.log(_EXCHANGE)
    insert, replace = places + letters - math.log(_INSERT), places + letters - math.log(_REPLACE)

    def cost(table: list[list[Float32]], i: int, j: int) -> Float32:
        found = np.full(words.shape[1], _NEVER, dtype=np.float32)
        if i and j:
            step = np.where(words[i - 1] == typed[j - 1], np.float32(0), replace)
            np.minimum(found, table[i - 1][j - 1] + step, out=found)
        if i:
            np.minimum(found, table[i - 1][j] + delete, out=found)
        if j:
            np.minimum(found, table[i][j - 1] + insert, out=found)
        if i > 1 and j > 1:
            swapped = (words[i - 1] == typed[j - 2]) & (words[i - 2] == typed[j - 1])
            step = np.where(swapped, exchange, _NEVER)
            np.minimum(found, table[i - 2][j - 2] + step, out=found)
        return found

    total = _walk(words, typed, word_lengths, typed_lengths, band, cost)
    single = _are_single(total, word_lengths, typed_lengths)
    return np.where(single, total, total - math.log(_SECOND)).astype(np.float32)


def _walk(
    words: Array,
    typed: Array,
    word_lengths: Int64,
    typed_lengths: Int64,
    band: int,
    cost: Any,
) -> Float32:
    """Return the cheapest way from the beginnings to the ends of all pairs."""
    rows, columns, pairs = len(words), len(typed), words.shape[1]
    never = np.full(pairs, _NEVER, dtype=np.float32)
    result = never.copy()
    table: list[list[Float32]] = []
    for i in range(rows + 1):
        table.append([never] * (columns + 1))
        for j in range(max(0, i - band), min(columns, i + band) + 1):
            table[i][j] = cost(table, i, j) if i or j else np.zeros(pairs, dtype=np.float32)
        ends = np.flatnonzero(word_lengths == i)
        if len(ends):
            result[ends] = np.stack(table[i])[typed_lengths[ends], ends]
    return result


def _runs(classes: Int64) -> dict[int, Int64]:
    """Return keys of two and of three letters from each place on, as `_key` makes them."""
    two = classes[:-1] * CLASSES + classes[1:] if len(classes) > 1 else classes[:0]
    three = two[:-1] * CLASSES + classes[2:] if len(classes) > 2 else classes[:0]
    return {2: two, 3: three}


def class_of(letter: str) -> int:
    """Return the class of a letter: 1 to 26 for a to z."""
    if "a" <= letter <= "z":
        return ord(letter) - 96
    return APOSTROPHE if letter == "'" else FOREIGN


def classes_of(alphabet: str) -> npt.NDArray[np.uint8]:
    """Return the class of each code of an alphabet; 0, behind a word's end, stays 0."""
    classes = np.zeros(256, dtype=np.uint8)
    for code, letter in enumerate(alphabet, 1):
        classes[code] = class_of(letter)
    return classes


def _key(run: str) -> int:
    value = 0
    for letter in run:
        value = value * CLASSES + class_of(letter)
    return value


def _slots(keys: Int64) -> Int64:
    return ((keys * 0x9E3779B1) >> 13) & (_SLOTS - 1)


def _matrix(table: Mapping[str, Any], name: str) -> Float32:
    """Return the costs of an edit by classes; those not listed have the table's own default."""
    matrix = np.full((CLASSES, CLASSES), table["default"][name], dtype=np.float32)
    for pair, cost in table[name].items():
        first = EDGE if pair[0] == "^" else class_of(pair[0])
        matrix[first, class_of(pair[1])] = cost
    return matrix


def parse_channel(data: bytes, where: str) -> Channel:
    """Return the channel that JSON bytes hold.

    Raises:
        CheckpointError: if they are no such table.
    """
    try:
        return Channel(json.loads(data))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{where}: no table of misspellings ({error})") from error


@cache
def shipped_channel() -> bytes:
    """Return the table that comes with charlm, for English."""
    return SHIPPED.read_bytes()
