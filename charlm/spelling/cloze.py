"""A second opinion on close calls: a forward and a backward LSTM read what stands around a word.

Each reads windows of a text, the one from the left and the other from the right; a small layer over
the state before a word and the state behind it gives a vector, and a word's score there is its
product with the word's own vector. `models.cloze` trains it; this is its inference in NumPy, many
windows at a time.

Arrays (float16 but for the biases, gates in the order i, f, g, o):
    cloze.words      (words, dim), the vectors, of the most frequent words
    cloze.bias       (words,)
    cloze.ahead.ih   (4 hidden, dim), cloze.ahead.hh (4 hidden, hidden), cloze.ahead.b (4 hidden,)
    cloze.back.…     the same, for what reads from the right
    cloze.inner.w    (inner, 2 hidden), cloze.inner.b (inner,)
    cloze.outer.w    (dim, inner), cloze.outer.b (dim,)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.spelling.lexicon import END, UNKNOWN
from charlm.spelling.windows import Windows, find_windows, steps_needed

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

REACH = 16  # words of a window on either side of the part it is read for
_ROWS = 512  # windows read at once
_GATES = 4
_EMPTY = np.zeros(0, dtype=np.int64)


def cloze_shapes(words: int, dim: int, hidden: int, inner: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array by name."""
    gates = _GATES * hidden
    shapes: dict[str, tuple[int, ...]] = {"cloze.words": (words, dim), "cloze.bias": (words,)}
    for side in ("ahead", "back"):
        shapes |= {
            f"cloze.{side}.ih": (gates, dim),
            f"cloze.{side}.hh": (gates, hidden),
            f"cloze.{side}.b": (gates,),
        }
    return shapes | {
        "cloze.inner.w": (inner, 2 * hidden),
        "cloze.inner.b": (inner,),
        "cloze.outer.w": (dim, inner),
        "cloze.outer.b": (dim,),
    }


def cloze_dtype(name: str) -> str:
    """Return the type of an array."""
    return "float32" if name.rpartition(".")[2] in ("b", "bias") else "float16"


