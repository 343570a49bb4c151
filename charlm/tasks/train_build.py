"""From data and settings to a model that is ready to train, on the arithmetic that is fastest."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from charlm.base.errors import CheckpointError, ConfigError, TaskError
from charlm.base.processes import find_place
from charlm.engine.config import LanguageModelConfig, describe
from charlm.models.arithmetic import Arithmetic
from charlm.models.chunked_loss import PART_BYTES
from charlm.models.given_rows import begin_with, hold_rows
from charlm.models.language_model import LanguageModel
from charlm.models.memory import is_lack_of_memory, largest_that_fits
from charlm.models.runtime import choose_arithmetic, choose_device, use_threads
from charlm.tasks.train_data import TrainData
from charlm.tasks.train_events import Planned
from charlm.tasks.train_lm_vectors import Table, shaped
from charlm.tasks.train_memory import memory_errors
from charlm.tasks.train_state import RunState
from charlm.training.batches import Streams
from charlm.training.config import TrainConfig
from charlm.training.optim import AveragedWeights, build_adamw
from charlm.training.presets import (
    LARGE_VOCABULARY,
    OPERATIONS,
    Plan,
    budget_of,
    outputs,
    plan_run,
    step_weights,
)
from charlm.training.recipes import with_preset
from charlm.training.trainer import Trainer

PROBE_UNITS = 384
COUNTED_PARTS, COUNTED_TOKENS = 16, 1 << 20
LOGIT_PARTS = 3  # of a GPU's loss that are there at once
Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(kw_only=True, slots=True)
class Built:
    """A trainer, and how it was settled."""

    plan: Plan
    trainer: Trainer
    device: torch.device
    threads: int
    arithmetic: Arithmetic
    tried: list[Arithmetic]

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


class Form(NamedTuple):
    """What settles a model and how it is trained: a plan's values, the arithmetic, threads."""

    plan: dict[str, Any]
    arithmetic: Arithmetic
    threads: int


def build_new(data: TrainData, config: TrainConfig, given: Table | None = None) -> Built:
    """Settle sizes and rates for this text and machine, and build; measures for some seconds.

    Args:
        data: the text.
        config: what the user said.
        given: vectors by token that the embedding begins with; zeros for none.

    Raises:
        TaskError: if the machine lacks the device, the precision or the memory.
    """
    device, threads = choose_device(config.device), use_threads(config.threads)
    place = find_place()
    processes = place.size if place else 1
    form = shaped(config, given)
    plan = plan_run(
        form,
        vocab_size=data.tokenizer.vocab_size,
        train_tokens=len(data.train.ids),
        chars_per_token=data.train.chars_per_token,
        operations_per_second=processes * _operations_per_second(data, form, device),
        device=device.type,
    )
    _require_memory(plan, data.train.held_bytes, config, device)
    trainer = _build_trainer(plan, data, config, device, given)
    tried: list[Arithmetic] = []
    arithmetic = _choose(plan, trainer, config, tried)
    arithmetic.apply(trainer.model)
    return Built(
        plan=plan,
        trainer=trainer,
        device=device,
        threads=threads,
        arithmetic=arithmetic,
        tried=tried,
    )


def build_again(data: TrainData, config: TrainConfig, saved: RunState) -> Built:
    """Build what a saved training state belongs to.

    The arithmetic is chosen anew only on another kind of device, for another precision, or where
    kernels for a GPU have to be made anew.

    Raises:
        TaskError: if the machine lacks the device or the memory.
        CheckpointError: if the state's plan is none, or one for another vocabulary.
    """
    # Sums depend on how many threads share them, so the run keeps its number where it can.
    usable = use_threads(None)
    threads = use_threads(config.threads or min(usable, saved.threads or usable))
    built = build_as(data, config, saved.plan, saved.arithmetic, threads)
    asked = config.precision in ("auto", saved.arithmetic.precision)
    same = saved.device == built.device.type and saved.arithmetic.suits(built.device)
    if asked and same and saved.arithmetic.backend != "stacked":
        return built
    built.arithmetic = _choose(built.plan, built.trainer, config, built.tried)
    built.arithmetic.apply(built.trainer.model)
    return built


