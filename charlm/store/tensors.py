"""safetensors files read and written with NumPy alone; a reader checks all before it allocates.

A file is the header's length (8 bytes, little endian), the header (JSON: name -> dtype, shape,
offsets), then the numbers. We write the very bytes that the `safetensors` package writes.

Source:
    The format: https://huggingface.co/docs/safetensors (Metadata parsing).
"""

from __future__ import annotations

import json
import math
import mmap as mmap_module
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.store.documents import parse_object
from charlm.store.files import Writable, open_regular, read_all, write_atomic

Array = npt.NDArray[Any]
Buffer = bytes | mmap_module.mmap

MAX_HEADER = 8 << 20
MAX_TENSORS = 10_000
MAX_DIMS = 8
IN_MEMORY = 64 << 20
"""Files up to this size are read at once; larger ones are mapped."""

# In the format's own order, which decides where a tensor lies: wider numbers first.
_DTYPES = {
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
_CODES = {np.dtype(text): code for code, text in _DTYPES.items() if code != "BF16"}
_ORDER = {code: place for place, code in enumerate(_DTYPES)}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


class Entry(NamedTuple):
    """Where one tensor lies: offsets count from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def write_tensors(
    target: Path | Writable,
    tensors: Mapping[str, Array],
    metadata: Mapping[str, str] | None = None,
    *,
    bfloat16: Collection[str] = (),
) -> None:
    """Write arrays as a safetensors file: to a path atomically, or to anything with `write`.

    Args:
        target: a path, a `BytesIO`, an open file.
        tensors: arrays by name; any order gives the same bytes.
        metadata: texts to keep in the header.
        bfloat16: names of uint16 arrays that hold raw bfloat16 numbers.

    Raises:
        ValueError: if a dtype has no place in the format.
        CheckpointError: if the disk is full or refuses.
    """
    if isinstance(target, Path):
        write_atomic(target, lambda out: _write(out, tensors, metadata, bfloat16))
    else:
        _write(target, tensors, metadata, bfloat16)


def _write(
    out: Writable,
    tensors: Mapping[str, Array],
    metadata: Mapping[str, str] | None,
    bfloat16: Collection[str],
) -> None:
    codes = {name: _code(name, array, name in bfloat16) for name, array in tensors.items()}
    names = sorted(tensors, key=lambda name: (_ORDER[codes[name]], name))
    header: dict[str, object] = {}
    if metadata:
        header["__metadata__"] = dict(sorted(metadata.items()))
    offset = 0
    for name in names:
        stop = offset + tensors[name].nbytes
        header[name] = {
            "dtype": codes[name],
            "shape": list(tensors[name].shape),
            "data_offsets": [offset, stop],
        }
        offset = stop
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers start at a multiple of 8
    out.write(len(text).to_bytes(8, "little") + text)
    for name in names:
        array = np.ascontiguousarray(tensors[name], dtype=_DTYPES[codes[name]])
        out.write(array.reshape(-1).view(np.uint8).data)


def _code(name: str, array: Array, is_bfloat16: bool) -> str:
    code = _CODES.get(array.dtype.newbyteorder("<"))
    if code is None or name == "__metadata__":
        raise ValueError(f"tensor {name!r} of {array.dtype} has no place in a safetensors file")
    if is_bfloat16:
        if code != "U16":
            raise ValueError(f"tensor {name!r}: raw bfloat16 is uint16, got {array.dtype}")
        return "BF16"
    return code


def read_tensors(
    path: Path,
    expected: Mapping[str, tuple[int, ...]] | None = None,
    *,
    mmap: bool = True,
    check_finite: bool = False,
    widen: bool = True,
) -> dict[str, Array]:
    """Return the tensors of a safetensors file, all of it checked before anything is allocated.

    Args:
        path: a plain file.
        expected: names and shapes that it must have, no more and no fewer.
        mmap: map the file; the arrays are then read-only views of it. Otherwise it is read.
        check_finite: refuse NaN and infinities.
        widen: return bfloat16 as float32, which holds it exactly; otherwise as raw uint16.

    Raises:
        CheckpointError: naming the file and what is wrong with it.
    """
    with open_regular(path) as fd:
        buffer = load_buffer(fd, path, in_memory=not mmap)
    return parse_tensors(buffer, str(path), expected, check_finite=check_finite, widen=widen)


def load_buffer(fd: int, path: Path, *, in_memory: bool) -> Buffer:
    """Return the contents of an open file, read or mapped."""
    size = os.fstat(fd).st_size
    if in_memory or not size:
        return read_all(fd, path, size)
    try:
        return mmap_module.mmap(fd, 0, access=mmap_module.ACCESS_READ)
    except OSError as error:
        raise CheckpointError(f"cannot map {path}: {error.strerror or error}") from error


def parse_tensors(
    buffer: Buffer,
    where: str,
    expected: Mapping[str, tuple[int, ...]] | None = None,
    *,
    check_finite: bool = False,
    widen: bool = True,
    floats_only: bool = False,
) -> dict[str, Array]:
    """Return the tensors in the bytes of a safetensors file; see `read_tensors`."""
    entries, start = parse_header(buffer, len(buffer), where)
    if expected is not None:
        _require_expected(entries, expected, where)
    if floats_only:
        _require_floats(entries, where)
    tensors = {
        name: _view(buffer, start, name, entry, where, widen) for name, entry in entries.items()
    }
    if check_finite:
        _require_finite(tensors, where)
    return tensors


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
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise CheckpointError(f"{label} has dtype {str(dtype)[:20]!r}; known: {', '.join(_DTYPES)}")
    if not _are_sizes(shape) or len(shape) > MAX_DIMS or math.prod(filter(None, shape)) > 2**48:
        raise CheckpointError(f"{label} has a malformed shape")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError(f"{label} has malformed data_offsets")
    needed = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
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


def _require_expected(
    entries: Mapping[str, Entry], expected: Mapping[str, tuple[int, ...]], where: str
) -> None:
    faults = [f"{name!r} is missing" for name in expected if name not in entries]
    faults += [f"{name[:100]!r} is unknown" for name in entries if name not in expected]
    faults += [
        f"{name!r} has shape {entries[name].shape}, expected {tuple(shape)}"
        for name, shape in expected.items()
        if name in entries and entries[name].shape != tuple(shape)
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise CheckpointError(
            f"{where} does not fit its config: tensor {'; '.join(faults[:3])}{more}"
        )


def _require_floats(entries: Mapping[str, Entry], where: str) -> None:
    for name, entry in entries.items():
        if entry.dtype not in FLOATS:
            known = ", ".join(sorted(FLOATS))
            raise CheckpointError(
                f"{where}: tensor {name[:100]!r} is {entry.dtype}; expected {known}"
            )


def _view(buffer: Buffer, start: int, name: str, entry: Entry, where: str, widen: bool) -> Array:
    count = math.prod(entry.shape)
    if not count:
        return np.zeros(entry.shape, _DTYPES[entry.dtype])
    flat: Array = np.frombuffer(buffer, _DTYPES[entry.dtype], count, start + entry.start)
    if entry.dtype == "BOOL" and flat.view(np.uint8).max() > 1:
        raise CheckpointError(f"{where}: tensor {name[:100]!r} holds bytes that are no BOOL")
    if entry.dtype == "BF16" and widen:
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(entry.shape)


def _require_finite(tensors: Mapping[str, Array], where: str) -> None:
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckpointError(f"{where}: tensor {name[:100]!r} holds NaN or infinity")
