"""An n-gram model as one hash table: half the room of sorted arrays and far fewer cache misses.

A slot holds 32 bits of the n-gram's hash, its log-probability and its back-off weight, both as
multiples of 1/2048 nat. n-grams of two tokens and more lie together, at or soon after the slot
that their hash names; where the search meets an empty slot, or has gone as far as any n-gram was
moved, there is none. Another n-gram is taken for the wanted one once in some billion searches.

Arrays:
    log_prob.1    (vocab,) float32
    backoff.1     (vocab + 1,) float32
    fingerprints  (slots,) uint32, 0 where nothing is
    log_probs     (slots,) uint16, -2048 log p
    backoffs      (slots,) uint16, -2048 log weight

Source:
    Heafield (2011), KenLM: faster and smaller language model queries (linear probing).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.ngram.model import NgramModel

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
UInt64 = npt.NDArray[np.uint64]

STEPS = 2048.0
_MOST = 65535
_ROOM = 1.4  # slots an n-gram
_ROWS = 8192  # scored at once, so that their arrays fit the cache
_TOKEN, _JOIN, _SLOT, _PRINT = (
    np.uint64(number)
    for number in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB)
)
_HALF = np.uint64(32)


class ProbingModel:
    """p(token | up to `order - 1` before it) for many short rows of tokens at once."""

    def __init__(
        self, tensors: Mapping[str, Array], *, order: int, vocab_size: int, reach: int
    ) -> None:
        """Take the arrays as they are; `reach` is how far an n-gram lies from its slot at most."""
        self.order, self.vocab_size, self.reach = order, vocab_size, reach
        self.bos_id = vocab_size
        self.tensors = dict(tensors)
        self.log_unigrams: Float32 = np.append(tensors["log_prob.1"], np.float32(0.0))
        self._backoffs_1: Float32 = tensors["backoff.1"]
        self._fingerprints = tensors["fingerprints"]
        self._log_probs = tensors["log_probs"]
        self._backoffs = tensors["backoffs"]
        self._hashes = _token_hashes(vocab_size)

    def score_rows(self, tokens: npt.NDArray[np.int32]) -> Float32:
        """Return log p of each token after those before it in its row, in nats.

        Shapes:
            tokens: (rows, time); `bos_id` begins a text, and its own score is 0.
            returns: (rows, time).
        """
        out = np.empty(tokens.shape, dtype=np.float32)
        for start in range(0, len(tokens), _ROWS):
            part = slice(start, start + _ROWS)
            out[part] = self._score(tokens[part])
        return out

    def has_pairs(self, first: Array, second: Array) -> npt.NDArray[np.bool_]:
        """Return whether each pair of tokens was seen and kept."""
        hashes = self._hashes[first] * _JOIN + self._hashes[second]
        return np.asarray(self._find(hashes) >= 0)

    def score_pairs(self, first: Array, second: Array) -> Float32:
        """Return log p of each second token right after the first, nothing more being known."""
        places = self._find(self._hashes[first] * _JOIN + self._hashes[second])
        scores: Float32 = self._backoffs_1[first] + self.log_unigrams[second]
        seen = np.flatnonzero(places >= 0)
        scores[seen] = self._log_probs[places[seen]] * np.float32(-1.0 / STEPS)
        return scores

    def _score(self, tokens: npt.NDArray[np.int32]) -> Float32:
        scores = self.log_unigrams[tokens]
        own = self._hashes[tokens]
        hashes, backoffs = own, self._backoffs_1[tokens]
        known = np.ones(tokens.shape, dtype=bool)  # whether the n-gram that ends here was seen
        inner = tokens != self.bos_id
        for _ in range(min(self.order, tokens.shape[1]) - 1):
            hashes = hashes[:, :-1] * _JOIN + own[:, -hashes.shape[1] + 1 :]
            context = known[:, :-1]
            asked = np.flatnonzero(context & known[:, 1:] & inner[:, -hashes.shape[1] :])
            here = scores[:, -hashes.shape[1] :]
            here += np.where(context & inner[:, -hashes.shape[1] :], backoffs[:, :-1], 0.0)
            places = self._find(hashes.reshape(-1)[asked])
            found = places >= 0
            at, places = asked[found], places[found]
            known = np.zeros(hashes.shape, dtype=bool)
            known.reshape(-1)[at] = True
            rows, columns = np.divmod(at, hashes.shape[1])
            here[rows, columns] = self._log_probs[places] * np.float32(-1.0 / STEPS)
            backoffs = np.zeros(hashes.shape, dtype=np.float32)
            backoffs.reshape(-1)[at] = self._backoffs[places] * np.float32(-1.0 / STEPS)
        return scores

    def _find(self, hashes: UInt64) -> npt.NDArray[np.int64]:
        """Return the slot of each n-gram, -1 where there is none."""
        slots, wanted = _places(hashes, len(self._fingerprints) - self.reach - 1)
        result = np.full(len(hashes), -1, dtype=np.int64)
        left = np.arange(len(hashes))
        for _ in range(self.reach + 1):
            met = self._fingerprints[slots]
            hit = met == wanted
            result[left[hit]] = slots[hit]
            on = ~hit & (met != 0)
            left, slots, wanted = left[on], slots[on] + 1, wanted[on]
            if not len(left):
                break
        return result


def pack(model: NgramModel) -> tuple[dict[str, Array], int]:
    """Return the arrays of a `ProbingModel` for the same probabilities, and its `reach`."""
    size = model.vocab_size + 1
    total = sum(model.config.ngrams[1:])
    room = max(16, int(_ROOM * total))
    hashes, log_probs, backoffs = [], [], []
    token_hashes = _token_hashes(model.vocab_size)
    above = token_hashes
    for length in range(2, model.config.order + 1):
        parents, words = np.divmod(model.tensors[f"keys.{length}"], size)
        above = above[parents] * _JOIN + token_hashes[words]
        hashes.append(above)
        log_probs.append(_fixed(model.tensors[f"log_prob.{length}"]))
        weights = model.tensors.get(f"backoff.{length}", np.zeros(len(above), dtype=np.float32))
        backoffs.append(_fixed(weights))
    slots, prints = _places(np.concatenate(hashes or [np.zeros(0, np.uint64)]), room)
    order = np.argsort(slots, kind="stable")
    ranks = np.arange(total)
    # each lies in its slot, or right behind the one before it where that is taken
    places = np.maximum.accumulate(slots[order] - ranks) + ranks if total else slots
    reach = int((places - slots[order]).max(initial=0))
    arrays: dict[str, Array] = {
        "log_prob.1": model.tensors["log_prob.1"],
        "backoff.1": model.tensors.get("backoff.1", np.zeros(size, dtype=np.float32)),
    }
    for name, values, dtype in (
        ("fingerprints", prints, np.uint32),
        ("log_probs", np.concatenate(log_probs or [np.zeros(0, np.uint16)]), np.uint16),
        ("backoffs", np.concatenate(backoffs or [np.zeros(0, np.uint16)]), np.uint16),
    ):
        table = np.zeros(room + reach + 1, dtype=dtype)
        table[places] = values[order]
        arrays[name] = table
    return arrays, reach


def _fixed(values: Array) -> npt.NDArray[np.uint16]:
    return np.clip(np.rint(values * -STEPS), 0, _MOST).astype(np.uint16)


def _token_hashes(vocab_size: int) -> UInt64:
    mixed = np.arange(1, vocab_size + 2, dtype=np.uint64) * _TOKEN
    mixed ^= mixed >> np.uint64(29)
    mixed *= _PRINT
    return mixed ^ (mixed >> _HALF)


def _places(hashes: UInt64, room: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Return the slot that each hash names, of `room`, and its fingerprint, which is never 0."""
    mixed = (hashes ^ (hashes >> np.uint64(31))) * _SLOT
    slots = ((mixed >> _HALF) * np.uint64(room)) >> _HALF
    prints = ((hashes * _PRINT) >> _HALF).astype(np.uint32)
    return slots.astype(np.int64), np.maximum(prints, np.uint32(1))
