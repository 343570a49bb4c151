"""The recurrent branch of a classifier in training: epoch by epoch, the best one kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.durations import format_duration, parse_duration
from charlm.base.errors import TaskError
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.joining import fit_shares
from charlm.classifying.recurrent import RecurrentBranch
from charlm.store.checkpoint import MetricsLog
from charlm.store.resume import require_array
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_classifier_data import Part
from charlm.tasks.train_classifier_pretrained import Pretrained
from charlm.tasks.train_classifier_vectors import ForeignVectors
from charlm.tasks.train_continue import words_checksum
from charlm.tasks.train_events import Message, TrainEvent, VectorStep
from charlm.training.clock import Clock, Rate

Arrays = dict[str, npt.NDArray[Any]]
_LOG_SECONDS = 1.0  # between two steps in the log


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Best:
    """The weights of the epoch under which held-out labels were likeliest.

    Attributes:
        arrays: of the recurrent branch.
        shares: the weights of all branches, its own the last.
        nats: what a held-out text costs; infinite where nothing is held out.
    """

    arrays: Arrays
    shares: list[float]
    nats: float


class LayersTraining:
    """Layers in training, new or restored; who drives it may stop or save between two events.

    Args:
        form: the classifier's form so far.
        wanted: what the user said.
        train: texts to learn from, none without words.
        valid: texts to choose the best epoch by; without any it is the last.
        linear: the logits that the linear branch gives those; None for no such branch.
        log: where steps and looks are told.

    Attributes:
        introduction: what a user should know of the beginning; empty for nothing.
        form: the classifier's, with its words' number and sizes.
        words: that have vectors of their own.
        best: what to keep; None before the first look.
        looked: the step of the last look at the held-out texts.
        words_read: in all updates.
    """

    def __init__(
        self,
        form: ClassifierConfig,
        wanted: ClassifierTrainConfig,
        train: Part,
        valid: Part | None,
        linear: npt.NDArray[np.floating] | None,
        log: MetricsLog,
    ) -> None:
        from charlm.models.runtime import use_threads
        from charlm.training.classifier import Recipe, Trainer
        from charlm.training.classifier_words import Vocabulary

        use_threads(wanted.threads)
        self._valid = valid if valid is not None and len(valid.gold) else None
        self._others = [] if linear is None else [linear]
        self._log, self._logged = log, float("-inf")
        begin = _open_beginning(wanted)
        if begin is not None:
            form = begin.form(form)
        further = begin.frequent() if begin is not None and wanted.freeze_vectors else ()
        vocabulary = Vocabulary(train.words, form, 2 if begin is None else 1, further)
        self.words = vocabulary.words
        self.form = dataclasses.replace(form, vocab_size=len(self.words) + 1)
        vectors, self.introduction = None, ""
        if begin is not None:
            zeros = wanted.freeze_vectors
            vectors, found = begin.rows(self.words, wanted.seed, zeros=zeros)
            self.introduction = f"{found:,} of {len(self.words):,} words have a vector"
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
        self.trainer = Trainer(
            self.form,
            vocabulary,
            train.words,
            train.gold,
            recipe,
            vectors=vectors,
            frozen=wanted.freeze_vectors,
            layers=None if begin is None else begin.layers(),
        )
        self.clock, self._rate = Clock(0.0), Rate()
        self.best: Best | None = None
        self.looked = self.words_read = 0

    @property
    def step(self) -> int:
        """Updates done."""
        return self.trainer.step

    @property
    def epochs(self) -> float:
        """Passes over the texts, in parts."""
        return self.trainer.step / self.trainer.per_epoch

    def events(self) -> Iterator[TrainEvent]:
        """Train to the end, yielding each update, and a look at the held-out texts each epoch.

        Raises:
            TaskError: if the loss is no number any more, or there was no time for any update.
        """
        yield from self._look_if_due()
        for step in self.trainer.steps(self.clock.elapsed):
            if step.loss != step.loss:
                raise TaskError("the layers diverged; try a smaller --learning-rate")
            yield self._shown(step)
            yield from self._look_if_due()
        if not self.step:
            raise TaskError("there was no time for a single update; give a longer --max-time")
        if self.looked < self.step:
            yield self.look()

    def _look_if_due(self) -> Iterator[TrainEvent]:
        if self.looked < self.step and self.step % self.trainer.per_epoch == 0:
            yield self.look()

    def look(self, *, logged: bool = True) -> Message:
        """Judge the weights of now, keep them if they are the best, and return what was found.

        Args:
            logged: tell it to the log; not where a continuation will not have looked here.
        """
        self.looked = self.step
        arrays, took = self.trainer.arrays(), format_duration(self.clock.elapsed())
        about = f"epoch {self.epochs:.3g}  loss {self.trainer.loss:.4f}"
        if self._valid is None:
            nothing = [np.zeros((0, len(self.form.labels)))] * (len(self._others) + 1)
            shares, _ = fit_shares(nothing, np.zeros(0, np.int64))
            self.best = Best(arrays=arrays, shares=shares, nats=np.inf)
            return Message(text=f"{about}  {took}")
        branch = RecurrentBranch(self.form, self.words, arrays)
        parts = [*self._others, branch.logits(self._valid.words)]
        shares, nats = fit_shares(parts, self._valid.gold)
        found = sum(share * part for share, part in zip(shares, parts, strict=True))
        right = float((np.asarray(found).argmax(axis=1) == self._valid.gold).mean())
        if logged:
            figures = {"accuracy": right, "nats_per_text": nats}
            self._log.append({"kind": "valid", "step": self.step, **figures})
        is_best = self.best is None or nats < self.best.nats
        if is_best:
            self.best = Best(arrays=arrays, shares=shares, nats=nats)
        mark = "  ★ best" if is_best else ""
        return Message(text=f"{about}  valid {right:.2%} right, {nats:.4f} nats{mark}  {took}")

    def _shown(self, step: Any) -> VectorStep:
        seconds = self.clock.elapsed()
        self.words_read += step.words
        share, left = self._share(step.step / step.total, seconds)
        shown = VectorStep(
            step=step.step,
            epoch=step.epoch,
            loss=step.loss,
            learning_rate=step.learning_rate,
            words_per_second=self._rate.add(seconds, self.words_read),
            elapsed_seconds=seconds,
            progress=share,
            remaining_seconds=left,
        )
        if seconds - self._logged >= _LOG_SECONDS:
            self._logged = seconds
            self._log.append({"kind": "step", **dataclasses.asdict(shown)})
        return shown

    def _share(self, done: float, seconds: float) -> tuple[float, float]:
        """Return how much of the training is done, and the seconds left of it.

        The first update compiles and takes long, so what remains is counted from now, where the
        limit of time stands, not from the beginning of the update.
        """
        limit = self.trainer.recipe.max_seconds
        share = min(1.0, done if limit is None else max(done, seconds / limit))
        return share, seconds * (1.0 - share) / share

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return all that a continuation needs, as arrays and as plain JSON values."""
        arrays = {f"layers.{name}": array for name, array in self.trainer.state().items()}
        values: dict[str, Any] = {
            "seconds": self.clock.elapsed(),
            "looked": self.looked,
            "words_read": self.words_read,
            "words_sha256": words_checksum(self.words),
        }
        if self.best is not None:
            arrays |= {f"best.{name}": array for name, array in self.best.arrays.items()}
            nats = self.best.nats if np.isfinite(self.best.nats) else None
            values["best"] = {"shares": self.best.shares, "nats": nats}
        return arrays, values

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]], values: Mapping[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises:
            KeyError, TypeError, ValueError: if it is not of such a training.
        """
        self.trainer.restore(arrays, "layers.")
        self.clock = Clock(float(values["seconds"]))
        self.looked, self.words_read = int(values["looked"]), int(values["words_read"])
        best = values.get("best")
        if best is not None:
            shapes = self.form.recurrent_shapes()
            kept = {name: require_array(arrays, f"best.{name}", shapes[name]) for name in shapes}
            nats = np.inf if best["nats"] is None else float(best["nats"])
            shares = [float(share) for share in best["shares"]]
            if len(shares) != len(self._others) + 1:
                raise ValueError(f"{len(shares)} shares")
            self.best = Best(arrays=kept, shares=shares, nats=nats)


def _open_beginning(wanted: ClassifierTrainConfig) -> ForeignVectors | Pretrained | None:
    """Return what words and layers begin as; None for numbers at random."""
    if wanted.from_model is not None:
        return Pretrained(wanted.from_model, wanted)
    return None if wanted.vectors is None else ForeignVectors(wanted.vectors)
