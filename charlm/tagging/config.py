"""The form of a tagger, and the tensors that it has."""

from __future__ import annotations

import dataclasses
import math

from charlm.base.config import check, field_of, part_of, setting
from charlm.base.errors import ConfigError
from charlm.engine.birnn_config import BiRNNConfig
from charlm.engine.word_input import WordInputConfig

MOST_TAGS = 10_000
INPUT, RNN = "input.", "birnn."


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TaggerConfig:
    """A word's vector and its parts', a deep bidirectional RNN, a weight for each tag.

    Words with vectors of their own are known in lower case, or as they are written; case itself is
    told by a word's parts.
    Several such networks (`members`), which began differently, give the mean of their weights.

    With `crf` also a weight for each tag after each other, for the first and for the last of a
    sentence, so that whole sequences are weighed (Lafferty et al. 2001).
    """

    tags: tuple[str, ...] = setting((), "the tags")
    column: str = setting("tag", "what the tags are, or the column that they came from")
    words: int = setting(0, "words seen in training", ge=0, le=10_000_000)
    known: int = setting(0, "words with vectors of their own", ge=0, le=10_000_000)
    crf: bool = setting(False, "weigh whole sequences of tags")
    whole_spans: bool = setting(False, "of these only such whose spans begin before they go on")
    members: int = setting(1, "networks whose weights of tags are averaged", ge=1, le=64)
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
    num_layers: int = field_of(BiRNNConfig, "num_layers")

    def __post_init__(self) -> None:
        check(self)
        if not all(isinstance(tag, str) for tag in self.tags):
            raise ConfigError("tags must be text")
        if not 1 <= len(self.tags) <= MOST_TAGS or len(set(self.tags)) != len(self.tags):
            raise ConfigError(f"tags must be 1 to {MOST_TAGS:,} different ones")
        if self.vocab_size != self.known + 1:
            raise ConfigError("vocab_size must be known + 1")

    @property
    def input(self) -> WordInputConfig:
        """The form of the words' vectors."""
        return part_of(WordInputConfig, self)

    @property
    def rnn(self) -> BiRNNConfig:
        """The form of the layers."""
        return BiRNNConfig(
            input_size=self.input.size,
            cell=self.cell,
            reset=self.reset,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
        )

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every tensor, in order."""
        own = self.member_shapes().items()
        return {f"{member}.{name}": shape for member in range(self.members) for name, shape in own}

    def member_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every tensor of one network."""
        number = len(self.tags)
        shapes = {INPUT + name: shape for name, shape in self.input.tensor_shapes().items()}
        shapes |= {RNN + name: shape for name, shape in self.rnn.tensor_shapes().items()}
        shapes["output.weight"] = (number, self.rnn.output_size)
        shapes["output.bias"] = (number,)
        if self.crf:
            shapes["crf.after"] = (number, number)
            shapes["crf.first"] = (number,)
            shapes["crf.last"] = (number,)
        return shapes

    def count_parameters(self) -> int:
        """Return how many numbers those tensors hold."""
        return sum(math.prod(shape) for shape in self.tensor_shapes().values())


def describe(config: TaggerConfig) -> str:
    """Return a config in a few words.

    Example:
        >>> describe(TaggerConfig(tags=("A", "B"), num_layers=2, hidden_size=64))
        '2 x 64 bidirectional LSTM, 2 tags'
    """
    decided = ", CRF" if config.crf else ""
    several = f"{config.members} x " if config.members > 1 else ""
    form = (
        f"{several}{config.num_layers} x {config.hidden_size} bidirectional {config.cell.upper()}"
    )
    return f"{form}, {len(config.tags)} tags{decided}"
