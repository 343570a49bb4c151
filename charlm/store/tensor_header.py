"""The header of a safetensors file, believed in nothing before it is checked.

Source:
    The format: https://huggingface.co/docs/safetensors (Metadata parsing).
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from charlm.base.errors import CheckpointError
from charlm.store.documents import parse_object

Buffer = bytes | mmap.mmap

MAX_HEADER = 8 << 20
MAX_TENSORS = 10_000
MAX_DIMS = 8

# In the format's own order, which decides where a tensor lies: wider numbers first.
DTYPES = {
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
    "F32": "<f4",
    "U32": "<u4",
    "I32": "<i4",
    "BF16": "<u2",
    "F16": "<f2",
    "U16": "<u2",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}


class Entry(NamedTuple):
    """Where one tensor lies: offsets count from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def parse_header(buffer: Buffer, size: int, where: str) -> tuple[dict[str, Entry], int]:
    """Return the entries of a safetensors header and where the numbers start.

    Args:
        buffer: the file's first bytes, at least through the header.
        size: bytes of the whole file.
        where: the file's name for errors.

    Raises:
        CheckpointError: if the header lies, is too large, or leaves holes or overlaps.
    """
    if size < 8:
        raise CheckpointError(f"{where} is no safetensors file: it has only {size} bytes")
    length = int.from_bytes(buffer[:8], "little")
    if length > min(MAX_HEADER, size - 8):
        raise CheckpointError(f"{where} {_foreign(buffer[:8], length, size)}")
    fields = parse_object(buffer[8 : 8 + length], f"{where} (header)")
    _require_metadata(fields.pop("__metadata__", {}), where)
    if len(fields) > MAX_TENSORS:
        raise CheckpointError(f"{where} has {len(fields):,} tensors; at most {MAX_TENSORS:,}")
    entries = {name: _entry(name, field, where) for name, field in fields.items()}
    _require_contiguous(entries.values(), size - 8 - length, where)
    return entries, 8 + length


def _foreign(head: bytes, length: int, size: int) -> str:
    if head[0] == 0x80 and 2 <= head[1] <= 5:
        return "is a pickle file, refused: charlm never unpickles"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "is a zip file (a pickle of torch?), refused: charlm never unpickles"
    most = min(MAX_HEADER, size - 8)
    return f"is cut or no safetensors file: its header claims {length:,} bytes, at most {most:,}"


def _require_metadata(metadata: object, where: str) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise CheckpointError(f"{where}: __metadata__ must map texts to texts")


def _entry(name: str, field: object, where: str) -> Entry:
    label = f"{where}: tensor {name[:100]!r}"
    if not isinstance(field, dict) or set(field) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{label} must have dtype, shape and data_offsets, nothing else")
    dtype, shape, offsets = field["dtype"], field["shape"], field["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CheckpointError(f"{label} has dtype {str(dtype)[:20]!r}; known: {', '.join(DTYPES)}")
    if not _are_sizes(shape) or len(shape) > MAX_DIMS or math.prod(filter(None, shape)) > 2**48:
        raise CheckpointError(f"{label} has a malformed shape")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError(f"{label} has malformed data_offsets")
    needed = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
    if needed != offsets[1] - offsets[0]:
        raise CheckpointError(
            f"{label} of shape {tuple(shape)} needs {needed:,} bytes; "
            f"it has {offsets[1] - offsets[0]:,}"
        )
    return Entry(dtype, tuple(shape), offsets[0], offsets[1])


def _are_sizes(values: object) -> bool:
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)


def _require_contiguous(entries: Iterable[Entry], size: int, where: str) -> None:
    position = 0
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.stop)):
        if entry.start != position:
            fault = "overlap" if entry.start < position else "leave a hole"
            raise CheckpointError(f"{where}: the tensors {fault} at byte {entry.start:,}")
        position = entry.stop
    if position != size:
        fault = "is cut" if position > size else "has bytes that belong to no tensor"
        raise CheckpointError(
            f"{where} {fault}: its tensors need {position:,} bytes, it has {size:,}"
        )
