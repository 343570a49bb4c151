"""Training the recurrent branch of a text classifier."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.classifying.config import ClassifierConfig
from charlm.models.classifier import RecurrentBranch
from charlm.models.word_input import flat_parts, unknown_chances
from charlm.text.subwords import subword_ids
from charlm.training.optim import (
    AveragedWeights,
    build_adamw,
    clip_gradients,
    schedule,
    set_learning_rate,
)

Ints = npt.NDArray[np.int64]
_POOL = 20  # batches whose texts are sorted by length together


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to train: plain numbers."""

    epochs: int
    batch_size: int
    learning_rate: float
    dropout: float
    word_dropout: float
    weight_decay: float
    seed: int
    max_seconds: float | None = None


class Step(NamedTuple):
    """One update; `loss` in nats a text."""

    step: int
    total: int
    epoch: float
    loss: float
    learning_rate: float
    words: int
    ends_epoch: bool
    progress: float


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Texts as tensors; see `models.word_input`. `counts` is how often each word was seen."""

    types: Tensor
    parts: tuple[Tensor, Tensor]
    index: Tensor
    lengths: Tensor
    counts: Tensor


class Vocabulary:
    """The words of the texts to train on: rows, counts and parts."""

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        config: ClassifierConfig,
        min_count: int,
        further: Sequence[str] = (),
    ) -> None:
        """Count the words of texts.

        Args:
            texts: cut into words.
            config: which parts of words count.
            min_count: words seen less often have no row of their own.
            further: words that have one although they are not seen.
        """
        self._config = config.input
        self._counts = Counter(word for words in texts for word in words)
        common = self._counts.most_common()
        seen = [word for word, count in common if count >= min_count]
        self.words = list(dict.fromkeys([*seen, *further]))
        self._rows = {word: row for row, word in enumerate(self.words, 1)}
        self._parts: dict[str, list[int]] = {}

    def batch(self, texts: Sequence[Sequence[str]]) -> Batch:
        """Return texts as what the network takes."""
        places: dict[str, int] = {}
        rows = [[places.setdefault(word, len(places)) for word in words] for words in texts]
        lengths = [len(row) for row in rows]
        index = np.zeros((max(lengths), len(rows)), dtype=np.int64)
        for column, row in enumerate(rows):
            index[: len(row), column] = row
        return Batch(
            torch.tensor([self._rows.get(word, 0) for word in places]),
            flat_parts([self._parts_of(word) for word in places]),
            torch.from_numpy(index),
            torch.tensor(lengths),
            torch.tensor([float(self._counts[word]) for word in places]),
        )

    def _parts_of(self, word: str) -> list[int]:
        parts = self._parts.get(word)
        if parts is None:
            parts = self._parts[word] = subword_ids(word, self._config)
        return parts


class Trainer:
    """A recurrent branch in training.

    Args:
        config: the classifier's form, vocabulary and all.
        vocabulary: of the texts.
        texts: cut into words, none empty.
        labels: the index of each text's label.
        recipe: how to train.
        vectors: (words + 1, word_dim), what the words' own vectors begin as, the unknown word
            first.
        frozen: leave those vectors as they are.
        layers: what layers begin as, by the names of their parameters; of a matrix with more
            columns the first.
    """

    def __init__(
        self,
        config: ClassifierConfig,
        vocabulary: Vocabulary,
        texts: Sequence[Sequence[str]],
        labels: Ints,
        recipe: Recipe,
        *,
        vectors: npt.NDArray[np.float32] | None = None,
        frozen: bool = False,
        layers: Mapping[str, npt.NDArray[np.float32]] | None = None,
    ) -> None:
        self.recipe, self._vocabulary = recipe, vocabulary
        self._texts = [words[: config.longest] for words in texts]
        self._labels = torch.from_numpy(labels)
        self.net = RecurrentBranch(config.input, config.rnn, config.pooling, len(config.labels))
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self.net.initialise(self._generator)
        own = self.net.input.words.weight
        if vectors is not None:
            with torch.no_grad():
                own.copy_(torch.from_numpy(vectors))
        own.requires_grad_(not frozen)
        parameters = dict(self.net.birnn.named_parameters())
        for name, array in (layers or {}).items():
            with torch.no_grad():
                parameters[name][..., : array.shape[-1]] = torch.from_numpy(array)
        self._optimizer = build_adamw(
            self.net, learning_rate=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._averages = AveragedWeights(self.net.parameters(), share=0.1)

    def steps(self) -> Iterator[Step]:
        """Train until the epochs or the time are over, yielding every update."""
        recipe = self.recipe
        rng = np.random.default_rng(recipe.seed)
        per_epoch = math.ceil(len(self._texts) / recipe.batch_size)
        total, step, smoothed = per_epoch * recipe.epochs, 0, 0.0
        begun = time.monotonic()
        for _ in range(recipe.epochs):
            for place, chosen in enumerate(self._batches(rng), 1):
                progress = step / total
                if recipe.max_seconds is not None:
                    progress = max(progress, (time.monotonic() - begun) / recipe.max_seconds)
                    if progress >= 1.0 and step:
                        return
                rate = recipe.learning_rate * schedule(progress)
                loss, words = self._update(chosen, rate)
                step += 1
                smoothed += (loss - smoothed) / min(step, 50)
                ends = place == per_epoch
                yield Step(step, total, step / per_epoch, smoothed, rate, words, ends, progress)

    def _batches(self, rng: np.random.Generator) -> list[Ints]:
        """Return all texts in batches of similar lengths, in a random order."""
        size = self.recipe.batch_size
        order = rng.permutation(len(self._texts))
        pools = np.array_split(order, max(1, len(order) // (size * _POOL)))
        lengths = np.array([len(words) for words in self._texts])
        sorted_pools = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
        joined = np.concatenate(sorted_pools)
        batches = [joined[first : first + size] for first in range(0, len(joined), size)]
        return [batches[place] for place in rng.permutation(len(batches))]

    def _update(self, chosen: Ints, rate: float) -> tuple[float, int]:
        recipe = self.recipe
        batch = self._vocabulary.batch([self._texts[place] for place in chosen])
        chances = unknown_chances(batch.counts, recipe.word_dropout)[batch.index]
        unknown = torch.rand(batch.index.shape, generator=self._generator) < chances
        logits = self.net(
            batch.types,
            batch.parts,
            batch.index,
            batch.lengths,
            unknown,
            dropout=recipe.dropout,
            generator=self._generator,
        )
        loss = F.cross_entropy(logits, self._labels[chosen])
        self._optimizer.zero_grad()
        loss.backward()
        clip_gradients(self.net.parameters(), 1.0)
        set_learning_rate(self._optimizer, rate)
        self._optimizer.step()
        self._averages.update()
        return float(loss.detach()), int(batch.lengths.sum())

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return a copy of the averaged weights, by the names of `recurrent_shapes`, and a bias."""
        self._averages.swap()
        try:
            return {name: value.numpy().copy() for name, value in self.net.tensors().items()}
        finally:
            self._averages.swap()
