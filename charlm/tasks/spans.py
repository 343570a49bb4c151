"""Which part of a text each of its tokens stands for, unknown ones too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from charlm.text.tokenizers.protocol import Tokenizer

_PARTS = re.compile(r"\s+|\S+")


def token_texts(tokenizer: Tokenizer, text: str, ids: Any) -> list[str]:
    """Return what each id stands for in `text`; a blank that is implied goes to the token after it.

    Joined, they are the text again. Only where a tokenizer changes the text (its case, its Unicode
    form) may they be the tokenizer's own idea of it; a token that is part of a character has the
    whole character at its last token, and nothing before.
    """
    if tokenizer.name == "char":
        return list(text)
    pieces = _decoded(tokenizer, ids)
    if "".join(pieces) == text:
        return pieces
    return _aligned(tokenizer, text, ids) or pieces


def _decoded(tokenizer: Tokenizer, ids: Any) -> list[str]:
    decoder = tokenizer.decoder()
    pieces = [decoder.push(token_id) for token_id in ids.tolist()]
    if pieces:
        pieces[-1] += decoder.flush()
    return pieces


def _aligned(tokenizer: Tokenizer, text: str, ids: Any) -> list[str]:
    """Return the texts of tokens part by part, parted at white space; nothing if that fails."""
    found: list[str] = []
    implied, wanted = "", ids.tolist()
    for part in _PARTS.findall(text):
        own = tokenizer.encode(part).tolist()
        if own and wanted[len(found) : len(found) + len(own)] == own:
            texts = list(_within(tokenizer, part, own))
            texts[0] = implied + texts[0]
            found += texts
            implied = ""
        elif part.isspace():
            implied += part
        else:
            return []
    if found:
        found[-1] += implied
    return found if len(found) == len(wanted) else []


def _within(tokenizer: Tokenizer, part: str, ids: list[int]) -> Iterator[str]:
    """Yield the texts of the tokens of one part: a token ends where the next known one begins."""
    begin = 0
    for index in range(len(ids)):
        end = len(part)
        if index + 1 < len(ids):
            end = _end_of(tokenizer, part, ids, index, begin)
        yield part[begin:end]
        begin = end


def _end_of(tokenizer: Tokenizer, part: str, ids: list[int], index: int, begin: int) -> int:
    if ids[index] != tokenizer.unk_id:
        own = tokenizer.token(ids[index])
        return begin + (len(own) if part.lower().startswith(own.lower(), begin) else 0)
    ahead = [token_id for token_id in ids[index + 1 :] if token_id != tokenizer.unk_id]
    if len(ahead) == len(ids) - index - 1:  # the only unknown one left: all behind it is known
        rest = sum(_length(tokenizer, part, token_id) for token_id in ahead)
        return max(begin, len(part) - rest)
    return min(begin + 1, len(part))


def _length(tokenizer: Tokenizer, part: str, token_id: int) -> int:
    own = tokenizer.token(token_id)
    return len(own) if own.lower() in part.lower() else 0
