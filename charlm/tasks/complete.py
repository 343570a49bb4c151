"""How a model would end a half word, and what it would write next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from charlm.engine.language_model import log_softmax
from charlm.generation.generate import generate, read_prompt
from charlm.generation.sampling import SamplingConfig
from charlm.tasks.load import OpenModel
from charlm.text.tokenizers.protocol import Tokenizer

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

    Behind a blank, these are the likeliest next words.
    """
    text = text[-LAST_CHARS:]
    if opened.tokenizer.name in _WHOLE_WORDS:
        return _from_vocabulary(opened, text, top_n)
    if text.strip() and not (text[-1].isspace() or _HALF_WORD.search(text)):
        return []
    found = _search(opened, text, top_n)
    decode = _decoder_after(opened, text)
    ends = [decode(ids).lstrip(" ") for _, ids in sorted(found, key=lambda one: -one[0])]
    return [end for end in dict.fromkeys(ends) if end][:top_n]


def _search(opened: OpenModel, text: str, size: int) -> list[tuple[float, tuple[int, ...]]]:
    """Return ends of a word with their log-probabilities, by a beam search.

    Whatever ends a word, a blank or a full stop, counts together as its end.
    """
    model, tokenizer = cast("CausalModel", opened.model), opened.tokenizer
    borders = _borders(tokenizer)
    logits, state = read_prompt(model, tokenizer.encode(text).astype(np.int64))
    beams: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    found: list[tuple[float, tuple[int, ...]]] = []
    for _ in range(LONGEST_WORD):
        log_probs = log_softmax(logits.astype(np.float64))
        log_probs[:, list(tokenizer.hidden_ids)] = -np.inf
        ends = np.logaddexp.reduce(log_probs[:, borders], axis=1) if borders.any() else None
        for row, (total, ids) in enumerate(beams):
            if ids and ends is not None:
                found.append((total + float(ends[row]), ids))
        log_probs[:, borders] = -np.inf
        totals = (log_probs + np.array([[total] for total, _ in beams])).ravel()
        order = np.argsort(-totals, kind="stable")[:size]
        order = order[totals[order] > -np.inf]
        found = sorted(found, key=lambda one: -one[0])[:size]
        if not len(order) or (len(found) == size and totals[order[0]] <= found[-1][0]):
            break
        rows, tokens = np.divmod(order, log_probs.shape[1])
        beams = [
            (float(totals[place]), (*beams[row][1], int(token)))
            for place, row, token in zip(order, rows.tolist(), tokens.tolist(), strict=True)
        ]
        logits, state = model.step(tokens, model.select(state, rows))
    return found


def _borders(tokenizer: Tokenizer) -> npt.NDArray[np.bool_]:
    """Return which tokens do not go on with a word: blanks, symbols, pieces that begin one."""
    firsts = [tokenizer.token(token_id)[:1] for token_id in range(tokenizer.vocab_size)]
    if tokenizer.name == "byte":  # bytes beyond ASCII are parts of letters
        firsts = [chr(token_id) if token_id < 0x80 else "a" for token_id in range(len(firsts))]
    return np.array([not (first.isalnum() or first in "'’") for first in firsts])


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
    if tokenizer.config().get("lowercase") is True:
        half = half.lower()
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
        opened.tokenizer.encode(text.rstrip(" ") if whole_words else text),
        SamplingConfig(max_new_tokens=5 if whole_words else 24, temperature=0.0, stop=("\n",)),
        decoder=decoder,
        masked_ids=opened.tokenizer.hidden_ids,
    )
    pieces: list[str] = []
    is_whole = whole_words
    for token in stream:
        if not is_wanted():
            break
        pieces.append(token.text)
        is_whole |= token.stop_reason == "stop"
    guess = "".join(pieces)
    if text.endswith((" ", "\n")):
        guess = guess.lstrip(" ")
    return guess if is_whole else _whole_words(guess)


def _whole_words(text: str) -> str:
    """Return a text without the word that it breaks off in, unless it is all there is.

    Example:
        >>> _whole_words("ing the ki"), _whole_words("ing")
        ('ing the', 'ing')
    """
    return text.rsplit(" ", 1)[0] if " " in text.strip(" ") else text
