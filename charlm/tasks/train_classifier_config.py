"""What a user may say about a classifier. Standard library only, so that `--help` is fast."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, field_of, setting
from charlm.base.durations import parse_duration
from charlm.base.errors import ConfigError
from charlm.engine.pooling_config import POOLINGS
from charlm.training.config import TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LabelledConfig:
    """How labelled files are read; options of training and of evaluation."""

    format: str = setting(
        "auto",
        "form of the files; auto: by name (.csv, .tsv, .jsonl), else by the first lines",
        choices=("auto", "csv", "tsv", "jsonl", "fasttext", "space"),
    )
    label_column: str = setting(
        "",
        "name or number of the label's column, or its key (jsonl); default: label, class …, or 1",
    )
    text_column: tuple[str, ...] = setting(
        (),
        "name or number of a column of the text, or a key; default: text, title …, or all others",
    )
    encoding_errors: str = field_of(TrainConfig, "encoding_errors")

    def __post_init__(self) -> None:
        check(self)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierTrainConfig(LabelledConfig):
    """Settings of `charlm train classifier`; field names are the option names with `_` for `-`."""

    valid: str | None = setting(None, "a labelled file to choose and judge by")
    valid_fraction: float = setting(
        0.1, "share of each label's texts held out where there is no --valid", ge=0, lt=1
    )
    test: str | None = setting(None, "a labelled file to judge by at the end")
    lowercase: bool = setting(True, "fold the text to lower case first")
    ngrams: int = setting(
        2, "words in the longest n-gram of the linear branch; 0 for none", ge=0, le=10
    )
    char_ngrams: int = setting(
        5, "characters in its longest n-gram within words; 0 for none, else at least 3", ge=0, le=20
    )
    min_count: int | None = setting(
        None, "leave out n-grams seen less often; default: 1, more where there are too many", ge=1
    )
    penalty: float = setting(
        20.0, "how small the weights of n-grams are held, in nats", gt=0, le=1e6
    )
    num_layers: int = setting(1, "recurrent layers; 0 for the linear branch alone", ge=0, le=16)
    cell: str = field_of(TrainConfig, "cell")
    hidden_size: int = setting(64, "units of a layer and direction", ge=1, le=4096)
    word_dim: int = setting(128, "numbers of a word's own vector", ge=1, le=4096)
    subword_dim: int = setting(64, "numbers of the vector of a word's parts", ge=1, le=4096)
    vectors: str | None = setting(
        None, "start from word vectors: a model's name or a file (word2vec, GloVe, fastText)"
    )
    from_model: str | None = setting(
        None, "start from the embedding and layers of a language model of words"
    )
    freeze_vectors: bool = setting(False, "leave these vectors as they are")
    pooling: str = setting("max+mean", "from words to a text", choices=POOLINGS)
    longest: int = setting(400, "words of a text that recurrent layers read", ge=1, le=1_000_000)
    epochs: int | None = setting(
        None, "passes over the texts; default: 3 to 30, the fewer the more texts", ge=1, le=10_000
    )
    max_time: str | None = setting(None, "longest training of the layers, as 90s, 3m, 1h")
    batch_size: int = setting(32, "texts an update", ge=1, le=4096)
    learning_rate: float = setting(2e-3, "highest rate of the layers", gt=0, le=1)
    dropout: float = setting(0.5, "share of features left out in training", ge=0, lt=1)
    word_dropout: float = setting(
        0.25, "a: a word seen n times is read as unknown in a of a + n cases", ge=0, le=1000
    )
    threads: int | None = setting(None, "CPU threads; 1 can be reproduced exactly", ge=1, le=1024)
    seed: int = setting(0, "seed of all that is drawn", ge=0, le=2**63 - 1)

    def __post_init__(self) -> None:
        check(self)
        if 0 < self.char_ngrams < 3:
            raise ConfigError(f"char_ngrams must be 0 or at least 3, got {self.char_ngrams}")
        if not self.ngrams and not self.num_layers:
            raise ConfigError("num_layers must be at least 1 where ngrams is 0")
        if self.from_model is not None and (self.vectors is not None or not self.num_layers):
            raise ConfigError("--from needs layers, and no --vectors beside its own")
        if self.freeze_vectors and self.vectors is None:
            raise ConfigError("freeze_vectors needs vectors")
        if self.max_time is not None:
            parse_duration(self.max_time)

    def passes(self, texts: int) -> int:
        """Return the epochs, given or what suits a number of texts.

        Example:
            >>> [ClassifierTrainConfig().passes(texts) for texts in (100, 7_000, 120_000)]
            [30, 10, 3]
        """
        steps = -(-texts // self.batch_size)
        return self.epochs or min(max(round(2000 / steps) + 1, 3), 30)
