"""Occurrences of words nearest in meaning to a word in its context."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.tasks.embed import OpenEmbedder, States, read_states
from charlm.tasks.embed_config import EmbedConfig
from charlm.tasks.spans import token_texts
from charlm.text.corpora import open_corpus
from charlm.text.scripts import tight_letters_pattern

_WORD = re.compile(r"\w+(?:['’]\w+)*")
LINES = 256
"""Lines whose states are held at a time."""
Span = tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Occurrence:
    """A word in its line, from `start` to `end`, and how near it is to the word asked for."""

    query: str
    word: str
    similarity: float
    context: str
    start: int
    end: int


def find_in_context(
    opened: OpenEmbedder,
    context: str,
    word: str,
    lines: Iterable[Sequence[str]],
    *,
    top_n: int = 10,
    config: EmbedConfig | None = None,
) -> list[Occurrence]:
    """Return the occurrences nearest to `word` in `context` by cosine, the nearest first.

    Args:
        opened: the model.
        context: a text that has the word.
        word: its first occurrence is meant; in any case of letters if there is none as written.
        lines: batches of lines; each word of each is compared, save the very one asked for.
        top_n: how many to return.
        config: which states count.

    Raises:
        TaskError: if the context lacks the word, or the model the layer or direction.
    """
    config = config or EmbedConfig()
    asked = _find(context, word)
    (states,) = read_states(opened, [context], config)
    vectors = _vectors(opened, context, states, [asked])
    if not vectors:
        raise TaskError(f"{opened.name} has no token that stands for {word[:100]!r}")
    query = vectors[0][1]
    best: list[Occurrence] = []
    for batch in (lot[n : n + LINES] for lot in lines for n in range(0, len(lot), LINES)):
        for line, (start, end), near in _compared(opened, batch, query, config):
            if (line, (start, end)) != (context, asked):
                best.append(Occurrence(word, line[start:end], near, line, start, end))
        best = sorted(best, key=lambda one: -one.similarity)[:top_n]
    return best


def line_batches(spec: str) -> Iterator[list[str]]:
    """Yield the lines of a file or corpus, some at a time.

    Raises:
        CorpusError: if it cannot be read.
    """
    rest = ""
    for piece in open_corpus([spec], encoding_errors="replace").pieces():
        *lines, rest = (rest + piece).split("\n")
        yield lines
    if rest:
        yield [rest]


def _find(context: str, word: str) -> Span:
    for flags in (re.NOFLAG, re.IGNORECASE):
        for pattern in (rf"(?<!\w){re.escape(word)}(?!\w)", re.escape(word)):
            found = re.search(pattern, context, flags)
            if found and word.strip():
                return found.span()
    raise TaskError(f"the context has no {word[:100]!r}; give a text in which it occurs")


def _compared(
    opened: OpenEmbedder, lines: Sequence[str], query: npt.NDArray[np.float32], config: EmbedConfig
) -> Iterator[tuple[str, Span, float]]:
    for line, states in zip(lines, read_states(opened, lines, config), strict=True):
        for span, vector in _vectors(opened, line, states, _words(opened, line, states)):
            yield line, span, float(vector @ query)


def _words(opened: OpenEmbedder, line: str, states: States) -> list[Span]:
    """Return the words of a line; where none are parted by blanks, as in Chinese, its tokens."""
    words = [found.span() for found in _WORD.finditer(line)]
    if not tight_letters_pattern().search(line):
        return words
    starts, stops = _places(opened, line, states)
    cuts = sorted({*starts, *stops})
    return [
        part
        for start, end in words
        for part in itertools.pairwise(
            [start, *cuts[bisect.bisect_right(cuts, start) : bisect.bisect_left(cuts, end)], end]
        )
    ]


def _vectors(
    opened: OpenEmbedder, text: str, states: States, spans: Sequence[Span]
) -> list[tuple[Span, npt.NDArray[np.float32]]]:
    """Return vectors of length 1: forward at a word's last token, backward at its first.

    Each has then read all of the word and one side of its line. What no token stands for is left
    out, and so is all of a text whose tokens cannot be found in it.
    """
    starts, stops = _places(opened, text, states)
    vectors = []
    for start, end in spans:
        first, last = bisect.bisect_right(stops, start), bisect.bisect_left(starts, end) - 1
        if first > last:
            continue
        parts = []
        if states.forward is not None:
            parts.append(states.forward[last].ravel())
        if states.backward is not None:
            parts.append(states.backward[first].ravel())
        vector = np.concatenate(parts)
        length = np.float32(float(np.linalg.norm(vector)) or 1.0)
        vectors.append(((start, end), np.asarray(vector / length, dtype=np.float32)))
    return vectors


def _places(opened: OpenEmbedder, text: str, states: States) -> tuple[list[int], list[int]]:
    """Return where each token begins and ends in a text; nothing where that cannot be told."""
    texts = token_texts(opened.tokenizer, text, states.ids)
    if sum(map(len, texts)) != len(text):
        return [], []
    starts, stops, begin = [], [], 0
    for one in texts:
        starts.append(begin + len(one) - len(one.lstrip()))  # blanks before a word are none of it
        begin += len(one)
        stops.append(begin)
    return starts, stops
