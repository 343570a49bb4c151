"""Training a tagger: the same seed gives the same tagger, whole or in two parts."""

import signal

import numpy as np
import pytest

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import load_model, load_resume
from charlm.tagging.folder import restore_tagger
from charlm.tagging.tagger import word_rows
from charlm.tasks.tag import open_tagger, tag_lines
from charlm.tasks.train_events import Message, VectorStep
from charlm.tasks.train_tagger import train_tagger
from charlm.tasks.train_tagger_config import TaggerTrainConfig
from charlm.tasks.train_tagger_run import Run

SMALL = {
    "hidden_size": 8, "word_dim": 4, "subword_dim": 4, "min_part_count": 1, "batch_size": 4,
    "threads": 1, "precision": "float32", "members": 1,
}  # fmt: skip


def weights(home, name):
    stored = load_model(home / "checkpoints" / name)
    return restore_tagger(stored).tensors


def run(name, *, resume=False, **more):
    config = TaggerTrainConfig(**(SMALL | {"epochs": 4} | more))
    return list(train_tagger(["train.tsv"], config, name=name, resume=resume))


def test_one_seed_gives_one_tagger_and_another_another(home):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(name, seed=seed)
    a, b, c = (weights(home, name) for name in "abc")
    assert all((a[name] == b[name]).all() for name in a)
    assert any((a[name] != c[name]).any() for name in a)


@pytest.mark.parametrize("valid", [None, "train.tsv"])
def test_a_training_stopped_and_resumed_ends_as_one_that_was_not(home, monkeypatch, valid):
    run("whole", valid=valid)
    real = Run._record

    def stopped(self, update, *args):
        if update.step == 20:
            signal.raise_signal(signal.SIGINT)
        return real(self, update, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "_record", stopped)
        result = run("parts", valid=valid)[-1]
    assert (result.interrupted, result.signal, result.steps) == (True, "SIGINT", 20)
    assert weights(home, "parts")
    result = run("parts", resume=True)[-1]
    assert (result.interrupted, result.steps) == (False, 36)
    whole, parts = weights(home, "whole"), weights(home, "parts")
    assert all((whole[name] == parts[name]).all() for name in whole)


def test_members_learn_differently_and_on_any_number_of_threads(home):
    for name, threads in (("one", 1), ("two", 2)):
        run(name, members=2, threads=threads)
    one, two = weights(home, "one"), weights(home, "two")
    assert all((one[name] == two[name]).all() for name in one)
    assert (one["0.output.weight"] != one["1.output.weight"]).any()


@pytest.mark.parametrize("freeze", [True, False])
def test_word_vectors_are_begun_with_and_know_words_that_were_not_seen(home, freeze):
    words = {"like": (1, 0), "saw": (1, 0.1), "eats": (0.9, 0), "apples": (0, 1), "cars": (0.1, 1)}
    lines = [f"{word} {a} {b} 0.5" for word, (a, b) in (words | {"pears": (0, 1.1)}).items()]
    (home / "given.vec").write_text(f"{len(lines)} 3\n" + "\n".join(lines) + "\n")
    run("given", vectors="given.vec", freeze_vectors=freeze)
    stored = load_model(home / "checkpoints" / "given")
    tagger = restore_tagger(stored)
    assert (tagger.config.word_dim, tagger.config.known) == (3, 11 + 1)
    assert tagger.words[-1] == "pears"
    assert np.array_equal(tagger.is_seen(["apples", "pears"]), [True, False])
    rows = word_rows(tagger.config, tagger.words)
    table = tagger.tensors["0.input.words.weight"]
    given = np.array([[*pair, 0.5] for pair in words.values()])
    found = table[[rows[word] for word in words]]
    kept = np.linalg.lstsq(given.reshape(-1, 1), found.reshape(-1), rcond=None)[1]
    assert (kept < 1e-8) == freeze


def test_time_bounds_a_training(home):
    events = run("timed", epochs=None, max_time="1s")
    assert events[-1].steps > 0
    assert any(isinstance(event, VectorStep) for event in events)


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_other_cells_and_deep_stacks_learn(home, cell):
    more = {"epochs": 12, "learning_rate": 0.02, "dropout": 0.1, "min_count": 1}
    result = run("deep", cell=cell, num_layers=2, valid="train.tsv", **more)[-1]
    assert result.valid_figures.accuracy > 0.9


