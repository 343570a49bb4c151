"""One training of a tagger, new or continued, in a folder whose lock is held."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from charlm.base.config import to_json
from charlm.base.durations import parse_duration
from charlm.base.errors import CheckpointError
from charlm.engine.blas import cpu_count
from charlm.models.layers import rows_can
from charlm.models.runtime import DTYPES, use_threads
from charlm.models.tagger import TagDropouts
from charlm.models.tagger import Tagger as Module
from charlm.store.checkpoint import MetricsLog, ResumeState, keep_newest, save_resume
from charlm.store.resume import require_array
from charlm.tagging.config import TaggerConfig, describe
from charlm.tagging.folder import KIND, save_tagger
from charlm.tagging.measuring import TagFigures, measure
from charlm.tagging.tagger import Tagger, word_rows
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_card import safe_text
from charlm.tasks.train_continue import nothing_done, require_same_words, words_checksum
from charlm.tasks.train_events import Message, Saved, TrainEvent, TrainResult, VectorStep
from charlm.tasks.train_folder import lasting
from charlm.tasks.train_tagger_config import DEFAULT_EPOCHS, TaggerTrainConfig
from charlm.tasks.train_tagger_data import Annotated, settle_form
from charlm.tasks.train_tagger_vectors import open_given
from charlm.training.clock import Clock, Rate
from charlm.training.tagging import LONGEST, TagData, TagSettings, TagTrainer, TagUpdate, steps_of

SAVE_SECONDS = 30.0
LEAST_STEPS, MOST_EPOCHS = 600, 200  # of few sentences, where nothing was said
LOOKS = 20  # of the valid file, at most, in a run
WARM_UP, AVERAGE = 0.05, 0.998
Arrays = dict[str, npt.NDArray[np.float32]]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TaggerResult(TrainResult):
    """The end of a run, with its figures on the valid and the test file."""

    valid_figures: TagFigures | None
    test_figures: TagFigures | None


class Run:
    """A training from the form to the saved tagger."""

    def __init__(
        self,
        folder: Path,
        data: Annotated,
        valid: Annotated | None,
        test: Annotated | None,
        config: TaggerTrainConfig,
        corpus: list[str],
        found: ResumeState | None = None,
    ) -> None:
        self.folder, self.config, self.corpus = folder, config, corpus
        self._lasting = lasting(corpus)
        self.data, self.valid, self.test = data, valid, test
        self.vectors = open_given(config)
        self.form, self.words, self.parts = settle_form(data, config, self.vectors)
        self._found = found
        self._begun, self._words, self._looked = 0.0, 0, 0.0
        self._best: tuple[float, Arrays] | None = None
        self._ends = False

    def train(self) -> Iterator[TrainEvent]:
        """Train, look, save, and tell the result."""
        use_threads(1)  # products are small: a second thread of PyTorch is only waited for
        ids = TagData(self.data.sentences, self.form, self.words, self.parts)
        yield from self._introduce(ids)
        self.trainer = self._build(ids)
        if self._found is not None:
            self._restore(self._found)
            yield Message(text=f"going on from step {self.trainer.step:,}")
        steps = None if self._found is None else self.trainer.step
        self._limits(ids)
        with Interrupts() as interrupts, MetricsLog(self.folder, resume_step=steps) as log:
            self.clock, self.rate = Clock(self._begun), Rate()
            yield from self._steps(interrupts, log)
            if interrupts.signal and self._progress() < 1.0:
                self._save_state()
                self._save(self._arrays(), None)
                yield Saved(step=self.trainer.step, folder=str(self.folder))
                yield self._result(None, None, interrupts.signal)
                return
            if steps == self.trainer.step:
                yield nothing_done(steps, self.config)
            yield from self._finish(log)

    def _introduce(self, ids: TagData) -> Iterator[TrainEvent]:
        parameters = self.form.count_parameters()
        yield Message(
            text=f"{self.folder.name}: {describe(self.form)}, {parameters:,} parameters; "
            f"{len(self.data.sentences):,} sentences, {self.data.words:,} words, "
            f"{self.form.words:,} of them different, from {self.data.description}"
        )
        if self.vectors is not None:
            found = sum(map(self.vectors.has, self.words[: self.form.words]))
            yield Message(
                text=f"{self.vectors.name} has vectors for {found:,} of these words; "
                f"{self.form.known:,} words have vectors in all"
            )
        if ids.cut:
            yield Message(
                text=f"{ids.cut:,} sentences of more than {LONGEST} words are trained on in parts",
                warning=True,
            )

    def _build(self, ids: TagData) -> TagTrainer:
        config = self.config
        models = [
            Module(
                self.form,
                TagDropouts(input=config.dropout, layer=config.dropout),
                dtype=DTYPES[_precision(config, self.form)],
            )
            for _ in range(self.form.members)
        ]
        settings = TagSettings(
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            warm_up=WARM_UP,
            label_smoothing=config.label_smoothing,
            word_dropout=config.word_dropout,
            average=AVERAGE,
            max_grad_norm=config.max_grad_norm,
            seed=config.seed,
            freeze=config.freeze_vectors,
        )
        threads = config.threads or cpu_count()
        layers = {} if self.vectors is None else self.vectors.layers()
        return TagTrainer(models, ids, settings, threads, self._table(), layers)

    def _table(self) -> npt.NDArray[np.float32] | None:
        """Return the rows of known words that given vectors fill."""
        if self.vectors is None:
            return None
        rows = word_rows(self.form, self.words)
        return self.vectors.table(list(rows))[0]

    def _restore(self, found: ResumeState) -> None:
        state, tensors = found.state, found.tensors
        checksum = words_checksum(self.words, self.parts)
        require_same_words(self.folder, state.get("words_sha256"), checksum, "a new tagger")
        try:
            self._begun, self._words = float(state["seconds"]), int(state["words_read"])
            self._looked, best = float(state["looked"]), state["best"]
            if state["config"]["valid"] != self.config.valid:  # figures of other sentences
                self._looked, best = 0.0, None
            self.trainer.restore(tensors)
            if best is not None:
                shapes = self.form.tensor_shapes()
                arrays = {n: require_array(tensors, f"best.{n}", shapes[n]) for n in shapes}
                self._best = float(best), arrays
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{self.folder}/resume does not fit its own settings ({str(error)[:200]}); train a "
                "new tagger with --name"
            ) from error

    def _limits(self, ids: TagData) -> None:
        config = self.config
        self._seconds = None if config.max_time is None else parse_duration(config.max_time)
        epochs = config.epochs
        if epochs is None and self._seconds is None:
            once = steps_of(ids, config.batch_size, config.seed, 1)
            epochs = max(DEFAULT_EPOCHS, min(MOST_EPOCHS, -(-LEAST_STEPS // once)))
        self._total = None
        if epochs is not None:
            self._total = steps_of(ids, config.batch_size, config.seed, epochs)

    def _progress(self) -> float:
        shares = [0.0]
        if self._seconds is not None:
            shares.append(self.clock.elapsed() / self._seconds)
        if self._total is not None:
            shares.append(self.trainer.step / self._total)
        return max(shares)

    def _steps(self, interrupts: Interrupts, log: MetricsLog) -> Iterator[TrainEvent]:
        loss, saved = float("nan"), time.monotonic()
        for update in self.trainer.updates(self._progress):
            self._words += update.words
            loss = update.loss if loss != loss else loss + 0.02 * (update.loss - loss)
            if update.step % 10 == 0:
                yield self._record(update, loss, log)
            share = self._progress()
            if self.valid is not None and share - self._looked >= 1.0 / LOOKS and share < 1.0:
                self._looked = share
                yield from self._look(update.step, log)
            if interrupts.signal:
                return
            if time.monotonic() - saved >= SAVE_SECONDS:
                self._save(self._arrays(), None)
                self._save_state()
                saved = time.monotonic()

    def _record(self, update: TagUpdate, loss: float, log: MetricsLog) -> VectorStep:
        elapsed, share = self.clock.elapsed(), self._progress()
        step = VectorStep(
            step=update.step,
            epoch=update.epoch,
            loss=loss,
            learning_rate=update.learning_rate,
            words_per_second=self.rate.add(elapsed, self._words),
            elapsed_seconds=elapsed,
            progress=min(1.0, share),
            remaining_seconds=max(0.0, elapsed * (1.0 - share) / share) if share else 0.0,
        )
        log.append({"kind": "step", **dataclasses.asdict(step)})
        return step

    def _look(self, step: int, log: MetricsLog) -> Iterator[TrainEvent]:
        """Measure the averaged weights on the valid file; keep them if none were better."""
        if self.valid is None:
            return
        arrays = self.trainer.arrays()
        found = measure(Tagger(self.form, self.words, self.parts, arrays), self.valid.sentences)
        is_best = self._best is None or found.accuracy >= self._best[0]
        if is_best:
            self._best = found.accuracy, arrays
        log.append({"kind": "valid", "step": step, "accuracy": found.accuracy})
        mark = "  ★ best" if is_best else ""
        yield Message(text=f"step {step:,}  valid accuracy {found.accuracy:.2%}{mark}")

    def _finish(self, log: MetricsLog) -> Iterator[TrainEvent]:
        yield from self._look(self.trainer.step, log)
        arrays = self._arrays()
        tagger = Tagger(self.form, self.words, self.parts, arrays)
        valid, test = (
            None if held is None else measure(tagger, held.sentences)
            for held in (self.valid, self.test)
        )
        self._ends = True
        self._save_state()
        self._save(arrays, valid, test)
        keep_newest(self.folder)
        yield Saved(step=self.trainer.step, folder=str(self.folder))
        yield self._result(valid, test, "")

    def _arrays(self) -> Arrays:
        return self.trainer.arrays() if self._best is None else self._best[1]

    def _save_state(self) -> None:
        state = {
            "kind": KIND,
            "config": to_json(self.config),
            "corpus": self._lasting,
            "sha256": self.data.sha256,
            "words_sha256": words_checksum(self.words, self.parts),
            "seconds": self.clock.elapsed(),
            "words_read": self._words,
            "looked": self._looked,
            "best": None if self._best is None else self._best[0],
        }
        arrays = self.trainer.state()
        if self._best is not None:
            arrays |= {f"best.{name}": value for name, value in self._best[1].items()}
        save_resume(self.folder, self.trainer.step, arrays, state)

    def _save(
        self, arrays: Arrays, valid: TagFigures | None, test: TagFigures | None = None
    ) -> None:
        training = {
            "config": to_json(self.config),
            "corpus": self.corpus,
            "corpus_sha256": self.data.sha256,
            "description": self.data.description,
            "parameters": self.form.count_parameters(),
            "steps": self.trainer.step,
            "epochs": self._epochs(),
            "duration_seconds": self.clock.elapsed(),
            "words": self.data.words,
            "finished": self._ends,
            "valid": None if valid is None else short_figures(valid),
            "test": None if test is None else short_figures(test),
        }
        card = _card(self.folder.name, self.form, training)
        save_tagger(
            self.folder, self.form, self.words, self.parts, arrays, training=training, card=card
        )

    def _epochs(self) -> float:
        return self._words / max(1, self.data.words)

    def _result(
        self, valid: TagFigures | None, test: TagFigures | None, signal: str
    ) -> TaggerResult:
        seconds = self.clock.elapsed()
        return TaggerResult(
            name=self.folder.name,
            kind=KIND,
            folder=str(self.folder),
            parameters=self.form.count_parameters(),
            steps=self.trainer.step,
            epochs=self._epochs(),
            duration_seconds=seconds,
            tokens_per_second=self._words / max(1e-9, seconds),
            device="cpu",
            valid=None,
            test=None,
            interrupted=bool(signal),
            signal=signal,
            valid_figures=valid,
            test_figures=test,
        )


def short_figures(figures: TagFigures) -> dict[str, Any]:
    """Return the figures of a file in one flat object."""
    found: dict[str, Any] = {
        name: getattr(figures, name)
        for name in ("accuracy", "known_accuracy", "unknown_accuracy", "words", "sentences")
    }
    if figures.spans:
        found["span_f1"] = figures.spans[0].f1
    return found


def _precision(config: TaggerTrainConfig, form: TaggerConfig) -> str:
    """Return the type of products; the short one where rows can run in it, which is faster."""
    if config.precision != "auto":
        return config.precision
    weight = torch.empty(1, form.hidden_size, dtype=torch.bfloat16)
    return "bfloat16" if rows_can(form.cell, weight) else "float32"


def _card(name: str, form: TaggerConfig, training: dict[str, Any]) -> str:
    lines = [
        f"# {name}",
        "",
        f"A tagger ({describe(form)}), trained with charlm.",
        "",
        f"- text: {safe_text(training['description'])}, {training['words']:,} words",
        f"- training: {training['epochs']:.3g} epochs, {training['duration_seconds']:.0f} s",
    ]
    for part in ("valid", "test"):
        held = training[part]
        if held is not None:
            lines.append(f"- {part}: accuracy {held['accuracy']:.2%} of {held['words']:,} words")
    return "\n".join([*lines, "", "```console", f'$ charlm tag -m {name} "…"', "```", ""])
