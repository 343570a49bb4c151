"""What happens to text before it becomes tokens: line ends, byte order mark, case, surrogates.

The rule, once: a byte order mark at the very beginning is dropped; CR LF and lone CR become LF;
every other character, U+2028 and U+0085 included, stays as it is. No Unicode form is applied:
NFC and NFD spellings of one word stay two spellings.
"""

from __future__ import annotations

import re

_BOM = "\ufeff"
_SURROGATE = re.compile("[\ud800-\udfff]")


def normalize_newlines(text: str) -> str:
    r"""Return `text` with CR LF and lone CR turned into LF.

    Example:
        >>> normalize_newlines("a\r\nb\rc\n")
        'a\nb\nc\n'
    """
    if "\r" not in text:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n")


def strip_bom(text: str) -> str:
    """Return `text` without one leading byte order mark."""
    return text[1:] if text.startswith(_BOM) else text


def replace_surrogates(text: str) -> str:
    r"""Return `text` with each lone surrogate replaced by U+FFFD, so that UTF-8 can hold it.

    Lone surrogates reach a program as undecodable bytes of its command line.

    Example:
        >>> replace_surrogates("a\udc80b")
        'a\ufffdb'
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def normalize(text: str, *, lowercase: bool = False) -> str:
    """Return text by the rule of this module, in lower case if asked."""
    text = normalize_newlines(strip_bom(text))
    return text.lower() if lowercase else text
