"""Training of a tagger: sentences to batches, updates, averaged weights, state to go on from."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from charlm.engine.word_input import UNKNOWN
from charlm.models.tagger import TagBatch, Tagger
from charlm.models.word_input import unknown_chances
from charlm.tagging.config import TaggerConfig
from charlm.tagging.reading import Sentence
from charlm.tagging.tagger import word_rows
from charlm.text.subwords import known_subword_ids
from charlm.training.loop import TrainingDivergedError
from charlm.training.weights import (
    pack_generator,
    pack_weights,
    unpack_generator,
    unpack_weights,
)

Ints = npt.NDArray[np.int64]
POOL = 50  # batches whose sentences are sorted by length together
LONGEST = 512  # words of a sentence that are trained on together
PADDED = 64  # words a sentence that a batch may hold, padding counted


@dataclasses.dataclass(frozen=True, slots=True)
class TagSettings:
    """How to train; see `TaggerTrainConfig` for what each means."""

    batch_size: int
    learning_rate: float
    warm_up: float
    label_smoothing: float
    word_dropout: float
    average: float
    max_grad_norm: float
    seed: int
    freeze: bool = False


class TagData:
    """Sentences as numbers: each distinct word's row and parts once, each word as a number.

    Attributes:
        words: how many there are in all.
        cut: sentences that were cut for being longer than `LONGEST`.
    """

    def __init__(
        self,
        sentences: Sequence[Sentence],
        config: TaggerConfig,
        known: Sequence[str],
        known_parts: Sequence[str],
    ) -> None:
        rows = word_rows(config, known)
        tags = {tag: number for number, tag in enumerate(config.tags)}
        types: dict[str, int] = {}
        self.sentences: list[tuple[Ints, Ints]] = []
        self.cut = 0
        for sentence in sentences:
            ids = np.array([types.setdefault(word, len(types)) for word in sentence.words])
            own = np.array([tags[tag] for tag in sentence.tags])
            self.cut += len(ids) > LONGEST
            for start in range(0, len(ids), LONGEST):
                part = slice(start, start + LONGEST)
                self.sentences.append((ids[part], own[part]))
        counts = np.bincount(np.concatenate([ids for ids, _ in self.sentences]))
        self.words = int(counts.sum())
        self.rows = torch.tensor([rows.get(word, UNKNOWN) for word in types])
        places = self.rows.numpy()
        by_row = np.bincount(places, weights=counts)[places]  # of all ways that a word is written
        self.counts = torch.from_numpy(np.where(places == UNKNOWN, counts, by_row)).float()
        numbers = {part: number for number, part in enumerate(known_parts, 1)}
        parts = [known_subword_ids(word, config.input, numbers) for word in types]
        self._sizes = np.array([len(one) for one in parts])
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._parts = np.array([bucket for one in parts for bucket in one], dtype=np.int64)

    def batch(self, numbers: Sequence[int], chances: Tensor) -> TagBatch:
        """Return sentences, by their numbers, as a batch."""
        chosen = [self.sentences[number] for number in numbers]
        lengths = np.array([len(ids) for ids, _ in chosen])
        types, places = np.unique(np.concatenate([ids for ids, _ in chosen]), return_inverse=True)
        row = np.repeat(np.arange(len(chosen)), lengths)
        step = np.concatenate([np.arange(length) for length in lengths])
        index = np.zeros((lengths.max(), len(chosen)), np.int64)
        tags = np.zeros_like(index)
        index[step, row] = places
        tags[step, row] = np.concatenate([own for _, own in chosen])
        sizes = self._sizes[types]
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        flat = self._parts[np.repeat(self._starts[types], sizes) + within]
        numbers_of = torch.from_numpy(types)
        return TagBatch(
            types=self.rows[numbers_of],
            parts=(torch.from_numpy(flat), torch.from_numpy(ends - sizes)),
            chances=chances[numbers_of],
            index=torch.from_numpy(index),
            tags=torch.from_numpy(tags),
            lengths=torch.from_numpy(lengths),
        )

    def order(self, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch: sentences of like lengths together, else by chance."""
        rng = np.random.default_rng((seed, epoch))
        lengths = [len(ids) for ids, _ in self.sentences]
        drawn = rng.permutation(len(lengths)).tolist()
        batches: list[list[int]] = []
        for start in range(0, len(drawn), POOL * batch_size):
            pool = sorted(drawn[start : start + POOL * batch_size], key=lengths.__getitem__)
            batches += _filled(pool, lengths, batch_size)
        return [batches[number] for number in rng.permutation(len(batches)).tolist()]


