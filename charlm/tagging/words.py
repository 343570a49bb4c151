"""A line of text as words, cut where English treebanks cut it."""

from __future__ import annotations

import re
from functools import cache

from charlm.text.scripts import TIGHT_LETTERS, is_tight, mark_class, tight_pattern
from charlm.text.tokenizers.han import cut_by, has_jieba

# What stays whole: addresses, smileys, numbers, abbreviations with points inside.
_WHOLE = (
    r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?'()\]]"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|[:;=][-']?[()DPpO/\\|](?!\w)"
    r"|(?:[A-Za-z]\.){2,}(?!\w)"
    r"|\d+(?:[.,:/]\d+)+|\w+(?:\.(?-i:[a-z0-9]+))+(?!\w)"
    r"|e-mail(?=s?\b)|b/c\b|w/o?\b|can(?=not\b)|gon(?=na\b)|wan(?=na\b)|got(?=ta\b)"
    r"|(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|Prof|Gen|Sen|Rep|Gov|Lt|Col|Capt|Inc|Corp|Ltd|Co|No|vs|etc|al"
    r"|Jan|Feb|Mar|Apr|Aug|Sept|Sep|Oct|Nov|Dec|a\.m|p\.m|e\.g|i\.e)\.(?=\s|,|$)"
)
_ENDINGS = r"n['’]t(?!\w)|['’](?:s|re|ve|ll|d|m)(?!\w)"
_RUNS = r"\.{2,}|-{2,}|([!?*=_~#$<>+/])\1+|[.!?]{2,}"


@cache
def _pattern() -> re.Pattern[str]:
    letter = rf"(?:(?![{TIGHT_LETTERS}_])[\w{mark_class()}])"
    before_nt = rf"{letter}+(?=n['’]t(?!\w))"
    word = rf"{letter}+(?:['’](?!(?:s|re|ve|ll|d|m)(?!\\w)){letter}+)*"
    cut = f"{_WHOLE}|{_ENDINGS}|{_RUNS}|{before_nt}|[{TIGHT_LETTERS}]+|{word}|\\S"
    return re.compile(cut, re.IGNORECASE)


def split_words(text: str) -> list[str]:
    """Return the words of a line: punctuation, `n't` and `'s` apart, Chinese by jieba.

    Without jieba a Chinese letter is a word. The words joined are the text without its blanks.

    Example:
        >>> split_words("It's good (really), isn't it...")
        ['It', "'s", 'good', '(', 'really', ')', ',', 'is', "n't", 'it', '...']
    """
    words = [found[0] for found in _pattern().finditer(text)]
    if text.isascii() or not tight_pattern().search(text):
        return words
    cut = cut_by("jieba" if has_jieba() else "chars")
    return [part for word in words for part in (cut(word) if is_tight(word[0]) else (word,))]
