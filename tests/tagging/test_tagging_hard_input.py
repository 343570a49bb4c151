"""Text as it comes: line ends, marks, bad bytes, odd labels, very long sentences."""

import json

import numpy as np
import pytest

from charlm.store.checkpoint import load_model

from .conftest import columns, conllu, sentences


def tensors(home, name):
    return load_model(home / "checkpoints" / name).tensors()


@pytest.mark.parametrize("kind", ["tsv", "conllu"])
def test_line_ends_and_a_byte_order_mark_change_nothing(home, train, kind):
    text = (home / f"train.{kind}").read_bytes()
    (home / f"other.{kind}").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert train(f"train.{kind}", "-o", "plain", "--epochs", 1)[0] == 0
    assert train(f"other.{kind}", "-o", "other", "--epochs", 1)[0] == 0
    plain, other = tensors(home, "plain"), tensors(home, "other")
    assert plain.keys() == other.keys()
    assert all(np.array_equal(plain[name], other[name]) for name in plain)


def test_ranges_and_empty_nodes_are_no_words_but_stay(home, train, charlm):
    both, null = "1-2\tIlike" + "\t_" * 8, "1.1\tnull" + "\t_" * 8
    rows = conllu(sentences()[:2]).replace("1\tI\t", f"{both}\n1\tI\t")
    text = rows.replace("2\tlike\t", f"{null}\n2\tlike\t")
    (home / "ranges.conllu").write_text(text)
    assert train("ranges.conllu", "-o", "u", "--epochs", 100)[0] == 0
    assert load_model(home / "checkpoints" / "u").model_config["words"] == 5
    bare = text.replace("PRON", "_").replace("NOUN", "_")
    for source in (bare, bare.replace("\n", "\r\n")):
        line = ("tag", "-m", "u", "--input", "conllu", "--conllu")
        assert charlm(*line, stdin=source.encode())[:2] == (0, text)


def test_bytes_that_are_no_utf_8_are_told_by_line_and_may_be_replaced(home, train, charlm):
    (home / "bad.tsv").write_bytes(columns(sentences()).encode() + b"\ncaf\xe9\tNOUN\n")
    status, _, err = train("bad.tsv")
    assert status == 1
    assert err.startswith("charlm: bad.tsv, line 181: invalid UTF-8 at byte ")
    assert train("bad.tsv", "--encoding-errors", "replace", "--epochs", 1, "-o", "b")[0] == 0
    status, out, err = charlm("tag", "-m", "b", stdin=b"I like\ncaf\xe9\n")
    assert (status, out.count("\n")) == (0, 2)
    assert err == (
        "charlm: warning: line 2 of standard input is not UTF-8; such bytes are read as \ufffd\n"
    )


def test_a_byte_order_mark_and_line_ends_of_windows_come_through_a_pipe(charlm, train):
    assert train("train.tsv", "-o", "t")[0] == 0
    found = charlm("tag", "-m", "t", stdin=b"\xef\xbb\xbfI like\r\n\r\nyou saw\r\n")
    assert found[:2] == (0, "I/PRON like/VERB\n\nyou/PRON saw/VERB\n")
    lines = b"\xef\xbb\xbfI\t_\r\nlike\t_\r\n\r\n"
    _, out, _ = charlm("tag", "-m", "t", "--input", "conllu", stdin=lines)
    assert out == "I/PRON like/VERB\n"


def test_labels_may_hold_what_parts_columns_elsewhere(home, train, charlm):
    odd = {"PRON": "a/b", "VERB": "x y", "NOUN": 'c,"d"', "PROPN": "_", "PUNCT": "#1"}
    rows = [[(word, odd[tag]) for word, tag in one] for one in sentences()]
    (home / "odd.tsv").write_text(columns(rows))
    assert train("odd.tsv", "-o", "odd")[0] == 0
    _, out, _ = charlm("tag", "-m", "odd", "I like apples .")
    assert out == 'I/a\\/b like/x_y apples/c,"d" ./#1\n'
    _, out, _ = charlm("tag", "-m", "odd", "--json", "Anna like apples .")
    assert json.loads(out)["tags"] == ["_", "x y", 'c,"d"', "#1"]
    _, out, _ = charlm("evaluate", "odd.tsv", "-m", "odd", "--json")
    assert json.loads(out)["tags"]["a/b"]["f1"] == 1.0


def test_a_sentence_of_100_000_words_is_learnt_from_and_measured(home, train, charlm):
    rows = sentences()
    long = [word for _ in range(700) for one in rows for word in one][:100_000]
    (home / "long.tsv").write_text(columns([rows[0], long, *rows[1:]]))
    status, _, err = train("long.tsv", "-o", "t", "--epochs", 1, "--batch-size", 32)
    assert (status, err) == (
        0,
        "charlm: warning: 1 sentences of more than 512 words are trained on in parts\n",
    )
    status, out, _ = charlm("evaluate", "long.tsv", "-m", "t", "--json")
    record = json.loads(out)
    assert (status, record["words"], record["sentences"]) == (0, 100_144, 37)
    assert record["accuracy"] > 0.9