def _filled(pool: Sequence[int], lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield sentences, sorted by length, in batches that are not too large once padded."""
    batch: list[int] = []
    for number in pool:
        if batch and (len(batch) == most or (len(batch) + 1) * lengths[number] > most * PADDED):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


@dataclasses.dataclass(frozen=True, slots=True)
class TagUpdate:
    """One update. `loss` is in nats a word; `epoch` counts passes, in parts."""

    step: int
    epoch: float
    loss: float
    learning_rate: float
    words: int


class TagTrainer:
    """Updates the networks of a tagger, each on a thread of its own, all by the same batches.

    Keeps a running average of each one's weights, which is what is saved. What a network draws
    follows from the seed and its number alone, so that threads change nothing.
    """

    def __init__(
        self,
        models: Sequence[Tagger],
        data: TagData,
        settings: TagSettings,
        threads: int = 1,
        vectors: npt.NDArray[np.float32] | None = None,
        layers: Mapping[str, npt.NDArray[np.float32]] | None = None,
    ) -> None:
        self.data, self.settings = data, settings
        self.step = self.epoch = self.place = 0
        self._chances = unknown_chances(data.counts, settings.word_dropout)
        self.members = [
            _Member(model, settings, number, vectors, layers or {})
            for number, model in enumerate(models)
        ]
        self._pool = ThreadPoolExecutor(max(1, min(threads, len(models))), "charlm-tagger")

    def updates(self, progress: Callable[[], float]) -> Iterator[TagUpdate]:
        """Yield updates until `progress`, the share of the training that is done, reaches 1.

        Raises:
            TrainingDivergedError: if the loss is no number any more.
        """
        while True:
            order = self.data.order(self.settings.batch_size, self.settings.seed, self.epoch)
            while self.place < len(order):
                share = progress()
                if share >= 1.0:
                    return
                yield self._update(order, share)
            self.epoch, self.place = self.epoch + 1, 0

    def _update(self, order: Sequence[Sequence[int]], share: float) -> TagUpdate:
        batch = self.data.batch(order[self.place], self._chances)
        rate = self.settings.learning_rate * _slope(share, self.settings.warm_up)
        self.step += 1
        self.place += 1
        keep = min(self.settings.average, self.step / (self.step + 10.0))
        losses = list(self._pool.map(lambda one: one.update(batch, rate, keep), self.members))
        value = sum(losses) / len(losses)
        if not math.isfinite(value):
            raise TrainingDivergedError(
                f"the loss is {value} at step {self.step:,}; try a smaller --learning-rate"
            )
        epoch = self.epoch + self.place / len(order)
        return TagUpdate(self.step, epoch, value, rate, int(batch.lengths.sum()))

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return a copy of the averaged weights, by name."""
        return {
            f"{number}.{name}": value
            for number, member in enumerate(self.members)
            for name, value in member.arrays().items()
        }

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that a continuation needs, as arrays."""
        found: dict[str, npt.NDArray[Any]] = {
            "place": np.array([self.step, self.epoch, self.place], np.int64)
        }
        for number, member in enumerate(self.members):
            found |= {f"{number}.{name}": value for name, value in member.state().items()}
        return found

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` gave.

        Raises:
            KeyError, ValueError: if it is not of such a training.
        """
        self.step, self.epoch, self.place = (int(number) for number in state["place"])
        for number, member in enumerate(self.members):
            member.restore(state, f"{number}.", self.step)


class _Member:
    """One network, its optimiser and its average."""

    def __init__(
        self,
        model: Tagger,
        settings: TagSettings,
        number: int,
        vectors: npt.NDArray[np.float32] | None,
        layers: Mapping[str, npt.NDArray[np.float32]],
    ) -> None:
        self._model, self._settings = model, settings
        seed = np.random.SeedSequence((settings.seed, number)).generate_state(1)
        self._generator = torch.Generator().manual_seed(int(seed[0]))
        model.initialise(self._generator)
        model.birnn.begin_with(layers)
        table = model.input.words.weight
        if vectors is not None:
            table.data.copy_(torch.from_numpy(vectors))
            table.requires_grad_(not settings.freeze)
        self._fixed = {n: w for n, w in model.named_parameters() if not w.requires_grad}
        named = {n: w for n, w in model.named_parameters() if w.requires_grad}
        self.names = list(named)
        self._weights: list[Tensor] = list(named.values())
        self._optimizer = torch.optim.Adam(
            self._weights, lr=settings.learning_rate, betas=(0.9, 0.999), fused=True
        )
        self.average = [weight.detach().clone() for weight in self._weights]

    def update(self, batch: TagBatch, rate: float, keep: float) -> float:
        """Follow the gradient of a batch; return its loss. If that is no number, do nothing."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._model.train()
        loss = self._model.loss(
            batch, self._generator, label_smoothing=self._settings.label_smoothing
        )
        value = loss.item()
        if not math.isfinite(value):
            return value
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._weights, self._settings.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self._weights, 1.0 - keep)
        return value

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return a copy of the averaged weights, and of those that stay as they were."""
        averages = dict(zip(self.names, self.average, strict=True)) | self._fixed
        return {name: np.array(value.detach().numpy()) for name, value in averages.items()}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return weights, averages, moments and the generator's state."""
        found = pack_weights(self.names, self._weights, self.average, self._optimizer.state)
        return found | {"random": pack_generator(self._generator)}

    def restore(self, state: Mapping[str, npt.NDArray[Any]], prefix: str, step: int) -> None:
        """Take over what `state` gave."""
        unpack_generator(self._generator, state[f"{prefix}random"])
        moments = self._optimizer.state
        unpack_weights(state, prefix, self.names, self._weights, self.average, moments, step)


def _slope(share: float, warm_up: float) -> float:
    """Return the share of the learning rate that is used: up at first, then down to nothing."""
    return min(1.0, 0.01 + share / warm_up) * (1.0 - share) if warm_up else 1.0 - share


def steps_of(data: TagData, batch_size: int, seed: int, epochs: int) -> int:
    """Return how many updates some epochs have."""
    return sum(len(data.order(batch_size, seed, epoch)) for epoch in range(epochs))
