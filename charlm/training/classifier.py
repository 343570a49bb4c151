"""Training the recurrent branch of a text classifier."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from charlm.classifying.config import ClassifierConfig
from charlm.models.classifier import RecurrentBranch
from charlm.models.word_input import unknown_chances
from charlm.training.classifier_words import Vocabulary
from charlm.training.config import MOST_STEPS
from charlm.training.optim import (
    AveragedWeights,
    build_adamw,
    clip_gradients,
    schedule,
    set_learning_rate,
)
from charlm.training.weights import (
    Arrays,
    pack_generator,
    pack_weights,
    unpack_generator,
    unpack_weights,
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
    progress: float


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
        layers: what layers begin as, see `BiRNN.begin_with`.

    Attributes:
        per_epoch: updates of an epoch.
        step: updates done.
        loss: nats a text, smoothed over the last fifty updates.
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
        self.per_epoch = math.ceil(len(texts) / recipe.batch_size)
        self.step, self.loss = 0, 0.0
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
        self.net.birnn.begin_with(layers or {})
        self._optimizer = build_adamw(
            self.net, learning_rate=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        named = {name: w for name, w in self.net.named_parameters() if w.requires_grad}
        self._names, self._weights = list(named), list(named.values())
        self._averages = AveragedWeights(self._weights, share=0.1)

    def steps(self, elapsed: Callable[[], float]) -> Iterator[Step]:
        """Train until the epochs or the time are over, yielding every update.

        Args:
            elapsed: seconds of training so far.
        """
        recipe = self.recipe
        total = self.per_epoch * recipe.epochs
        done, place = divmod(self.step, self.per_epoch)
        rng = np.random.default_rng(recipe.seed)
        for _ in range(min(done, recipe.epochs)):  # what the epochs before have drawn
            self._batches(rng)
        for _ in range(done, recipe.epochs):
            for chosen in self._batches(rng)[place:]:
                progress = self.step / total
                if recipe.max_seconds is not None:
                    progress = max(progress, elapsed() / recipe.max_seconds)
                    if progress >= 1.0 and self.step:
                        return
                rate = recipe.learning_rate * schedule(progress)
                loss, words = self._update(chosen, rate)
                self.step += 1
                self.loss += (loss - self.loss) / min(self.step, 50)
                epoch = self.step / self.per_epoch
                yield Step(self.step, total, epoch, self.loss, rate, words, progress)
            place = 0

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

    def state(self) -> Arrays:
        """Return all that the next update depends on, as arrays."""
        weights = (self._names, self._weights, self._averages.averages)
        return pack_weights(*weights, self._optimizer.state) | {
            "step": np.array([self.step], np.int64),
            "loss": np.array([self.loss], np.float64),
            "random": pack_generator(self._generator),
        }

    def restore(self, state: Mapping[str, npt.NDArray[Any]], prefix: str) -> None:
        """Go on from what `state` gave, each name behind `prefix`.

        Raises:
            KeyError, ValueError: if it is not of such a training.
        """
        step = int(state[f"{prefix}step"].item())
        if not 0 <= step <= MOST_STEPS:
            raise ValueError(f"{step} updates")
        loss = float(state[f"{prefix}loss"].item())
        unpack_generator(self._generator, state[f"{prefix}random"])
        weights = (self._names, self._weights, self._averages.averages)
        unpack_weights(state, prefix, *weights, self._optimizer.state, step)
        self.step, self.loss, self._averages.updates = step, loss, step