def test_a_continuation_keeps_its_settings(home):
    run("a")
    with pytest.raises(Exception, match="hidden_size is 8 in the run to go on with"):
        run("a", resume=True, hidden_size=9)


def test_a_finished_training_says_how_to_extend_it(home):
    run("a")
    with pytest.raises(CheckpointError) as caught:
        run("a", resume=True)
    assert str(caught.value) == (
        f"{home}/checkpoints/a is finished (step 36); to extend it, give a larger --epochs or "
        "--max-time"
    )
    assert run("a", resume=True, epochs=5)[-1].steps == 45


def test_one_limit_of_a_continuation_takes_the_place_of_all_old_ones(home):
    first = run("timed", epochs=None, max_time="1s")[-1]
    more = -(-first.steps // 9) + 1
    events = run("timed", resume=True, epochs=more)
    assert events[-1].steps == 9 * more
    assert not [e for e in events if isinstance(e, Message) and "no update" in e.text]


def test_a_limit_that_was_reached_before_is_told(home):
    run("a", epochs=4)
    events = run("a", resume=True, epochs=2)
    assert events[-1].steps == 36
    assert [e.text for e in events if isinstance(e, Message) and e.warning] == [
        "no update was made: step 36 is the end by --epochs 2; give a larger --epochs or "
        "--max-time to go on"
    ]


def test_a_state_that_does_not_fit_is_refused(home, monkeypatch):
    run("a", valid="train.tsv")
    found = load_resume(home / "checkpoints" / "a")
    short = np.zeros(7, np.float32)
    for wrong in (
        found._replace(tensors=found.tensors | {"0.weight.output.bias": short}),
        found._replace(tensors=found.tensors | {"best.0.output.bias": short}),
        found._replace(state=found.state | {"seconds": None}),
        found._replace(tensors=found.tensors | {"0.random": short}),
    ):
        monkeypatch.setattr("charlm.tasks.train_continue.load_resume", lambda _, w=wrong: w)
        with pytest.raises(CheckpointError, match="resume does not fit its own settings"):
            run("a", resume=True, epochs=9)


def test_long_sentences_are_trained_on_in_parts(home):
    (home / "long.tsv").write_text("a\tX\nb\tY\n" * 400)
    events = list(train_tagger(["long.tsv"], TaggerTrainConfig(**SMALL, epochs=1), name="long"))
    texts = [getattr(event, "text", "") for event in events]
    assert "1 sentences of more than 512 words are trained on in parts" in texts


def test_words_of_a_folder_are_checked(home):
    run("a")
    tagger = restore_tagger(load_model(home / "checkpoints" / "a"))
    assert tagger.words[0] == "."
    assert tagger.tag([["I", "like", "apples"], []])[1] == []
    assert np.array_equal(tagger.is_seen(["I", "zebra"]), [True, False])


def test_vectors_that_changed_are_refused_by_a_continuation(home):
    lines = ["like 1 0 0.5", "pears 0 1 0.5", "plums 0 2 0.5"]
    (home / "e.vec").write_text("3 3\n" + "\n".join(lines) + "\n")
    run("a", vectors="e.vec", epochs=1)
    assert run("a", resume=True, vectors="e.vec", epochs=2)[-1].steps == 18
    (home / "e.vec").write_text("3 3\n" + "\n".join(lines[::-1]) + "\n")
    with pytest.raises(CheckpointError) as caught:
        run("a", resume=True, epochs=3)
    assert str(caught.value) == (
        f"the words have changed since {home}/checkpoints/a was begun (their checksum differs); "
        "bring the old --vectors or --from back, or train a new tagger with --name"
    )


def test_another_valid_file_chooses_anew(home):
    run("a", valid="train.tsv", epochs=2)
    text = (home / "train.tsv").read_text().replace("NOUN", "VERB")
    (home / "other.tsv").write_text(text)
    result = run("a", resume=True, valid="other.tsv", epochs=3)[-1]
    state = load_resume(home / "checkpoints" / "a").state
    assert state["best"] <= 0.75  # a quarter of its tags are wrong
    assert result.valid_figures.accuracy == state["best"]


def test_a_tagger_that_knows_no_part_of_a_word_opens_again(home):
    run("few", min_part_count=100_000)
    tagger = open_tagger("few").tagger
    assert tagger.config.buckets == 2
    assert len(tag_lines(tagger, ["one two three"])[0].tags) == 3
