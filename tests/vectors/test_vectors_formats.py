"""Vector files of other programs: read back exactly, and refused with the row that is wrong."""

import bz2
import contextlib
import gzip
import lzma
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import CheckpointError
from charlm.text import expanding
from charlm.vectors.formats import FORMATS, encode_vectors, read_vectors, write_vectors
from charlm.vectors.space import Space
from charlm.vectors.words import Words

NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=12),
    min_size=2,
    max_size=8,
    unique=True,
)


def binary(*rows, header=None, end=b"\n"):
    dim = len(rows[0][1])
    head = header or f"{len(rows)} {dim}"
    body = b"".join(word + b" " + struct.pack(f"<{dim}f", *row) + end for word, row in rows)
    return head.encode() + b"\n" + body


@pytest.mark.parametrize("form", FORMATS)
@given(names=NAMES, dim=st.integers(2, 5), seed=st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_back_exactly(tmp_path_factory, form, names, dim, seed):
    path = tmp_path_factory.mktemp("vectors") / "file"
    matrix = np.random.default_rng(seed).normal(size=(len(names), dim)).astype(np.float32)
    told = write_vectors(path, Space(Words.of(names), matrix), form)
    read = read_vectors(path)
    assert (told, read.form, read.warnings) == ([], form, ())
    assert list(read.space.words) == names
    np.testing.assert_array_equal(read.space.matrix, matrix)


def test_binary_rows_without_line_ends_are_read_as_gensim_writes_them(tmp_path):
    path = tmp_path / "v.bin"
    path.write_bytes(binary((b"a", [1, 2]), (b"b", [3, 4]), end=b""))
    read = read_vectors(path)
    assert list(read.space.words) == ["a", "b"]
    np.testing.assert_array_equal(read.space.matrix, [[1, 2], [3, 4]])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".XZ", lzma.compress), (".bz2", bz2.compress)]
)
def test_compressed_files_are_read_as_what_they_hold(tmp_path, form, suffix, pack):
    matrix = np.array([[1, 2.5], [-3, 4e-8]], dtype=np.float32)
    _, blocks = encode_vectors(Space(Words.of(["a", "中"]), matrix), form)
    path = tmp_path / f"v.vec{suffix}"
    path.write_bytes(pack(b"".join(blocks)))
    read = read_vectors(path)
    assert (read.form, list(read.space.words), read.warnings) == (form, ["a", "中"], ())
    np.testing.assert_array_equal(read.space.matrix, matrix)


