"""Skip-gram and CBOW training: pieces of a text given to threads that share two matrices.

What a piece is trained with (its random numbers, its learning rates) follows from its place in
the text alone. With one thread a run is therefore reproduced exactly, and goes on where it
stopped; several threads write into each other's rows now and then, which changes last digits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.vectors.sampling import (
    alias_table,
    as_thresholds,
    keep_chances,
    negative_chances,
    padded,
)
from charlm.vectors.threads import Paced, in_order

MOST_PIECE = 1 << 17
LEAST_PIECE = 1 << 12
LEAST_RATE = 1e-4  # of the learning rate that a run begins with
_MIXER = 0x9E3779B97F4A7C15


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What training depends on beside the text; `method` is `sgns` or `cbow`."""

    method: str
    dim: int
    window: int
    num_negatives: int
    subsample: float
    ns_exponent: float
    epochs: int
    learning_rate: float
    seed: int


@dataclasses.dataclass(frozen=True, slots=True)
class WordStream:
    """A text as words: `read` gives the tokens from one place to another as word ids.

    Attributes:
        counts: how often each word occurs, most frequent first.
        tokens: how many tokens the text has, with those that are no words of the vocabulary.
        read: ids as int32, -1 where a text ends; of `(start, stop)` in tokens.
    """

    counts: npt.NDArray[np.int64]
    tokens: int
    read: Callable[[int, int], npt.NDArray[np.int32]]

    @property
    def piece(self) -> int:
        """How many tokens are trained on in one call: the same whatever the machine."""
        return min(max(self.tokens // 64, LEAST_PIECE), MOST_PIECE)

    @property
    def pieces(self) -> int:
        """How many pieces the text has."""
        return -(-self.tokens // self.piece)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far training is. `loss` is that of the last piece, in nats a pair of words."""

    pieces: int
    total: int
    words: int
    loss: float
    learning_rate: float


class Trainer(Paced):
    """Two matrices, and how many pieces of how many they have seen.

    Attributes:
        vectors, contexts: W and C, (words, dim) and zeros to the end of a line of the cache.
        epoch_losses: of each epoch the sum of sampled losses, and how many they are of.
    """

    def __init__(self, stream: WordStream, settings: Settings, dtype: Any = np.float32) -> None:
        if np.count_nonzero(stream.counts) < 2:
            raise ValueError("training needs at least two words that occur")
        super().__init__(stream.pieces, stream.pieces * settings.epochs)
        self.stream, self.settings = stream, settings
        size = len(stream.counts)
        self.vectors, self.contexts = (padded(size, settings.dim, dtype) for _ in range(2))
        rng = np.random.Generator(np.random.PCG64(settings.seed))
        first = rng.random((size, settings.dim), dtype=np.float32)
        self.vectors[:, : settings.dim] = (first - np.float32(0.5)) / np.float32(settings.dim)
        self._keep = as_thresholds(keep_chances(stream.counts, settings.subsample))
        self._cuts, self._others = alias_table(
            negative_chances(stream.counts, settings.ns_exponent)
        )
        self.epoch_losses = np.zeros((settings.epochs, 2))

    def rate(self, pieces: int) -> float:
        """Return the learning rate after so many pieces: it falls in a straight line."""
        left = 1.0 - pieces / max(1, self.total)
        return self.settings.learning_rate * max(left, LEAST_RATE)

    def prepare(self) -> None:
        """Compile the kernel, or load what was compiled before; changes nothing."""
        self._call(np.empty(0, dtype=np.int32), self.done, np.zeros(2))

    def run(self, threads: int) -> Iterator[Progress]:
        """Train on the pieces that are left, yielding after each of them.

        After `stop` it ends with the pieces that are under way.
        """
        for words, loss, pairs in in_order(self._train, self.left(), threads):
            yield self._note(words, loss, pairs)

    def _train(self, piece: int) -> tuple[int, float, float]:
        """Train on one piece; return its words, and sum and number of the sampled losses."""
        stream = self.stream
        start = piece % stream.pieces * stream.piece
        words = stream.read(start, min(start + stream.piece, stream.tokens))
        told = np.zeros(2)
        self._call(words, piece, told)
        return int(np.count_nonzero(words >= 0)), float(told[0]), float(told[1])

    def _call(
        self, words: npt.NDArray[np.int32], piece: int, told: npt.NDArray[np.float64]
    ) -> None:
        from charlm.vectors import kernels

        settings = self.settings
        kernel = kernels.cbow if settings.method == "cbow" else kernels.skipgram
        kernel(
            words,
            self.vectors,
            self.contexts,
            self._keep,
            self._cuts,
            self._others,
            settings.window,
            settings.num_negatives,
            np.array([self.rate(piece), self.rate(piece + 1)]),
            np.uint64((settings.seed * _MIXER + piece * 0xD1B54A32D192ED03 + 1) % 2**64),
            told,
        )

    def _note(self, words: int, loss: float, pairs: float) -> Progress:
        self.epoch_losses[min(self.done // self.stream.pieces, len(self.epoch_losses) - 1)] += (
            loss,
            pairs,
        )
        self.done += 1
        return Progress(
            pieces=self.done,
            total=self.total,
            words=words,
            loss=loss / pairs if pairs else float("nan"),
            learning_rate=self.rate(self.done),
        )

    def epoch_loss(self) -> list[float]:
        """Return the mean loss of each epoch begun, in nats a pair."""
        return [float(loss / pairs) for loss, pairs in self.epoch_losses if pairs]

    def word_vectors(self, *, add_contexts: bool = False) -> npt.NDArray[np.float32]:
        """Return a vector a word: w, or w + c."""
        dim = self.settings.dim
        found: npt.NDArray[np.float32] = self.vectors[:, :dim].astype(np.float32)
        if add_contexts:
            found += self.contexts[:, :dim].astype(np.float32)
        return found

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that a continuation needs; copies, so that it can be written meanwhile."""
        dim = self.settings.dim
        return {
            "vectors": self.vectors[:, :dim].copy(),
            "contexts": self.contexts[:, :dim].copy(),
            "done": np.array([self.done]),
            "losses": self.epoch_losses.copy(),
        }

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned.

        Raises:
            ValueError: if it is of another text or other settings.
        """
        shape = (len(self.stream.counts), self.settings.dim)
        done = int(state["done"][0])
        if state["vectors"].shape != shape or state["contexts"].shape != shape:
            raise ValueError(f"vectors of shape {state['vectors'].shape}, expected {shape}")
        if not 0 <= done <= self.total or state["losses"].shape != self.epoch_losses.shape:
            raise ValueError("a state of other epochs")
        self.vectors[:, : shape[1]] = state["vectors"]
        self.contexts[:, : shape[1]] = state["contexts"]
        self.epoch_losses[:] = state["losses"]
        self.done = done