class Cloze:
    """Scores words in the gaps of a text."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._words, self._bias = tensors["cloze.words"], tensors["cloze.bias"]
        self.vocab_size = len(self._words)
        self._tensors = tensors
        self._sides: dict[str, tuple[Float32, Float32, Float32]] = {}
        self._layers: tuple[Float32, Float32, Float32, Float32] | None = None

    def vectors(self, text: Int64, starts: Int64, ends: Int64, begin: Int64, end: Int64) -> Float32:
        """Return the vector of each gap.

        Args:
            text: tokens; what is no word of the network counts as unknown.
            starts, ends: (gaps,), the line that each gap is in: behind it nothing is read.
            begin, end: (gaps,), which tokens are taken out.
        """
        text = np.where(text < self.vocab_size, text, UNKNOWN)
        windows, where = find_windows(len(text), starts, ends, begin, REACH)
        low, high = windows
        hidden = self._tensors["cloze.ahead.hh"].shape[1]
        states = np.empty((len(begin), 2 * hidden), dtype=np.float32)
        by_length = np.argsort(low - high, kind="stable")
        for start in range(0, len(low), _ROWS):
            rows = by_length[start : start + _ROWS]
            place = np.full(len(low), -1, dtype=np.int64)
            place[rows] = np.arange(len(rows))
            asked = np.flatnonzero(place[where] >= 0)
            row = place[where[asked]]
            window = Windows(low[rows], high[rows])
            states[asked, :hidden] = self._read(
                "ahead", text, window, row, begin[asked] - window.low[row]
            )
            states[asked, hidden:] = self._read(
                "back", text, window, row, window.high[row] - end[asked]
            )
        return self._combine(states)

    def _read(self, side: str, text: Int64, window: Windows, row: Int64, steps: Int64) -> Float32:
        """Return the state of a row after so many words, for each that is asked."""
        matrix, turned, bias = self._side(side)
        hidden = turned.shape[0]
        most = int(steps.max(initial=0))
        needed = steps_needed(len(window.low), row, steps)
        order = np.argsort(-needed, kind="stable")  # rows that end early come last
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        needed = needed[order]
        asked = np.argsort(steps, kind="stable")
        bounds = np.searchsorted(steps[asked], np.arange(most + 2))
        if side == "ahead":
            source, move = window.low[order], 1
        else:
            source, move = window.high[order] - 1, -1
        tokens = [
            text[source[: np.count_nonzero(needed > step)] + move * step] for step in range(most)
        ]
        kinds = np.unique(np.concatenate([*tokens, _EMPTY]))
        inputs = self._words[kinds].astype(np.float32) @ matrix + bias
        result = np.zeros((len(steps), hidden), dtype=np.float32)
        h = np.zeros((len(order), hidden), dtype=np.float32)
        c = np.zeros_like(h)
        for step in range(1, most + 1):
            now = tokens[step - 1]
            size = len(now)
            gates = h[:size] @ turned
            gates += inputs[np.searchsorted(kinds, now)]
            np.tanh(gates, out=gates)
            sigmoids = gates[:, : 3 * hidden]  # these were halved: see `_side`
            sigmoids += np.float32(1.0)
            c[:size] *= sigmoids[:, hidden : 2 * hidden]
            c[:size] += sigmoids[:, :hidden] * gates[:, 3 * hidden :]
            c[:size] *= np.float32(0.5)
            np.tanh(c[:size], out=h[:size])
            h[:size] *= sigmoids[:, 2 * hidden :]
            here = asked[bounds[step] : bounds[step + 1]]
            result[here] = h[rank[row[here]]]
        return np.asarray(result * np.float32(0.5))

    def _side(self, side: str) -> tuple[Float32, Float32, Float32]:
        """Return weights turned, gates as i, f, o, g; sigmoid(x) = (1 + tanh(x / 2)) / 2.

        States are kept doubled: their outer halves are in what reads them.
        """
        if side not in self._sides:
            parts = [self._tensors[f"cloze.{side}.{name}"] for name in ("ih", "hh", "b")]
            order = []
            for part in parts:
                i, f, g, o = np.split(part.astype(np.float32), _GATES)
                half = np.float32(0.5)
                order.append(np.concatenate([i * half, f * half, o * half, g]))
            matrix, recurrent, bias = order
            turned = np.ascontiguousarray(recurrent.T) * np.float32(0.5)
            self._sides[side] = (np.ascontiguousarray(matrix.T), turned, bias)
        return self._sides[side]

    def _combine(self, states: Float32) -> Float32:
        if self._layers is None:
            names = ("cloze.inner.w", "cloze.inner.b", "cloze.outer.w", "cloze.outer.b")
            first, bias, second, shift = (self._tensors[n].astype(np.float32) for n in names)
            self._layers = (first.T.copy(), bias, second.T.copy(), shift)
        first, bias, second, shift = self._layers
        inner = np.maximum(states @ first + bias, np.float32(0.0))
        return np.asarray(inner @ second + shift)

    def scores(self, vectors: Float32, tokens: Int64) -> Float32:
        """Return the score of a word in each gap; words beyond the network's count as unknown."""
        tokens = np.where(tokens < self.vocab_size, tokens, UNKNOWN)
        found: Float32 = np.einsum("ij,ij->i", vectors, self._words[tokens].astype(np.float32))
        return found + self._bias[tokens]


def plain_text(tokens: Array, bos_id: int, goes_on: Array) -> tuple[Int64, Int64]:
    """Return tokens as one text, and where each of them begins in it.

    Marks of beginnings become one END where none stands before, and nothing inside what goes on.

    Shapes:
        tokens: (time,); goes_on: (time,), whether a token only repeats what came before.
        returns: the text, and (time + 1,).
    """
    marks = tokens == bos_id
    kept = ~marks & ~goes_on
    last = np.maximum.accumulate(np.where(kept, np.arange(len(tokens)), -1))
    before = np.where(last >= 0, tokens[np.maximum(last, 0)], END)
    ends = marks & ~goes_on & (before != END)
    kept |= ends
    places = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    text = np.where(marks, END, tokens)[kept].astype(np.int64)
    return text, places
