"""The tokens of a pair of language models for words, and for what stands between them."""

from __future__ import annotations

import re

from charlm.spelling.words import CAPITAL, CAPITALS
from charlm.text.tokenizers.word import WordTokenizer

_BLANKS = re.compile(r"\s+")
_LONG = 100  # characters between words, more of which only the ends are read of
_MOST_KEPT = 1 << 17
_NONE: tuple[int, ...] = ()


class PairWords:
    """Finds the tokens of a tokenizer of words."""

    def __init__(self, tokenizer: WordTokenizer) -> None:
        self.tokenizer = tokenizer
        self._ids = tokenizer.vocab.ids
        self.unknown, self.end = tokenizer.unk_id or 0, tokenizer.eos_id or 0
        # the most frequent comes first
        self._forms: dict[str, int] = {}
        for token, number in self._ids.items():
            self._forms.setdefault(_form(token), number)
        self._between: dict[tuple[str, bool, bool], tuple[int, ...]] = {}

    def word(self, text: str, case: int) -> int:
        """Return the token of a word in lower case that stands in a text so; -1 without one."""
        written = text
        if case == CAPITAL:
            written = text[:1].upper() + text[1:]
        elif case == CAPITALS:
            written = text.upper()
        found = self._ids.get(written)
        return self._forms.get(_form(text), -1) if found is None else found

    def words(self, text: str, case: int) -> tuple[int, ...]:
        """Return the tokens of words with blanks between; of an unknown one that of its stem."""
        return tuple(self._nearest(word, case) for word in text.split(" "))

    def _nearest(self, word: str, case: int) -> int:
        found = self.word(word, case)
        while found < 0 and "'" in word:
            word = word.rpartition("'")[0]
            found = self.word(word, case)
        return self.unknown if found < 0 else found

    def between(self, text: str, *, first: bool = False, last: bool = False) -> tuple[int, ...]:
        """Return the tokens of what stands between two words, or at either end of a line."""
        if text == " " or not text:
            return _NONE
        key = (text, first, last)
        found = self._between.get(key)
        if found is None:
            if len(self._between) > _MOST_KEPT:
                self._between.clear()
            found = self._between[key] = self._tokens(text, first, last)
        return found

    def _tokens(self, text: str, first: bool, last: bool) -> tuple[int, ...]:
        plain = _BLANKS.sub(" ", text)
        if len(plain) > 2 * _LONG:
            plain = f"{plain[:_LONG]} {plain[-_LONG:]}"
        plain = f"{'' if first else 'a'}{plain}{'' if last else 'a'}".strip(" ")
        ids = self.tokenizer.encode(plain).tolist()
        return tuple(ids[0 if first else 1 : len(ids) if last else -1])


def _form(token: str) -> str:
    return token.lower().replace("’", "'")