def test_compressed_files_that_are_damaged_or_named_otherwise_are_told(tmp_path):
    packed = gzip.compress(b"a 1 2\n" * 50, mtime=0)
    for name, data, message in (
        ("v.gz", packed[:-9], "damaged compressed file (Compressed file ended before the "
         "end-of-stream marker was reached)"),
        ("v.gz", gzip.compress(b""), "empty; expected word vectors"),
        ("v.gz", b"a 1 2\n", "damaged compressed file (Not a gzipped file (b'a '))"),
        ("v.vec", packed, "not a file of word vectors, but gzip; unpack it (packed files are read "
         "where their names end in .gz, .xz or .bz2)"),
        ("v.zip", b"PK\x03\x04\n", "not a file of word vectors, but zip; unpack it (packed files "
         "are read where their names end in .gz, .xz or .bz2)"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CheckpointError) as told:
            read_vectors(tmp_path / name)
        assert str(told.value) == f"{tmp_path / name}: {message}"


def test_a_file_that_expands_without_bound_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(expanding, "RATIO_FREE_BYTES", 1000)
    path = tmp_path / "v.gz"
    path.write_bytes(gzip.compress(bytes(1 << 20)))
    limit = 100 * path.stat().st_size
    with pytest.raises(CheckpointError) as told:
        read_vectors(path)
    assert str(told.value) == (
        f"{path}: expands to more than {limit:,} bytes; unpack it yourself if it is what you expect"
    )


def test_words_with_blanks_are_read_and_written_with_underscores(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 1 2\n. . . 3 4\n")
    read = read_vectors(path)
    assert list(read.space.words) == ["the", ". . ."]
    assert write_vectors(path, read.space, "text") == [
        "1 words hold blanks; they are written with _ for them"
    ]
    assert path.read_text() == "2 2\nthe 1 2\n._._. 3 4\n"


HOSTILE = {
    "empty": (b"", "empty; expected word vectors"),
    "not vectors": (
        b"once upon a time\n",
        "not a file of word vectors: its first line is neither a header (rows and numbers a row) "
        "nor a word with numbers",
    ),
    "4e9 rows": (
        b"4000000000 100\na 1 2\n",
        "the header promises 4,000,000,000 rows of 100 numbers, which take 804,000,000,000 bytes "
        "or more; the file has 21",
    ),
    "negative": (
        b"-5 100\na 1\n",
        "the header promises -5 rows of 100 numbers; expected at least one",
    ),
    "no numbers": (b"5 0\na\n", "the header promises 5 rows of 0 numbers; expected at least one"),
    "fewer rows": (
        b"3 2\na 1 2\nb 3 4\n",
        "the header promises 3 rows, but the file ends after row 2; it was cut off",
    ),
    "more rows": (
        b"1 2\na 1 2\nb 3 4\n",
        "the header promises 1 rows, but more follow; is it of another file?",
    ),
    "short row": (b"2 3\na 1 2 3\nb 4 5\n", "row 2: 2 numbers, expected 3"),
    "word for a number": (b"2 3\na 1 2 3\nb 4 x 5\n", "row 2: number 2 is 'x'"),
    "NaN": (b"2 2\na 1 2\nb nan 4\n", "row 2: 'b' has a number that is not finite"),
    "infinite": (b"2 2\na 1 2\nb 1e999 4\n", "row 2: 'b' has a number that is not finite"),
    "glove short row": (b"a 1 2 3\nb 4 5\n", "row 2: 2 numbers, expected 3"),
    "binary cut": (
        binary((b"a", [1, 2]), (b"b", [3, 4]))[:-5],
        "the header promises 2 rows, but the file ends in row 2; it was cut off",
    ),
    "binary more": (
        binary((b"a", [1, 2]), (b"b", [3, 4]), header="1 2"),
        "the header promises 1 rows, but more follow; is it of another file?",
    ),
    "binary NaN": (
        binary((b"a", [1, 2]), (b"b", [float("nan"), 4])),
        "row 2: 'b' has a number that is not finite",
    ),
    "binary of fewer bytes": (
        binary((b"a", [1, 2]), header="2 2"),
        "the header promises 2 rows of 2 numbers in binary, which take 20 bytes or more; the file "
        "has 15",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_one_line(tmp_path, name):
    data, message = HOSTILE[name]
    path = tmp_path / "v"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as told:
        read_vectors(path)
    assert str(told.value) == f"{path}: {message}"


def test_duplicates_and_odd_bytes_are_repaired_with_a_warning(tmp_path):
    path = tmp_path / "v.txt"
    path.write_bytes(b"4 2\na 1 2\nb\xff 3 4\na 5 6\nc 7 8\n")
    read = read_vectors(path)
    assert list(read.space.words) == ["a", "b\ufffd", "c"]
    np.testing.assert_array_equal(read.space.matrix, [[1, 2], [3, 4], [7, 8]])
    assert read.warnings == (
        f"{path}: row 2: the word is not UTF-8; such bytes are read as \ufffd (1 in all)",
        f"{path}: 'a' occurs twice; the first is kept (1 such rows)",
    )


@given(st.binary(max_size=300), st.sampled_from([b"", b"2 2\n", b"3 1\n", b"a 1 2\n"]))
def test_any_bytes_are_read_or_refused_in_words(tmp_path_factory, data, head):
    path = tmp_path_factory.mktemp("fuzz") / "v"
    path.write_bytes(head + data)
    read = None
    with contextlib.suppress(CheckpointError):
        read = read_vectors(path)
    if read is not None:
        assert len(read.space.words) == len(read.space.matrix) > 0
        assert np.isfinite(read.space.matrix).all()
