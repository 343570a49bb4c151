"""Give a speller a pair of language models in place of networks of its own."""

from __future__ import annotations

from charlm.base.errors import TaskError
from charlm.spelling.pair import Pair, pair_arrays
from charlm.tasks.embed import open_backward
from charlm.tasks.load import OpenModel, model_config, open_model
from charlm.text.tokenizers.word import WordTokenizer


def open_pair(name: str) -> tuple[Pair, str]:
    """Return the pair of that name or folder as a speller takes it over, and its plain name.

    Raises:
        CheckpointError: if there is none, it is damaged, or its halves do not fit each other.
        TaskError: if it has no backward half, or reads no words.
    """
    opened = open_model(name, kinds=("lm",))
    tokenizer = _require_words(opened)
    other, missing = open_backward(opened)
    if other is None:
        raise TaskError(
            f"{opened.name} has no backward model, found the forward one alone; {missing}"
        )
    config = model_config(opened.stored)
    arrays = pair_arrays(config, opened.stored.tensors(), other.stored.tensors())
    return Pair(config, tokenizer, arrays), opened.name


def _require_words(opened: OpenModel) -> WordTokenizer:
    if isinstance(opened.tokenizer, WordTokenizer):
        return opened.tokenizer
    raise TaskError(
        f"{opened.name} reads {opened.tokenizer.name} tokens; a speller needs a pair that reads "
        "words (charlm train lm TEXT --tokenizer word --bidirectional)"
    )
