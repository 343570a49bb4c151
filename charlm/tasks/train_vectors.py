"""Train word vectors: read, count, train on the text piece by piece, save; go on after a stop."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError, TaskError
from charlm.store.checkpoint import MetricsLog, ResumeState, clear_resume, save_resume
from charlm.store.locate import require_valid_name
from charlm.store.lock import FolderLock
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_card import safe_text
from charlm.tasks.train_continue import folder_to_resume, settings_to_resume, state_to_resume
from charlm.tasks.train_events import Message, Saved, TrainEvent, TrainResult, VectorStep
from charlm.tasks.train_folder import free_name, lasting, model_folder, require_free
from charlm.tasks.train_vectors_build import AnyTrainer, build_trainer
from charlm.tasks.train_vectors_config import VectorsTrainConfig
from charlm.tasks.train_vectors_data import WordData, read_words
from charlm.tasks.train_vectors_device import choose_device
from charlm.vectors.config import VectorsConfig, describe
from charlm.vectors.folder import KIND, save_vectors
from charlm.vectors.training import Progress

SAVE_SECONDS = 60.0
_TOLD_SECONDS = 5.0  # between two lines of the training log
# What a continuation may have otherwise than the run that it continues.
_MAY_CHANGE = ("threads", "device")


def train_vectors(
    corpus_specs: Sequence[str],
    config: VectorsTrainConfig,
    *,
    name: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Iterator[TrainEvent]:
    """Train and save word vectors, yielding what happens; the last event is a TrainResult.

    Args:
        corpus_specs: files, folders, globs, names of corpora, or `-`.
        config: what the user said.
        name: of the model folder under `checkpoints/`; else after the corpus, the first that is
            free.
        resume: go on with what was interrupted.
        overwrite: replace a model of that name.

    Raises:
        CorpusError, TokenizerError, ConfigError, CheckpointError: as these say.
    """
    if name is not None:
        require_valid_name(name)
    if resume:
        yield from _resume(corpus_specs, config, name)
        return
    if name is not None:
        require_free(model_folder(name), overwrite)
    data = yield from read_words(corpus_specs, config)
    yield from (Message(text=text, warning=True) for text in data.warnings)
    folder = model_folder(name or free_name(data.name, overwrite))
    with FolderLock(folder):
        if overwrite:
            clear_resume(folder)
        yield from _Run(folder, data, config, list(corpus_specs)).train()


def _resume(
    specs: Sequence[str], config: VectorsTrainConfig, name: str | None
) -> Iterator[TrainEvent]:
    folder = folder_to_resume(name, KIND, "word vectors")
    with FolderLock(folder):
        found = state_to_resume(folder, KIND, "word vectors")
        if found.warning:
            yield Message(text=found.warning, warning=True)
        old = from_json(VectorsTrainConfig, found.state["config"], where=f"{folder}/resume")
        merged = settings_to_resume(old, config, _MAY_CHANGE, "new vectors")
        corpus = list(specs or found.state["corpus"])
        data = yield from read_words(corpus, merged)
        if data.sha256 != found.state["sha256"]:
            raise CheckpointError(
                f"the corpus has changed since {folder} was begun (its checksum differs); bring "
                "the old text back, or train new vectors with --name"
            )
        yield from _Run(folder, data, merged, corpus, found).train()


def usable_threads(wanted: int | None) -> int:
    """Return how many threads to train with: those asked for, else one a processor we may use."""
    if wanted is not None:
        return wanted
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class _Run:
    """One training, new or continued, in a folder whose lock is held."""

    def __init__(
        self,
        folder: Path,
        data: WordData,
        config: VectorsTrainConfig,
        corpus: list[str],
        found: ResumeState | None = None,
    ) -> None:
        self.folder, self.data, self.config, self.corpus = folder, data, config, corpus
        self._lasting = lasting(corpus)
        self._found = found
        self._device = choose_device(config)
        self._seconds = float(found.state["seconds"]) if found else 0.0
        self._words = int(found.state["words"]) if found else 0

    def train(self) -> Iterator[TrainEvent]:
        """Train, save, and tell the result."""
        words, counts = self.data.words, self.data.stream.counts
        yield Message(
            text=f"{self.folder.name}: {len(words):,} words, {int(counts.sum()):,} of them in the "
            f"text, from {self.data.description}"
        )
        yield from self._learn()

    def _learn(self) -> Iterator[TrainEvent]:
        config = self.config
        trainer = yield from build_trainer(self.data, config, self._device)
        if self._found is not None:
            self._restore(trainer, self._found)
            yield Message(text=f"going on from epoch {trainer.done / trainer.pieces:.2f}")
        threads = usable_threads(config.threads)
        yield Message(text="preparing the kernels (the first time compiles them, some seconds)")
        trainer.prepare()
        steps = None if self._found is None else trainer.done
        with Interrupts() as interrupts, MetricsLog(self.folder, resume_step=steps) as log:
            yield from self._steps(trainer, threads, interrupts, log)
            finished = trainer.done >= trainer.total
            added = config.sum_contexts or config.method == "glove"  # as GloVe's authors do
            matrix = trainer.word_vectors(add_contexts=added)
            self._require_finite(matrix)
            if not finished:
                self._save_state(trainer)
            self._save(matrix, trainer, finished=finished)
            if finished:
                clear_resume(self.folder)
            yield Saved(step=trainer.done, folder=str(self.folder))
            yield self._result(trainer, "" if finished else interrupts.signal)

    def _restore(self, trainer: AnyTrainer, found: ResumeState) -> None:
        try:
            trainer.restore(found.tensors)
        except (ValueError, KeyError, IndexError) as error:
            raise CheckpointError(
                f"{self.folder}/resume does not fit its own settings ({error}); "
                "train new vectors with --name"
            ) from error

    def _steps(
        self, trainer: AnyTrainer, threads: int, interrupts: Interrupts, log: MetricsLog
    ) -> Iterator[TrainEvent]:
        """Train until the end or a signal, saving now and then."""
        clock = _Clock(trainer.done)
        while trainer.done < trainer.total and not interrupts.signal:
            due = time.monotonic() + SAVE_SECONDS
            for progress in trainer.run(threads):
                self._words += progress.words
                step = clock.step(progress, progress.pieces / trainer.pieces)
                yield step
                if clock.is_told() or progress.pieces == progress.total:
                    log.append({"kind": "step", **dataclasses.asdict(step)})
                if interrupts.signal or time.monotonic() >= due:
                    trainer.stop()
            self._seconds += clock.passed()
            if trainer.done < trainer.total and not interrupts.signal:
                self._save_state(trainer)

    def _require_finite(self, matrix: npt.NDArray[Any]) -> None:
        if not np.isfinite(matrix.min()) or not np.isfinite(matrix.max()):
            raise TaskError(
                "the vectors grew beyond all numbers; try a smaller --learning-rate (what was "
                f"saved of {self.folder} before is intact)"
            )

    def _save_state(self, trainer: AnyTrainer) -> None:
        self._require_finite(trainer.word_vectors())
        state = {
            "kind": KIND,
            "config": to_json(self.config),
            "corpus": self._lasting,
            "sha256": self.data.sha256,
            "seconds": self._seconds,
            "words": self._words,
        }
        save_resume(self.folder, trainer.done, trainer.state(), state)

    def _save(self, matrix: npt.NDArray[Any], trainer: AnyTrainer, *, finished: bool) -> None:
        form = VectorsConfig(
            words=len(self.data.words),
            dim=self.config.dim,
            method=self.config.method,
            lowercase=self.data.tokenizer_config.get("lowercase") is True,
        )
        losses = trainer.epoch_loss()
        training = {
            "config": to_json(self.config),
            "corpus": self.corpus,
            "corpus_sha256": self.data.sha256,
            "description": self.data.description,
            "parameters": int(matrix.size),
            "steps": trainer.done,
            "epochs": trainer.done / trainer.pieces,
            "duration_seconds": self._seconds,
            "words": self._words,
            "epoch_losses": losses,
            "finished": finished,
            "valid": None,
        }
        save_vectors(
            self.folder,
            form,
            self.data.words,
            matrix,
            self.data.stream.counts,
            tokenizer_config=self.data.tokenizer_config,
            training=training,
            card=_card(self.folder.name, form, self.data, training),
        )

    def _result(self, trainer: AnyTrainer, signal: str) -> TrainResult:
        return TrainResult(
            name=self.folder.name,
            kind=KIND,
            folder=str(self.folder),
            parameters=len(self.data.words) * self.config.dim,
            steps=trainer.done,
            epochs=trainer.done / trainer.pieces,
            duration_seconds=self._seconds,
            tokens_per_second=self._words / max(1e-9, self._seconds),
            device=self._device,
            valid=None,
            test=None,
            interrupted=bool(signal),
            signal=signal,
        )


class _Clock:
    """How fast training goes: over the time since it was begun or taken up."""

    def __init__(self, done: int) -> None:
        self._begun = self._since = time.monotonic()
        self._told = self._begun
        self._first = done
        self._words = 0
        self._loss = float("nan")

    def step(self, progress: Progress, epoch: float) -> VectorStep:
        """Return what is known after a piece; the loss smoothed over some."""
        elapsed = time.monotonic() - self._begun
        self._words += progress.words
        if progress.loss == progress.loss:
            before = progress.loss if self._loss != self._loss else self._loss
            self._loss = before + 0.1 * (progress.loss - before)
        left = (progress.total - progress.pieces) / max(1, progress.pieces - self._first)
        return VectorStep(
            step=progress.pieces,
            epoch=epoch,
            loss=self._loss,
            learning_rate=progress.learning_rate,
            words_per_second=self._words / max(1e-9, elapsed),
            elapsed_seconds=elapsed,
            progress=progress.pieces / progress.total,
            remaining_seconds=elapsed * left,
        )

    def is_told(self) -> bool:
        """Return whether a line of the log is due."""
        now = time.monotonic()
        if now - self._told < _TOLD_SECONDS:
            return False
        self._told = now
        return True

    def passed(self) -> float:
        """Return the seconds since this was asked last."""
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        return seconds


def _card(name: str, form: VectorsConfig, data: WordData, training: dict[str, Any]) -> str:
    losses = training["epoch_losses"]
    lines = [
        f"# {name}",
        "",
        f"Word vectors ({describe(form)}), made with charlm.",
        "",
        f"- text: {safe_text(data.description)}, {int(data.stream.counts.sum()):,} words",
        f"- training: {training['epochs']:.3g} epochs, {training['duration_seconds']:.0f} s",
        *([f"- loss: {losses[-1]:.4f} nats a pair in the last epoch"] if losses else []),
        *("", "```console", f"$ charlm neighbors -m {name} WORD", "```", ""),
    ]
    return "\n".join(lines)
