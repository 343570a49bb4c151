"""Known words spelt nearly as an unknown one, to be offered in a message."""

from __future__ import annotations

from collections.abc import Container, Iterator

from charlm.vectors.words import Words

_LONGEST = 30  # characters of a word whose spellings are tried out
_LETTERS = "abcdefghijklmnopqrstuvwxyz'-"


def near_spellings(word: str, words: Words, most: int = 3) -> list[str]:
    """Return known words one edit away, else two: the most frequent first.

    Edits insert, delete or replace a character or swap two; case alone comes before all.
    """
    known = words.known()
    forms = (word.lower(), word.capitalize(), word.upper(), word.title())
    same = sorted({form for form in forms if form != word and form in known}, key=known.__getitem__)
    if same or len(word) > _LONGEST:
        return same[:most]
    letters = sorted(set(_LETTERS) | set(word.lower()))
    once = set(_edits(word, letters))
    found = {form for form in once if form in known}
    if not found:
        found = _twice(once, letters, known)
    return sorted(found - {word}, key=known.__getitem__)[:most]


def _twice(once: set[str], letters: list[str], known: Container[str]) -> set[str]:
    return {form for near in once for form in _edits(near, letters) if form in known}


def _edits(word: str, letters: list[str]) -> Iterator[str]:
    for i in range(len(word) + 1):
        head, tail = word[:i], word[i:]
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        yield from (head + letter + tail for letter in letters)
