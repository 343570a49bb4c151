"""The shape of a classifier, as a model folder keeps it."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, field_of, part_of, setting
from charlm.base.errors import ConfigError
from charlm.engine.birnn_config import BiRNNConfig
from charlm.engine.pooling_config import POOLINGS, pooled_size, pooling_shapes
from charlm.engine.word_input import WordInputConfig

MOST_LABELS = 10_000
INPUT, RNN = "input.", "birnn."


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierConfig:
    """What a classifier consists of: a linear branch of n-grams, a recurrent one, or both.

    Attributes:
        labels: the names of the labels, in the order of the logits.
        lowercase: whether texts are folded to lower case.
    """

    labels: tuple[str, ...]
    lowercase: bool = True
    ngrams: int = setting(0, "n-grams of the linear branch; 0 for no such branch", ge=0)
    longest_ngram: int = setting(2, "words in its longest n-gram", ge=1, le=10)
    shortest_chars: int = setting(3, "characters in its shortest n-gram", ge=0, le=20)
    longest_chars: int = setting(5, "characters in its longest n-gram", ge=0, le=20)
    pooling: str = setting("max+mean", "from words to a text", choices=POOLINGS)
    num_layers: int = setting(0, "recurrent layers; 0 for no such branch", ge=0, le=16)
    longest: int = setting(400, "words of a text that it reads", ge=1, le=1_000_000)
    vocab_size: int = field_of(WordInputConfig, "vocab_size")
    word_dim: int = field_of(WordInputConfig, "word_dim")
    subword_dim: int = field_of(WordInputConfig, "subword_dim")
    buckets: int = field_of(WordInputConfig, "buckets")
    affixes: int = field_of(WordInputConfig, "affixes")
    min_ngram: int = field_of(WordInputConfig, "min_ngram")
    max_ngram: int = field_of(WordInputConfig, "max_ngram")
    cell: str = field_of(BiRNNConfig, "cell")
    reset: str = field_of(BiRNNConfig, "reset")
    hidden_size: int = field_of(BiRNNConfig, "hidden_size")

    def __post_init__(self) -> None:
        check(self)
        problems = []
        if not 2 <= len(self.labels) <= MOST_LABELS:
            problems.append(f"labels must be from 2 to {MOST_LABELS:,}, got {len(self.labels):,}")
        if any(not isinstance(label, str) or not label for label in self.labels):
            problems.append("labels must be texts that are not empty")
        elif len(set(self.labels)) != len(self.labels):
            problems.append("a label comes twice")
        if bool(self.shortest_chars) != bool(self.longest_chars) or (
            self.shortest_chars > self.longest_chars
        ):
            problems.append("shortest_chars must be at most longest_chars, or both 0")
        if not self.ngrams and not self.num_layers:
            problems.append("there must be n-grams or recurrent layers")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def chars(self) -> tuple[int, int]:
        """Shortest and longest n-grams of characters; (0, 0) for none."""
        return self.shortest_chars, self.longest_chars

    @property
    def input(self) -> WordInputConfig:
        """The form of the words' vectors."""
        return part_of(WordInputConfig, self)

    @property
    def rnn(self) -> BiRNNConfig:
        """The form of the recurrent layers; only where there are any."""
        return BiRNNConfig(
            input_size=self.input.size,
            cell=self.cell,
            reset=self.reset,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
        )

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of all arrays."""
        number = len(self.labels)
        shapes: dict[str, tuple[int, ...]] = {}
        if self.ngrams:
            shapes["bias"] = (number,)
            shapes["ngram_keys"] = (self.ngrams,)
            shapes["ngram_weights"] = (self.ngrams, number)
        if self.num_layers:
            shapes |= self.recurrent_shapes()
        return shapes

    def recurrent_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of the arrays of the recurrent branch."""
        rnn = self.rnn
        shapes = {INPUT + name: shape for name, shape in self.input.tensor_shapes().items()}
        shapes |= {RNN + name: shape for name, shape in rnn.tensor_shapes().items()}
        shapes |= pooling_shapes(self.pooling, rnn.output_size)
        size = pooled_size(self.pooling, rnn.output_size)
        shapes["output.weight"] = (len(self.labels), size)
        return shapes | {"output.bias": (len(self.labels),)}


def describe(config: ClassifierConfig) -> str:
    """Return a config in a few words.

    Example:
        >>> describe(ClassifierConfig(labels=("a", "b"), ngrams=9, num_layers=1, hidden_size=64))
        '2 labels; 9 n-grams; 1 x 64 bidirectional LSTM, max+mean pooling'
    """
    parts = [f"{len(config.labels):,} labels"]
    if config.ngrams:
        parts.append(f"{config.ngrams:,} n-grams")
    if config.num_layers:
        form = f"{config.num_layers} x {config.hidden_size} bidirectional {config.cell.upper()}"
        parts.append(f"{form}, {config.pooling} pooling")
    return "; ".join(parts)
