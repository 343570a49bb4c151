"""The ids of a text of any size, some millions of characters at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.text.building import encode_pieces
from charlm.text.tokenizers.protocol import Tokenizer

# Characters of a text that are in memory at once, with what is reckoned of them.
BLOCK_CHARS = 2 << 20


def token_blocks(
    texts: Iterable[str], tokenizer: Tokenizer
) -> Iterator[tuple[npt.NDArray[np.integer[Any]], int]]:
    """Yield the ids of a text that arrives in portions, and how many characters they stand for.

    Joined they are the ids of the whole: it is cut only where no token changes.
    """
    held: list[Any] = []
    chars = 0
    for piece, ids in encode_pieces(texts, tokenizer):
        held.append(ids)
        chars += len(piece.text)
        if chars >= BLOCK_CHARS:
            yield np.concatenate(held), chars
            held, chars = [], 0
    if held:
        yield np.concatenate(held), chars
