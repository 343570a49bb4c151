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
from charlm.training.recipes import with_preset

DEFAULT_SECONDS = 60.0
# Characters that a model should read, for each of its recurrent weights: with fewer it learns too
# little for its size, with more a larger one would have learnt more in the same time.
CHARS_PER_WEIGHT, WORDS_FACTOR = 2.3, 5.0
SIZES = range(64, 1_025, 64)
# Operations of one update, a weight and a token: 2 forward, 4 backward.
OPERATIONS = 6.0
LARGE_VOCABULARY = 1_000
# On a GPU: sizes that cuDNN is fastest with, as layers and units; the batch; and windows, which
# cost it no more a token when they are long. There time allows more weights than a text can fill.
GPU_SIZES = (*((1, units) for units in (256, 384, 512)), *((2, u) for u in (512, 768, 1024)))
GPU_ROWS, GPU_WINDOW, GPU_WORDS_WINDOW, GPU_MULTIPLE = 64, 128, 70, 128
MOST_WEIGHTS_PER_CHAR = 4.0
# From so many passes on a text is known by heart without stronger dropouts.
MANY_EPOCHS = 20.0


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
    """Return how long to train; about a minute where nothing was said, each of a pair half."""
    seconds = parse_duration(config.max_time) if config.max_time else None
    if seconds is None and config.epochs is None and config.max_steps is None:
        seconds = DEFAULT_SECONDS
    if seconds is not None and config.bidirectional:
        seconds /= 2
    return Budget(seconds=seconds, epochs=config.epochs, max_steps=config.max_steps)


def plan_run(
    config: TrainConfig,
    *,
    vocab_size: int,
    train_tokens: int,
    chars_per_token: float,
    operations_per_second: float,
    device: str = "cpu",
) -> Plan:
    """Return the plan for a corpus on a machine that does so many operations a second."""
    named, config = config, with_preset(config)
    words, gpu = vocab_size >= LARGE_VOCABULARY, device == "cuda"
    models = _models(config, vocab_size, gpu, train_tokens * chars_per_token)
    operations = (budget_of(config).seconds or 0.0) * operations_per_second
    model = models[0]
    for larger in models[1:]:
        tokens = _possible_tokens(config, larger, train_tokens, operations)
        needed = CHARS_PER_WEIGHT * (WORDS_FACTOR if words else 1.0)
        if tokens * chars_per_token >= needed * recurrent_weights(larger):
            model = larger
    tokens = _possible_tokens(config, model, train_tokens, operations)
    return Plan(
        model=model,
        dropouts=_choose_dropouts(config, words, tokens / max(1, train_tokens), gpu),
        learning_rate=_or(config.learning_rate, 4e-3 if words else _rate(model.hidden_size)),
        weight_decay=_or(config.weight_decay, 0.03),
        max_grad_norm=_or(config.max_grad_norm, 1.0),
        batch_size=named.batch_size or _fit_batch(_rows(config, gpu), train_tokens),
        bptt=config.bptt or _window(words, gpu),
        ema=_or(config.ema, 0.06),
        restart_probability=0.03,
    )


def _models(
    config: TrainConfig, vocab_size: int, gpu: bool, chars: float
) -> list[LanguageModelConfig]:
    """Return the models to choose from, the smallest first."""
    if config.hidden_size:
        return [_model(config, vocab_size, config.hidden_size, gpu)]
    if not gpu:
        return [_model(config, vocab_size, size, gpu) for size in SIZES]
    sizes = [s for s in GPU_SIZES if config.num_layers in (None, s[0])]
    sizes = sizes or [(config.num_layers or 1, units) for _, units in GPU_SIZES[-3:]]
    models = [
        _model(dataclasses.replace(config, num_layers=layers), vocab_size, units, gpu)
        for layers, units in sizes
    ]
    small = [m for m in models if recurrent_weights(m) <= MOST_WEIGHTS_PER_CHAR * chars]
    return small or models[:1]


def _rows(config: TrainConfig, gpu: bool) -> int:
    return config.batch_size or (GPU_ROWS if gpu else 32)


