"""Word vectors from the command line: trained, resumed, asked, measured, converted, refused."""

import gzip
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from charlm.cli import vectors
from charlm.cli.app import run
from charlm.render import console
from charlm.store.checkpoint import load_model, load_resume
from charlm.tasks import train_vectors as task
from charlm.tasks.interrupt import Interrupts
from charlm.vectors.folder import restore_vectors

TRAIN = (
    "train",
    "vectors",
    "--epochs",
    "3",
    "--dim",
    "8",
    "--threads",
    "1",
    "-q",
    "--subsample",
    "0",
)


def matrix_of(home, name):
    return restore_vectors(load_model(home / "checkpoints" / name))[1].matrix


def test_trained_vectors_answer_queries(charlm, topics):
    status, out, err = charlm(*TRAIN, topics, "-o", "t", "--json", "--epochs", "40")
    record = json.loads(out)
    assert (status, err) == (0, "")
    assert list(record) == [
        "name", "kind", "parameters", "steps", "epochs", "duration_seconds", "words_per_second",
        "device",
    ]  # fmt: skip
    assert (record["name"], record["kind"], record["epochs"]) == ("t", "vectors", 40.0)
    status, out, err = charlm("neighbors", "cat", "-m", "t", "-n", "3", "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [list(one) for one in answers] == [["query", "word", "similarity"]] * 3
    assert answers[0]["query"] == "cat"
    status, out, _ = charlm("analogy", "cat", "runs", "fig", "-m", "t", "-n", "2", "--json")
    assert [json.loads(line)["query"] for line in out.splitlines()] == ["cat : runs :: fig : ?"] * 2
    status, out, _ = charlm("neighbors", "-m", "t", "-n", "1", stdin=b"cat\n\nfig\n")
    assert len(out.splitlines()) == 5  # two tables and the line between them


def test_the_same_seed_gives_the_same_file(charlm, topics, home):
    for name in ("a", "b"):
        assert charlm(*TRAIN, topics, "-o", name)[0] == 0
    np.testing.assert_array_equal(matrix_of(home, "a"), matrix_of(home, "b"))


@pytest.mark.parametrize("method", ["sgns", "cbow", "glove", "pmi-svd"])
def test_an_interrupted_training_goes_on_to_the_same_vectors(
    charlm, topics, home, monkeypatch, method
):
    assert charlm(*TRAIN, topics, "-o", "whole", "--method", method)[0] == 0

    class Stopped(Interrupts):
        def __enter__(self):
            self.signal = ""
            return self

        def __exit__(self, *_):
            return

    signals = Stopped()
    told = task._Clock.step

    def step(clock, *args):
        signals.signal = "SIGINT"
        return told(clock, *args)

    monkeypatch.setattr(task, "Interrupts", lambda: signals)
    with monkeypatch.context() as patched:
        patched.setattr(task._Clock, "step", step)
        status, _, err = charlm(*TRAIN, topics, "-o", "part", "--method", method)
    if method != "glove" or status == 130:
        assert status == 130
        assert err.splitlines()[-1] == (
            "charlm: go on with: charlm train vectors --resume --name part"
        )
        assert load_resume(home / "checkpoints" / "part") is not None
        assert charlm("train", "vectors", "--resume", "-o", "part", "-q")[0] == 0
    assert load_resume(home / "checkpoints" / "part") is None
    np.testing.assert_array_equal(matrix_of(home, "part"), matrix_of(home, "whole"))


REFUSED = {
    "dim 0": (
        ("train", "vectors", "topics.txt", "--dim", "0"),
        2,
        "charlm: --dim must be at least 1, got 0; try: charlm train vectors --help",
    ),
    "nothing frequent": (
        ("train", "vectors", "topics.txt", "--min-count", "100000"),
        1,
        "charlm: topics.txt: no word occurs 100,000 times or more; lower --min-count or give more "
        "text",
    ),
    "one word": (
        ("train", "vectors", "one.txt"),
        1,
        "charlm: one.txt: only one word occurs 5 times or more, 'spam'; lower --min-count or give "
        "more text",
    ),
    "blank": (
        ("train", "vectors", "blank.txt"),
        1,
        "charlm: blank.txt: nothing but blanks; expected text to train on",
    ),
    "nothing to resume": (
        ("train", "vectors", "--resume", "-o", "none"),
        1,
        "charlm: nothing to resume: there is no checkpoints/none; leave out --resume",
    ),
    "unknown word": (
        ("neighbors", "kinng", "-m", "v.txt"),
        1,
        "charlm: no vector for 'kinng' (did you mean 'king'?)",
    ),
    "unknown in an analogy": (
        ("analogy", "king", "quen", "zzz", "-m", "v.txt"),
        1,
        "charlm: no vector for 'quen' (did you mean 'queen'?)",
    ),
    "zero": (
        ("neighbors", "nought", "-m", "v.txt"),
        1,
        "charlm: the vector of 'nought' is zero, and has no neighbours",
    ),
    "target exists": (
        ("vectors", "convert", "v.txt", "v.txt"),
        1,
        "charlm: v.txt exists; add --overwrite to replace it",
    ),
    "too few to cluster": (
        ("vectors", "cluster", "-k", "9", "-m", "v.txt"),
        1,
        "charlm: 3 words with a vector, too few for 9 clusters",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_told_in_one_line(charlm, topics, home, monkeypatch, name):
    monkeypatch.setenv("CHARLM_HOME", ".")
    (home / "one.txt").write_text("spam " * 50)
    (home / "blank.txt").write_text("  \n \n")
    (home / "v.txt").write_text("3 2\nking 1 0\nqueen 1 1\nnought 0 0\n")
    argv, wanted, message = REFUSED[name]
    status, out, err = charlm(*argv)
    assert (status, out) == (wanted, "")
    assert message in err.splitlines()


def test_vectors_are_converted_there_and_back(charlm, topics, home):
    charlm(*TRAIN, topics, "-o", "t")
    assert charlm("vectors", "convert", "t", "t.bin")[1] == ("wrote t.bin: 13 words x 8, binary\n")
    status, out, _ = charlm("vectors", "convert", "t.bin", "-o", "back")
    assert (status, out) == (0, f"wrote {home}/checkpoints/back: 13 words x 8, folder\n")
    np.testing.assert_array_equal(matrix_of(home, "back"), matrix_of(home, "t"))


def test_vectors_are_converted_to_standard_output(home, monkeypatch, capsysbinary):
    (home / "v.vec").write_text("2 2\nking 1 2.5\nqueen 3 -4\n")
    convert = ("vectors", "convert", "v.vec", "-")
    assert run([*convert]) == 0
    assert capsysbinary.readouterr() == (b"2 2\nking 1 2.5\nqueen 3 -4\n", b"")
    assert run([*convert, "--to", "binary"]) == 0
    king, queen = struct.pack("<2f", 1, 2.5), struct.pack("<2f", 3, -4)
    assert capsysbinary.readouterr() == (b"2 2\nking %b\nqueen %b\n" % (king, queen), b"")
    assert not (home / "-").exists()
    monkeypatch.setattr(console, "is_terminal", lambda stream: True)
    monkeypatch.setattr(vectors, "is_terminal", lambda stream: True)
    assert run([*convert, "--to", "glove"]) == 0
    assert capsysbinary.readouterr().out == b"king 1 2.5\nqueen 3 -4\n"
    assert run([*convert, "--to", "binary"]) == 2
    found = capsysbinary.readouterr()
    assert found.out == b""
    assert b"binary vectors are not for a terminal: send them to a file or program" in found.err


def test_converting_says_what_it_does_not_do(charlm, home):
    (home / "v.vec").write_text("2 2\nking 1 2.5\nqueen 3 -4\n")
    status, out, err = charlm("vectors", "convert", "v.vec", "-", "--json")
    assert (status, out) == (2, "")
    assert "- sends the vectors to standard output, where --json writes: drop it" in err
    assert charlm("vectors", "convert", "v.vec", "x.vec.gz") == (
        1,
        "",
        "charlm: x.vec.gz: .gz is read, not written; give - and pack what comes, or leave the "
        "suffix out\n",
    )


def test_compressed_vectors_are_asked(charlm, home):
    (home / "v.vec.gz").write_bytes(gzip.compress(b"a 1 0\nb 1 0.1\nc 0 1\n"))
    status, out, err = charlm("neighbors", "a", "-m", "v.vec.gz", "--json", "-n", "1")
    assert (status, json.loads(out)["word"], err) == (0, "b", "")


@pytest.mark.parametrize(
    ("text", "name", "warning"),
    [
        ("king cat 9\nx man 5\n", "similarity_spearman",
         "no pair of 2 is covered: v.txt lacks a word of each; there is no figure"),
        ("man king 9\n", "similarity_spearman",
         "no correlation: the pairs covered (1) do not differ in score, or not in similarity"),
        ("man king boy prince\n", "analogy_accuracy",
         "no analogy of 1 is covered: v.txt lacks a word of each; there is no figure"),
    ],
)  # fmt: skip
def test_what_no_vectors_cover_has_no_figure_and_says_so(charlm, home, text, name, warning):
    (home / "v.txt").write_text("man 1 0\nking 1 1\n")
    (home / "q.txt").write_text(text)
    status, out, err = charlm("vectors", "evaluate", "q.txt", "-m", "v.txt", "--json")
    assert (status, err) == (0, f"charlm: warning: q.txt: {warning}\n")
    assert json.loads(out)[name] is None
    out = charlm("vectors", "evaluate", "q.txt", "-m", "v.txt")[1]
    assert "nan" not in out
    assert out.split("\n")[-3].split() == [
        name.split("_")[-1].replace("accuracy", "analogies"),
        "-",
    ]


def test_analogies_and_pairs_are_measured_with_their_coverage(charlm, home):
    (home / "v.txt").write_text(
        "5 3\nman 1 0 0\nking 1 1 0\nwoman 0 0 1\nqueen 0 1 1\npear 1 0 1\n"
    )
    (home / "q.txt").write_text(": family\nman king woman queen\nman king girl princess\n")
    (home / "s.txt").write_text("man king 9\nman woman 5\nman pear 8\nman cat 1\n")
    status, out, _ = charlm("vectors", "evaluate", "q.txt", "s.txt", "-m", "v.txt", "--json")
    first, second = map(json.loads, out.splitlines())
    assert status == 0
    assert (first["analogy_accuracy"], first["covered"], first["total"]) == (1.0, 1, 2)
    assert (second["covered"], second["total"]) == (3, 4)
    assert second["similarity_spearman"] == pytest.approx(0.8660254)


def test_evaluate_measures_vectors_on_their_questions(charlm, topics, home):
    (home / "v.txt").write_text("a 1 0\nb 1 0.1\nc 0 1\nd 0.1 1\n")
    (home / "pairs.tsv").write_text("a\tb\t9\na\tc\t1\nb\td\t2\ncat\tdog\t3\n")
    assert charlm(*TRAIN, topics, "-o", "v")[0] == 0
    of_file = charlm("evaluate", "pairs.tsv", "-m", "v.txt", "--json")
    assert json.loads(of_file[1]) == {
        "model": "v.txt", "file": "pairs.tsv", "similarity_spearman": 1.0, "covered": 3, "total": 4
    }  # fmt: skip
    named = charlm("evaluate", "pairs.tsv", "-m", "v", "--json")
    assert named == charlm("vectors", "evaluate", "pairs.tsv", "-m", "v", "--json")
    status, out, err = charlm("evaluate", "pairs.tsv", "--json")
    assert (status, out) == (0, named[1])
    assert f"using 'v', the newest model in {home}/checkpoints/ that suits pairs.tsv" in err
    assert charlm("evaluate", "pairs.tsv", "-m", "v", "--dynamic") == (
        2,
        "",
        "charlm: --dynamic is not for word vectors; they are measured on files of analogies and of "
        "judged pairs; try: charlm evaluate --help\n",
    )


def test_one_unknown_word_takes_the_answers_from_no_other(charlm, home):
    (home / "v.txt").write_text("king 1 0\nqueen 1 0.1\nfig 0 1\n")
    options = ("-m", "v.txt", "-n", "1", "--json")
    status, out, err = charlm("neighbors", *options, stdin=b"king\nxyzzy\nqueen\n")
    assert status == 1
    assert [json.loads(line)["query"] for line in out.splitlines()] == ["king", "queen"]
    assert err == "charlm: no vector for 'xyzzy' among 3 words\n"
    assert charlm("neighbors", "king", "xyzzy", "queen", *options)[:2] == (1, out)
    assert charlm("neighbors", "xyzzy", *options) == (1, "", err)
    assert charlm("neighbors", "--together", "king", "xyzzy", *options) == (1, "", err)
    assert charlm("neighbors", "-", *options, stdin=b"king\n")[1] == out.splitlines(True)[0]


def test_words_are_drawn_in_the_terminal_and_as_pages(charlm, home):
    (home / "v.txt").write_text("3 2\n<b>king</b> 5 0\nqueen 0 5\n王 -5 -5\n")
    status, out, _ = charlm("vectors", "plot", "-m", "v.txt")
    assert status == 0
    assert out.splitlines()[0] == "3 words of v.txt by PCA"
    assert all(any(word in line for line in out.splitlines()) for word in ("queen", "王"))
    for name in ("p.html", "p.svg", "p.png"):
        assert charlm("vectors", "plot", "-m", "v.txt", "--output", name)[0] == 0
    page = (home / "p.html").read_text()
    assert "<b>" not in page
    assert "&lt;b&gt;king&lt;/b&gt;" in page
    assert (home / "p.png").read_bytes().startswith(b"\x89PNG")


def test_clusters_of_given_words_warn_of_unknown_ones(charlm, home):
    (home / "v.txt").write_text("4 2\na 1 0\nb 0.9 0.1\nc 0 1\nd 0.1 0.9\n")
    (home / "words.txt").write_text("a\nb\nc\nx\n")
    status, out, err = charlm(
        "vectors", "cluster", "-k", "2", "--words", "words.txt", "-m", "v.txt", "--json"
    )
    assert status == 0
    assert err == "charlm: warning: no vector for x\n"
    found = [json.loads(line) for line in out.splitlines()]
    assert [[one["word"] for one in cluster["words"]] for cluster in found] in (
        [["a", "b"], ["c"]],
        [["b", "a"], ["c"]],
    )


def test_a_language_model_answers_with_its_embedding(charlm):
    status, out, _ = charlm("neighbors", "e", "-m", "shakespeare", "-n", "2", "--json")
    assert status == 0
    assert len(out.splitlines()) == 2


def test_a_query_imports_neither_torch_nor_numba(charlm, topics, home):
    charlm(*TRAIN, topics, "-o", "t")
    code = (
        "import sys\nfrom charlm.cli.app import run\n"
        "status = run(['neighbors', 'cat', '-m', 't'])\n"
        "bad = {'torch', 'numba', 'llvmlite', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'{status} {bad}' if status or bad else 0)"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_any_vectors_it_is_said_how_to_get_some(charlm, tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    told = (
        "charlm: no word vectors yet; charlm train vectors TEXT makes some, -m FILE asks those of "
        "a file, -m MODEL the embedding of a language model\n"
    )
    assert charlm("neighbors", "king") == (1, "", told)
    assert charlm("analogy", "a", "b", "c") == (1, "", told)
