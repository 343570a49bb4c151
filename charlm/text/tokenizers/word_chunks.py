"""Text to words and symbols, so marked that the blanks between them can be put back.

A text is cut at white space into chunks, a chunk into words and symbols (`scripts.word_pattern`).
One blank between two chunks is implied. Words carry no mark; where no blank stands beside a symbol,
the symbol says so, by a mark in front of it in the vocabulary:

    `,`   a blank (or the chunk's end) on both sides
    `￩,`  joined to what stands before       Hello, world  ->  Hello ￩, world
    `￫(`  joined to the word behind          f (x)         ->  f ￫( x ￩)
    `￭-`  joined to both                     well-known    ->  well ￭- known

Chinese and Japanese put no blanks between words: beside their letters and punctuation none is
implied, so nothing is marked there. All other white space (line ends, tabs, runs of blanks, a blank
beside a Chinese character) is written as tokens of its own, beside which no blank is implied.
"""

from __future__ import annotations

import re
from functools import cache

from charlm.text.scripts import (
    ASCII_WORD,
    TIGHT_LETTERS,
    TIGHT_SYMBOLS,
    is_tight,
    letter_pattern,
    tight_pattern,
    word_pattern,
)
from charlm.text.tokenizers.han import Cut

_CHUNK = r"[^ \t\n]+|[ \t\n]{2,}|[\t\n]|\A | \Z"
_CHUNKS = re.compile(_CHUNK)
_WHITE_PART = re.compile(r"\n|\t| {16}| {8}| {4}| {2}| ")
_LEFT, _RIGHT, _BOTH = "￩", "￫", "￭"  # joined to what stands before, behind, on both sides
_MARK = {(False, False): "", (True, False): _LEFT, (False, True): _RIGHT, (True, True): _BOTH}
SIDES = {mark: sides for sides, mark in _MARK.items()}


def find_chunks(text: str) -> list[str]:
    """Return chunks and explicit white space; a blank that is implied is left out."""
    if text.isascii() or not tight_pattern().search(text):
        return _CHUNKS.findall(text)
    return _tight_chunks().findall(text)


def tokens_of(chunk: str, cut: Cut) -> list[str]:
    """Return the tokens of one chunk as the vocabulary writes them."""
    if chunk[0] in " \t\n":
        return _WHITE_PART.findall(chunk)
    if chunk.isascii():
        parts, tight = ASCII_WORD.findall(chunk), False
    else:
        parts, tight = word_pattern().findall(chunk), tight_pattern().search(chunk) is not None
    if len(parts) == 1 and not tight:
        return parts
    return _mark_symbols(parts, cut) if tight else _mark_spaced_symbols(parts)


@cache
def _tight_chunks() -> re.Pattern[str]:
    tight = f"[{TIGHT_LETTERS}{TIGHT_SYMBOLS}]"
    return re.compile(rf"{_CHUNK}|(?<={tight}) | (?={tight})")


def _mark_spaced_symbols(parts: list[str]) -> list[str]:
    last = len(parts) - 1
    return [
        part
        if _is_word(part)
        else _MARK[index > 0, index < last and _is_word(parts[index + 1])] + part
        for index, part in enumerate(parts)
    ]


def _mark_symbols(parts: list[str], cut: Cut) -> list[str]:
    tokens: list[str] = []
    tight = [is_tight(part[0]) for part in parts]
    last = len(parts) - 1
    for index, part in enumerate(parts):
        if tight[index]:
            tokens += cut(part) if len(part) > 1 else (part,)
        elif _is_word(part):
            tokens.append(part)
        else:
            left = index > 0 and not tight[index - 1]
            right = index < last and not tight[index + 1] and _is_word(parts[index + 1])
            tokens.append(_MARK[left, right] + part)
    return tokens


def _is_word(part: str) -> bool:
    if part.isascii():
        return part[0].isalnum()
    return letter_pattern().match(part) is not None
