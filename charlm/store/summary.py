"""A model folder in a few figures, for lists: quick, and silent about nothing that is wrong."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path
from typing import Any

from charlm.base.errors import CheckpointError
from charlm.store.documents import parse_object
from charlm.store.files import READ_LIMIT
from charlm.store.folder import Version, open_version
from charlm.store.header import parse_header
from charlm.store.manifest import BACKWARD, CONFIG, TENSORS, TRAINING
from charlm.store.tensor_header import MAX_HEADER
from charlm.store.tensor_header import parse_header as parse_tensor_header

INDICES = frozenset({"I64", "U64", "I32", "U32"})
"""Types of arrays that say where parameters are, and are none themselves."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ModelSummary:
    """What a list of models shows; None where it is not known, `problem` if it is damaged.

    `model` is its form in a few words, `created` the seconds since 1970 at its last save;
    `unfinished` says that its training has not come to its end.
    """

    name: str
    folder: Path
    kind: str | None = None
    model: str | None = None
    tokenizer: str | None = None
    parameters: int | None = None
    steps: int | None = None
    valid: dict[str, float] = dataclasses.field(default_factory=dict)
    created: float | None = None
    size_bytes: int = 0
    unfinished: bool = False
    problem: str | None = None


def read_summary(folder: Path) -> ModelSummary:
    """Return what is known of a model folder; never raises, whatever lies there.

    Sizes are checked, checksums are not (`store.folder.check_folder` does): a list of many models
    must be quick.
    """
    try:
        with open_version(folder) as version:
            return _summarise(folder, version)
    except (CheckpointError, OSError) as error:
        return ModelSummary(name=folder.name, folder=folder, problem=str(error))


def _summarise(folder: Path, version: Version) -> ModelSummary:
    header = parse_header(version.read(CONFIG, READ_LIMIT), folder)
    training = parse_object(version.read(TRAINING, READ_LIMIT), str(folder / TRAINING))
    sizes = [written.size for written in version.manifest.files.values()]
    found = ModelSummary(
        name=folder.name,
        folder=folder,
        kind=header.kind,
        model=_form(header.model),
        tokenizer=_text(header.tokenizer.get("name")),
        steps=_whole(training.get("steps")),
        valid=_figures(training.get("valid")),
        created=_seconds(version.manifest.created),
        size_bytes=sum(sizes),
        unfinished=training.get("finished") is False or _lacks_other_half(folder, training),
    )
    try:
        for name in version.fds:
            version.check_size(name)
        counted = _count_parameters(version)
        told = _whole(training.get("parameters")) or 0  # without tables to look things up in
        return dataclasses.replace(found, parameters=told if 0 < told <= counted else counted)
    except CheckpointError as error:
        return dataclasses.replace(found, problem=str(error))


def _lacks_other_half(folder: Path, training: dict[str, Any]) -> bool:
    """Return whether the backward model of a pair is missing, damaged, or not yet trained."""
    if training.get("direction") != "forward":
        return False
    other = read_summary(folder / BACKWARD)
    return other.unfinished or other.problem is not None


def _count_parameters(version: Version) -> int:
    size = version.manifest.files[TENSORS].size
    head = os.pread(version.fds[TENSORS], 8 + MAX_HEADER, 0)
    entries, _ = parse_tensor_header(head, size, str(version.folder / TENSORS))
    counted = (entry for entry in entries.values() if entry.dtype not in INDICES)
    return sum(math.prod(entry.shape) for entry in counted)


def _form(config: dict[str, Any]) -> str:
    if type(config.get("order")) is int:
        return f"{config['order']}-gram"
    layers, hidden, cell = (config.get(key) for key in ("num_layers", "hidden_size", "cell"))
    if layers == 0:
        return "n-grams"
    if type(layers) is int and type(hidden) is int and isinstance(cell, str):
        return f"{layers} x {hidden} {cell[:20].upper()}"
    return ""


def _seconds(created: str) -> float | None:
    import datetime  # only lists of models need it

    try:
        return datetime.datetime.fromisoformat(created).timestamp()
    except ValueError:
        return None


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _figures(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {
        key: number
        for key, number in value.items()
        if isinstance(number, int | float) and not isinstance(number, bool)
    }
