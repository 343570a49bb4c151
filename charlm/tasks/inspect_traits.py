"""Simple traits of a text that a unit may follow: one number a token, as after reading it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_OPENING, _CLOSING = "([{", ")]}"
_QUOTE_OPENING, _QUOTE_CLOSING = "“«„", "”»"
TRAITS = {
    "position in line": "characters since the line began",
    "position in word": "characters since the last white space",
    "inside quotes": "between double quotes, in one paragraph",
    "inside brackets": "between (), [] or {}, in one paragraph",
    "capital letter": "the token has a capital letter",
    "digit": "the token has a digit",
    "punctuation": "the token has neither letters, digits nor white space alone",
    "white space": "the token begins with white space",
}


def traits_of(texts: Sequence[str]) -> Float64:
    """Return the traits of tokens, in the order of `TRAITS`, (tokens, traits).

    A blank line closes all brackets and quotes: one that nobody closed tells nothing of the rest.

    Args:
        texts: what each token stands for; nothing for a part of a character.

    Example:
        >>> rows = traits_of(['"', "A", "9", '"', "(", ")", "\\n"])
        >>> rows[:, 0].tolist(), rows[:, 2].tolist(), rows[:, 3].tolist()
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], \
[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    """
    place = _Place()
    rows = []
    for text in texts:
        for char in text:
            place.pass_over(char)
        rows.append([place.line, place.word, place.quoted, place.depth > 0, *_token_traits(text)])
    return np.array(rows, dtype=np.float64).reshape(len(texts), len(TRAITS))


def _token_traits(text: str) -> tuple[bool, bool, bool, bool]:
    bare = text.strip()
    return (
        any(char.isupper() for char in bare),
        any(char.isdigit() for char in bare),
        bool(bare) and not any(char.isalnum() for char in bare),
        text[:1].isspace(),
    )


class _Place:
    """Where in a text one is, after each of its characters."""

    def __init__(self) -> None:
        self.line = self.word = self.depth = 0
        self.quoted = False

    def pass_over(self, char: str) -> None:
        if char == "\n":
            if not self.line:
                self.depth, self.quoted = 0, False
            self.line = self.word = 0
            return
        self.line += 1
        self.word = 0 if char.isspace() else self.word + 1
        if char in _OPENING:
            self.depth += 1
        elif char in _CLOSING:
            self.depth = max(self.depth - 1, 0)
        elif char == '"':
            self.quoted = not self.quoted
        elif char in _QUOTE_OPENING:
            self.quoted = True
        elif char in _QUOTE_CLOSING:
            self.quoted = False
