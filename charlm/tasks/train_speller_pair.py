"""Give a speller a pair of language models in place of networks of its own."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from charlm.base.errors import TaskError
from charlm.spelling.corrector import Corrector
from charlm.spelling.pair import Pair, pair_arrays
from charlm.spelling.slips import add_slips, count_wrong
from charlm.spelling.speller import Speller
from charlm.tasks.embed import open_backward
from charlm.tasks.load import OpenModel, model_config, open_model
from charlm.tasks.train_events import Message
from charlm.text.tokenizers.word import WordTokenizer

SHARES = (0.3, 0.15, 0.45, 0.6, 0.0)
"""Tried in this order; of equal ones the first is taken. With 0 the pair is not heard."""
_MOST_CHARS, _LEAST_CHARS = 100_000, 5_000
_BLOCK, _TOGETHER = 20, 100  # lines


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
        raise TaskError(f"{opened.name} has no backward model beside it; {missing}")
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


def add_pair(
    speller: Speller, pair: Pair, clean: Sequence[str]
) -> Generator[Message, None, Speller]:
    """Return the speller with a pair, heard as much as is best on lines with slips put in.

    Args:
        speller: has no networks.
        pair: what it gets.
        clean: lines that were held out. Too few try nothing.
    """
    right = _some(clean)
    if sum(map(len, right)) < _LEAST_CHARS:
        return speller.with_pair(pair)
    yield Message(text="trying how much the pair is to be heard")
    typed = add_slips(right)
    pair = pair.meeting(speller.lexicon, speller.model.log_unigrams)
    heard = {share: speller.with_pair(pair, share) for share in SHARES}
    wrong = {share: _wrong_words(one, right, typed) for share, one in heard.items()}
    best = min(SHARES, key=lambda share: wrong[share])  # of equal ones the first
    words = sum(len(line.split()) for line in right)
    yield Message(
        text=f"the pair has a share of {best:.0%} in what words around say: of {words:,} words "
        f"held out, slips put in, {wrong[best]:,} are wrong with it, {wrong[0.0]:,} without"
    )
    return heard[best]


def _wrong_words(speller: Speller, right: Sequence[str], typed: Sequence[str]) -> int:
    """Return how many words are wrong when typed lines have been corrected."""
    corrector, wrong = Corrector(speller), 0
    for start in range(0, len(right), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        found = corrector.correct(typed[part])
        wrong += sum(
            count_wrong(line, one.corrected) for line, one in zip(right[part], found, strict=True)
        )
    return wrong


def _some(lines: Sequence[str]) -> list[str]:
    """Return stretches of the lines from their beginning to their end, so many characters."""
    blocks = [lines[start : start + _BLOCK] for start in range(0, len(lines), _BLOCK)]
    total = sum(map(len, lines))
    step = max(1, round(total / _MOST_CHARS))
    return [line for block in blocks[::step] for line in block]
