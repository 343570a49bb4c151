from __future__ import annotations

import io
import json
import math
import re

import hypothesis.strategies as st
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings

from charlm.base.errors import CheckpointError
from charlm.store.tensors import parse_tensors, read_tensors, write_tensors

DTYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
ARRAYS = st.builds(
    lambda dtype, shape, seed: (
        (
            np.random.default_rng(seed).integers(0, 2, shape).astype(dtype)  # 0-d stays an array
        ).reshape(shape)
    ),
    st.sampled_from(DTYPES),
    SHAPES,
    st.integers(0, 99),
)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=8).filter(
    lambda name: name != "__metadata__"
)


def to_bytes(tensors, metadata=None, **options):
    out = io.BytesIO()
    write_tensors(out, tensors, metadata, **options)
    return out.getvalue()


def with_header(header, numbers=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@given(st.dictionaries(NAMES, ARRAYS, max_size=5))
def test_bytes_are_those_of_the_safetensors_package(tensors):
    assert to_bytes(tensors) == safetensors.numpy.save(tensors)


@given(st.dictionaries(NAMES, ARRAYS, max_size=5))
def test_reads_what_the_safetensors_package_writes(tensors):
    found = parse_tensors(safetensors.numpy.save(tensors), "x")
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_metadata_is_kept_where_the_package_finds_it(tmp_path):
    write_tensors(tmp_path / "x.safetensors", {"a": np.zeros(2, np.int8)}, {"b": "é", "a": "1"})
    with safetensors.safe_open(tmp_path / "x.safetensors", "numpy") as file:
        assert file.metadata() == {"a": "1", "b": "é"}


def test_numbers_begin_at_a_multiple_of_eight_and_any_order_gives_the_same_bytes():
    first = {"b": np.ones(3, np.float32), "a": np.ones(1, np.int8)}
    data = to_bytes(first)
    assert int.from_bytes(data[:8], "little") % 8 == 0
    assert to_bytes(dict(reversed(first.items()))) == data


def test_strided_and_big_endian_arrays_are_written_by_value(tmp_path):
    array = np.arange(6, dtype=">f4").reshape(2, 3).T
    write_tensors(tmp_path / "x", {"a": array})
    np.testing.assert_array_equal(read_tensors(tmp_path / "x")["a"], array)


def test_raw_bfloat16_widens_exactly_to_float32_or_stays_raw():
    raw = np.array([0x3F80, 0xC000, 0x7F80, 0x0001], np.uint16)  # 1, -2, inf, smallest
    data = to_bytes({"a": raw}, bfloat16={"a"})
    assert b'"BF16"' in data
    wide = parse_tensors(data, "x")["a"]
    np.testing.assert_array_equal(
        wide, np.array([1, -2, math.inf, 2.0**-133], np.float32), strict=True
    )
    np.testing.assert_array_equal(parse_tensors(data, "x", widen=False)["a"], raw, strict=True)


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros(1, "c8"), {}, "tensor 'a' of complex64 has no place in a safetensors file"),
        (np.array(["x"]), {}, "tensor 'a' of <U1 has no place in a safetensors file"),
        (np.array([None]), {}, "tensor 'a' of object has no place in a safetensors file"),
        (
            np.zeros(1, "f4"),
            {"bfloat16": ("a",)},
            "tensor 'a': raw bfloat16 is uint16, got float32",
        ),
    ],
)
def test_what_has_no_place_is_a_callers_mistake(array, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        to_bytes({"a": array}, **options)


@pytest.mark.parametrize("mmap", [True, False])
def test_views_of_a_file_are_read_only(tmp_path, mmap):
    write_tensors(tmp_path / "x", {"a": np.arange(4, dtype=np.float32)})
    found = read_tensors(tmp_path / "x", {"a": (4,)}, mmap=mmap)["a"]
    assert not found.flags.writeable
    assert found.tolist() == [0, 1, 2, 3]


HOSTILE = {
    "empty": (b"", "is no safetensors file: it has only 0 bytes"),
    "huge header": (
        (2**63).to_bytes(8, "little") + b"{}",
        "is cut or no safetensors file: its header claims 9,223,372,036,854,775,808 bytes, "
        "at most 2",
    ),
    "header over the cap": (
        (9 << 20).to_bytes(8, "little") + b" " * (9 << 20),
        "is cut or no safetensors file: its header claims 9,437,184 bytes, at most 8,388,608",
    ),
    "pickle": (
        b"\x80\x04\x95\x00\x00\x00\x00\x00\x00",
        "is a pickle file, refused: charlm never unpickles",
    ),
    "zip": (
        b"PK\x03\x04\x00\x00\x00\x00\x08\x08",
        "is a zip file (a pickle of torch?), refused: charlm never unpickles",
    ),
    "list": (with_header([]), "(header) holds a list; expected an object"),
    "no JSON": (
        with_header(b"{"),
        "(header) is not sound JSON: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
    ),
    "twice": (
        with_header(b'{"a":1,"a":2}'),
        "(header) is not sound JSON: the key 'a' stands twice",
    ),
    "deep": (with_header(b'{"a":' + b"[" * 100_000), "(header) is nested too deeply; at most 64"),
    "NaN": (with_header(b'{"a":NaN}'), "(header) is not sound JSON: NaN is no number"),
    "metadata": (with_header({"__metadata__": {"a": 1}}), ": __metadata__ must map texts to texts"),
    "keys": (
        with_header({"a": {"dtype": "F32"}}),
        ": tensor 'a' must have dtype, shape and data_offsets, nothing else",
    ),
    "dtype": (
        with_header({"a": entry("F4")}),
        ": tensor 'a' has dtype 'F4'; known: U64, I64, F64, F32, U32, I32, BF16, F16, U16, I16, "
        "I8, U8, BOOL",
    ),
    "negative": (with_header({"a": entry(shape=(-1,))}), ": tensor 'a' has a malformed shape"),
    "true": (with_header({"a": entry(shape=(True,))}), ": tensor 'a' has a malformed shape"),
    "overflow": (
        with_header({"a": entry(shape=(2**40, 2**40, 0), offsets=(0, 0))}),
        ": tensor 'a' has a malformed shape",
    ),
    "dims": (with_header({"a": entry(shape=(1,) * 9)}), ": tensor 'a' has a malformed shape"),
    "offsets": (
        with_header({"a": entry(offsets=(4, 0))}),
        ": tensor 'a' has malformed data_offsets",
    ),
    "size": (
        with_header({"a": entry(shape=(2, 3))}, b"1234"),
        ": tensor 'a' of shape (2, 3) needs 24 bytes; it has 4",
    ),
    "hole": (
        with_header({"a": entry(offsets=(4, 8))}, b"12345678"),
        ": the tensors leave a hole at byte 4",
    ),
    "overlap": (
        with_header({"a": entry(), "b": entry(offsets=(2, 6))}, b"123456"),
        ": the tensors overlap at byte 2",
    ),
    "cut": (
        with_header({"a": entry()}, b"12"),
        " is cut: its tensors need 4 bytes, it has 2",
    ),
    "trailing": (
        with_header({"a": entry()}, b"123456"),
        " has bytes that belong to no tensor: its tensors need 4 bytes, it has 6",
    ),
    "bool": (
        with_header({"a": entry("BOOL", (1,), (0, 1))}, b"\x02"),
        ": tensor 'a' holds bytes that are no BOOL",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_name(name):
    data, message = HOSTILE[name]
    with pytest.raises(CheckpointError) as caught:
        parse_tensors(data, "m")
    assert str(caught.value) == f"m{'' if message[0] in ':' else ' '}{message.lstrip(' ')}"


def test_too_many_tensors_are_refused():
    header = {str(i): entry(shape=(0,), offsets=(0, 0)) for i in range(10_001)}
    with pytest.raises(CheckpointError) as caught:
        parse_tensors(with_header(header), "m")
    assert str(caught.value) == "m has 10,001 tensors; at most 10,000"


def test_the_first_differences_from_the_config_are_named():
    data = to_bytes({name: np.zeros(2, np.float32) for name in "abcd"})
    expected = {"a": (2,), "b": (1, 2), "c": (2,), "x": (1,), "y": (1,)}
    with pytest.raises(CheckpointError) as caught:
        parse_tensors(data, "m", expected)
    assert str(caught.value) == (
        "m does not fit its config: tensor 'x' is missing; 'y' is missing; 'd' is unknown "
        "and 1 more"
    )
    with pytest.raises(CheckpointError) as caught:
        parse_tensors(data, "m", dict.fromkeys("acd", (2,)) | {"b": (1, 2)})
    assert str(caught.value) == (
        "m does not fit its config: tensor 'b' has shape (2,), expected (1, 2)"
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_numbers_that_are_not_finite_are_found(bad, dtype):
    data = to_bytes({"a": np.zeros(3, dtype), "b": np.array([0, bad], dtype)})
    with pytest.raises(CheckpointError) as caught:
        parse_tensors(data, "m", check_finite=True)
    assert str(caught.value) == "m: tensor 'b' holds NaN or infinity"
    assert parse_tensors(data, "m").keys() == {"a", "b"}


def test_a_missing_linked_or_odd_file_is_named(tmp_path):
    (tmp_path / "link").symlink_to("x")
    (tmp_path / "folder").mkdir()
    for name, fault in (
        ("gone", "is missing"),
        ("link", "is a symbolic link; expected a plain file"),
        ("folder", "is a folder; expected a plain file"),
    ):
        with pytest.raises(CheckpointError) as caught:
            read_tensors(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name} {fault}"


SAMPLE = to_bytes(
    {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, np.int8)}, {"k": "v"}
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(SAMPLE)),
    st.binary(max_size=8),
)
def test_a_mutated_file_loads_or_is_refused_and_nothing_else(changes, cut, tail):
    data = bytearray(SAMPLE)
    for place, value in changes:
        data[place] = value
    try:
        tensors = parse_tensors(bytes(data[:cut]) + tail, "m", check_finite=True)
    except CheckpointError:
        return
    assert sum(array.nbytes for array in tensors.values()) <= len(data) + 8


@given(st.binary(max_size=200))
def test_random_headers_are_refused_and_nothing_else(noise):
    with pytest.raises(CheckpointError):
        parse_tensors(with_header(b"[" + noise), "m")
