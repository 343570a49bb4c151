"""Reading files: encodings, line ends, compression, folders, pipes."""

import bz2
import gzip
import io
import lzma
import os
import re
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.base.errors import CorpusError
from charlm.text import decoding, expanding, sources
from charlm.text.corpora import open_corpus
from charlm.text.sources import FileSource, read_source

PACKED = [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)]


def read(path, encoding_errors="strict"):
    return open_corpus([str(path)], encoding_errors=encoding_errors).read()


@pytest.fixture
def write(tmp_path):
    def make(data, name="a.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return make


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\xef\xbb\xbf", ""),
        (b"\xef\xbb\xbfa\xef\xbb\xbfb", "a\ufeffb"),
        (b"a\r\nb\rc\n\r\r\n", "a\nb\nc\n\n\n"),
        ("a\u2028b\u0085c\x0cd".encode(), "a\u2028b\u0085c\x0cd"),
        ("中文é😀".encode(), "中文é😀"),
        (b"a\r", "a\n"),
    ],
)
def test_text_is_read_by_the_rule(write, data, text):
    assert read(write(data)) == text


@given(st.text(alphabet="a\r\né中😀", max_size=60), st.integers(1, 5))
@settings(deadline=None)
def test_chunk_borders_leave_no_trace(tmp_path_factory, text, chunk_bytes):
    path = tmp_path_factory.getbasetemp() / "chunks.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(decoding, "SNIFF_BYTES", chunk_bytes + 3)
        got = "".join(read_source(FileSource(path), encoding_errors="strict", warn=print))
    assert got == text.replace("\r\n", "\n").replace("\r", "\n")


@given(st.binary(max_size=60).filter(lambda data: b"\0" not in data), st.integers(1, 5))
@settings(deadline=None)
def test_invalid_bytes_are_replaced_or_skipped_whatever_the_chunks(
    tmp_path_factory, data, chunk_bytes
):
    path = tmp_path_factory.getbasetemp() / "invalid.txt"
    path.write_bytes(
        b"plain text, long enough to be no binary file at all, is what begins; " + data
    )
    whole = path.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "CHUNK_BYTES", chunk_bytes)
        for errors, python_errors in (("replace", "replace"), ("skip", "ignore")):
            warnings = []
            got = "".join(
                read_source(FileSource(path), encoding_errors=errors, warn=warnings.append)
            )
            wanted = whole.decode("utf-8", python_errors).replace("\r\n", "\n").replace("\r", "\n")
            assert got == wanted
            assert bool(warnings) == (not _is_valid(whole))


def _is_valid(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_strict_names_file_line_and_byte(write):
    path = write(b"one\r\ntwo\rthr\xffee\n")
    with pytest.raises(CorpusError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}, line 3: invalid UTF-8 at byte 12 (0xff); convert the file to UTF-8, or take "
        "--encoding-errors replace or skip"
    )


def test_strict_finds_the_place_far_inside(write):
    path = write(b"\xef\xbb\xbf" + b"0123456\r\n" * 300_000 + b"x\xe4\xb8")
    with pytest.raises(CorpusError, match=r"line 300001: invalid UTF-8 at byte 2700004 \(0xe4\)"):
        read(path)


def test_replaced_and_skipped_bytes_are_counted_once(write):
    path = write(b"a\xffb\xfe\xef\xbf\xbd\n")
    replaced = open_corpus([str(path)], encoding_errors="replace")
    skipped = open_corpus([str(path)], encoding_errors="skip")
    assert replaced.read() == replaced.read() == "a\ufffdb\ufffd\ufffd\n"
    assert skipped.read() == "ab\ufffd\n"
    assert replaced.warnings == [f"{path}: 2 invalid byte sequences replaced by U+FFFD"]
    assert skipped.warnings == [f"{path}: 2 invalid byte sequences left out"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (
            "x".encode("utf-16"),
            "UTF-16 text; expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)",
        ),
        (
            "x".encode("utf-32"),
            "UTF-32 text; expected UTF-8 (iconv -f UTF-32 -t UTF-8 converts it)",
        ),
        (b"ab\0c", "binary (NUL byte at offset 2); expected UTF-8 text"),
        (b"a" * 70_000 + b"\0", "binary (NUL byte at offset 70000); expected UTF-8 text"),
        (b"\x01\x02\x03ab", "binary (mostly control bytes); expected UTF-8 text"),
        (gzip.compress(b"x"), "binary (gzip); give it the suffix .gz"),
        (lzma.compress(b"x"), "binary (xz); give it the suffix .xz"),
        (bz2.compress(b"x"), "binary (bzip2); give it the suffix .bz2"),
        (b"PK\x03\x04zip", "binary (zip); expected UTF-8 text"),
        (b"\x7fELF...", "binary (ELF); expected UTF-8 text"),
        (b"\x89PNG....", "binary (PNG); expected UTF-8 text"),
    ],
)
@pytest.mark.parametrize("errors", ["strict", "replace", "skip"])
def test_what_is_no_text_is_refused_by_name(write, data, problem, errors):
    path = write(data)
    with pytest.raises(CorpusError) as caught:
        read(path, errors)
    assert str(caught.value) == f"{path}: {problem}"


