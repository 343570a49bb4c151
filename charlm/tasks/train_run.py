"""One training run: planned, prepared or restored, carried out, evaluated, saved."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from charlm.base.durations import parse_duration
from charlm.base.errors import CheckpointError
from charlm.models.memory import let_go
from charlm.store.checkpoint import MetricsLog, keep_newest
from charlm.store.files import require_writable
from charlm.store.lock import FolderLock
from charlm.tasks.interrupt import Interruption, Interrupts
from charlm.tasks.train_build import (
    Built,
    Form,
    build_again,
    build_as,
    build_new,
    planned,
    token_limit,
)
from charlm.tasks.train_data import Part, TrainData
from charlm.tasks.train_events import (
    Evaluated,
    HeldOut,
    Message,
    Planned,
    Sampled,
    Saved,
    StepRecord,
    TrainEvent,
    TrainResult,
)
from charlm.tasks.train_group import lead, status_of
from charlm.tasks.train_kept import Kept, Marks
from charlm.tasks.train_lm_vectors import KEPT, Table, table_of
from charlm.tasks.train_memory import memory_errors
from charlm.tasks.train_save import Saver
from charlm.tasks.train_state import RunState
from charlm.tasks.train_watch import (
    LOOK_TOKENS,
    Looks,
    LossWindow,
    bits_per_char,
    draw_sample,
    score_exactly,
)
from charlm.training.clock import Clock, Rate
from charlm.training.config import TrainConfig
from charlm.training.evaluate import Validation
from charlm.training.group import Group
from charlm.training.loop import train_steps
from charlm.training.presets import budget_of
from charlm.training.resume import Arrays, unpack, weights_of
from charlm.training.trainer import TrainingDivergedError, Update

# A record every so many tokens or steps: counted, so that two runs log the same steps.
LOG_TOKENS, MOST_STEPS = 16_384, 10
# On a GPU so many times as rarely: there these are milliseconds, and losses are read as often.
RARER = 16


class Run:
    """A training from the plan to the saved model; the methods are called in the order below."""

    built: Built
    clock: Clock
    metrics: MetricsLog
    kept: Kept

    def __init__(
        self,
        folder: Path,
        data: TrainData,
        config: TrainConfig,
        corpus_specs: list[str],
        lock: FolderLock | None = None,
        *,
        direction: str = "",
        given: Table | None = None,
    ) -> None:
        """Hold what is given.

        Args:
            folder: of the model.
            data: its text.
            config: what the user said.
            corpus_specs: where the text is from, as the user said it.
            lock: of the folder, held; None where nothing is saved.
            direction: which of a pair this is, if it is one's.
            given: vectors by token that the embedding begins with; zeros for none.
        """
        self.folder, self.data, self.config, self.corpus_specs = folder, data, config, corpus_specs
        self.lock = lock
        self.direction = direction or ("forward" if config.bidirectional else "")
        self.name = (folder.parent if self.direction == "backward" else folder).name
        self.seconds = budget_of(config).seconds
        self.given = given
        self.window, self.rate = LossWindow(), Rate()
        self.log_every = 1
        self.looks = Looks(config.eval_every)
        self._next_sample = 0.0
        self._looked = -1

    def plan(self, saved: RunState | None = None) -> Planned:
        """Settle everything: sizes, rates, arithmetic; measure this machine unless resumed."""
        if saved is None:
            self.built = build_new(self.data, self.config, self.given)
        else:
            self.built = build_again(self.data, self.config, saved)
        return self._planned()

    def plan_as(self, form: Form) -> Planned:
        """Settle everything as another run did, of the same model on other ids."""
        settled = form.plan, form.arithmetic, form.threads
        self.built = build_as(self.data, self.config, *settled, self.given)
        return self._planned()

    def form(self) -> Form:
        """Return what `plan` settled."""
        return Form(self.built.plan.to_values(), self.built.arithmetic, self.built.threads)

    def let_go(self) -> None:
        """Free the memory of a run that has ended; only what it was told is left to ask for."""
        device = self.built.device
        # Each refers to the other, and the queue to a recording and what it keeps.
        self.trainer.queue, self.trainer.state = None, []
        del self.built, self.trainer, self.model, self.kept
        let_go(device)

    def _planned(self) -> Planned:
        self.trainer, self.model = self.built.trainer, self.built.trainer.model
        form, storage = self.built.plan.model, self.config.storage
        saver = Saver(self.folder, self.lock, form, self.data.tokenizer, storage, self.name)
        self.kept = Kept(
            saver, self.built, self.data, self.config, self.corpus_specs, self.direction
        )
        self._keep_given()
        return planned(self.name, self.data, self.config, self.built)

    def _keep_given(self) -> None:
        """Keep given vectors, here and in every state, where the other half is to have them too."""
        if self.direction != "forward":
            self.given = None
        elif self.given is not None:
            self.kept.carried = {KEPT: self.given}

    def prepare(self, *, replaces: bool) -> None:
        """Begin anew.

        A first version is on disk before the first step, so that a full disk is told at once;
        but a model that is to be replaced stays until there is a trained one to replace it.
        """
        self.clock = Clock(0.0)
        self.log_every = log_interval(self.trainer.tokens_per_step, self.built.device.type)
        self.kept.note("begun")
        if replaces:
            require_writable(self.folder)
            self.kept.saver.clear_first()
        else:
            self.kept.save(self._marks(), None)
        self.metrics = MetricsLog(self.folder)

    def restore(self, arrays: Arrays, saved: RunState, changed: dict[str, Any]) -> None:
        """Go on from a saved state; `changed` settings join the history."""
        unpack(self.trainer, arrays, saved.trainer)
        if self.direction == "forward" and self.config.vectors is not None:
            form = self.built.plan.model
            self.given = table_of(arrays, form.vocab_size, form.embedding_dim)
            self._keep_given()
        self.clock = Clock(saved.elapsed)
        self.log_every = saved.log_every
        self.window = LossWindow(*saved.window)
        if saved.best is not None:
            self.kept.best = (*saved.best, weights_of(self.model, arrays, "best."))
        self._looked = saved.looked
        self.looks.restore(saved.looks, self._progress())
        self.kept.history = list(saved.history)
        self.kept.note("resumed", changed)
        self.metrics = MetricsLog(self.folder, resume_step=self.trainer.step)

    def share(self, group: Group) -> None:
        """Have other processes do their part from here on."""
        lead(group, self.built, self.data, self.config, self.corpus_specs)

    def train(self) -> Iterator[TrainEvent]:
        """Train to the end of the budget or to an interruption, then evaluate and save."""
        self.validation = self._validation()
        self.rate.add(self.clock.elapsed(), self.trainer.step)
        self.trainer.read_every = self.log_every
        hastily = False
        try:
            with Interrupts() as interrupts, self._memory_errors():
                try:
                    yield from self._steps(interrupts)
                except TrainingDivergedError:
                    self.kept.save(self._marks(), self.metrics)
                    raise
                if signal := self._signal(interrupts):
                    yield from self._stop(signal)
                else:
                    yield from self._finish(interrupts)
        except KeyboardInterrupt:
            hastily = True
            raise
        finally:
            self.kept.saver.abandon(hastily=hastily)
            self.metrics.close()

    def _signal(self, interrupts: Interrupts) -> str:
        """Return the signal that asks to stop; another process of the training may have got it."""
        group = self.trainer.group
        elsewhere = "SIGTERM" if group is not None and group.signalled else ""
        return interrupts.signal or elsewhere

    def _dismiss(self, signal: str) -> None:
        """Let other processes go: what is left is for the first one."""
        if self.trainer.group is not None:
            self.trainer.group.end(status_of(signal))

    def _memory_errors(self) -> contextlib.AbstractContextManager[None]:
        return memory_errors(self.built.plan, self.trainer, self._kept)

    def _kept(self) -> str:
        """Return in words what is safe on disk."""
        return f"what was saved in {self.folder} is intact"

    def _steps(self, interrupts: Interrupts) -> Iterator[TrainEvent]:
        saves = parse_duration(self.config.save_every)
        next_save = self.clock.elapsed() + saves
        for update in train_steps(self.trainer, self._progress):
            yield from self._after(update)
            step = self.kept.saver.finished()
            if step is not None:
                yield Saved(step=step, folder=str(self.folder))
            if self.clock.elapsed() >= next_save and not self.kept.saver.busy:
                yield from self._catch_up()
                self.kept.start(self._marks(), self.metrics)
                next_save = self.clock.elapsed() + saves
                yield from self._notice_changes()
            if self._signal(interrupts):
                yield from self._catch_up()
                return

    def _catch_up(self) -> Iterator[TrainEvent]:
        """Record the updates of a GPU that were not told yet: what is saved next stands on them."""
        for update in self.trainer.settle():
            yield from self._count(update)

    def _progress(self) -> float:
        shares = [0.0]
        if self.seconds is not None:
            shares.append(self.clock.elapsed() / self.seconds)
        tokens = token_limit(self.config, self.built, len(self.data.train.ids))
        if tokens is not None:
            shares.append(self.trainer.step * self.trainer.tokens_per_step / tokens)
        return max(shares)

    def is_over(self) -> bool:
        """Return whether there is nothing left to train."""
        return self._progress() >= 1.0

    def _after(self, update: Update) -> Iterator[TrainEvent]:
        yield from self._count(update)
        elapsed = self.clock.elapsed()
        if self.validation is not None and self.looks.due(self._progress(), elapsed):
            yield from self._catch_up()
            started = self.looks.start()
            yield from self._look(self.validation)
            self.looks.stop(started)
        if self.config.sample_every is not None and elapsed >= self._next_sample:
            self._next_sample = elapsed + parse_duration(self.config.sample_every)
            text = draw_sample(
                self.built.plan.model, self.kept.arrays(), self.data.tokenizer, update.step
            )
            yield Sampled(step=update.step, text=text)

    def _count(self, update: Update) -> Iterator[TrainEvent]:
        self.window.add(update.loss, update.steps)
        if update.step % self.log_every == 0:
            yield from self._record(update)

    def _record(self, update: Update) -> Iterator[TrainEvent]:
        loss = self.window.take()
        elapsed, share = self.clock.elapsed(), self._progress()
        record = StepRecord(
            step=update.step,
            epoch=update.step * self.trainer.tokens_per_step / len(self.data.train.ids),
            loss=loss,
            bits_per_char=bits_per_char(loss, self.data.train),
            learning_rate=update.learning_rate,
            grad_norm=update.grad_norm,
            tokens_per_second=self.rate.add(elapsed, update.step) * self.trainer.tokens_per_step,
            elapsed_seconds=elapsed,
            progress=min(1.0, share),
            remaining_seconds=max(0.0, elapsed * (1.0 - share) / share) if share > 0 else math.inf,
        )
        kept = dataclasses.asdict(record)
        del kept["progress"], kept["remaining_seconds"]
        yield from self._log({"kind": "step", **kept})
        yield record

    def _log(self, record: dict[str, Any]) -> Iterator[TrainEvent]:
        """Append a record to the log; tell once if the disk refuses, and go on."""
        warning = self.metrics.append(record)
        if warning is not None:
            yield Message(text=warning, warning=True)

    def _validation(self) -> Validation | None:
        if self.data.valid is None or len(self.data.valid.ids) < 2:
            return None
        return Validation(self.data.valid.ids, self.built.plan.model.bos_id, LOOK_TOKENS)

    def _look(self, validation: Validation) -> Iterator[TrainEvent]:
        """Look at the validation text; keep these weights if none were better."""
        self._looked = self.trainer.step
        averages = self.trainer.averages
        if averages is not None:
            averages.swap()
        try:
            loss = validation.nats_per_token(self.model)
            best = self.kept.look(loss)
        finally:
            if averages is not None:
                averages.swap()
        seen = Evaluated(
            step=self.trainer.step,
            nats_per_token=loss,
            perplexity=math.exp(min(loss, 700.0)),
            bits_per_char=bits_per_char(loss, self.data.valid or self.data.train),
            best=best,
        )
        kept = dataclasses.asdict(seen) | {"elapsed_seconds": self.clock.elapsed()}
        del kept["best"]
        yield from self._log({"kind": "valid", **kept})
        yield seen
        yield from self._notice_changes()

    def _notice_changes(self) -> Iterator[TrainEvent]:
        for text in self.data.news():
            yield Message(text=text, warning=True)

    def _stop(self, signal: str, *, saved: bool = False) -> Iterator[TrainEvent]:
        """Save after an interruption; exact figures come when the run is finished."""
        if not saved:
            self.kept.note(f"stopped by {signal}")
            self.kept.save(self._marks(), self.metrics)
        self._dismiss(signal)
        yield Saved(step=self.trainer.step, folder=str(self.folder))
        yield self._result(self.clock.elapsed(), None, None, signal)

    def _finish(self, interrupts: Interrupts) -> Iterator[TrainEvent]:
        """Save, score the held-out texts exactly, and save the model with these figures."""
        seconds = self.clock.elapsed()
        if self.validation is not None and self._looked != self.trainer.step:
            yield from self._look(self.validation)
        self.kept.note("finished")
        self.kept.save(
            self._marks(), self.metrics
        )  # scoring may take long, and the training should be safe meanwhile
        self._dismiss("")
        if self.data.valid or self.data.test:
            yield Message(text="scoring the held-out text exactly")
        _, weights = self.kept.best_weights()
        try:
            with interrupts.at_once():
                valid, test = (self._exact(weights, p) for p in (self.data.valid, self.data.test))
        except Interruption:
            yield from self._stop(interrupts.signal, saved=True)
            return
        figures = {"valid": _plain(valid), "test": _plain(test)}
        self.kept.end(figures, self._marks(), self.metrics)
        keep_newest(self.folder)
        yield Saved(step=self.trainer.step, folder=str(self.folder))
        yield self._result(seconds, valid, test, "")

    def _exact(self, weights: Arrays, part: Part | None) -> HeldOut | None:
        if part is None or len(part.ids) == 0:
            return None
        return score_exactly(self.built.plan.model, weights, part, self.built.device.type)

    def _result(
        self, seconds: float, valid: HeldOut | None, test: HeldOut | None, signal: str
    ) -> TrainResult:
        tokens = self.trainer.step * self.trainer.tokens_per_step
        return TrainResult(
            name=self.name,
            kind="lm",
            folder=str(self.folder),
            parameters=self.built.plan.model.count_parameters(),
            steps=self.trainer.step,
            epochs=tokens / len(self.data.train.ids),
            duration_seconds=seconds,
            tokens_per_second=tokens / max(1e-9, seconds),
            device=self.built.device.type,
            valid=valid,
            test=test,
            interrupted=bool(signal),
            signal=signal,
        )

    def finished_result(self, report: dict[str, Any]) -> TrainResult:
        """Return the result of a run that was restored and has nothing left to train.

        Raises:
            CheckpointError: if its `training.json` holds no figures.
        """
        try:
            valid, test = (report[p] and HeldOut(**report[p]) for p in ("valid", "test"))
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{self.folder}/training.json holds no figures") from error
        return self._result(self.clock.elapsed(), valid, test, "")

    def _marks(self) -> Marks:
        return Marks(
            elapsed=self.clock.elapsed(),
            log_every=self.log_every,
            window=(self.window.total, self.window.count),
            looked=self._looked,
            looks=self.looks.state(),
        )


def log_interval(tokens_per_step: int, device: str) -> int:
    """Return how many updates there are between two records."""
    times = RARER if device == "cuda" else 1
    return min(times * MOST_STEPS, max(1, times * LOG_TOKENS // tokens_per_step))


def _plain(held: HeldOut | None) -> dict[str, Any] | None:
    return dataclasses.asdict(held) if held else None
