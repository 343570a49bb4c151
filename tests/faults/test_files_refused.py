"""Model folders from strangers, through the command line: refused in a line, never run."""

import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from charlm.cli.app import run

ROOT = Path(__file__).parents[2]
COMMANDS = (
    ("show", "tiny"),
    ("sample", "-m", "tiny", "-n", "3", "the"),
    ("score", "-m", "tiny", "the"),
)


@pytest.fixture
def folder(tiny):
    return tiny / "checkpoints" / "tiny"


@pytest.fixture
def refused(capsys):
    """Run every query; return the one line that all of them answer."""

    def ask(commands=COMMANDS):
        lines = set()
        for argv in commands:
            assert run(list(argv)) == 1, argv
            found = capsys.readouterr()
            assert found.out == ""
            lines.add(found.err)
        [line] = lines
        assert line.count("\n") == 1
        assert "Traceback" not in line
        return line

    return ask


def tensors(folder):
    data = (folder / "model.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def packed(header, numbers):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


class Marker:
    """A pickle that would leave a file behind if it were ever loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def zipped_pickle(payload):
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
    return out.getvalue()


QUERIES = COMMANDS[1:]  # `show` reads no numbers


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "vocab.json", "training.json"]
)
def test_fault_61_a_pickle_under_any_name_is_refused_and_never_run(
    tiny, folder, forge, refused, name, protocol
):
    marker = tiny / "ran"
    forge(folder, name, pickle.dumps(Marker(marker), protocol))
    refused(QUERIES)
    assert not marker.exists()


def test_fault_61_a_file_of_torch_is_named_for_what_it_is(tiny, folder, forge, refused):
    forge(folder, "model.safetensors", zipped_pickle(pickle.dumps(Marker(tiny / "ran"))))
    assert "is a zip file (a pickle of torch?), refused: charlm never unpickles" in refused(QUERIES)
    for name in ("model.pt", "pytorch_model.bin", "tokenizer.pkl", "meta.pkl"):
        (folder / name).write_bytes(pickle.dumps(Marker(tiny / "ran")))
    refused(QUERIES)
    assert not (tiny / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, n: struct.pack("<Q", 2**63) + n, "claims 9,223,372,036,854,775,808 bytes"),
        (lambda h, n: struct.pack("<Q", 9 << 20) + b" " * (9 << 20) + n, "at most 8,388,608"),
        (lambda h, n: struct.pack("<Q", 0) + n, "is not sound JSON"),
        (lambda h, n: b"short", "it has only 5 bytes"),
        (lambda h, n: packed(h, n[:-1]), "is cut"),
        (lambda h, n: packed(h, n + b"x"), "has bytes that belong to no tensor"),
        (lambda h, n: packed(b'{"a":1,"a":2}', n), "the key 'a' stands twice"),
        (lambda h, n: packed(b"[" * 100_000, n), "is nested too deeply"),
        (lambda h, n: packed(b'{"a":' + b"9" * 5000 + b"}", n), "has more than 128 bits"),
        (lambda h, n: packed(b'{"a":NaN}', n), "NaN is no number"),
        (lambda h, n: packed(b'{"a\xff":1}', n), "is not sound JSON"),
        (
            lambda h, n: packed(
                {
                    str(i): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                    for i in range(10_001)
                },
                b"",
            ),
            "has 10,001 tensors; at most 10,000",
        ),
        (lambda h, n: packed({**h, "x": h["output.bias"]}, n), "overlap"),
        (lambda h, n: packed({k: v for k, v in h.items() if k != "output.bias"}, n), "tensor"),
    ],
)
def test_fault_62_a_header_that_lies_is_refused(folder, forge, refused, change, message):
    forge(folder, "model.safetensors", change(*tensors(folder)))
    assert message in refused(QUERIES)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", [2**62, 2]),
        ("shape", [-1, 4]),
        ("shape", [1.5]),
        ("shape", [True]),
        ("shape", [1] * 100),
        ("shape", "x"),
        ("dtype", "I64"),
        ("dtype", "U8"),
        ("dtype", "O"),
        ("data_offsets", [10**18, 10**18 + 4]),
        ("data_offsets", [8, 0]),
        ("data_offsets", [0]),
    ],
)
def test_fault_62_a_wrong_shape_type_or_place_is_refused(folder, forge, refused, field, value):
    header, numbers = tensors(folder)
    header["output.bias"][field] = value
    forge(folder, "model.safetensors", packed(header, numbers))
    assert "model.safetensors" in refused(QUERIES)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a" * 5000, "\x1b[31m", "embedding"])
def test_fault_62_an_unknown_tensor_is_refused(folder, forge, refused, name):
    header, numbers = tensors(folder)
    header[name] = {"dtype": "F32", "shape": [0], "data_offsets": [len(numbers), len(numbers)]}
    forge(folder, "model.safetensors", packed(header, numbers))
    line = refused(QUERIES)
    assert "is unknown" in line
    assert len(line) < 1000
    assert "\x1b" not in line


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_fault_62_weights_that_are_no_numbers_are_refused(folder, forge, refused, value):
    header, numbers = tensors(folder)
    odd = np.frombuffer(numbers, np.float32).copy()
    odd[len(odd) // 2] = value
    forge(folder, "model.safetensors", packed(header, odd.tobytes()))
    line = refused(QUERIES)
    assert "holds NaN or infinity" in line or "holds numbers beyond 1e+09" in line


def config(folder, **changes):
    found = json.loads((folder / "config.json").read_text())
    found["model"].update(changes)
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"vocab_size": 10_000_000, "hidden_size": 65_536, "num_layers": 64},
        {"vocab_size": 2**63},
        {"vocab_size": -1},
        {"hidden_size": 0},
        {"hidden_size": 1e9},
        {"num_layers": "2"},
        {"num_layers": None},
        {"cell": "../../lstm"},
        {"cell": ["lstm"]},
        {"tie_weights": 1},
        {"import": "os"},
    ],
)
def test_fault_63_a_config_beyond_its_bounds_is_refused(folder, forge, refused, changes):
    forge(folder, "config.json", config(folder, **changes))
    refused(QUERIES)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"format": 1, "format": 1}',
        b'{"format": ' + b"1" * 10_000 + b"}",
        b'{"format": 1e999}',
        b'{"format": "1"}',
        b'{"format": 1, "kind": "lm", "model": {}, "tokenizer": {}, "code": "x"}',
        b'{"format": 1, "kind": "../x", "model": {}, "tokenizer": {}}',
        b'{"format": 1, "kind": "lm\\u0000", "model": {}, "tokenizer": {}}',
        b" " * (9 << 20),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "manifest.json", "training.json"])
def test_fault_63_documents_that_are_none_are_refused(folder, forge, refused, name, text):
    if name == "manifest.json":
        (folder / name).write_bytes(text)
    else:
        forge(folder, name, text)
    is_report = name == "training.json"
    if is_report and (text == b'{"format": "1"}' or b'"kind"' in text):
        return  # a report may say anything that is JSON
    assert name in refused()


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "..",
        ".",
        "a/b",
        "vocab.json\0",
        "C:\\x",
        "resume/state-1.json",
        ".hidden",
        "\u202ejson.vocab",
        "x" * 300,
        "",
    ],
)
def test_fault_63_no_name_leads_out_of_the_folder(folder, refused, name):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"size": 1, "sha256": "0" * 64}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "which is no name of a model's file" in refused()


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "vocab.json", "manifest.json"]
)
def test_fault_63_a_link_or_a_pipe_in_a_files_place_is_refused(tiny, folder, refused, name):
    path = folder / name
    path.rename(tiny / "elsewhere")
    path.symlink_to(tiny / "elsewhere")
    assert "is a symbolic link; expected a plain file" in refused()
    path.unlink()
    os.mkfifo(path)
    assert "is a pipe or device; expected a plain file" in refused()


def vocab(tokens, counts=None, **more):
    document = {"format": 1, "specials": 1, "tokens": tokens, "counts": counts or [0] * len(tokens)}
    return json.dumps({**document, **more}).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (vocab(["<unk>", "a", "a"]), "is there twice"),
        (vocab(["<unk>", ""]), "is empty"),
        (vocab(["<unk>", "ab"]), "has one character"),
        (vocab(["<unk>", "a" * 5000]), "longer than 4,096 characters"),
        (vocab(["<unk>", 7]), "must be a list of texts"),
        (vocab(["<unk>"], [-1]), "a count is below 0"),
        (vocab(["<unk>"], [2**70]), "above 2^63"),
        (vocab(["<unk>"], specials=9), "9 specials of 1 tokens"),
        (vocab(["<unk>"], specials=True), "must be a whole number"),
        (vocab(["<unk>"], format=2), "this version reads format 1"),
        (vocab(["<unk>", "a"], file="/etc/passwd"), "expected an object with"),
        (vocab(["<unk>", "a"]), "the tokenizer has 2 tokens, the model "),
        (b"[" * 100_000, "no valid JSON"),
        (b'{"tokens": ' + b"9" * 10_000 + b"}", "no valid JSON"),
    ],
)
def test_fault_63_a_vocabulary_that_is_none_is_refused(folder, forge, refused, data, message):
    forge(folder, "vocab.json", data)
    assert message in refused(QUERIES)


def test_fault_65_a_newer_format_is_refused_by_its_number(folder, forge, refused):
    text = json.loads((folder / "config.json").read_text())
    forge(folder, "config.json", json.dumps({**text, "format": 3}).encode())
    assert refused() == (
        f"charlm: {folder}/config.json was made by a newer charlm (format 3; this one reads up to "
        "1): upgrade charlm\n"
    )


# A small process between us and the one that is measured: a system counts what a parent held at
# the fork among the memory of its child.
MEASURE = """
import os, sys
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
argv = [sys.executable, "-m", "charlm", *sys.argv[1:]]
_, status, usage = os.wait4(os.posix_spawn(argv[0], argv, os.environ, file_actions=quiet), 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def peak(home, *argv):
    """Run charlm in a process; return status, stderr and its peak memory in MB."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *argv],
        cwd=home,
        env={**kept, "PYTHONPATH": str(ROOT), "CHARLM_HOME": str(home)},
        capture_output=True,
        check=True,
    )
    status, memory = map(int, done.stdout.split())
    return status, done.stderr.decode(), memory / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def many_empty_tensors():
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return packed({f"t{i}": entry for i in range(150_000)}, b"")


HOSTILE = {
    "a header of empty tensors": ("model.safetensors", many_empty_tensors),
    "a header of brackets": ("model.safetensors", lambda: packed(b"[" * (8 << 20), b"")),
    "a header of empty lists": (
        "model.safetensors",
        lambda: packed(b'{"a":[' + b"[]," * 2_700_000 + b"[]]}", b""),
    ),
    "a vocabulary of empty lists": (
        "vocab.json",
        lambda: (
            b'{"format": 1, "specials": 1, "counts": [], "tokens": [' + b"[]," * 5 * 10**6 + b"[]]}"
        ),
    ),
    "a vocabulary of 20 million tokens": (
        "vocab.json",
        lambda: b'{"format": 1, "specials": 1, "tokens": [\n' + b'"a",\n' * 20_000_000,
    ),
    "a config of empty lists": ("config.json", lambda: b"[" + b"[]," * 2_700_000 + b"[]]"),
    "a report of empty lists": ("training.json", lambda: b"[" + b"[]," * 2_700_000 + b"[]]"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_fault_63_a_small_file_cannot_fill_the_memory(tiny, folder, forge, what):
    name, make = HOSTILE[what]
    forge(folder, name, make())
    status, err, megabytes = peak(tiny, "score", "-m", "tiny", "the")
    assert (status, err.count("\n")) == (1, 1)
    assert "out of memory" not in err
    assert megabytes < 512


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_fault_64_a_compressed_bomb_is_refused_in_bounded_memory(tiny, suffix):
    import gzip
    import lzma

    opened = gzip.open if suffix == ".gz" else lzma.open
    level = {"compresslevel": 9} if suffix == ".gz" else {"preset": 0}
    with opened(tiny / f"bomb.txt{suffix}", "wb", **level) as file:
        for _ in range(100):
            file.write(b"a\n" * (1 << 19))
    status, err, megabytes = peak(tiny, "corpus", "show", f"bomb.txt{suffix}")
    assert status == 1
    assert f"bomb.txt{suffix}: expands to more than " in err
    assert megabytes < 512


def test_fault_37_a_line_of_50_megabytes_is_read_in_bounded_memory(tiny):
    (tiny / "line.txt").write_bytes(b"one long line " * (50_000_000 // 14))
    status, err, megabytes = peak(tiny, "corpus", "show", "line.txt", "--json")
    assert (status, err) == (0, "")
    assert megabytes < 250
