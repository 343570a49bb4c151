"""Which words may be meant by a spelling: those that share it with some letters left out.

Two spellings at most two edits apart are equal when some two letters of each are left out, and so
are their first seven letters. All such remainders of the beginnings of all words are listed, in
order of a hash; who asks forms the remainders of the spelling and reads what is listed there.

Arrays:
    starts  (buckets + 1,) uint32, where the postings of each bucket begin
    prints  (postings,) uint16, 14 more bits of the hash, and how many letters were left out
    words   (postings,) uint32

Source:
    Garbe (2012), SymSpell, symmetric deletes with a prefix.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]

PREFIX = 7
MOST_DELETES = 2
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)


class Deletes:
    """The postings, and how to read them."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._starts, self._prints = tensors["starts"], tensors["prints"]
        self._words = tensors["words"]
        self._bits = max(1, (len(self._starts) - 1).bit_length() - 1)

    def find(self, codes: Array, lengths: Int64, distance: int) -> tuple[Int64, Int64]:
        """Return pairs (number of the spelling, word) that may be `distance` edits apart.

        Every such pair is among them, once; and others.
        """
        queries, hashes, _ = _remainders(codes, lengths, distance)
        if not len(hashes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        buckets = (hashes >> np.uint64(64 - self._bits)).astype(np.int64)
        first = self._starts[buckets].astype(np.int64)
        sizes = self._starts[buckets + 1].astype(np.int64) - first
        owner = np.repeat(np.arange(len(hashes)), sizes)
        places = np.arange(len(owner)) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)
        prints = self._prints[places]
        wanted = ((hashes >> np.uint64(8)) & np.uint64(0x3FFF)).astype(np.uint16)
        hit = ((prints >> 2) == wanted[owner]) & ((prints & 3) <= distance)
        keys = queries[owner[hit]] << 32 | self._words[places[hit]]
        keys = distinct(keys)
        return keys >> 32, keys & 0xFFFFFFFF


def distinct(keys: Int64) -> Int64:
    """Return numbers in order, each once; several times as fast as `np.unique`, which hashes."""
    keys = np.sort(keys)
    kept: Int64 = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    return kept


def build_deletes(codes: Array, lengths: Int64, numbers: Int64) -> dict[str, Array]:
    """Return the arrays for words (letters, words) with these numbers."""
    rows, hashes, counts = _remainders(codes, lengths, MOST_DELETES)
    order = np.argsort(hashes, kind="stable")
    rows, hashes, counts = rows[order], hashes[order], counts[order]
    bits = max(1, (max(len(hashes), 1) // 3).bit_length())
    buckets = (hashes >> np.uint64(64 - bits)).astype(np.int64)
    starts = np.zeros((1 << bits) + 1, dtype=np.uint32)
    starts[1:] = np.cumsum(np.bincount(buckets, minlength=1 << bits))
    prints = ((hashes >> np.uint64(8)) & np.uint64(0x3FFF)).astype(np.uint16) << 2
    return {
        "starts": starts,
        "prints": prints | counts.astype(np.uint16),
        "words": numbers[rows].astype(np.uint32),
    }


def _remainders(
    codes: Array, lengths: Int64, distance: int
) -> tuple[Int64, npt.NDArray[np.uint64], Int64]:
    """Return of which spelling, the hash, and how many letters were left out; each hash once."""
    rows, hashes, counts = [], [], []
    sizes = np.minimum(lengths, PREFIX)
    wide = codes[:PREFIX].astype(np.uint64)
    for size in range(1, PREFIX + 1):
        members = np.flatnonzero(sizes == size)
        if not len(members):
            continue
        letters = wide[:size, members]
        for kept in _kept(size, distance):
            value = np.full(len(members), np.uint64(len(kept) + 1))
            for place in kept:
                value = (value + letters[place]) * _FACTOR
                value ^= value >> np.uint64(29)
            hashes.append(value * _MIX)
            rows.append(members)
            counts.append(np.full(len(members), size - len(kept)))
    if not rows:
        empty = np.zeros(0, np.int64)
        return empty, np.zeros(0, np.uint64), empty
    return np.concatenate(rows), np.concatenate(hashes), np.concatenate(counts)


def _kept(size: int, distance: int) -> Iterator[tuple[int, ...]]:
    for deletes in range(min(distance, size) + 1):
        yield from itertools.combinations(range(size), size - deletes)
