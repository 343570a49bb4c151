"""Models that a session asks beside its own: kept open for the next question, and completion."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from charlm.render.console import talk

if TYPE_CHECKING:
    from charlm.tasks.classify import OpenClassifier
    from charlm.tasks.spell import OpenSpeller
    from charlm.tasks.tag import OpenTagger
    from charlm.tasks.vectors_open import OpenSpace
    from charlm.vectors.words import Words


class Noted(Protocol):
    """A model that is open."""

    @property
    def note(self) -> str:
        """Which was taken, where nobody named one."""


T = TypeVar("T", bound=Noted)
Key = tuple[str, int]


class Kept(Generic[T]):
    """Opens models of a kind, and keeps the one opened last as long as its files stay the same.

    Args:
        kind: of the models, as their folders say it.
        opener: opens one, given its name or None for the newest.
    """

    def __init__(self, kind: str, opener: Callable[[str | None], T]) -> None:
        self._kind, self._opener = kind, opener
        self._lock = threading.Lock()  # completion asks in a thread of its own
        self._last: tuple[Key, T] | None = None
        self._told: set[str] = set()

    def told(self, name: str | None) -> T:
        """Return a model as `open` does; where nobody named it, say once which was taken."""
        opened = self.open(name)
        if opened.note and opened.note not in self._told:
            self._told.add(opened.note)
            talk(f"charlm: {opened.note}")
        return opened

    def open(self, name: str | None) -> T:
        """Return a model; errors as the opener."""
        with self._lock:
            key = _key(name, self._kind)
            if self._last is not None and self._last[0] == key:
                return self._last[1]
            self._last = None  # before another takes its memory
            opened = self._opener(name)
            if key is not None:
                self._last = key, opened
            return opened


class Others:
    """All models of a session but the one that writes."""

    def __init__(self) -> None:
        self.spaces = Kept("vectors", _open_space)
        self.spellers = Kept("speller", _open_speller)
        self.taggers = Kept("tagger", _open_tagger)
        self.classifiers = Kept("classifier", _open_classifier)


def _open_space(name: str | None) -> OpenSpace:
    from charlm.tasks.vectors_open import open_space

    return open_space(name)


def _open_speller(name: str | None) -> OpenSpeller:
    from charlm.tasks.spell import open_speller

    return open_speller(name)


def _open_tagger(name: str | None) -> OpenTagger:
    from charlm.tasks.tag import open_tagger

    return open_tagger(name)


def _open_classifier(name: str | None) -> OpenClassifier:
    from charlm.tasks.classify import open_classifier

    return open_classifier(name)


def _key(name: str | None, kind: str) -> Key | None:
    """Return what changes with the model that is meant; None where that cannot be told."""
    from charlm.base.errors import CharlmError
    from charlm.store.locate import find_model
    from charlm.store.manifest import MANIFEST

    try:
        if name is not None and Path(name).is_file():
            return name, Path(name).stat().st_mtime_ns
        manifest = find_model(name, (kind,)).folder / MANIFEST
        return str(manifest), manifest.stat().st_mtime_ns
    except (CharlmError, OSError):
        return None


def words_that_begin(words: Words, begin: str) -> Iterator[str]:
    r"""Yield the words that begin so, in their order: the most frequent first.

    Example:
        >>> from charlm.vectors.words import Words
        >>> list(words_that_begin(Words.of(["the", "king", "they"]), "the"))
        ['the', 'they']
    """
    data, half = words.data, begin.encode("utf-8", "surrogatepass")
    if "\n" in begin:
        return
    place = 0 if data.startswith(half) else _after(data.find(b"\n" + half))
    while 0 <= place < len(data):
        end = data.index(b"\n", place)
        yield data[place:end].decode("utf-8", "replace")
        place = _after(data.find(b"\n" + half, end))


def _after(place: int) -> int:
    return place + 1 if place >= 0 else -1
