"""JSON lines: one object a line on stdout, for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from charlm.render.console import flush_out, out
from charlm.text.normalize import replace_surrogates


def json_line(record: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    r"""Return a record as one line of strict JSON; what is not finite becomes null.

    A lone surrogate, which strict parsers refuse, becomes U+FFFD as it does in the text of filters.

    Args:
        record: what to write.
        ascii_only: escape all other characters, for streams that are not UTF-8.

    Example:
        >>> json_line({"text": "ä\n", "loss": float("inf")})
        '{"text": "ä\\n", "loss": null}'
    """
    text = replace_surrogates(json.dumps(_plain(record), ensure_ascii=False, allow_nan=False))
    if ascii_only:
        return "".join(c if c.isascii() and c.isprintable() else _escape(c) for c in text)
    # C1 or bidi controls steer terminals: \u.
    return "".join(c if c.isprintable() or c == " " else _escape(c) for c in text)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def emit(record: Mapping[str, Any], *, flush: bool = True) -> None:
    """Write a record to stdout as one JSON line."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    out(json_line(record, ascii_only=encoding != "utf8"), trusted=True)
    if flush:
        flush_out()
