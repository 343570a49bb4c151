"""What unknown words cost: the price of `<unk>` and that of spelling the word."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.ngram.spelling import SpellingModel
from charlm.tasks.load import OpenModel
from charlm.tasks.spans import token_texts

# Words the spelling is learnt from: the rarest known ones are most like the unknown.
MOST_WORDS = 20_000


class UnknownWords:
    """Prices the unknown tokens of texts by a character model of the vocabulary's rarest words.

    Without it, the many words that `<unk>` stands for share the price of one, and a model with a
    small vocabulary looks better than it is.
    """

    def __init__(self, opened: OpenModel) -> None:
        """Learn how words are spelt.

        Raises:
            TaskError: if nothing can be unknown to the model.
        """
        tokenizer = opened.tokenizer
        if tokenizer.unk_id is None:
            raise TaskError(
                f"{opened.name!r} has no unknown words: its tokens are {tokenizer.name}"
            )
        self._tokenizer = tokenizer
        self._model = SpellingModel(_words(tokenizer))
        # Text made for such models writes its unknown words so: that is all there is to spell.
        self._known = {tokenizer.token(tokenizer.unk_id): 0.0} if _writes_unknown(tokenizer) else {}

    def extra(self, text: str, ids: Any) -> npt.NDArray[np.float64]:
        """Return for each token what to add to its log-probability: 0 for known ones."""
        extra = np.zeros(len(ids))
        places = np.flatnonzero(ids == self._tokenizer.unk_id)
        if len(places):
            parts = token_texts(self._tokenizer, text, ids)
            extra[places] = [self._price(parts[place].strip() or parts[place]) for place in places]
        return extra

    def _price(self, word: str) -> float:
        if word not in self._known:
            self._known[word] = self._model.log_prob(word)
        return self._known[word]


def _writes_unknown(tokenizer: Any) -> bool:
    return bool(tokenizer.name == "whitespace")


def _words(tokenizer: Any) -> list[str]:
    """Return the rarest words of a vocabulary: those with letters or digits, each once."""
    hidden = {tokenizer.unk_id, tokenizer.eos_id, *tokenizer.hidden_ids}
    named = [(i, tokenizer.token(i)) for i in range(tokenizer.vocab_size) if i not in hidden]
    words = [word for _, word in reversed(named) if any(map(str.isalnum, word))]
    return words[:MOST_WORDS]
