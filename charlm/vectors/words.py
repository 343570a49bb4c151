"""A list of words by number and by name, kept as the bytes of a file: a word a line.

A file of a million words is not parsed to look up one of them: its bytes are searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError

WORDS_FILE = "words.txt"


class Words:
    r"""Words in a fixed order, each without line ends, most frequent first where counts are known.

    Args:
        data: the words in UTF-8, each followed by a line feed.

    Raises:
        CheckpointError: if the data does not end with a line feed.

    Example:
        >>> words = Words("the\nking\nof\n".encode())
        >>> len(words), words.index("king"), words.index("kin"), words[2]
        (3, 1, None, 'of')
    """

    def __init__(self, data: bytes, *, where: str = WORDS_FILE) -> None:
        if data and not data.endswith(b"\n"):
            raise CheckpointError(f"{where}: the last line has no end; copy the file again")
        self.data = data
        codes = np.frombuffer(data, dtype=np.uint8)
        self._ends: npt.NDArray[np.intp] = np.flatnonzero(codes == 10)
        self._known: dict[str, int] | None = None

    @classmethod
    def of(cls, words: Iterable[str]) -> Words:
        """Return words from a list of them; none may hold a line feed."""
        return cls(b"".join(word.encode("utf-8", "surrogatepass") + b"\n" for word in words))

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[str]:
        return iter(self.data.decode("utf-8", "replace").split("\n")[:-1])

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = int(self._ends[index - 1]) + 1 if index else 0
        return self.data[start : int(self._ends[index])].decode("utf-8", "replace")

    def index(self, word: str) -> int | None:
        """Return the number of a word, None where it is not there."""
        if self._known is not None:
            return self._known.get(word)
        if not word or "\n" in word:
            return None
        line = word.encode("utf-8", "surrogatepass") + b"\n"
        if self.data.startswith(line):
            return 0
        place = self.data.find(b"\n" + line)
        return None if place < 0 else int(np.searchsorted(self._ends, place)) + 1

    def known(self) -> dict[str, int]:
        """Return the number of each word, for those who look up many; of twins the first."""
        if self._known is None:
            self._known = {}
            for index, word in enumerate(self):
                self._known.setdefault(word, index)
        return self._known


def distinct_names(tokens: Sequence[str]) -> list[str]:
    r"""Return a name for each token that is good on a line and belongs to no other.

    A blank in front, as subwords have that begin a word, is left out; a subword inside words then
    gets `##` in front where it would have another's name.

    Example:
        >>> distinct_names([" king", "king", "dom", "\n"])
        ['king', '##king', 'dom', '\\n']
    """
    plain = [token.replace("\n", "\\n") for token in tokens]
    taken = {name.lstrip() for name in plain if name.startswith(" ")}
    names, seen = [], set()
    for name in plain:
        short = name.lstrip() or name
        if not name.startswith(" ") and short in taken:
            short = f"##{short}"
        while short in seen:
            short = f"##{short}"
        seen.add(short)
        names.append(short)
    return names
