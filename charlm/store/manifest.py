"""`manifest.json`: what a version of a model consists of, and the names that its files may have."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping
from pathlib import Path

from charlm.base.errors import CheckpointError
from charlm.store.documents import dump_json, parse_object
from charlm.store.files import Written, read_bounded

FORMAT = 1
CONFIG = "config.json"
TENSORS = "model.safetensors"
TRAINING = "training.json"
CARD = "README.md"
MANIFEST = "manifest.json"
BACKWARD = "backward"
"""In the folder of a forward model: that of the model that reads from the end, if it has one."""
REMEDY = "copy the model folder again, or train it again"
_REQUIRED = (CONFIG, TENSORS, TRAINING)
_RESERVED = frozenset({*_REQUIRED, CARD, MANIFEST, "metrics.jsonl"})
_OWN_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,40}(\.[a-z0-9_]{1,20}){1,2}")
_HEX = re.compile(r"[0-9a-f]{64}")
_MAX_FILES = 32


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a version consists of: size and checksum of each file, and when it was made."""

    created: str
    files: Mapping[str, Written]
    raw: bytes


def is_own_name(name: str) -> bool:
    """Return whether `name` may be a tokenizer's own file: one plain component, not reserved."""
    return name not in _RESERVED and _OWN_NAME.fullmatch(name) is not None


def dump_manifest(files: Mapping[str, Written]) -> bytes:
    """Return the bytes of a `manifest.json` for files written just now."""
    manifest = {
        "format": FORMAT,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": {name: found._asdict() for name, found in files.items()},
    }
    return dump_json(manifest)


def read_manifest(path: Path) -> Manifest:
    """Return what a `manifest.json` lists, every name and number in it checked.

    Raises:
        CheckpointError: if it is missing, malformed or of a newer format.
    """
    raw = read_bounded(path)
    values = parse_object(raw, str(path))
    check_format(values.get("format"), str(path))
    files = values.get("files")
    if not isinstance(files, dict) or not set(_REQUIRED) <= set(files):
        raise CheckpointError(f"{path} must list {', '.join(_REQUIRED)}; {REMEDY}")
    if len(files) > _MAX_FILES:
        raise CheckpointError(f"{path} lists {len(files):,} files; at most {_MAX_FILES}")
    parsed = {name: _parse_file(name, entry, path) for name, entry in files.items()}
    return Manifest(created=str(values.get("created", ""))[:40], files=parsed, raw=raw)


def _parse_file(name: str, entry: object, path: Path) -> Written:
    if name not in (*_REQUIRED, CARD) and not is_own_name(name):
        raise CheckpointError(f"{path} lists {name[:100]!r}, which is no name of a model's file")
    if isinstance(entry, dict) and set(entry) == {"size", "sha256"}:
        size, sha256 = entry["size"], entry["sha256"]
        if type(size) is int and size >= 0 and isinstance(sha256, str) and _HEX.fullmatch(sha256):
            return Written(size, sha256)
    raise CheckpointError(f"{path}: {name} must have a size and a sha256; {REMEDY}")


def check_format(found: object, where: str) -> None:
    """Raise `CheckpointError` if a file is of a format that this version cannot read."""
    if type(found) is not int or found < 1:
        raise CheckpointError(f"{where} has no format number; expected 1 to {FORMAT}; {REMEDY}")
    if found > FORMAT:
        raise CheckpointError(
            f"{where} was made by a newer charlm (format {found}; "
            f"this one reads up to {FORMAT}): upgrade charlm"
        )
