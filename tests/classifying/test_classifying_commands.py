"""`charlm train classifier`, `classify` and `evaluate` as a user meets them."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from charlm.store.checkpoint import load_model
from charlm.tasks import evaluate_choice
from charlm.tasks.plot import read_curves
from charlm.tasks.train_classifier_config import LabelledConfig

TRAIN = ("train", "classifier", "-q", "--num-layers", "0")


@pytest.fixture
def trained(charlm, reviews):
    assert charlm(*TRAIN, reviews, "-o", "r")[0] == 0
    return reviews


def test_training_tells_its_figures(charlm, reviews):
    status, out, err = charlm(*TRAIN, reviews, "--json", "--test", reviews)
    record = json.loads(out)
    assert (status, err) == (0, "")
    assert list(record) == [
        "name", "kind", "parameters", "steps", "epochs", "duration_seconds", "texts_per_second",
        "device", "valid", "test",
    ]  # fmt: skip
    assert (record["name"], record["kind"], record["test"]["texts"]) == (
        "reviews",
        "classifier",
        40,
    )
    assert record["valid"]["texts"] == 4
    assert record["test"]["accuracy"] >= 0.95


def test_lines_in_lines_out(charlm, trained):
    lines = b"a good book\n\nan awful play\n"
    status, out, err = charlm("classify", "-m", "r", stdin=lines)
    rows = [line.split("\t") for line in out.split("\n")]
    assert (status, err) == (0, "")
    assert [row[0] for row in rows] == ["pos", rows[1][0], "neg", ""]
    assert all(0.5 <= float(row[1]) <= 1.0 for row in rows[:3])


def test_json_tells_label_and_probability(charlm, trained):
    _, out, err = charlm("classify", "--json", "a good book", "--top", "5")
    record = json.loads(out)
    assert list(record) == ["text", "label", "probability", "labels"]
    assert (record["text"], record["label"]) == ("a good book", "pos")
    assert [one["label"] for one in record["labels"]] == ["pos", "neg"]
    assert sum(one["probability"] for one in record["labels"]) == pytest.approx(1.0, abs=1e-5)
    assert err.startswith("charlm: using 'r', the newest model in ")


def test_evaluation_by_label(charlm, trained):
    status, out, err = charlm("evaluate", trained, "-m", "r", "--json")
    record = json.loads(out)
    assert (status, err) == (0, "")
    assert (record["accuracy"], record["texts"], record["confusion"]) == (
        1.0,
        40,
        [[20, 0], [0, 20]],
    )
    assert record["labels"][0] == {
        "label": "neg", "precision": 1.0, "recall": 1.0, "f1": 1.0, "gold": 20, "predicted": 20,
    }  # fmt: skip
    out = charlm("evaluate", trained, "-m", "r")[1]
    assert "accuracy       100.00% of 40 texts\n" in out
    assert "label  precision  recall      F1  texts  found\n" in out


def test_labels_that_the_model_has_not_are_wrong_and_told(charlm, trained, home):
    (home / "new.txt").write_text("pos a good film\nso-so a film\nso-so a book\n")
    status, out, err = charlm("evaluate", "new.txt", "-m", "r", "--json")
    record = json.loads(out)
    assert (status, record["accuracy"], record["unseen"]) == (0, 1 / 3, {"so-so": 2})
    assert err == (
        "charlm: warning: labels that the model has not, counted as wrong: 'so-so' (2)\n"
    )


def test_empty_texts_are_left_out_of_training_and_judged_in_evaluation(charlm, trained, home):
    (home / "e.csv").write_text('a,x y\n"a",\nb,z\nb,\n')
    status, _, err = charlm(*TRAIN, "e.csv", "--valid-fraction", "0")
    assert (status, err) == (
        0,
        "charlm: warning: e.csv: 2 texts are empty, the first in line 2, left out\n",
    )
    _, out, err = charlm("evaluate", "e.csv", "-m", "e", "--json")
    assert json.loads(out)["texts"] == 4
    assert err == "charlm: warning: e.csv: 2 texts are empty, the first in line 2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x a\nx b\n", "f: all 2 texts have the label 'x'; a classifier needs at least two labels"),
        ("", "f.txt: no labelled text; expected labels and texts (space)"),
        ("x\ty\nx\tz\ta\n", "f.txt, line 2: 3 columns parted by tabs, expected 2 as in line "
         "1; cells with separators in them need quotes (CSV)"),
        ("\n".join(f"w{n} text" for n in range(30)), "f.txt: 30 labels on 30 texts, the first "
         "'w0', read as space; say with --format and --label-column where the labels are"),
    ],
)  # fmt: skip
def test_bad_files_are_refused(charlm, home, text, message):
    (home / "f.txt").write_text(text)
    status, out, err = charlm(*TRAIN, "f.txt")
    assert (status, out, err) == (1, "", f"charlm: {message}\n")


def test_json_lines_are_learnt_from_and_measured_on(charlm, home):
    rows = [{"text": "a good film", "label": "pos"}, {"label": "neg", "text": "a bad book"}] * 3
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (home / "j.jsonl").write_text(lines)
    assert charlm(*TRAIN, "j.jsonl", "--valid-fraction", "0")[::2] == (0, "")
    status, out, err = charlm("evaluate", "j.jsonl", "--json")
    assert (status, json.loads(out)["accuracy"]) == (0, 1.0)
    assert err.startswith("charlm: using 'j', the newest model in ")
    status, out, _ = charlm(*TRAIN, "-", "-o", "piped", "--json", stdin=lines.encode())
    assert (status, json.loads(out)["name"]) == (0, "piped")
    (home / "none.jsonl").write_text('{"text": "a", "label": null}\n')
    assert charlm(*TRAIN, "none.jsonl")[2] == "charlm: none.jsonl, line 1: no label; expected one\n"


def test_a_row_without_a_label_is_refused(charlm, home):
    (home / "f.csv").write_text("a,b\n,c\n")
    assert charlm(*TRAIN, "f.csv")[2] == "charlm: f.csv, line 2: no label; expected one\n"


def test_labels_with_tabs_and_line_ends_stay_on_their_line(charlm, home):
    (home / "f.csv").write_text('"a\tb\nc",good film\n"\x1b[31m",bad book\n' * 3)
    assert charlm(*TRAIN, "f.csv", "-o", "f", "--valid-fraction", "0")[0] == 0
    _, out, _ = charlm("classify", "-m", "f", "good film", "bad book")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["a\\tb\\nc", "\\x1b[31m"]
    _, out, _ = charlm("classify", "-m", "f", "--json", "good film")
    assert json.loads(out)["label"] == "a\tb\nc"


def test_a_very_long_text_is_classified(charlm, trained):
    text = b"a good book " * 40_000
    status, out, _ = charlm("classify", "-m", "r", stdin=text + b"\nbad\n")
    assert (status, [line.split("\t")[0] for line in out.splitlines()]) == (0, ["pos", "neg"])


def test_without_a_classifier_it_says_how_to_make_one(charlm, home):
    assert charlm("classify", "x") == (
        1,
        "",
        "charlm: no classifier yet; charlm train classifier FILE makes one of labelled texts\n",
    )


def test_options_of_language_models_are_refused(charlm, trained):
    status, _, err = charlm("evaluate", trained, "-m", "r", "--dynamic")
    assert status == 2
    assert "--dynamic is for language models; r is a classifier" in err
    status, _, err = charlm("evaluate", trained, "-m", "shakespeare", "--format", "csv")
    assert status == 2
    assert "--format, --label-column and --text-column need a classifier or a tagger" in err


def test_a_model_of_that_name_is_not_replaced_unasked(charlm, trained):
    status, _, err = charlm(*TRAIN, trained, "-o", "r")
    assert status == 1
    assert "exists; add --overwrite to replace it" in err
    assert charlm(*TRAIN, trained, "-o", "r", "--overwrite")[0] == 0


def test_layers_and_ngrams_together(charlm, reviews):
    line = ("train", "classifier", reviews, "-o", "both", "--epochs", "3", "--hidden-size", "8")
    status, out, err = charlm(*line, "--threads", "1", "--json")
    record = json.loads(out)
    assert (status, record["epochs"], record["steps"]) == (0, 3.0, 6)
    assert "epoch 3  loss " in err
    status, out, _ = charlm("classify", "-m", "both", "a good book", "", "an awful play")
    assert [line.split("\t")[0] for line in out.splitlines()][::2] == ["pos", "neg"]


def test_a_classifier_without_branches_is_refused(charlm, reviews):
    status, _, err = charlm(*TRAIN, reviews, "--ngrams", "0")
    assert (status, "--num-layers must be at least 1 where ngrams is 0" in err) == (2, True)


def test_ngrams_that_are_all_too_rare_are_told(charlm, reviews):
    assert charlm(*TRAIN, reviews, "--min-count", "1000") == (
        1,
        "",
        "charlm: no n-gram is seen 1,000 times; give a smaller --min-count\n",
    )


VECTORS = "3 4\ngood 1 0 0 0\nunseen 0 3 0 4\nbad 0 0 2 0\n"


def word_rows(home, name):
    stored = load_model(home / "checkpoints" / name)
    words = stored.tokenizer_files["words.txt"].decode().split("\n")[:-1]
    rows = stored.tensors(floats_only=False)["input.words.weight"]
    return dict(zip(["", *words], rows, strict=True))


def test_vectors_made_elsewhere_are_taken_over_and_frozen(charlm, reviews, home):
    (home / "v.txt").write_text(VECTORS)
    line = ("train", "classifier", reviews, "--epochs", "2", "--threads", "1", "--vectors", "v.txt")
    status, _, err = charlm(*line, "-o", "frozen", "--freeze-vectors")
    assert status == 0
    assert "3 of 16 words have a vector\n" in err
    rows = word_rows(home, "frozen")
    # of length 1, then as long as those that begin at random: 0.3 · sqrt(4)
    np.testing.assert_allclose(rows["unseen"], [0, 0.36, 0, 0.48], rtol=1e-6)
    np.testing.assert_allclose(rows["good"], [0.6, 0, 0, 0], rtol=1e-6)
    assert not rows[""].any()
    assert not rows["film"].any()
    assert charlm(*line, "-o", "free", "-q")[0] == 0
    rows = word_rows(home, "free")
    assert "unseen" not in rows
    assert 0 < np.abs(rows["good"] - [0.6, 0, 0, 0]).max() < 0.1


def test_freezing_needs_vectors(charlm, reviews):
    status, _, err = charlm(*TRAIN, reviews, "--freeze-vectors")
    assert (status, "--freeze-vectors needs vectors" in err) == (2, True)


def test_lists_tell_the_form_and_curves_are_drawn(charlm, reviews, home):
    assert charlm(*TRAIN, reviews, "-o", "few")[0] == 0
    line = ("train", "classifier", "-q", reviews, "-o", "both", "--epochs", "2")
    assert charlm(*line, "--threads", "1")[0] == 0
    forms = [json.loads(line) for line in charlm("models", "--json")[1].splitlines()]
    told = {one["name"]: one["model"] for one in forms}
    assert (told["few"], told["both"]) == ("n-grams", "1 x 64 LSTM")
    plot = read_curves(["both"])
    curves = plot.curves
    assert (plot.measure, plot.title) == ("loss", "nats per text")
    assert [curve.label for curve in curves] == ["both train", "both valid"]
    assert curves[1].steps == (2.0, 4.0)


def test_where_no_label_is_known_there_is_no_likelihood(charlm, trained, home):
    (home / "new.txt").write_text("x a film\ny a book\n")
    record = json.loads(charlm("evaluate", "new.txt", "-m", "r", "--json")[1])
    assert (record["accuracy"], record["nats_per_text"]) == (0.0, None)
    assert charlm("evaluate", "new.txt", "-m", "r")[1].endswith("nats per text  -\n")


def test_without_a_model_the_newest_is_measured_that_the_file_suits(charlm, trained, home, tiny):
    """`tiny`, a language model, suits every file; what is newer than it and fits goes first."""
    for name, age in (("r", 100), ("tiny", 200)):
        os.utime(home / "checkpoints" / name / "manifest.json", (age, age))
    status, out, err = charlm("evaluate", trained, "--json")
    assert (status, json.loads(out)["model"]) == (0, "tiny")
    os.utime(home / "checkpoints" / "r" / "manifest.json", (300, 300))
    status, out, err = charlm("evaluate", trained, "--json")
    assert (status, json.loads(out)["model"], json.loads(out)["accuracy"]) == (0, "r", 1.0)
    assert err == (
        f"charlm: using 'r', the newest model in {home}/checkpoints/ that suits {trained} "
        "(choose with --model)\n"
    )
    (home / "prose.txt").write_text("the quick brown fox\n" * 4)
    for argv in (("prose.txt",), (trained, "--dynamic")):  # no labels of it; none of its options
        status, out, err = charlm("evaluate", *argv, "--json")
        assert (status, json.loads(out)["model"]) == (0, "tiny")
        assert err.startswith("charlm: using 'tiny', the newest model in ")


def test_how_to_read_labels_asks_for_a_model_of_labels(charlm, trained, home, tiny):
    (home / "new.csv").write_text("text,rating\na good film,so-so\na bad book,neg\n")
    os.utime(home / "checkpoints" / "r" / "manifest.json", (100, 100))
    status, out, err = charlm("evaluate", "new.csv", "--label-column", "rating", "--json")
    assert (status, json.loads(out)["accuracy"]) == (0, 0.5)
    assert err.startswith(f"charlm: using 'r', the newest model in {home}/checkpoints/ ")


def test_programs_are_told_the_end_of_a_training_with_its_figures(charlm, reviews, monkeypatch):
    monkeypatch.setenv("CHARLM_EVENTS", "json")
    status, _, err = charlm(*TRAIN, reviews, "-o", "e")
    last = json.loads(err.splitlines()[-1])
    assert (status, last["event"], last["name"]) == (0, "ClassifierResult", "e")
    assert last["valid_figures"]["confusion"] == [[2, 0], [0, 2]]


@pytest.mark.parametrize("damaged", [True, False])
def test_a_tagger_is_not_taken_where_it_is_damaged_or_cannot_be_meant(home, monkeypatch, damaged):
    (home / "a.tsv").write_text("good\tX\nbad\tY\n")
    stored = SimpleNamespace(model_config={"tags": None if damaged else ["X", "Y"]})
    monkeypatch.setattr(evaluate_choice, "newest_models", lambda: [(home / "odd", "tagger")])
    monkeypatch.setattr(evaluate_choice, "load_model", lambda *_, **__: stored)
    found = evaluate_choice.choose_labelling([str(home / "a.tsv")], LabelledConfig())
    assert (found is None) == damaged
    for config in (LabelledConfig(format="tsv"), LabelledConfig(text_column=("2",))):
        assert evaluate_choice.choose_labelling([str(home / "a.tsv")], config, must=True) is None


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
def test_resume_and_overwrite_exclude_each_other(charlm, home, kind):
    status, _, err = charlm("train", kind, "--resume", "--overwrite")
    assert status == 2
    assert "--resume goes on with a model, --overwrite replaces it: give one" in err
