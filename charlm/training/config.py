"""What a user may say about a training run. Standard library only, so that `--help` stays fast.

A value of None means "choose for me": `training.presets` fills it from the corpus, the device and
the time given.
"""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting
from charlm.base.errors import ConfigError

MOST_STEPS = 2**53


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Settings of `charlm train lm`; the field names are the option names with `_` for `-`."""

    # text
    tokenizer: str = setting(
        "char",
        "unit of the model: char, byte, word, whitespace, bpe, unigram, or a sentencepiece .model",
    )
    vocab_size: int | None = setting(None, "most tokens in the vocabulary", ge=2, le=1_000_000)
    min_count: int | None = setting(None, "leave out tokens seen less often", ge=1)
    lowercase: bool = setting(False, "fold the text to lower case first (word tokenizer)")
    valid: str | None = setting(None, "validation text (else the tail of the corpus)")
    valid_fraction: float | None = setting(
        None,
        "share of the corpus, at its end, to validate on (else 0.1, at most 500,000 characters)",
        ge=0.0,
        lt=1.0,
    )
    test: str | None = setting(None, "test text, scored once at the end")
    encoding_errors: str = setting(
        "strict", "what to do with invalid UTF-8", choices=("strict", "replace", "skip")
    )
    # model
    preset: str = setting(
        "auto",
        "auto chooses sizes and rates; fast and plain are one layer with few or no tricks, charrnn "
        "and awd published recipes",
        choices=("auto", "fast", "plain", "charrnn", "awd"),
    )
    cell: str = setting("lstm", "recurrent cell", choices=("lstm", "gru", "rnn"))
    reset: str = setting("after", "form of the GRU's reset gate", choices=("after", "before"))
    hidden_size: int | None = setting(None, "units of a layer", ge=1, le=65_536)
    num_layers: int | None = setting(None, "recurrent layers", ge=1, le=64)
    embedding_dim: int | None = setting(None, "size of a token's embedding", ge=1, le=65_536)
    vectors: str | None = setting(
        None, "word vectors that the embedding begins with: a model's name, or a file (word models)"
    )
    freeze_vectors: bool = setting(False, "leave those vectors as they are; other rows learn")
    skip: bool | None = setting(None, "skip connections between layers")
    tie_weights: bool | None = setting(None, "share the embedding with the output")
    forget_bias: float = setting(
        0.0, "added to the LSTM's forget-gate bias at the start; 1 favours long memory"
    )
    bidirectional: bool = setting(
        False, "train a backward model too, for embed and neighbors; each gets half the time"
    )
    # regularisation
    dropout: float | None = setting(None, "locked dropout before the output", ge=0.0, lt=1.0)
    input_dropout: float | None = setting(
        None, "locked dropout on the embedded input", ge=0.0, lt=1.0
    )
    layer_dropout: float | None = setting(None, "locked dropout between layers", ge=0.0, lt=1.0)
    embedding_dropout: float | None = setting(
        None, "share of embedding rows left out of a step", ge=0.0, lt=1.0
    )
    weight_drop: float | None = setting(
        None, "dropout on the recurrent weights (DropConnect)", ge=0.0, lt=1.0
    )
    weight_decay: float | None = setting(None, "decoupled weight decay", ge=0.0)
    # optimisation
    learning_rate: float | None = setting(None, "peak learning rate", gt=0.0)
    max_grad_norm: float | None = setting(None, "global norm to clip gradients to", gt=0.0)
    batch_size: int | None = setting(None, "parallel streams", ge=1, le=65_536)
    bptt: int | None = setting(None, "tokens per truncated-backprop window", ge=1, le=65_536)
    ema: float | None = setting(
        None,
        "share of the updates so far that averaged weights look back on; 0 for none",
        ge=0.0,
        lt=1.0,
    )
    softmax: str = setting(
        "full",
        "what a target competes with while training: full is the whole vocabulary, sampled some "
        "drawn tokens, cheaper where there are tens of thousands; figures are always exact",
        choices=("full", "sampled"),
    )
    softmax_samples: int = setting(
        2048, "tokens drawn for a window with --softmax sampled", ge=1, le=1_000_000
    )
    # length
    max_time: str | None = setting(None, "training time: 90s, 3m, 1h")
    epochs: float | None = setting(None, "passes over the training text", gt=0.0)
    max_steps: int | None = setting(None, "updates", ge=1, le=MOST_STEPS)
    # machine
    device: str = setting("auto", "auto, cpu or cuda", choices=("auto", "cpu", "cuda"))
    precision: str = setting(
        "auto",
        "arithmetic of matrix products; auto measures once; float16 and tf32 need a GPU",
        choices=("auto", "float32", "float16", "bfloat16", "tf32"),
    )
    threads: int | None = setting(None, "CPU threads", ge=1, le=1024)
    seed: int = setting(0, "seed of weights, dropout and data order", ge=0, le=2**63 - 1)
    # run
    storage: str = setting(
        "float32",
        "type of the saved weights; float16 halves the file",
        choices=("float32", "float16"),
    )
    eval_every: str | None = setting(None, "time between validations: 20s, 5m")
    save_every: str = setting("30s", "time between saves")
    sample_every: str | None = setting(None, "time between samples shown while training")

    def __post_init__(self) -> None:
        check(self)
        pointless = [
            (self.reset != "after" and self.cell != "gru", "--reset is for --cell gru"),
            (self.forget_bias != 0.0 and self.cell != "lstm", "--forget-bias is for --cell lstm"),
            (
                self.freeze_vectors and self.vectors is None,
                "--freeze-vectors is for the vectors of --vectors",
            ),
            (
                self.freeze_vectors and bool(self.tie_weights),
                "--tie-weights would train what --freeze-vectors keeps; leave one of them out",
            ),
            (
                self.tokenizer == "byte" and (self.vocab_size or self.min_count),
                "bytes are always 256: leave out --vocab-size and --min-count",
            ),
            (
                self.valid is not None and self.valid_fraction is not None,
                "--valid and --valid-fraction exclude each other",
            ),
        ]
        if any(holds for holds, _ in pointless):
            raise ConfigError("; ".join(problem for holds, problem in pointless if holds))
