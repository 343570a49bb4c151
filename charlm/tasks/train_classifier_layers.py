"""The recurrent branch of a classifier in training: epoch by epoch, the best one kept."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.durations import format_duration, parse_duration
from charlm.base.errors import TaskError
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.joining import fit_shares
from charlm.classifying.recurrent import RecurrentBranch
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_classifier_data import Part
from charlm.tasks.train_classifier_pretrained import Pretrained
from charlm.tasks.train_classifier_vectors import ForeignVectors
from charlm.tasks.train_events import Message, TrainEvent, VectorStep

Arrays = dict[str, npt.NDArray[np.float32]]
_LOG_SECONDS = 1.0  # between two steps in the log


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Layers:
    """A trained recurrent branch; `shares` are the weights of all branches, its own the last."""

    config: ClassifierConfig
    words: list[str]
    arrays: Arrays
    shares: list[float]
    steps: int
    epochs: float
    records: list[dict[str, Any]]


def train_layers(
    config: ClassifierConfig,
    wanted: ClassifierTrainConfig,
    train: Part,
    valid: Part | None,
    linear: npt.NDArray[np.floating] | None,
    interrupts: Interrupts,
) -> Generator[TrainEvent, None, Layers]:
    """Train the layers, yielding how far they are; after each epoch look at the held-out texts.

    Args:
        config: the classifier's form so far.
        wanted: what the user said.
        train: texts to learn from, none without words.
        valid: texts to choose the best epoch by; without any it is the last.
        linear: the logits that the linear branch gives those.
        interrupts: a signal ends the training early.
    """
    from charlm.models.runtime import use_threads
    from charlm.training.classifier import Recipe, Trainer, Vocabulary

    use_threads(wanted.threads)
    layers = None
    foreign: ForeignVectors | Pretrained | None = None
    if wanted.from_model is not None:
        foreign = pretrained = Pretrained(wanted.from_model)
        config, layers = pretrained.form(config), pretrained.layers()
    elif wanted.vectors is not None:
        foreign = ForeignVectors(wanted.vectors)
        config = dataclasses.replace(config, word_dim=foreign.dim)
    vocabulary = Vocabulary(
        train.words,
        config,
        min_count=2 if foreign is None else 1,
        further=foreign.frequent() if foreign is not None and wanted.freeze_vectors else (),
    )
    config = dataclasses.replace(config, vocab_size=len(vocabulary.words) + 1)
    vectors = None
    if foreign is not None:
        vectors, found = foreign.rows(vocabulary.words, wanted.seed, zeros=wanted.freeze_vectors)
        yield Message(text=f"{found:,} of {len(vocabulary.words):,} words have a vector")
    recipe = Recipe(
        epochs=wanted.passes(len(train.words)),
        batch_size=wanted.batch_size,
        learning_rate=wanted.learning_rate,
        dropout=wanted.dropout,
        word_dropout=wanted.word_dropout,
        weight_decay=1e-2,
        seed=wanted.seed,
        max_seconds=parse_duration(wanted.max_time) if wanted.max_time else None,
    )
    trainer = Trainer(
        config,
        vocabulary,
        train.words,
        train.gold,
        recipe,
        vectors=vectors,
        frozen=wanted.freeze_vectors,
        layers=layers,
    )
    best = _Best(config, vocabulary.words, valid, linear)
    clock = _Clock(recipe.max_seconds)
    step = None
    for step in trainer.steps():
        if step.loss != step.loss:
            raise TaskError("the layers diverged; try a smaller --learning-rate")
        shown = clock.shown(step)
        best.log(shown)
        yield shown
        if step.ends_epoch:
            yield best.look(trainer.arrays(), step, clock.elapsed())
        if interrupts.signal:
            break
    if step is None:
        raise TaskError("there was no time for a single update; give a longer --max-time")
    if not step.ends_epoch:
        yield best.look(trainer.arrays(), step, clock.elapsed())
    return best.layers(step)


class _Best:
    """The weights of the best epoch so far, by the nats a held-out text costs."""

    def __init__(
        self,
        config: ClassifierConfig,
        words: list[str],
        valid: Part | None,
        linear: npt.NDArray[np.floating] | None,
    ) -> None:
        self._config, self._words, self._valid = config, words, valid
        self._others = [] if linear is None else [linear]
        self._nats = float("inf")
        self._kept: tuple[Arrays, list[float]] | None = None
        self._records: list[dict[str, Any]] = []
        self._logged = float("-inf")

    def log(self, step: VectorStep) -> None:
        """Keep a step for the log of the training, where the last one was a while ago."""
        if step.elapsed_seconds - self._logged >= _LOG_SECONDS:
            self._logged = step.elapsed_seconds
            self._records.append({"kind": "step", **dataclasses.asdict(step)})

    def look(self, arrays: Arrays, step: Any, seconds: float) -> Message:
        """Judge the weights of now, keep them if they are the best, and return what was found."""
        about = f"epoch {step.epoch:.3g}  loss {step.loss:.4f}"
        took = format_duration(seconds)
        if self._valid is None or not len(self._valid.gold):
            shares, _ = fit_shares(
                [np.zeros((0, len(self._config.labels)))] * (len(self._others) + 1),
                np.zeros(0, np.int64),
            )
            self._kept = arrays, shares
            return Message(text=f"{about}  {took}")
        branch = RecurrentBranch(self._config, self._words, arrays)
        parts = [*self._others, branch.logits(self._valid.words)]
        shares, nats = fit_shares(parts, self._valid.gold)
        found = sum(share * part for share, part in zip(shares, parts, strict=True))
        right = float((np.asarray(found).argmax(axis=1) == self._valid.gold).mean())
        figures = {"accuracy": right, "nats_per_text": nats}
        self._records.append({"kind": "valid", "step": step.step, **figures})
        is_best = nats < self._nats or self._kept is None
        if is_best:
            self._nats, self._kept = nats, (arrays, shares)
        mark = "  ★ best" if is_best else ""
        return Message(text=f"{about}  valid {right:.2%} right, {nats:.4f} nats{mark}  {took}")

    def layers(self, step: Any) -> Layers:
        """Return the best."""
        if self._kept is None:
            raise RuntimeError("nothing was looked at")
        arrays, shares = self._kept
        return Layers(
            config=self._config,
            words=self._words,
            arrays=arrays,
            shares=shares,
            steps=step.step,
            epochs=step.epoch,
            records=self._records,
        )


class _Clock:
    """How fast the training goes."""

    def __init__(self, limit: float | None) -> None:
        self._begun = time.monotonic()
        self._limit = limit
        self._words = 0

    def elapsed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self._begun

    def shown(self, step: Any) -> VectorStep:
        """Return a step as it is shown."""
        seconds = self.elapsed()
        self._words += step.words
        left = seconds * (step.total - step.step) / step.step
        if self._limit is not None:
            left = min(left, max(self._limit - seconds, 0.0))
        return VectorStep(
            step=step.step,
            epoch=step.epoch,
            loss=step.loss,
            learning_rate=step.learning_rate,
            words_per_second=self._words / max(seconds, 1e-9),
            elapsed_seconds=seconds,
            progress=step.progress,
            remaining_seconds=left,
        )
