from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import stat
import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from injection import failing

from charlm.base.errors import CheckpointError
from charlm.store.documents import dump_json, parse_json, read_json
from charlm.store.files import clear_strays, read_bounded, write_atomic

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\n", max_size=3), inner),
    max_leaves=12,
)


def test_a_file_is_written_whole_by_the_umask_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "x"
    before = os.umask(0o022)
    try:
        written = write_atomic(path, b"one")
        write_atomic(path, lambda out: (out.write(b"tw"), out.write(memoryview(b"o"))))
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [item.name for item in tmp_path.iterdir()] == ["x"]
    assert written == (3, "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed")


@pytest.mark.parametrize("at", range(6))
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch, at):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    full = lambda: OSError(errno.ENOSPC, "No space left on device")  # noqa: E731
    with (
        failing(monkeypatch, at + 1, full, forever=False),
        pytest.raises(CheckpointError) as caught,
    ):
        write_atomic(path, b"new")
    assert str(caught.value) == (
        f"disk full while writing {path}; what was there before is intact: "
        "free some space and try again"
    )
    assert path.read_bytes() == (b"old" if at < 4 else b"new")  # renamed, perhaps not durable
    assert [item.name for item in tmp_path.iterdir()] == ["x"]


def test_a_writer_that_raises_leaves_the_old_file(tmp_path):
    def fail(out):
        out.write(b"half")
        raise KeyboardInterrupt

    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "x", fail)
    assert [item.read_bytes() for item in tmp_path.iterdir()] == [b"old"]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        write_atomic(tmp_path / "no" / "x", b"")
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'no' / 'x'}: No such file or directory; "
        "what was there before is intact"
    )


def test_strays_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    stay = {f".x.{os.getpid()}.tmp", ".x.1.tmp", "x.tmp", ".x.tmp", f"x.{child.pid}.tmp"}
    for name in (*stay, f".x.{child.pid}.tmp", ".y.z.9999999999.tmp"):
        (tmp_path / name).touch()
    clear_strays(tmp_path)
    assert {item.name for item in tmp_path.iterdir()} == stay


def test_reading_is_bounded(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(CheckpointError) as caught:
        read_bounded(path, 4)
    assert str(caught.value) == f"{path} has 5 bytes; expected at most 4"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: must be refused before it is read
    with pytest.raises(
        CheckpointError, match="has 1,099,511,627,776 bytes; expected at most 8,388"
    ):
        read_json(path)


@given(VALUES)
def test_any_value_comes_back(value):
    assert parse_json(dump_json(value), "x") == value
    assert parse_json(dump_json(value, lenient=True, indent=None), "x") == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x is not sound JSON: Expecting value: line 1 column 1 (char 0)"),
        (b'{"a":1,"b":2,"a":3}', "x is not sound JSON: the key 'a' stands twice"),
        (b"[NaN]", "x is not sound JSON: NaN is no number"),
        (b"[-Infinity]", "x is not sound JSON: -Infinity is no number"),
        (b"1e999", "x is not sound JSON: the number 1e999 is infinite"),
        (
            b"9" * 5000,
            "x is not sound JSON: the number 99999999999999999999… has more than 128 bits",
        ),
        (b"[" * 100_000, "x is nested too deeply; at most 64"),
        (b"[" * 65 + b"]" * 65, "x is nested too deeply; at most 64"),
        (
            b'"\xff"',
            "x is not sound JSON: 'utf-8' codec can't decode byte 0xff in position 1: "
            "invalid start byte",
        ),
        (
            b'"\\ud800"',
            "x is not sound JSON: 'utf-8' codec can't encode character '\\ud800' in position 1: "
            "surrogates not allowed",
        ),
    ],
    ids=range(10),
)
def test_unsound_json_is_refused(data, message):
    with pytest.raises(CheckpointError) as caught:
        parse_json(data, "x")
    assert str(caught.value) == message


def test_sixty_four_levels_are_read():
    value = parse_json(b"[" * 64 + b"]" * 64, "x")
    assert json.dumps(value) == "[" * 64 + "]" * 64


def test_a_json_file_must_hold_an_object(tmp_path):
    (tmp_path / "x.json").write_text("3")
    with pytest.raises(CheckpointError) as caught:
        read_json(tmp_path / "x.json")
    assert str(caught.value) == f"{tmp_path / 'x.json'} holds a int; expected an object"


def test_numpy_scalars_are_written_as_numbers_and_other_things_refused():
    assert dump_json({"a": np.float32(0.5), "b": np.int64(3)}, indent=None) == (
        b'{"a": 0.5, "b": 3}\n'
    )
    assert dump_json((np.float32("nan"), "\ud800", math.inf), lenient=True, indent=None) == (
        b'[null, "\\\\ud800", null]\n'
    )
    with pytest.raises(TypeError, match="object is no JSON value"):
        dump_json(object())


@given(st.binary(max_size=60))
def test_noise_is_read_or_refused_and_nothing_else(data):
    with contextlib.suppress(CheckpointError):
        parse_json(data, "x")
