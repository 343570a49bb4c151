"""KenLM as a peer: its 5-grams of any lines, through `lmplz` and `query` on the PATH.

The source package of `kenlm` on PyPI carries the sources of both: `cmake . && make lmplz query`
in it builds them, given Boost.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

TOOLS = ("lmplz", "query")
MISSING = "KenLM is not here: lmplz and query are not on the PATH"
MEMORY = "2G"  # of sorting; without it lmplz takes most of the machine's


def is_here() -> bool:
    """Return whether KenLM's programs are on the PATH."""
    return all(shutil.which(tool) for tool in TOOLS)


class KenLM:
    """A model of KenLM's in a folder, and the seconds that `lmplz` took."""

    def __init__(self, lines: str, order: int, folder: Path) -> None:
        """Count `lines`, words with blanks between them; none may be `<unk>`, `<s>` or `</s>`."""
        self._arpa = folder / f"{order}.arpa"
        source = folder / f"{order}.txt"
        source.write_text(lines)
        command = ["lmplz", "-o", str(order), "-S", MEMORY, "-T", str(folder)]
        begun = time.monotonic()
        with source.open("rb") as given, self._arpa.open("wb") as made:
            subprocess.run(command, stdin=given, stdout=made, stderr=subprocess.DEVNULL, check=True)
        self.seconds = time.monotonic() - begun

    def nats(self, lines: Sequence[str]) -> list[float]:
        """Return the negative log-likelihood of each line with its end, in nats."""
        done = subprocess.run(
            ["query", "-v", "sentence", str(self._arpa)],
            input="".join(f"{line}\n" for line in lines),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            check=True,
        )
        rows = [row for row in done.stdout.splitlines() if row.startswith("Total:")]
        if len(rows) != len(lines):
            raise SystemExit(f"KenLM scored {len(rows)} of {len(lines)} lines")
        return [-math.log(10.0) * float(row.split()[1]) for row in rows]
