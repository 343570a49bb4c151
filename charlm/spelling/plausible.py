"""How probable the spelling of a word is that no list has: a name, a rare or a new word.

p(letter | the three before it), from a corpus's rarest words, interpolated down to the uniform
distribution by Witten and Bell's rule, as one table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

KINDS = 32
_EDGE, _RARE = 0, 31
_UNIFORM = 1.0 / 64.0


class Plausibility:
    """-log p of spellings, in nats, with a table (32, 32, 32, 32) of letters by three before."""

    def __init__(self, table: npt.NDArray[np.float16], alphabet: str) -> None:
        self._table = table
        self._kinds = {letter: kind for kind, letter in enumerate(alphabet[: _RARE - 1], 1)}

    def log_probs(self, words: Sequence[str]) -> Float32:
        """Return the logarithm of each spelling's probability, its end included."""
        kinds = [_kinds(word, self._kinds) for word in words]
        lengths = np.array([len(kind) - 3 for kind in kinds], dtype=np.int64)
        flat = np.concatenate([*map(np.asarray, kinds), np.zeros(0, np.int64)]).astype(np.int64)
        ends = np.cumsum(lengths + 3)
        places = np.concatenate(
            [np.arange(end - length, end) for end, length in zip(ends, lengths, strict=True)]
            or [np.zeros(0, np.int64)]
        )
        logs = self._table[
            flat[places - 3], flat[places - 2], flat[places - 1], flat[places]
        ].astype(np.float32)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        return np.bincount(owner, weights=logs, minlength=len(lengths)).astype(np.float32)


def build_plausibility(words: Sequence[str], alphabet: str) -> npt.NDArray[np.float16]:
    """Return the table for words such as these."""
    known = {letter: kind for kind, letter in enumerate(alphabet[: _RARE - 1], 1)}
    flat = np.concatenate(
        [np.array(_kinds(word, known)) for word in words] or [np.zeros(4, np.int64)]
    )
    counts = np.zeros(KINDS**4)
    keys = ((flat[:-3] * KINDS + flat[1:-2]) * KINDS + flat[2:-1]) * KINDS + flat[3:]
    whole = (flat[2:-1] != _EDGE) | (flat[3:] != _EDGE)  # what stands between words is no letter
    np.add.at(counts, keys[whole], 1.0)
    seen = counts.reshape((KINDS,) * 4)
    probs = np.full(KINDS, _UNIFORM)
    for axes in ((0, 1, 2), (0, 1), (0,), ()):
        here = seen.sum(axis=axes)
        kinds = (here > 0).sum(axis=-1, keepdims=True)
        probs = (here + np.maximum(kinds, 1) * probs) / (
            here.sum(axis=-1, keepdims=True) + np.maximum(kinds, 1)
        )
    table: npt.NDArray[np.float16] = np.log(probs).astype(np.float16)
    return table


def _kinds(word: str, known: dict[str, int]) -> list[int]:
    return [_EDGE] * 3 + [known.get(letter, _RARE) for letter in word] + [_EDGE]
