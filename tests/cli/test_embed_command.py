"""What embed and neighbors --in-context read and print."""

import json

import numpy as np
import pytest

from charlm.store.tensors import read_tensors
from charlm.tasks.embed import embed_texts, open_embedder

ONE_WAY = "charlm: tiny reads forward only; charlm train lm CORPUS --bidirectional trains both\n"


def records(out):
    return [json.loads(line) for line in out.splitlines()]


def test_lines_in_lines_out_one_for_one(charlm, tiny):
    lines = ["the fox", "", "dog"]
    status, out, err = charlm("embed", "-m", "tiny", stdin="\n".join(lines).encode())
    assert (status, err) == (0, ONE_WAY)
    found = records(out)
    for one, expected in zip(found, embed_texts(open_embedder("tiny"), lines), strict=True):
        assert one["tokens"] == list(expected.tokens)
        np.testing.assert_allclose(
            np.reshape(one["vectors"], expected.vectors.shape), expected.vectors, atol=1e-7
        )
    assert charlm("embed", "-m", "tiny", "--json", *lines) == (0, out, err)


def test_a_long_text_is_one_line_all_the_same(charlm, tiny):
    _, out, _ = charlm("embed", "-m", "tiny", "fox " * 300)
    (one,) = records(out)
    assert len(one["vectors"]) == len(one["tokens"]) > 300
    assert len({len(vector) for vector in one["vectors"]}) == 1


def test_a_chosen_direction_is_not_explained(charlm, tiny):
    status, _, err = charlm("embed", "-m", "tiny", "--direction", "forward", "fox")
    assert (status, err) == (0, "")


def test_a_file_is_written_and_told(charlm, tiny, tmp_path):
    path = tmp_path / "out.safetensors"
    status, out, err = charlm("embed", "-m", "tiny", "--output", path, "fox", "the dog")
    assert (status, out, err) == (0, "", f"{ONE_WAY}wrote {path}\n")
    assert sorted(read_tensors(path)) == ["0", "1"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("embed", "a", "-"), "give texts or - for standard input, not both"),
        (("embed", "--output", "x.npy", "a"), "--output writes .safetensors, got 'x.npy'"),
        (
            ("embed", "--output", "x.safetensors", "--json", "a"),
            "--output and --json exclude each other",
        ),
        (("embed", "--layer", "x", "a"), "--layer must be mix, all or a number from 1, got 'x'"),
        (
            ("embed", "--mix-weights", "x", "a"),
            "--mix-weights must be numbers with commas between, got 'x'",
        ),
        (
            ("neighbors", "--in-context", "a"),
            "--in-context TEXT and --word WORD go together; --among is for both",
        ),
        (
            ("neighbors", "--in-context", "a", "--word", "a", "b"),
            "--in-context takes one --word, and nothing to add to it",
        ),
    ],
)
def test_wrong_usage_is_told(charlm, tiny, line, message):
    status, out, err = charlm(*line)
    assert (status, out) == (2, "")
    assert err.startswith(f"charlm: {message}; try: charlm ")


def test_words_in_context_come_with_their_lines(charlm, tiny, tmp_path):
    (tmp_path / "lines.txt").write_text("a fox\nthe dog\n")
    asked = ("neighbors", "-m", "tiny", "--in-context", "the fox", "--word", "fox")
    status, out, err = charlm(*asked, "--json", "--among", tmp_path / "lines.txt")
    assert (status, err) == (0, ONE_WAY)
    found = records(out)
    assert [list(one) for one in found] == [["query", "word", "similarity", "context", "start"]] * 4
    assert {(one["word"], one["context"], one["start"]) for one in found} == {
        ("a", "a fox", 0), ("fox", "a fox", 2), ("the", "the dog", 0), ("dog", "the dog", 4)
    }  # fmt: skip
    assert charlm(*asked, "--json", stdin=b"a fox\nthe dog\n") == (0, out, err)
    _, table, _ = charlm(*asked, "-n", "1", stdin=b"the fox\na fox" + b"!" * 99 + b"\n")
    head, row = table.splitlines()
    assert head.split() == ["similarity", "occurrence"]
    assert "[" in row


def test_nothing_to_compare_with_is_told(charlm, tiny):
    status, out, _ = charlm(
        "neighbors", "-m", "tiny", "--in-context", "the fox", "--word", "fox", stdin=b"\n"
    )
    assert (status, out) == (0, "no words to compare with\n")