@pytest.mark.parametrize(("suffix", "pack"), PACKED)
def test_what_comes_packed_through_a_pipe_is_unpacked_on_the_way(monkeypatch, suffix, pack):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(b"x"))))
    with pytest.raises(CorpusError) as caught:
        open_corpus(["-"]).read()
    kind = {".gz": "gzip", ".xz": "xz", ".bz2": "bzip2"}[suffix]
    assert str(caught.value) == (
        f"standard input: binary ({kind}); unpack it on the way: {kind} -dc FILE{suffix} | charlm …"
    )


@pytest.mark.parametrize(("suffix", "pack"), PACKED)
def test_compressed_files_are_read_and_bounded(write, suffix, pack, monkeypatch):
    text = b"zip and unzip\n" * 1000
    path = write(pack(text) + pack(b"second part\n"), f"a.txt{suffix}")
    assert read(path) == text.decode() + "second part\n"
    monkeypatch.setattr(expanding, "RATIO_FREE_BYTES", 1000)
    monkeypatch.setattr(expanding, "MAX_RATIO", 3)
    limit = max(1000, 3 * path.stat().st_size)
    with pytest.raises(CorpusError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: expands to more than {limit:,} bytes; unpack it yourself if it is what you expect"
    )


def test_streams_of_xz_may_be_padded_and_empty(write):
    packed = lzma.compress(b"one\n") + bytes(8) + lzma.compress(b"") + lzma.compress(b"two\n")
    assert read(write(packed + bytes(4), "a.xz")) == "one\ntwo\n"


def test_an_xz_file_that_asks_for_much_memory_is_refused(write, monkeypatch):
    path = write(lzma.compress(b"text\n", preset=9), "a.xz")
    assert read(path) == "text\n"
    monkeypatch.setattr(expanding, "MAX_XZ_MEMORY", 32 << 20)
    with pytest.raises(CorpusError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: needs more than 32 MiB of memory to unpack; "
        "unpack it yourself if it is what you expect"
    )


@pytest.mark.parametrize(("suffix", "pack"), PACKED)
@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"no" + data[2:]])
def test_damaged_compressed_files_are_named(write, suffix, pack, damage):
    path = write(damage(pack(os.urandom(300).hex().encode())), f"a{suffix}")
    with pytest.raises(CorpusError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: damaged compressed file (")


def test_a_folder_is_read_in_order_without_hidden_and_binary_files(write, tmp_path):
    write(b"two", "in/b/2.md")
    write(b"one\n", "in/a.txt")
    write(gzip.compress(b"zipped\n"), "in/c.gz")
    write(b"\0\1", "in/d.bin")
    write(b"secret", "in/.hidden")
    write(b"secret", "in/.git/config")
    corpus = open_corpus([str(tmp_path / "in")])
    assert corpus.read() == "one\ntwo\nzipped\n"
    assert corpus.warnings == [f"{tmp_path / 'in'}: left out 2 hidden and 1 binary files"]
    assert corpus.name == "in"


def test_a_link_to_nothing_is_called_so(tmp_path):
    link = tmp_path / "a.txt"
    link.symlink_to(tmp_path / "gone.txt")
    message = f"^cannot read {re.escape(str(link))}: it is a link to nothing$"
    with pytest.raises(CorpusError, match=message):
        open_corpus([str(link)])


def test_links_to_folders_are_not_followed(write, tmp_path):
    path = write(b"text\n", "in/a.txt")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "link.txt").symlink_to(path)
    assert read(tmp_path / "in") == "text\ntext\n"


@pytest.mark.parametrize(
    ("files", "problem"),
    [([], ""), (["x/.a"], " (left out 1 hidden files)"), (["x/b\0"], "")],
)
def test_a_folder_without_text_says_what_it_has(write, tmp_path, files, problem):
    (tmp_path / "x").mkdir()
    for name in files:
        if "\0" not in name:
            write(b"text", name)
    with pytest.raises(CorpusError) as caught:
        read(tmp_path / "x")
    assert str(caught.value) == f"no text files in {tmp_path / 'x'}{problem}"


def test_standard_input_is_read_once_and_again(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"from\r\na pipe")))
    corpus = open_corpus(["-"])
    assert corpus.read() == corpus.read() == "from\na pipe"
    assert corpus.name == "stdin"


def test_closed_standard_input_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CorpusError) as caught:
        open_corpus(["-"]).read()
    assert str(caught.value) == "standard input is closed; name a file instead of -"


def test_too_much_standard_input_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * 100)))
    monkeypatch.setattr(sources, "MAX_SPOOLED_BYTES", 10)
    with pytest.raises(CorpusError, match=r"^standard input: more than 10 bytes$"):
        open_corpus(["-"]).read()


def test_a_named_pipe_can_be_read_twice(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"piped\n",))
    writer.start()
    corpus = open_corpus([str(path)])
    assert corpus.read() == "piped\n"
    writer.join()
    assert corpus.read() == "piped\n"


def test_a_device_is_refused():
    with pytest.raises(CorpusError) as caught:
        read("/dev/null")
    assert str(caught.value) == (
        "/dev/null is no regular file; expected a text file, a folder or -"
    )


def test_a_file_that_vanishes_is_named(write):
    path = write(b"x")
    corpus = open_corpus([str(path)])
    path.unlink()
    with pytest.raises(CorpusError) as caught:
        corpus.read()
    assert str(caught.value) == f"cannot read {path}: No such file or directory"
