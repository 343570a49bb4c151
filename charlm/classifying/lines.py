"""Labelled lines: fastText's `__label__x text`, and `label text`."""

from __future__ import annotations

from collections.abc import Iterator

from charlm.base.errors import CorpusError
from charlm.classifying.labelled import Labelled

MARK = "__label__"


def read_marked(name: str, text: str) -> Iterator[Labelled]:
    r"""Yield the lines of `__label__x text`; blank ones are skipped.

    Raises:
        CorpusError: for a line without a label or with several, naming it.

    Example:
        >>> list(read_marked("a.txt", "__label__good I like it\n"))
        [Labelled(label='good', text='I like it', line=1)]
    """
    for number, line in _lines(text):
        words = line.split()
        found = sum(word.startswith(MARK) for word in words)
        if found != 1 or not words[0].startswith(MARK) or words[0] == MARK:
            what = f"{found} labels" if found > 1 else "no label at the beginning"
            raise CorpusError(
                f"{name}, line {number}: {what}; expected one, as {MARK}x before the text"
            )
        yield Labelled(words[0].removeprefix(MARK), line[len(words[0]) :].strip(), number)


def read_spaced(name: str, text: str) -> Iterator[Labelled]:
    r"""Yield the lines of `label text`, parted by the first blank; blank lines are skipped.

    Example:
        >>> list(read_spaced("a.txt", "\n1 I like it\n"))
        [Labelled(label='1', text='I like it', line=2)]
    """
    for number, line in _lines(text):
        label = line.split(None, 1)[0]
        yield Labelled(label, line[len(label) :].strip(), number)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if stripped := line.strip():
            yield number, stripped