def _choose(
    plan: Plan, trainer: Trainer, config: TrainConfig, tried: list[Arithmetic]
) -> Arithmetic:
    """Return the fastest arithmetic for a process's part of the batch; fills `tried`."""
    place = find_place()
    with memory_errors(plan, trainer, lambda: "nothing was begun"):
        return choose_arithmetic(
            trainer.model,
            config.precision,
            batch_size=max(1, plan.batch_size // (place.size if place else 1)),
            bptt=plan.bptt,
            tried=tried,
        )


def build_as(
    data: TrainData,
    config: TrainConfig,
    values: dict[str, Any],
    arithmetic: Arithmetic,
    threads: int | None,
    given: Table | None = None,
) -> Built:
    """Build by a plan's values, as `Plan.to_values` gives them; nothing is measured or chosen.

    Vectors are given where training begins: what goes on brings its rows with it.

    Raises:
        TaskError, CheckpointError: as `build_again`.
    """
    device, threads = choose_device(config.device), use_threads(threads or config.threads)
    plan = Plan.from_values(values, config)
    _require_sane(plan, data.tokenizer.vocab_size)
    _require_memory(plan, data.train.held_bytes, config, device)
    trainer = _build_trainer(plan, data, config, device, given)
    arithmetic.apply(trainer.model)
    return Built(
        plan=plan,
        trainer=trainer,
        device=device,
        threads=threads,
        arithmetic=arithmetic,
        tried=[],
    )


def _require_sane(plan: Plan, vocab_size: int) -> None:
    """Raise where a plan from a file has values that no settings could have given."""
    drops = plan.dropouts
    values: dict[str, Any] = {
        "learning_rate": plan.learning_rate,
        "weight_decay": plan.weight_decay,
        "max_grad_norm": plan.max_grad_norm,
        "batch_size": plan.batch_size,
        "bptt": plan.bptt,
        "ema": plan.ema,
        "dropout": drops.output,
        "input_dropout": drops.input,
        "layer_dropout": drops.layer,
        "embedding_dropout": drops.embedding,
        "weight_drop": drops.weight,
        "valid_fraction": plan.restart_probability,  # a share like any other
    }
    try:
        TrainConfig(**values)
    except ConfigError as error:
        raise CheckpointError(f"the training state holds no plan: {error}") from error
    if None in values.values():
        raise CheckpointError("the training state holds no plan: a value of it is null")
    if plan.model.vocab_size != vocab_size:
        raise CheckpointError(
            f"the training state is of {plan.model.vocab_size:,} tokens, the tokenizer has "
            f"{vocab_size:,}; train it again with --overwrite"
        )


def _operations_per_second(data: TrainData, config: TrainConfig, device: torch.device) -> float:
    """Return how fast this machine trains, measured on a middling model; 0 if it is not needed."""
    if with_preset(config).hidden_size is not None or budget_of(config).seconds is None:
        return 0.0
    plan = plan_run(
        dataclasses.replace(config, hidden_size=PROBE_UNITS),
        vocab_size=min(data.tokenizer.vocab_size, 512),
        train_tokens=len(data.train.ids),
        chars_per_token=1.0,
        operations_per_second=0.0,
        device=device.type,
    )
    _require_memory(plan, data.train.held_bytes, config, device)
    found = _measured(plan, config, device)
    return OPERATIONS * step_weights(plan.model) * (found.tokens_per_second or 0.0)


def _measured(plan: Plan, config: TrainConfig, device: torch.device) -> Arithmetic:
    """Return the fastest arithmetic for a plan that is only to be measured."""
    rows, bptt = plan.batch_size, plan.bptt
    try:
        model = LanguageModel(plan.model).to(device)
        model.initialise(torch.Generator().manual_seed(0))
        return choose_arithmetic(model, config.precision, batch_size=rows, bptt=bptt)
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_lack_of_memory(error):
            raise
        raise TaskError(
            f"out of memory with {rows} streams of {bptt} tokens on {device.type}, while its speed "
            f"was measured; try --batch-size {max(1, rows // 2)}, a shorter --bptt, or name a "
            "--hidden-size; nothing was begun"
        ) from error


def _build_trainer(
    plan: Plan,
    data: TrainData,
    config: TrainConfig,
    device: torch.device,
    given: Table | None,
) -> Trainer:
    model = LanguageModel(plan.model, plan.dropouts)
    model.initialise(torch.Generator().manual_seed(config.seed), config.forget_bias)
    if plan.model.vocab_size >= LARGE_VOCABULARY:
        # A few dozen characters are learnt at once; in long runs they did better from zero.
        model.expect(torch.from_numpy(_log_frequencies(data.train.ids, plan.model.vocab_size)))
    model.to(device)
    if given is not None:
        learns = begin_with(model, torch.from_numpy(given))
        if config.freeze_vectors:
            hold_rows(model, learns)
    if config.softmax == "sampled":
        expected = _log_frequencies(data.train.ids, plan.model.vocab_size)
        model.sample_outputs(torch.from_numpy(expected), config.softmax_samples)
    return Trainer(
        model=model,
        optimizer=build_adamw(
            model, learning_rate=plan.learning_rate, weight_decay=plan.weight_decay
        ),
        streams=Streams(
            data.train.ids,
            data.ends_line(),
            bos_id=plan.model.bos_id,
            batch_size=plan.batch_size,
            bptt=plan.bptt,
            restart_probability=plan.restart_probability,
            rng=np.random.Generator(np.random.PCG64(config.seed)),
        ),
        generator=torch.Generator(device).manual_seed(config.seed),
        learning_rate=plan.learning_rate,
        max_grad_norm=plan.max_grad_norm,
        averages=AveragedWeights(model.parameters(), plan.ema) if plan.ema else None,
    )


def _log_frequencies(ids: npt.NDArray[np.integer[Any]], vocab_size: int) -> Floats:
    """Return log p of every token alone, (vocab,); of a long text from parts all over it."""
    parts = [ids]
    if len(ids) > COUNTED_PARTS * COUNTED_TOKENS:
        starts = np.linspace(0, len(ids) - COUNTED_TOKENS, COUNTED_PARTS).astype(np.int64)
        parts = [ids[start : start + COUNTED_TOKENS] for start in starts]
    counts = np.ones(vocab_size)  # one more than there are: no token is impossible
    for part in parts:
        counts += np.bincount(part, minlength=vocab_size)
    found: Floats = np.log(counts / counts.sum())
    return found


def memory_bytes(plan: Plan, held_bytes: int, config: TrainConfig, device: str) -> int:
    """Return about how much memory a training takes beside PyTorch's own.

    Weights, gradient, two moments, averages and the best weights so far in four bytes each, four
    of them twice, since saves copy them; the activations of a window in two, fourteen a unit;
    logits twice, on a GPU of a part at a time; of the text's ids what is held.
    """
    model: LanguageModelConfig = plan.model
    places = plan.batch_size * plan.bptt
    logits = 8 * places * outputs(config, model.vocab_size)
    if device == "cuda" and config.softmax != "sampled":
        logits = min(logits, LOGIT_PARTS * PART_BYTES)
    activations = 4 * places * 14 * model.hidden_size * model.num_layers
    return 40 * model.count_parameters() + activations + logits + held_bytes


def _require_memory(plan: Plan, held_bytes: int, config: TrainConfig, device: torch.device) -> None:
    """Raise where the plan cannot fit, before anything large is allocated."""

    def takes(rows: int) -> int:
        fewer = dataclasses.replace(plan, batch_size=rows)
        return memory_bytes(fewer, held_bytes, config, device.type)

    needed = takes(plan.batch_size)
    if device.type == "cuda":
        there = torch.cuda.get_device_properties(device).total_memory
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    else:
        return
    if needed > there:
        fits = largest_that_fits(plan.batch_size, lambda rows: takes(rows) <= there)
        way = "try a smaller --hidden-size, --num-layers or --batch-size"
        if fits:
            way = f"try --batch-size {fits}, which would fit, or a smaller --hidden-size"
        raise TaskError(
            f"this model needs about {needed / 1e9:,.1f} GB to train with {plan.batch_size} "
            f"streams of {plan.bptt} tokens, and the machine has {there / 1e9:,.1f} GB; {way}"
        )


def planned(name: str, data: TrainData, config: TrainConfig, built: Built) -> Planned:
    """Return all that is settled before the first step."""
    plan, tokens = built.plan, len(data.train.ids)
    parts = [part for part in (data.train, data.valid, data.test) if part]
    speed = built.arithmetic.tokens_per_second
    return Planned(
        name=name,
        corpus=data.description,
        train_tokens=tokens,
        valid_tokens=len(data.valid.ids) if data.valid else 0,
        vocab_size=data.tokenizer.vocab_size,
        model=describe(plan.model) + (", one of a pair" if config.bidirectional else ""),
        parameters=plan.model.count_parameters(),
        device=built.device.type,
        precision=built.arithmetic.precision,
        threads=built.threads,
        batch_size=plan.batch_size,
        bptt=plan.bptt,
        steps_per_epoch=tokens / built.trainer.tokens_per_step,
        memory_bytes=memory_bytes(plan, data.train.held_bytes, config, built.device.type),
        tokens_per_second=speed,
        duration_seconds=_expected_seconds(config, built, tokens),
        unknown_rate=sum(part.unknown for part in parts)
        / max(1, sum(len(part.ids) for part in parts)),
    )


def token_limit(config: TrainConfig, built: Built, train_tokens: int) -> float | None:
    """Return how many tokens the run may read at most, where it is bounded that way."""
    limits = []
    if config.epochs is not None:
        limits.append(config.epochs * train_tokens)
    if config.max_steps is not None:
        limits.append(float(config.max_steps * built.trainer.tokens_per_step))
    return min(limits, default=None)


def _expected_seconds(config: TrainConfig, built: Built, train_tokens: int) -> float | None:
    seconds = budget_of(config).seconds
    limits = [] if seconds is None else [seconds]
    tokens, speed = token_limit(config, built, train_tokens), built.arithmetic.tokens_per_second
    if tokens is not None and speed:
        limits.append(tokens / speed)
    return min(limits, default=None)
