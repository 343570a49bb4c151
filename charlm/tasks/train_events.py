"""What a training run tells as it goes: one small record per thing that happened."""

from __future__ import annotations

import dataclasses

from charlm.text.measuring import Work as Work


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """Everything that is settled before the first step; all that `--dry-run` shows."""

    name: str
    corpus: str
    train_tokens: int
    valid_tokens: int
    vocab_size: int
    model: str
    parameters: int
    device: str
    precision: str
    threads: int
    batch_size: int
    bptt: int
    steps_per_epoch: float
    memory_bytes: int
    tokens_per_second: float | None
    duration_seconds: float | None
    unknown_rate: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class StepRecord:
    """One update. `loss` is in nats per token, smoothed over recent steps."""

    step: int
    epoch: float
    loss: float
    bits_per_char: float
    learning_rate: float
    grad_norm: float
    tokens_per_second: float
    elapsed_seconds: float
    progress: float
    remaining_seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class VectorStep:
    """Some more of a text that word vectors were trained on. `loss` is in nats a pair of words."""

    step: int
    epoch: float
    loss: float
    learning_rate: float
    words_per_second: float
    elapsed_seconds: float
    progress: float
    remaining_seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """A look at the validation text; `best` says whether it is the best so far."""

    step: int
    nats_per_token: float
    perplexity: float
    bits_per_char: float
    best: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """A piece of text that the model wrote at this step."""

    step: int
    text: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """The run reached the disk."""

    step: int
    folder: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """Something a user should know; `warning` marks what may need action."""

    text: str
    warning: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """Exact figures on one held-out text, state carried from its beginning.

    `unknown_rate` is the share of tokens that the vocabulary lacks.
    """

    nats_per_token: float
    perplexity: float
    bits_per_char: float
    tokens: int
    chars: int
    unknown_rate: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrainResult:
    """The end of a run; the JSON line of `charlm train --json` has these keys.

    `backward` is the other half of a bidirectional training, once it was begun.
    """

    name: str
    kind: str
    folder: str
    parameters: int
    steps: int
    epochs: float
    duration_seconds: float
    tokens_per_second: float
    device: str
    valid: HeldOut | None
    test: HeldOut | None
    interrupted: bool
    signal: str = ""
    backward: TrainResult | None = None


TrainEvent = (
    Work | Planned | StepRecord | VectorStep | Evaluated | Sampled | Saved | Message | TrainResult
)
