"""Labelled and plain texts as they come: line ends, marks, bad bytes, very long texts."""

import json

import numpy as np
import pytest

from charlm.store.checkpoint import load_model

from .conftest import labelled_lines

TRAIN = ("train", "classifier", "-q", "--valid-fraction", "0", "--threads", "1")
SMALL = ("--hidden-size", "4", "--word-dim", "4", "--subword-dim", "4", "--epochs", "1")


def tensors(home, name):
    return load_model(home / "checkpoints" / name).tensors(floats_only=False)


@pytest.mark.parametrize("form", ["txt", "csv", "tsv", "ft"])
def test_line_ends_and_a_byte_order_mark_change_nothing(charlm, home, form):
    parts = [line.split(" ", 1) for line in labelled_lines()]
    mark, between = {"txt": ("", " "), "csv": ("", ","), "tsv": ("", "\t")}.get(
        form, ("__label__", " ")
    )
    head = {"csv": "label,text\n", "tsv": "label\ttext\n"}.get(form, "")
    text = head + "".join(f"{mark}{label}{between}{text}\n" for label, text in parts)
    (home / f"plain.{form}").write_text(text)
    crlf = text.replace("\n", "\r\n").encode()
    (home / f"other.{form}").write_bytes(b"\xef\xbb\xbf" + crlf)
    for name in ("plain", "other"):
        assert charlm(*TRAIN, f"{name}.{form}", "-o", name, "--num-layers", "0")[0] == 0
    plain, other = tensors(home, "plain"), tensors(home, "other")
    assert all(np.array_equal(plain[name], other[name]) for name in plain)
    assert load_model(home / "checkpoints" / "other").model_config["labels"] == ["neg", "pos"]


def test_a_mark_line_ends_and_bad_bytes_come_through_a_pipe(charlm, reviews):
    assert charlm(*TRAIN, reviews, "-o", "r", "--num-layers", "0")[0] == 0
    lines = b"\xef\xbb\xbfa good film\r\n\r\na bad Z\xfcrich\r\n"
    status, out, err = charlm("classify", "-m", "r", "--json", stdin=lines)
    found = [json.loads(line) for line in out.splitlines()]
    assert (status, [one["text"] for one in found]) == (0, ["a good film", "", "a bad Z\ufffdrich"])
    assert [one["label"] for one in found][::2] == ["pos", "neg"]
    assert err == (
        "charlm: warning: line 3 of standard input is not UTF-8; such bytes are read as \ufffd\n"
    )


def test_bytes_that_are_no_utf_8_are_told_by_line(charlm, home):
    (home / "b.txt").write_bytes("\n".join(labelled_lines()).encode() + b"\npos Z\xfcrich\n")
    status, _, err = charlm(*TRAIN, "b.txt")
    assert status == 1
    assert err.startswith("charlm: b.txt, line 41: invalid UTF-8 at byte ")
    assert charlm(*TRAIN, "b.txt", "--encoding-errors", "replace", "--num-layers", "0")[0] == 0


def test_texts_of_100_000_words_are_learnt_from_judged_and_explained(charlm, home):
    long = ["pos " + "a good film " * 33_333 + "!", "neg " + "a bad book " * 33_333 + "?"]
    lines = labelled_lines()
    (home / "long.txt").write_text("\n".join([*lines[:7], long[0], *lines[7:], long[1]]) + "\n")
    assert charlm(*TRAIN, *SMALL, "long.txt", "-o", "r")[0] == 0
    _, out, _ = charlm("evaluate", "long.txt", "-m", "r", "--json")
    assert (json.loads(out)["texts"], json.loads(out)["accuracy"]) == (42, 1.0)
    texts = [long[1][4:], "a good film", long[0][4:]]
    line = ("classify", "-m", "r", "--explain", "--json")
    status, out, _ = charlm(*line, stdin="\n".join(texts).encode())
    found = [json.loads(line) for line in out.splitlines()]
    assert (status, [one["text"] for one in found]) == (0, texts)
    assert [one["label"] for one in found] == ["neg", "pos", "pos"]
    assert [len(one["words"]) for one in found] == [400, 3, 400]
