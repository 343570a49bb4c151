"""The lines of an ARPA file, parsed section by section; whatever is wrong is told with its line."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from charlm.base.errors import CorpusError
from charlm.ngram.config import MAX_ORDER
from charlm.text.decoding import Bytes
from charlm.text.sources import Source

MAX_LINE = 1 << 16
MAX_WORD = 1024
LEAST_LOG10 = -1000.0
_BLOCK = 1 << 20


class Section(NamedTuple):
    """The n-grams of one order as they stand in the file, in log10.

    `words` holds the number of each word among the unigrams, `order` in a row for each n-gram.
    """

    first_line: int
    words: array[int]
    log_probs: array[float]
    backoffs: array[float]


class ArpaLines:
    """A file being parsed: the line at hand, its number, and what is wrong with it."""

    def __init__(self, where: str, stream: Bytes) -> None:
        self.where = where
        self.number = 0
        self.words: dict[bytes, int] = {}
        self._lines = self._split(stream)

    def parse(self) -> list[Section]:
        """Return all sections, unigrams first.

        Raises:
            CorpusError: naming the line.
        """
        counts = self._header()
        sections = [self._section(order, counts) for order in range(1, len(counts) + 1)]
        if self._next() != b"\\end\\":
            self.fail(f"expected \\end\\ after {counts[-1]:,} {len(counts)}-grams")
        return sections

    def fail(self, problem: str, number: int | None = None) -> NoReturn:
        """Raise the error of a line, by default the one at hand."""
        raise CorpusError(f"{self.where}:{self.number if number is None else number}: {problem}")

    def _split(self, stream: Bytes) -> Iterator[bytes]:
        rest = b""
        while block := stream.read(_BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
            if len(rest) > MAX_LINE:
                self.number += 1
                self.fail(f"a line of more than {MAX_LINE:,} bytes; is this an ARPA file?")
        if rest:
            yield rest

    def _next(self) -> bytes:
        """Return the next line that is not empty, without blanks at its ends; b"" at the end."""
        for line in self._lines:
            self.number += 1
            if stripped := line.strip():
                return stripped
        return b""

    def _header(self) -> list[int]:
        while (line := self._next()) != b"\\data\\":
            if not line:
                self.fail("no line \\data\\; is this an ARPA file?")
        counts: list[int] = []
        while (line := self._next()).startswith(b"ngram "):
            order, _, count = line[6:].replace(b" ", b"").partition(b"=")
            if order != b"%d" % (len(counts) + 1) or not count.isdigit() or len(count) > 12:
                self.fail(f"expected 'ngram {len(counts) + 1}=COUNT', found {_shown(line)}")
            counts.append(int(count))
        if not 1 <= len(counts) <= MAX_ORDER:
            self.fail(f"{len(counts)} orders of n-grams; expected 1 to {MAX_ORDER}")
        if line != b"\\1-grams:":
            self.fail(f"expected \\1-grams:, found {_shown(line)}")
        return counts

    def _section(self, order: int, counts: list[int]) -> Section:
        if order > 1 and (line := self._next()) != b"\\%d-grams:" % order:
            self.fail(
                f"expected \\{order}-grams: after {counts[order - 2]:,} {order - 1}-grams, "
                f"found {_shown(line)}"
            )
        found = Section(self.number + 1, array("i"), array("d"), array("d"))
        for _ in range(counts[order - 1]):
            line = next(self._lines, b"")  # an empty line would shift the numbers of those below
            self.number += 1
            fields = line.split()
            if not order + 1 <= len(fields) <= order + 2 or line.startswith(b"\\"):
                self.fail(
                    f"expected a probability, {order} word{'s' * (order > 1)} and perhaps a "
                    f"back-off weight, found {_shown(line)}"
                )
            self._take(fields, order, found)
        return found

    def _take(self, fields: list[bytes], order: int, found: Section) -> None:
        log_prob = self._number(fields[0])
        if log_prob > 0.0:
            self.fail(f"the probability {_shown(fields[0])} is above 1 (0 in log10)")
        found.log_probs.append(log_prob)
        found.backoffs.append(self._number(fields[-1]) if len(fields) > order + 1 else 0.0)
        words = fields[1 : order + 1]
        if order == 1:
            self._add_word(words[0])
        try:
            found.words.extend([self.words[word] for word in words])
        except KeyError as error:
            self.fail(f"the word {_shown(error.args[0])} is not among the 1-grams")

    def _number(self, field: bytes) -> float:
        try:
            value = float(field)
        except ValueError:
            self.fail(f"{_shown(field)} is no number")
        if not math.isfinite(value) or abs(value) > -LEAST_LOG10:
            self.fail(f"{_shown(field)} is out of range; expected at most 1,000 either side of 0")
        return value

    def _add_word(self, word: bytes) -> None:
        if len(word) > MAX_WORD:
            self.fail(f"a word of {len(word):,} bytes; expected at most {MAX_WORD:,}")
        try:
            word.decode("utf-8")
        except UnicodeDecodeError:
            self.fail(f"the word {_shown(word)} is no valid UTF-8")
        if word in self.words:
            self.fail(f"the word {_shown(word)} is there twice")
        self.words[word] = len(self.words)


def parse_arpa(source: Source) -> tuple[ArpaLines, list[Section]]:
    """Return the words and sections of a file or a pipe.

    Raises:
        CorpusError: if it cannot be read, or is no ARPA file.
    """
    with source.open() as file:
        lines = ArpaLines(source.label, file)
        return lines, lines.parse()


def _shown(line: bytes) -> str:
    text = line[:60].decode("utf-8", "replace")
    return repr(text if len(line) <= 60 else f"{text}…") if line else "nothing"
