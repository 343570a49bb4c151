"""How a model would end a half word, and what it would write next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from charlm.generation.beam import beam_search
from charlm.generation.generate import generate, read_prompt
from charlm.generation.sampling import SamplingConfig
from charlm.tasks.load import OpenModel

if TYPE_CHECKING:
    from charlm.generation.protocol import CausalModel

# What a model reads of a long text: more hardly changes what it would write next.
LAST_CHARS = 400
LONGEST_WORD = 16  # tokens of a half word's other half
_STOPS = tuple(' \n\t.,;:!?"()[]{}')
_HALF_WORD = re.compile(r"[^\W_]+$")
_WHOLE_WORDS = ("word", "whitespace")


def complete_word(opened: OpenModel, text: str, *, top_n: int = 8) -> list[str]:
    """Return the likeliest ends of the word that `text` breaks off in, the likeliest first.

    Where `text` ends no half word, these are the likeliest next words.
    """
    text = text[-LAST_CHARS:]
    if opened.tokenizer.name in _WHOLE_WORDS:
        return _from_vocabulary(opened, text, top_n)
    config = SamplingConfig(
        max_new_tokens=LONGEST_WORD, beam_size=top_n, num_samples=top_n, stop=_STOPS
    )
    decode = _decoder_after(opened, text)
    found = beam_search(
        cast("CausalModel", opened.model),
        opened.tokenizer.encode(text),
        config,
        decode=decode,
        masked_ids=opened.tokenizer.hidden_ids,
    )
    # Before a new word its blank belongs to it, and is no end of it.
    ends = [_until_stop(decode(result.ids)) for result in found if result.stop_reason == "stop"]
    return [end for end in dict.fromkeys(ends) if end]


def _until_stop(text: str) -> str:
    places = [place for stop in _STOPS if (place := text.find(stop)) >= 0]
    return text[: min(places, default=len(text))]


def _decoder_after(opened: OpenModel, text: str) -> Callable[[Any], str]:
    """Return what decodes ids as they read behind `text`."""
    before = opened.tokenizer.encode(text)[-8:].tolist()
    start = len(opened.tokenizer.decode(before))

    def decode(ids: Any) -> str:
        return opened.tokenizer.decode([*before, *ids])[start:]

    return decode


def _from_vocabulary(opened: OpenModel, text: str, top_n: int) -> list[str]:
    """Return the ends of words that begin with the half word, by p(word | all before it)."""
    found = _HALF_WORD.search(text)
    half = found[0] if found else ""
    tokenizer = opened.tokenizer
    before = tokenizer.encode(text[: len(text) - len(half)].rstrip(" "))
    logits, _ = read_prompt(cast("CausalModel", opened.model), before.astype(np.int64))
    ends = []
    for token_id in np.argsort(-logits[0], kind="stable").tolist():
        token = tokenizer.token(token_id)
        if token_id in tokenizer.hidden_ids or not token.startswith(half):
            continue
        end = token[len(half) :]
        if end and _HALF_WORD.fullmatch(token):
            ends.append(end)
            if len(ends) == top_n:
                break
    return ends


def guess_next(
    opened: OpenModel, text: str, *, is_wanted: Callable[[], bool] = lambda: True
) -> str:
    """Return what the model holds likeliest behind `text`, to the end of a few words at most.

    Args:
        is_wanted: asked at each token; the guess ends with the first False.
    """
    text = text[-LAST_CHARS:]
    whole_words = opened.tokenizer.name in _WHOLE_WORDS
    if whole_words and _HALF_WORD.search(text):
        return next(iter(_from_vocabulary(opened, text, 1)), "")
    decoder = opened.tokenizer.decoder
    stream = generate(
        cast("CausalModel", opened.model),
        opened.tokenizer.encode(text),
        SamplingConfig(max_new_tokens=5 if whole_words else 24, temperature=0.0, stop=("\n",)),
        decoder=decoder,
        masked_ids=opened.tokenizer.hidden_ids,
    )
    pieces: list[str] = []
    for token in stream:
        if not is_wanted():
            break
        pieces.append(token.text)
    guess = "".join(pieces)
    if text.endswith((" ", "\n")):
        guess = guess.lstrip(" ")
    return guess if whole_words else _whole_words(guess)


def _whole_words(text: str) -> str:
    """Return a text without the word that it breaks off in, unless it is all there is.

    Example:
        >>> _whole_words("ing the ki"), _whole_words("ing")
        ('ing the', 'ing')
    """
    return text.rsplit(" ", 1)[0] if " " in text.strip(" ") else text
