"""One training run: planned, prepared or restored, carried out, evaluated, saved."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charlm.base.config import to_json
from charlm.base.durations import parse_duration
from charlm.engine.config import describe
from charlm.metrics.likelihood import Likelihood
from charlm.models.language_model import LanguageModel
from charlm.models.runtime import Arithmetic, choose_arithmetic, choose_device, use_threads
from charlm.store.checkpoint import MetricsLog, clear_resume, save_model, save_resume
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_card import model_card
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
from charlm.training.batches import Streams
from charlm.training.clock import Clock
from charlm.training.config import TrainConfig
from charlm.training.evaluate import Validation
from charlm.training.loop import Trainer, TrainingDivergedError, Update, train_steps
from charlm.training.optim import AveragedWeights, build_adamw
from charlm.training.presets import OPERATIONS, Budget, Plan, budget_of, plan_run, step_weights
from charlm.training.resume import Arrays, pack, unpack

# Shares of a run at which the validation text is looked at, and the most tokens of it.
LOOKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
LOOK_TOKENS = 32_768
# A record every so many tokens or steps: counted, so that two runs log the same steps.
LOG_TOKENS, MOST_STEPS = 16_384, 10
_LN2 = math.log(2.0)


class Run:
    """A training from the plan to the saved model; the methods are called in the order below."""

    def __init__(
        self, folder: Path, data: TrainData, config: TrainConfig, corpus_specs: list[str]
    ) -> None:
        self.folder, self.data, self.config, self.corpus_specs = folder, data, config, corpus_specs
        self.budget: Budget = budget_of(config)
        self.best: tuple[float, int, Arrays] | None = None
        self.window = _Window()
        self.log_every = 1
        self.tried: list[Arithmetic] = []

    def plan(self, resumed: dict[str, Any] | None = None, *, dry_run: bool = False) -> Planned:
        """Settle everything: sizes, rates, arithmetic; measure this machine unless resumed."""
        self.device = choose_device(self.config.device)
        self.threads = use_threads(self.config.threads)
        size = self.data.tokenizer.vocab_size
        if resumed is None:
            operations = self._operations_per_second()
            self.settled = plan_run(
                self.config,
                vocab_size=size,
                train_tokens=len(self.data.train.ids),
                chars_per_token=self.data.train.chars_per_token,
                operations_per_second=operations,
            )
        else:
            self.settled = Plan.from_values(resumed["plan"], self.config)
        self._build()
        if resumed is None:
            self.arithmetic = choose_arithmetic(
                self.model,
                self.config.precision,
                batch_size=self.settled.batch_size,
                bptt=self.settled.bptt,
                tried=self.tried,
            )
        else:
            self.arithmetic = Arithmetic(*resumed["arithmetic"])
        self.arithmetic.apply(self.model)
        return self._planned()

    def _operations_per_second(self) -> float:
        """Return how fast this machine trains, measured on a small model; 0 if it is not needed."""
        if self.config.hidden_size is not None or self.budget.seconds is None:
            return 0.0
        plan = plan_run(
            dataclasses.replace(self.config, hidden_size=384),
            vocab_size=min(self.data.tokenizer.vocab_size, 512),
            train_tokens=len(self.data.train.ids),
            chars_per_token=1.0,
            operations_per_second=0.0,
        )
        model = LanguageModel(plan.model).to(self.device)
        model.initialise(torch.Generator().manual_seed(0))
        found = choose_arithmetic(
            model, self.config.precision, batch_size=plan.batch_size, bptt=plan.bptt
        )
        return OPERATIONS * step_weights(plan.model) * (found.tokens_per_second or 0.0)

    def _build(self) -> None:
        self.model = LanguageModel(self.settled.model, self.settled.dropouts)
        self.model.initialise(
            torch.Generator().manual_seed(self.config.seed), self.config.forget_bias
        )
        self.model.to(self.device)
        self.trainer = Trainer(
            model=self.model,
            optimizer=build_adamw(
                self.model,
                learning_rate=self.settled.learning_rate,
                weight_decay=self.settled.weight_decay,
            ),
            streams=Streams(
                self.data.train.ids,
                self.data.ends_line(),
                bos_id=self.settled.model.bos_id,
                batch_size=self.settled.batch_size,
                bptt=self.settled.bptt,
                restart_probability=self.settled.restart_probability,
                rng=np.random.Generator(np.random.PCG64(self.config.seed)),
            ),
            generator=torch.Generator(self.device).manual_seed(self.config.seed),
            learning_rate=self.settled.learning_rate,
            max_grad_norm=self.settled.max_grad_norm,
            averages=(
                AveragedWeights(self.model.parameters(), self.settled.ema)
                if self.settled.ema
                else None
            ),
        )

    def _planned(self) -> Planned:
        tokens = len(self.data.train.ids)
        per_step = self.trainer.tokens_per_step
        weights = self.settled.model.count_parameters()
        speed = self.arithmetic.tokens_per_second
        width = self.settled.model.hidden_size * self.settled.model.num_layers * 14
        activations = per_step * (width + 2 * self.settled.model.vocab_size) * 2
        parts = [part for part in (self.data.train, self.data.valid, self.data.test) if part]
        held = self.data.valid
        unknown = sum(part.unknown for part in parts) / max(1, sum(len(p.ids) for p in parts))
        return Planned(
            name=self.folder.name,
            corpus=self.data.description,
            train_tokens=tokens,
            valid_tokens=len(held.ids) if held else 0,
            vocab_size=self.data.tokenizer.vocab_size,
            model=describe(self.settled.model),
            parameters=weights,
            device=self.device.type,
            precision=self.arithmetic.precision,
            threads=self.threads,
            batch_size=self.settled.batch_size,
            bptt=self.settled.bptt,
            steps_per_epoch=tokens / per_step,
            memory_bytes=int(16 * weights + 2 * activations + 4 * tokens),
            tokens_per_second=speed,
            duration_seconds=self._expected_seconds(speed),
            unknown_rate=unknown,
        )

    def _expected_seconds(self, speed: float | None) -> float | None:
        limits = [self.budget.seconds] if self.budget.seconds is not None else []
        tokens = self._token_limit()
        if tokens is not None and speed:
            limits.append(tokens / speed)
        return min(limits, default=None)

    def _token_limit(self) -> float | None:
        limits = []
        if self.budget.epochs is not None:
            limits.append(self.budget.epochs * len(self.data.train.ids))
        if self.budget.max_steps is not None:
            limits.append(float(self.budget.max_steps * self.trainer.tokens_per_step))
        return min(limits, default=None)

    def choice(self) -> str:
        """Return in words what was measured and chosen."""
        others = [
            f"{other} {other.tokens_per_second:,.0f}"
            for other in self.tried
            if other != self.arithmetic
        ]
        speed = self.arithmetic.tokens_per_second or 0.0
        beside = f" (measured beside it: {', '.join(others)})" if others else ""
        return f"computing in {self.arithmetic}: {speed:,.0f} tokens a second{beside}"

    def prepare(self) -> None:
        """Begin anew: a first version of the model is on disk before the first step."""
        self.clock = Clock(0.0)
        self.log_every = min(MOST_STEPS, max(1, LOG_TOKENS // self.trainer.tokens_per_step))
        self._save_model(self._arrays(), step=0, valid=None)
        self.metrics = MetricsLog(self.folder)
        self._save_resume()

    def restore(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """Go on from a saved state."""
        unpack(self.trainer, arrays, values["trainer"])
        self.clock = Clock(float(values["elapsed"]))
        self.log_every = int(values["log_every"])
        self.window = _Window(float(values["window"][0]), int(values["window"][1]))
        if values["best"] is not None:
            loss, step = values["best"]
            names = [name for name in arrays if name.startswith("best.")]
            best = {name.removeprefix("best."): arrays[name] for name in names}
            self.best = (float(loss), int(step), best)
        self.metrics = MetricsLog(self.folder, resume_step=self.trainer.step)

    def train(self) -> Iterator[TrainEvent]:
        """Train to the end of the budget or to an interruption, then evaluate and save."""
        self.validation = self._validation()
        self.begun = (time.monotonic(), self.trainer.step)
        saves = parse_duration(self.config.save_every)
        next_save = self.clock.elapsed() + saves
        with Interrupts() as interrupts:
            try:
                for update in train_steps(self.trainer, self._progress):
                    yield from self._after(update)
                    if self.clock.elapsed() >= next_save:
                        self._save_resume()
                        self._save_unfinished()
                        next_save = self.clock.elapsed() + saves
                        yield Saved(step=self.trainer.step, folder=str(self.folder))
                    if interrupts.signal:
                        break
            except TrainingDivergedError:
                self._save_unfinished()
                raise
            if interrupts.signal:
                yield from self._stop(interrupts.signal)
            else:
                yield from self._finish()

    def _progress(self) -> float:
        shares = [0.0]
        if self.budget.seconds is not None:
            shares.append(self.clock.elapsed() / self.budget.seconds)
        tokens = self._token_limit()
        if tokens is not None:
            shares.append(self.trainer.step * self.trainer.tokens_per_step / tokens)
        return max(shares)

    def _after(self, update: Update) -> Iterator[TrainEvent]:
        self.window.add(update.loss)
        if update.step % self.log_every == 0:
            yield self._record(update)
        before = self._looks_done
        self._looks_done = sum(share <= self._progress() for share in self._looks())
        if self._looks_done > before and self.validation is not None:
            yield self._look()
        yield from self._maybe_sample()

    _looks_done = 0
    _next_sample = 0.0

    def _looks(self) -> tuple[float, ...]:
        if self.config.eval_every is None or self.budget.seconds is None:
            return LOOKS
        every = parse_duration(self.config.eval_every)
        count = int(self.budget.seconds / every)
        return tuple((i + 1) * every / self.budget.seconds for i in range(count))

    def _record(self, update: Update) -> StepRecord:
        loss = self.window.take()
        elapsed, share = self.clock.elapsed(), self._progress()
        start_time, start_step = self.begun
        steps = update.step - start_step
        speed = steps * self.trainer.tokens_per_step / max(1e-9, time.monotonic() - start_time)
        record = StepRecord(
            step=update.step,
            epoch=update.step * self.trainer.tokens_per_step / len(self.data.train.ids),
            loss=loss,
            bits_per_char=loss / _LN2 / self.data.train.chars_per_token,
            learning_rate=update.learning_rate,
            grad_norm=update.grad_norm,
            tokens_per_second=speed,
            elapsed_seconds=elapsed,
            progress=min(1.0, share),
            remaining_seconds=elapsed * (1.0 - share) / share if share > 0 else math.inf,
        )
        kept = dataclasses.asdict(record)
        del kept["progress"], kept["remaining_seconds"]
        self.metrics.append({"kind": "step", **kept})
        return record

    def _validation(self) -> Validation | None:
        if self.data.valid is None or len(self.data.valid.ids) < 2:
            return None
        return Validation(self.data.valid.ids, self.settled.model.bos_id, LOOK_TOKENS)

    def _look(self) -> Evaluated:
        """Look at the validation text; keep these weights if none were better."""
        if self.validation is None or self.data.valid is None:
            raise ValueError("there is no validation text")
        averages = self.trainer.averages
        if averages is not None:
            averages.swap()
        try:
            loss = self.validation.nats_per_token(self.model)
            best = self.best is None or loss < self.best[0]
            if best:
                self.best = (loss, self.trainer.step, self._arrays())
        finally:
            if averages is not None:
                averages.swap()
        bits = loss / _LN2 / self.data.valid.chars_per_token
        perplexity = math.exp(min(loss, 700.0))
        self.metrics.append(
            {
                "kind": "valid",
                "step": self.trainer.step,
                "nats_per_token": loss,
                "perplexity": perplexity,
                "bits_per_char": bits,
                "elapsed_seconds": self.clock.elapsed(),
            }
        )
        return Evaluated(
            step=self.trainer.step,
            nats_per_token=loss,
            perplexity=perplexity,
            bits_per_char=bits,
            best=best,
        )

    def _maybe_sample(self) -> Iterator[TrainEvent]:
        if self.config.sample_every is None:
            return
        elapsed = self.clock.elapsed()
        if elapsed < self._next_sample:
            return
        self._next_sample = elapsed + parse_duration(self.config.sample_every)
        yield Sampled(step=self.trainer.step, text=self._sample())

    def _sample(self) -> str:
        from charlm.engine.language_model import LanguageModel as Engine
        from charlm.generation.generate import generate
        from charlm.generation.sampling import SamplingConfig

        engine = Engine(self.settled.model, self._arrays())
        tokenizer = self.data.tokenizer
        config = SamplingConfig(max_new_tokens=120, temperature=0.8, seed=self.trainer.step)
        prompt = np.empty(0, dtype=np.int64)
        drawn = generate(engine, prompt, config, masked_ids=tokenizer.hidden_ids)
        return tokenizer.decode([token.id for token in drawn])

    def _stop(self, signal: str) -> Iterator[TrainEvent]:
        """Save after an interruption; the figures are those of the last look, not exact."""
        self._save_resume()
        self._save_unfinished()
        yield Saved(step=self.trainer.step, folder=str(self.folder))
        yield self._result(None, None, signal)

    def _finish(self) -> Iterator[TrainEvent]:
        seconds = self.clock.elapsed()
        self.duration = seconds
        if self.validation is not None:
            yield self._look()
        yield Message(text="scoring the held-out text exactly")
        step, weights = self._best_arrays()
        valid = self._exact(weights, self.data.valid)
        test = self._exact(weights, self.data.test)
        self._save_model(weights, step=step, valid=valid, test=test)
        clear_resume(self.folder)
        yield Saved(step=self.trainer.step, folder=str(self.folder))
        yield self._result(valid, test, "")

    def _final_arrays(self) -> Arrays:
        averages = self.trainer.averages
        if averages is None:
            return self._arrays()
        averages.swap()
        arrays = self._arrays()
        averages.swap()
        return arrays

    def _exact(self, weights: Arrays, part: Part | None) -> HeldOut | None:
        if part is None or len(part.ids) == 0:
            return None
        from charlm.engine.language_model import LanguageModel as Engine
        from charlm.engine.scoring import evaluate_ids

        engine = Engine(self.settled.model, weights)
        nll, tokens = evaluate_ids(engine, part.ids)
        found = Likelihood(nll_nats=nll, tokens=tokens, chars=part.chars)
        return HeldOut(
            nats_per_token=found.nats_per_token,
            perplexity=found.perplexity,
            bits_per_char=found.bits_per_char,
            tokens=tokens,
            chars=part.chars,
        )

    def _result(self, valid: HeldOut | None, test: HeldOut | None, signal: str) -> TrainResult:
        elapsed = getattr(self, "duration", self.clock.elapsed())
        tokens = self.trainer.step * self.trainer.tokens_per_step
        return TrainResult(
            name=self.folder.name,
            kind="lm",
            folder=str(self.folder),
            parameters=self.settled.model.count_parameters(),
            steps=self.trainer.step,
            epochs=tokens / len(self.data.train.ids),
            duration_seconds=elapsed,
            tokens_per_second=tokens / max(1e-9, elapsed),
            device=self.device.type,
            valid=valid,
            test=test,
            interrupted=bool(signal),
            signal=signal,
        )

    def _arrays(self) -> Arrays:
        return {
            name: np.array(tensor.detach().to("cpu", torch.float32).numpy())
            for name, tensor in self.model.state_dict().items()
        }

    def _best_arrays(self) -> tuple[int, Arrays]:
        """Return the best weights and their step, in the type in which they are stored."""
        if self.best is not None:
            _, step, arrays = self.best
        else:
            step, arrays = self.trainer.step, self._final_arrays()
        storage = np.dtype(self.config.storage)
        return step, {name: array.astype(storage) for name, array in arrays.items()}

    def _save_unfinished(self) -> None:
        step, weights = self._best_arrays()
        self._save_model(weights, step=step, valid=None)

    def _save_model(
        self, arrays: Arrays, *, step: int, valid: HeldOut | None, test: HeldOut | None = None
    ) -> None:
        tokenizer = self.data.tokenizer
        training = {
            "config": to_json(self.config),
            "corpus": self.corpus_specs,
            "corpus_sha256": self.data.sha256,
            "description": self.data.description,
            "plan": self.settled.to_values(),
            "precision": self.arithmetic.precision,
            "device": self.device.type,
            "threads": self.threads,
            "parameters": self.settled.model.count_parameters(),
            "steps": self.trainer.step,
            "best_step": step,
            "epochs": self.trainer.step * self.trainer.tokens_per_step / len(self.data.train.ids),
            "duration_seconds": self.clock.elapsed(),
            "tokens": len(self.data.train.ids),
            "valid": dataclasses.asdict(valid) if valid else None,
            "test": dataclasses.asdict(test) if test else None,
            "torch": torch.__version__,
        }
        save_model(
            self.folder,
            kind="lm",
            model_config=to_json(self.settled.model),
            tokenizer_config=tokenizer.config(),
            tokenizer_files=tokenizer.to_files(),
            tensors=arrays,
            training=training,
            card=model_card(self.folder.name, self.settled.model, tokenizer.name, training),
        )

    def _save_resume(self) -> None:
        arrays, values = pack(self.trainer)
        state = {
            "trainer": values,
            "config": to_json(self.config),
            "corpus": self.corpus_specs,
            "sha256": self.data.sha256,
            "plan": self.settled.to_values(),
            "arithmetic": list(dataclasses.astuple(self.arithmetic)),
            "elapsed": self.clock.elapsed(),
            "log_every": self.log_every,
            "window": [self.window.total, self.window.count],
            "best": None if self.best is None else [self.best[0], self.best[1]],
        }
        if self.best is not None:
            arrays |= {f"best.{name}": array for name, array in self.best[2].items()}
        save_resume(self.folder, self.trainer.step, arrays, state)


@dataclasses.dataclass(slots=True)
class _Window:
    """The losses since the last record."""

    total: float = 0.0
    count: int = 0

    def add(self, loss: float) -> None:
        self.total += loss
        self.count += 1

    def take(self) -> float:
        mean = self.total / max(1, self.count)
        self.total, self.count = 0.0, 0
        return mean