def _window(words: bool, gpu: bool) -> int:
    if gpu:
        return GPU_WORDS_WINDOW if words else GPU_WINDOW
    return 40 if words else 32


def _model(config: TrainConfig, vocab_size: int, hidden: int, gpu: bool) -> LanguageModelConfig:
    words = vocab_size >= LARGE_VOCABULARY
    embedding = _word_embedding(hidden) if words else 64
    if gpu:
        embedding = -(-embedding // GPU_MULTIPLE) * GPU_MULTIPLE
    return LanguageModelConfig(
        vocab_size=vocab_size,
        cell=config.cell,
        reset=config.reset,
        embedding_dim=config.embedding_dim or embedding,
        hidden_size=hidden,
        num_layers=config.num_layers or 1,
        skip=bool(config.skip),
        tie_weights=words if config.tie_weights is None else config.tie_weights,
    )


def _word_embedding(hidden: int) -> int:
    """Return an embedding's size for words: three fifths of the units, since each costs twice.

    With thousands of words the output layer is most of the work, and a tied one is as wide as the
    embedding.
    """
    return max(64, round(0.6 * hidden / 64) * 64)


def recurrent_weights(model: LanguageModelConfig) -> int:
    """Return how many weights the layers hold, without embedding and output."""
    shapes = model.tensor_shapes().items()
    return sum(math.prod(shape) for name, shape in shapes if name.startswith("layers."))


def outputs(config: TrainConfig, vocab_size: int) -> int:
    """Return how many tokens a training computes the logits of, at each place."""
    if config.softmax == "sampled":
        return min(vocab_size, config.softmax_samples + 1)  # the target is one more
    return vocab_size


def step_weights(model: LanguageModelConfig, outputs: int | None = None) -> int:
    """Return how many weights a token is multiplied with: all but the embedding's lookup.

    Args:
        outputs: how many tokens' logits are computed; None for those of all.
    """
    width = model.embedding_dim if model.tie_weights else model.output_size
    return recurrent_weights(model) + (outputs or model.vocab_size) * width


def _possible_tokens(
    config: TrainConfig, model: LanguageModelConfig, train_tokens: int, operations: float
) -> float:
    """Return how many tokens the run will see, as far as that is known."""
    weights = step_weights(model, outputs(config, model.vocab_size))
    limits = [operations / OPERATIONS / weights] if operations else []
    if config.epochs is not None:
        limits.append(config.epochs * train_tokens)
    return min(limits, default=5.0 * train_tokens)


def _rate(hidden: int) -> float:
    """Return the peak learning rate: 5e-3 up to 512 units, less for more."""
    return 5e-3 if hidden <= 512 else 4e-3


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _fit_batch(wanted: int, train_tokens: int) -> int:
    """Return fewer streams where the text is too short for `wanted` of them."""
    return max(1, min(wanted, train_tokens // 64))


def _choose_dropouts(config: TrainConfig, words: bool, epochs: float, gpu: bool) -> Dropouts:
    """Return the dropouts: little where the text is read once or twice, more with every epoch."""
    strength = 0.1 + 0.25 * math.log2(max(epochs, 0.1) / 3.0)
    output = 0.4 if words else min(0.5, max(0.0, strength))
    by_heart = gpu and epochs >= MANY_EPOCHS
    return Dropouts(
        output=_or(config.dropout, round(output, 2)),
        input=_or(config.input_dropout, 0.4 if words else 0.1 if by_heart else 0.0),
        layer=_or(config.layer_dropout, 0.25 if words or by_heart else 0.1),
        embedding=_or(config.embedding_dropout, 0.1 if words else 0.0),
        weight=_or(config.weight_drop, 0.3 if by_heart else 0.0),
    )


def architecture_settings() -> tuple[str, ...]:
    """Return the names of the settings that a resumed run may not change."""
    form = ("cell", "reset", "hidden_size", "num_layers", "embedding_dim", "skip", "tie_weights")
    text = ("tokenizer", "vocab_size", "min_count", "lowercase")
    begun = ("vectors", "freeze_vectors")
    fixed = (*text, *form, *begun, "batch_size", "bptt", "bidirectional")
    return tuple(name for name in fixed if name in settings_of(TrainConfig))
