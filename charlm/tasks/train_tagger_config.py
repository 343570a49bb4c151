"""What a user may say about a tagger. Standard library only, so that `--help` is fast."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, field_of, setting
from charlm.base.errors import ConfigError
from charlm.training.config import TrainConfig

DEFAULT_EPOCHS = 12


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TaggerTrainConfig:
    """Settings of `charlm train tagger`; the field names are the option names with `_` for `-`."""

    column: str = setting(
        "", "column of the tags: upos, xpos, … of CoNLL-U, else a number (default: upos, or last)"
    )
    valid: str | None = setting(None, "annotated file to choose the best weights by")
    test: str | None = setting(None, "annotated file for the figures at the end")
    max_time: str | None = setting(None, "how long to train: 90s, 4m, 1h")
    epochs: int | None = setting(
        None,
        f"passes over the sentences; default {DEFAULT_EPOCHS}, of few sentences more, or what "
        "--max-time allows",
        ge=1,
        le=10_000,
    )
    cell: str = setting("lstm", "recurrent cell", choices=("lstm", "gru", "rnn"))
    reset: str = field_of(TrainConfig, "reset")
    hidden_size: int = setting(128, "units of a layer and direction", ge=1, le=16_384)
    num_layers: int | None = setting(
        None,
        "recurrent layers, each in both directions; default 1, or those of --from",
        ge=1,
        le=16,
    )
    word_dim: int = setting(128, "numbers of a word's own vector", ge=1, le=4096)
    subword_dim: int = setting(96, "numbers of the vector of a word's parts", ge=1, le=4096)
    affixes: int = setting(4, "longest prefix and suffix, in letters", ge=0, le=10)
    max_ngram: int = setting(4, "longest n-gram of letters; 0 for none", ge=0, le=10)
    min_part_count: int = setting(3, "parts of words are known from so many words on", ge=1)
    min_count: int = setting(2, "words seen less often are known by their parts alone", ge=1)
    crf: bool | None = setting(
        None, "weigh whole sequences of tags; default for BIO labels (B-X, I-X, O)"
    )
    vectors: str | None = setting(None, "word vectors to begin with: a model's name, or a file")
    from_model: str | None = setting(
        None, "begin with the embedding and layers of a language model of words"
    )
    freeze_vectors: bool = setting(False, "leave those vectors as they are")
    members: int = setting(
        2, "networks, trained side by side, whose weights of tags are averaged", ge=1, le=64
    )
    dropout: float = setting(0.4, "share of vectors and outputs left out", ge=0, lt=1)
    word_dropout: float = setting(
        0.25, "words seen n times are read as unknown in a / (a + n) of their places", ge=0, le=100
    )
    label_smoothing: float = setting(0.1, "share of the loss for all tags alike", ge=0, lt=1)
    batch_size: int = setting(32, "sentences of an update", ge=1, le=65_536)
    learning_rate: float = setting(4e-3, "rate at its highest", gt=0, le=10)
    max_grad_norm: float = setting(5.0, "longest gradient that is followed whole", gt=0)
    threads: int | None = setting(
        None, "CPU threads, at most one a member (default: one a core)", ge=1, le=1024
    )
    precision: str = setting(
        "auto",
        "type of the layers' products",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int = setting(0, "seed of the first weights and of all that is drawn", ge=0, le=2**63 - 1)
    encoding_errors: str = field_of(TrainConfig, "encoding_errors")

    def __post_init__(self) -> None:
        check(self)
        if self.from_model is not None and self.vectors is not None:
            raise ConfigError("--from brings vectors of its own; leave out --vectors")
