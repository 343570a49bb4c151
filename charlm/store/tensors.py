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
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.store.files import Writable, open_regular, read_all, write_atomic
from charlm.store.tensor_header import DTYPES, Buffer, Entry, parse_header

Array = npt.NDArray[Any]
IN_MEMORY = 64 << 20
"""Files up to this size are read at once; larger ones are mapped."""

_CODES = {np.dtype(text): code for code, text in DTYPES.items() if code != "BF16"}
_ORDER = {code: place for place, code in enumerate(DTYPES)}
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
LARGEST = 1e9
"""No weight of a sound model is larger; products of larger ones overflow float32."""


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
        array = np.ascontiguousarray(tensors[name], dtype=DTYPES[codes[name]])
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
        check_finite: refuse NaN, infinities, and numbers beyond `LARGEST`.
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
        return np.zeros(entry.shape, DTYPES[entry.dtype])
    flat: Array = np.frombuffer(buffer, DTYPES[entry.dtype], count, start + entry.start)
    if entry.dtype == "BOOL" and flat.view(np.uint8).max() > 1:
        raise CheckpointError(f"{where}: tensor {name[:100]!r} holds bytes that are no BOOL")
    if entry.dtype == "BF16" and widen:
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(entry.shape)


def _require_finite(tensors: Mapping[str, Array], where: str) -> None:
    for name, array in tensors.items():
        if array.dtype.kind != "f" or not array.size:
            continue
        low, high = float(array.min()), float(array.max())  # NaN if there is one
        if not (math.isfinite(low) and math.isfinite(high)):
            raise CheckpointError(f"{where}: tensor {name[:100]!r} holds NaN or infinity")
        if max(-low, high) > LARGEST:
            raise CheckpointError(
                f"{where}: tensor {name[:100]!r} holds numbers beyond {LARGEST:g}; "
                "no sound model has such"
            )
