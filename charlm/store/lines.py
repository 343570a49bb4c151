"""Words of a model as lines of a file in its folder."""

from __future__ import annotations

from collections.abc import Sequence

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import StoredModel


def as_lines(texts: Sequence[str]) -> bytes:
    """Return texts as lines; none of them holds a line end."""
    return "".join(f"{text}\n" for text in texts).encode("utf-8", "surrogatepass")


def stored_lines(stored: StoredModel, name: str, number: int) -> list[str]:
    """Return the lines of a model's file.

    Raises:
        CheckpointError: if it is no text, or has another number of lines.
    """
    where = f"{stored.folder}/{name}"
    try:
        text = stored.tokenizer_files.get(name, b"").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{where} is not UTF-8; copy the folder again") from error
    lines = text.split("\n")[:-1]
    if len(lines) != number:
        raise CheckpointError(
            f"{where}: {len(lines):,} lines, expected {number:,}; copy the folder again"
        )
    return lines
