"""A model folder: saved as one whole version, loaded with every file checked.

config.json        {"format": 1, "kind": "lm", "model": {...}, "tokenizer": {...}}
model.safetensors  the weights
training.json      settings and figures of the training: a report, never needed to run the model
(tokenizer files)  what the tokenizer gives, under fixed plain names
README.md          the model card, for people: in the manifest, but free to be changed
manifest.json      size and sha256 of each of these files
metrics.jsonl      the training log: it grows all the time and is not in the manifest
resume/            what --resume needs, see `store.resume`: not in the manifest either
backward/          of a bidirectional pair: the folder of the model that reads from the end

How several files change at once is told in `store.folder`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, Literal

from charlm.base.errors import CheckpointError
from charlm.store.documents import dump_json, parse_object
from charlm.store.files import READ_LIMIT
from charlm.store.folder import Version, commit, open_version
from charlm.store.header import is_kind, parse_header
from charlm.store.manifest import CARD, CONFIG, FORMAT, TENSORS, TRAINING, is_own_name
from charlm.store.metrics_log import MetricsLog, read_metrics
from charlm.store.resume import (
    ResumeState,
    clear_resume,
    has_resume,
    keep_newest,
    load_resume,
    save_resume,
)
from charlm.store.summary import ModelSummary, read_summary
from charlm.store.tensor_header import Buffer
from charlm.store.tensors import IN_MEMORY, Array, load_buffer, parse_tensors, write_tensors

__all__ = [
    "MetricsLog",
    "ModelSummary",
    "ResumeState",
    "StoredModel",
    "clear_resume",
    "has_resume",
    "keep_newest",
    "load_model",
    "load_resume",
    "read_metrics",
    "read_summary",
    "save_model",
    "save_resume",
]
TOKENIZER_LIMIT = 256 << 20
Verify = bool | Literal["lazy"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredModel:
    """One whole version of a model folder, checked; its numbers are unpacked on demand."""

    folder: Path
    kind: str
    model_config: dict[str, Any]
    tokenizer_config: dict[str, Any]
    tokenizer_files: dict[str, bytes]
    training: dict[str, Any]
    created: str
    buffer: Buffer = dataclasses.field(repr=False)

    def tensors(
        self,
        expected: Mapping[str, tuple[int, ...]] | None = None,
        *,
        check_finite: bool = True,
        floats_only: bool = True,
    ) -> dict[str, Array]:
        """Return the weights by name, read-only, in the dtypes they were saved in.

        bfloat16 comes as float32, which holds it exactly.

        Args:
            expected: names and shapes, exactly; None takes what is there.
            check_finite: refuse NaN, infinities and numbers that would overflow.
            floats_only: refuse whole numbers.

        Raises:
            CheckpointError: if names, shapes or numbers are not as expected.
        """
        return parse_tensors(
            self.buffer,
            str(self.folder / TENSORS),
            expected,
            check_finite=check_finite,
            floats_only=floats_only,
        )


def save_model(
    folder: Path,
    *,
    kind: str,
    model_config: dict[str, Any],
    tokenizer_config: dict[str, Any],
    tokenizer_files: Mapping[str, bytes],
    tensors: Mapping[str, Array],
    training: dict[str, Any],
    card: str,
) -> None:
    """Make this the model of a folder: whole and durable when the call returns.

    A reader sees the version before or this one, never a mixture, whenever it looks and wherever
    this process dies. The caller holds the folder's lock (`store.lock`).

    Args:
        folder: the model folder; made if missing.
        kind: `lm`, `ngram`, `tagger`, …
        model_config: plain JSON values.
        tokenizer_config: plain JSON values.
        tokenizer_files: contents by plain lower-case file name.
        tensors: weights by name.
        training: a report in plain JSON values; NaN and infinities become null. `store.summary`
            looks for `parameters`, `steps` and `valid` in it.
        card: the text of `README.md`.

    Raises:
        CheckpointError: if the disk is full or refuses; the version before is intact.
        ValueError: if a kind, file name, config or dtype cannot be stored.
    """
    if not is_kind(kind):
        raise ValueError(f"kind must be a lower-case word, got {kind!r}")
    for name in tokenizer_files:
        if not is_own_name(name):
            raise ValueError(f"{name!r} is no name for a tokenizer's own file")
    config = {
        "format": FORMAT,
        "kind": kind,
        "model": model_config,
        "tokenizer": tokenizer_config,
    }
    commit(
        folder,
        {
            CONFIG: dump_json(config),
            **{name: bytes(contents) for name, contents in tokenizer_files.items()},
            TRAINING: dump_json(training, lenient=True),
            CARD: card.encode("utf-8", "backslashreplace"),
            TENSORS: lambda out: write_tensors(out, tensors),
        },
    )


def load_model(
    folder: Path,
    *,
    verify: Verify = "lazy",
    kinds: Container[str] | None = None,
    weights: bool = True,
) -> StoredModel:
    """Return the current version of a model folder, while a training saves or not.

    Args:
        folder: the model folder.
        verify: compare checksums with the manifest: `True` all of them; `"lazy"` all but those of
            weights over 64 MB, which are mapped, not read; `False` none. Sizes always.
        kinds: kinds of model that are welcome; None takes any.
        weights: read them; else they may be damaged, and `tensors` is not to be called.

    Raises:
        CheckpointError: if a file is missing, cut, altered, malformed or of a newer format, or
            the model is of another kind.
    """
    with open_version(folder) as version:
        header = parse_header(version.read(CONFIG, READ_LIMIT, verify=bool(verify)), folder)
        if kinds is not None and header.kind not in kinds:
            raise CheckpointError(_wrong_kind(folder, header.kind, kinds))
        training = version.read(TRAINING, READ_LIMIT, verify=bool(verify))
        return StoredModel(
            folder=folder,
            kind=header.kind,
            model_config=header.model,
            tokenizer_config=header.tokenizer,
            tokenizer_files={
                name: version.read(name, TOKENIZER_LIMIT, verify=bool(verify))
                for name in version.fds
                if is_own_name(name)
            },
            training=parse_object(training, str(folder / TRAINING)),
            created=version.manifest.created,
            buffer=_load_weights(version, verify) if weights else b"",
        )


def _load_weights(version: Version, verify: Verify) -> Buffer:
    version.check_size(TENSORS)
    size = version.manifest.files[TENSORS].size
    path = version.folder / TENSORS
    buffer = load_buffer(version.fds[TENSORS], path, in_memory=size <= IN_MEMORY)
    if verify is True or (verify and size <= IN_MEMORY):
        version.check_sum(TENSORS, hashlib.sha256(buffer).hexdigest())
    return buffer


def _wrong_kind(folder: Path, found: str, kinds: Container[str]) -> str:
    wanted = " or ".join(sorted(kinds)) if isinstance(kinds, set | frozenset | tuple | list) else ""
    return f"{folder} holds a model of kind {found!r}; expected {wanted or 'another kind'}"
