"""From a corpus, a machine and a time to sizes and rates: what `--preset auto` means.

The rules are read off runs whose figures stand in `benchmarks/README.md`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from charlm.base.config import from_json, settings_of, to_json
from charlm.base.durations import parse_duration
from charlm.base.errors import CheckpointError, ConfigError
from charlm.engine.config import LanguageModelConfig
from charlm.models.language_model import Dropouts
from charlm.training.config import TrainConfig

DEFAULT_SECONDS = 60.0
# Tokens that a model of n weights should see, a weight: below it learns too little for its size,
# above it a larger one would have learnt more in the same time.
TOKENS_PER_WEIGHT = 12.0
# Operations of one update, a weight and a token: 2 forward, 4 backward.
OPERATIONS = 6.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How long a run is: by time, or by updates."""

    seconds: float | None
    epochs: float | None
    max_steps: int | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A run with nothing left open."""

    model: LanguageModelConfig
    dropouts: Dropouts
    optimizer: str
    learning_rate: float
    weight_decay: float
    max_grad_norm: float
    batch_size: int
    bptt: int
    ema: float
    restart_probability: float

    def to_values(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return values | {
            "model": to_json(self.model),
            "dropouts": dataclasses.asdict(self.dropouts),
        }

    @classmethod
    def from_values(cls, values: dict[str, Any], config: TrainConfig) -> Plan:
        """Return a stored plan, with those rates that `config` names.

        Raises:
            CheckpointError: if the values are none of a plan.
        """
        try:
            plan = cls(
                **values
                | {
                    "model": from_json(LanguageModelConfig, values["model"], where="plan"),
                    "dropouts": Dropouts(**values["dropouts"]),
                }
            )
        except (KeyError, TypeError, ConfigError) as error:
            raise CheckpointError(f"the training state holds no plan: {error}") from error
        rates = {
            name: getattr(config, name)
            for name in ("learning_rate", "weight_decay", "max_grad_norm")
            if getattr(config, name) is not None
        }
        return dataclasses.replace(plan, **rates)


def budget_of(config: TrainConfig) -> Budget:
    """Return how long to train; about a minute where nothing was said."""
    seconds = parse_duration(config.max_time) if config.max_time else None
    if seconds is None and config.epochs is None and config.max_steps is None:
        seconds = DEFAULT_SECONDS
    return Budget(seconds=seconds, epochs=config.epochs, max_steps=config.max_steps)


def plan_run(
    config: TrainConfig, *, vocab_size: int, train_tokens: int, operations_per_second: float
) -> Plan:
    """Return the plan for a corpus on a machine that does so many operations a second."""
    large_vocab = vocab_size >= 1_000
    batch_size = config.batch_size or _fit_batch(32 if large_vocab else 64, train_tokens)
    bptt = config.bptt or 32
    expected = _expected_tokens(config, train_tokens)
    hidden = config.hidden_size or _choose_hidden(
        budget_of(config), operations_per_second, vocab_size, train_tokens, expected
    )
    tie = large_vocab if config.tie_weights is None else config.tie_weights
    embedding = config.embedding_dim or (hidden if large_vocab else 64)
    model = LanguageModelConfig(
        vocab_size=vocab_size,
        cell=config.cell,
        reset=config.reset,
        embedding_dim=embedding,
        hidden_size=hidden,
        num_layers=config.num_layers or 1,
        skip=bool(config.skip),
        tie_weights=tie,
    )
    return Plan(
        model=model,
        dropouts=_choose_dropouts(config, large_vocab),
        optimizer=config.optimizer or "adamw",
        learning_rate=_or(config.learning_rate, 4e-3 if large_vocab else 6e-3),
        weight_decay=_or(config.weight_decay, 0.01),
        max_grad_norm=_or(config.max_grad_norm, 1.0),
        batch_size=batch_size,
        bptt=bptt,
        ema=_or(config.ema, 0.0),
        restart_probability=0.03,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _fit_batch(wanted: int, train_tokens: int) -> int:
    """Return fewer streams where the text is too short for `wanted` of them."""
    return max(1, min(wanted, train_tokens // 64))


def _expected_tokens(config: TrainConfig, train_tokens: int) -> float | None:
    if config.epochs is not None:
        return config.epochs * train_tokens
    return None


def _choose_hidden(
    budget: Budget,
    operations_per_second: float,
    vocab_size: int,
    train_tokens: int,
    expected: float | None,
) -> int:
    """Return the size at which the time allows `TOKENS_PER_WEIGHT` tokens a weight."""
    if budget.seconds is not None:
        operations = budget.seconds * operations_per_second
        weights = math.sqrt(operations / OPERATIONS / TOKENS_PER_WEIGHT)
    else:
        weights = (expected or 10.0 * train_tokens) / TOKENS_PER_WEIGHT
    # 4 H^2 recurrent weights, and with a large vocabulary V * H tied ones
    vocab = vocab_size if vocab_size >= 1_000 else 0
    hidden = (math.sqrt(vocab * vocab + 32.0 * weights) - vocab) / 16.0 if vocab else 0.0
    if not vocab:
        hidden = math.sqrt(weights / 4.0)
    return int(min(1_024, max(64, round(hidden / 64) * 64)))


def _choose_dropouts(config: TrainConfig, large_vocab: bool) -> Dropouts:
    output, inner, layer = (0.4, 0.4, 0.25) if large_vocab else (0.3, 0.1, 0.1)
    return Dropouts(
        output=_or(config.dropout, output),
        input=_or(config.input_dropout, inner),
        layer=_or(config.layer_dropout, layer),
        embedding=_or(config.embedding_dropout, 0.0),
        weight=_or(config.weight_drop, 0.0),
    )


def architecture_settings() -> tuple[str, ...]:
    """Return the names of the settings that a resumed run may not change."""
    form = ("cell", "reset", "hidden_size", "num_layers", "embedding_dim", "skip", "tie_weights")
    text = ("tokenizer", "vocab_size", "min_count", "lowercase")
    fixed = (*text, *form, "batch_size", "bptt")
    return tuple(name for name in fixed if name in settings_of(TrainConfig))
