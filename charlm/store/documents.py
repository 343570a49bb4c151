"""JSON from strangers read with suspicion, and JSON of ours written so that it can be read so."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from charlm.base.errors import CheckpointError
from charlm.store.files import READ_LIMIT, read_bounded

MAX_DEPTH = 64
MAX_CONTAINERS = 300_000
"""Brackets in a document, those inside texts too: each list or object takes 25 times its bytes."""
_BIGGEST = 2**128  # the state of NumPy's generators is that wide


def read_json(path: Path, *, limit: int = READ_LIMIT) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        CheckpointError: if the file cannot be read, is larger than `limit`, or is not such an
            object (see `parse_json`).
    """
    return parse_object(read_bounded(path, limit), str(path))


def parse_object(data: bytes, where: str) -> dict[str, Any]:
    """Return the object that JSON bytes hold; `where` names them in errors.

    Raises:
        CheckpointError: as `parse_json`, or if the value is no object.
    """
    value = parse_json(data, where)
    if not isinstance(value, dict):
        raise CheckpointError(f"{where} holds a {type(value).__name__}; expected an object")
    return value


def parse_json(data: bytes, where: str) -> Any:
    """Return the value that JSON bytes hold; `where` names them in errors.

    Raises:
        CheckpointError: if they are no UTF-8 JSON, or hold a key twice, NaN or an infinity, an
            integer of more than 128 bits, half a surrogate pair, or more than 64 levels.
    """
    try:
        text = data.decode("utf-8")
        if data.count(b"[") + data.count(b"{") > MAX_CONTAINERS:
            raise ValueError(f"it has more than {MAX_CONTAINERS:,} lists and objects")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
        _check_depth(value)
        if "\\u" in text:  # only an escape can make half a surrogate pair
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise CheckpointError(f"{where} is nested too deeply; at most {MAX_DEPTH}") from error
    except ValueError as error:
        raise CheckpointError(f"{where} is not sound JSON: {error}") from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key[:100]!r} stands twice")
            seen.add(key)
    return found


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _whole(digits: str) -> int:
    value = int(digits) if len(digits) <= 40 else _BIGGEST
    if abs(value) >= _BIGGEST:
        raise ValueError(f"the number {digits[:20]}… has more than 128 bits")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits[:20]} is infinite")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return
    raise RecursionError


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def dump_json(value: Any, *, lenient: bool = False, indent: int | None = 2) -> bytes:
    """Return a value as UTF-8 JSON with a line end.

    Args:
        value: plain values; NumPy scalars count as the numbers they are.
        lenient: for reports: write NaN and infinities as null and unpaired surrogates as
            escapes, where otherwise they are an error. A save must not fail over a figure.
        indent: spaces a level; None puts all on one line.

    Raises:
        ValueError: if a number is NaN or infinite, or a text no Unicode.
        TypeError: if something is no JSON value.
    """
    if lenient:
        value = _tame(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, default=_scalar)
    return text.encode() + b"\n"


def _scalar(value: Any) -> Any:
    item = getattr(value, "item", None)  # a NumPy scalar
    if item is None:
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return item()


def _tame(value: Any) -> Any:
    if isinstance(value, dict):
        return {_tame(key): _tame(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if hasattr(value, "item"):
        return _tame(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
