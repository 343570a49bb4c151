"""`config.json`: what kind of model a folder holds, and the settings that build it again."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from charlm.base.errors import CheckpointError
from charlm.store.documents import parse_object
from charlm.store.manifest import CONFIG, REMEDY, check_format

_CONFIG_KEYS = ("format", "kind", "model", "tokenizer")
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,30}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelHeader:
    """What `config.json` says."""

    kind: str
    model: dict[str, Any]
    tokenizer: dict[str, Any]


def is_kind(name: str) -> bool:
    """Return whether `name` may be a kind of model: a lower-case word."""
    return _KIND.fullmatch(name) is not None


def parse_header(data: bytes, folder: Path) -> ModelHeader:
    """Return what the bytes of a `config.json` say.

    Raises:
        CheckpointError: if they are malformed, of a newer format, or have unknown keys.
    """
    where = str(folder / CONFIG)
    values = parse_object(data, where)
    check_format(values.get("format"), where)
    unknown = sorted(set(values) - set(_CONFIG_KEYS))
    if unknown:
        raise CheckpointError(
            f"{where}: unknown keys {', '.join(map(repr, unknown[:5]))}; "
            f"known: {', '.join(_CONFIG_KEYS)}"
        )
    kind, model, tokenizer = (values.get(key) for key in _CONFIG_KEYS[1:])
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise CheckpointError(f"{where}: kind must be a lower-case word; {REMEDY}")
    if not isinstance(model, dict) or not isinstance(tokenizer, dict):
        raise CheckpointError(f"{where}: model and tokenizer must be objects; {REMEDY}")
    return ModelHeader(kind=kind, model=model, tokenizer=tokenizer)
