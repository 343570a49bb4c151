"""Language models whose embedding begins with word vectors: the rows, what is kept, refusals."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from charlm.base.errors import CheckpointError, ConfigError, TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.models.given_rows import begin_with, hold_rows
from charlm.models.language_model import LanguageModel
from charlm.store.checkpoint import load_model, load_resume, save_resume
from charlm.tasks.train import train_language_model
from charlm.tasks.train_data import load_data
from charlm.tasks.train_events import Message, Planned, StepRecord
from charlm.tasks.train_lm_vectors import LmVectors
from charlm.tasks.train_merge import merge
from charlm.training import loop
from charlm.training.config import TrainConfig
from charlm.vectors.space import Space
from charlm.vectors.words import Words

SMALL = {
    "hidden_size": 16,
    "batch_size": 4,
    "bptt": 8,
    "precision": "float32",
    "threads": 1,
    "tokenizer": "word",
    "learning_rate": 0.01,
    "max_steps": 30,
    "vectors": "given.txt",
}
LINES = "the cat sat on the mat.\na dog ate the cat's hat!\n"
VECTORS = {
    "the": [3.0, 0.0, 4.0],
    "cat": [1.0, -1.0, 0.0],
    "dog": [0.5, 0.0, -2.0],
    "hat": [0.0, 0.0, 0.0],
    "unseen": [9.0, 9.0, 9.0],
}
HAVE = ("the", "cat", "dog")
# the mean of the squares of the nine numbers of the three is (9 + 16 + 1 + 1 + 0.25 + 4) / 9
STRENGTH = (31.25 / 9) ** 0.5


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats.txt").write_text(LINES * 40)
    write_vectors(tmp_path / "given.txt", VECTORS)
    return tmp_path


def write_vectors(path, vectors):
    (row, *_) = vectors.values()
    lines = [f"{len(vectors)} {len(row)}"]
    lines += [" ".join([word, *map(str, numbers)]) for word, numbers in vectors.items()]
    path.write_text("\n".join(lines) + "\n")


def config(**changes) -> TrainConfig:
    return TrainConfig(**SMALL | changes)


def train(settings=None, **options) -> list:
    return list(train_language_model(["cats.txt"], settings or config(), **options))


def tensors(name) -> dict:
    return load_model(home_of(name)).tensors()


def home_of(name) -> Path:
    return Path("checkpoints") / name


def tokens(*words) -> list[int]:
    tokenizer = load_data(["cats.txt"], config()).tokenizer
    found = [tokenizer.token(token) for token in range(tokenizer.vocab_size)]
    return [found.index(word) for word in words]


def others() -> list[int]:
    tokenizer = load_data(["cats.txt"], config()).tokenizer
    return [t for t in range(tokenizer.vocab_size + 1) if t not in tokens(*HAVE)]


def begun(**changes) -> dict:
    """Return the model's weights before the first step, by the state that is saved then."""
    for event in train_language_model(
        ["cats.txt"], config(**changes), name="begun", overwrite=True
    ):
        if isinstance(event, StepRecord):
            break
    shutil.copytree(home_of("begun"), "seen", dirs_exist_ok=True)
    state = load_resume(Path("seen"))
    assert state.step == 0
    return {name: array for name, array in state.tensors.items() if name.startswith("model.")}


def told(events) -> str:
    """Return the message about vectors."""
    return next(e.text for e in events if isinstance(e, Message) and " has vectors " in e.text)


@pytest.mark.parametrize(("tied", "spread"), [(False, 1.0), (True, 0.05)])
def test_rows_of_words_with_vectors_begin_with_them(tied, spread):
    given = begun(tie_weights=tied)
    rows = given["model.embedding.weight"][tokens(*HAVE)]
    expected = np.array([VECTORS[word] for word in HAVE]) * spread / STRENGTH
    assert rows == pytest.approx(expected, rel=1e-6)
    assert np.sqrt((rows.astype(float) ** 2).mean()) == pytest.approx(spread)


def test_all_else_begins_as_without_vectors():
    given, plain = begun(), begun(vectors=None, embedding_dim=3)
    assert set(given) == set(plain)
    for name, array in given.items():
        rows = others() if name == "model.embedding.weight" else slice(None)
        assert np.array_equal(array[rows], plain[name][rows]), name


def test_the_first_layer_and_a_tied_output_see_what_is_as_strong_as_ever():
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(300)]
    vectors = rng.normal(0.2, 3.0, (300, 24)).astype(np.float32)
    table, _ = LmVectors("v", Space(Words.of(words), vectors)).table(_Tokens(words))
    for tied in (False, True):
        form = LanguageModelConfig(
            vocab_size=300, hidden_size=32, embedding_dim=24, num_layers=1, tie_weights=tied
        )
        model = LanguageModel(form)
        model.initialise(torch.Generator().manual_seed(0))
        weight_ih = model.layers[0].weight_ih.detach()
        fresh = (model.embedding.weight[:300].detach() @ weight_ih.T).std()
        begin_with(model, torch.from_numpy(table))
        rows = model.embedding.weight[:300].detach()
        assert float(rows.square().mean().sqrt()) == pytest.approx(model.spread)
        assert float((rows @ weight_ih.T).std()) == pytest.approx(float(fresh), rel=0.15)


class _Tokens:
    def __init__(self, words, name="word") -> None:
        self.words, self.vocab_size, self.name = words, len(words), name

    def token(self, number) -> str:
        return self.words[number]


def test_vectors_of_any_size_become_as_strong():
    for factor in (1e-30, 1.0, 1e30):
        space = Space(Words.of(["a", "b"]), np.array([[1, 0], [0, -2]], np.float32) * factor)
        table, text = LmVectors("v", space).table(_Tokens(["b", "x", "a"]))
        wanted = np.array([[0, -2], [0, 0], [1, 0]]) / 1.25**0.5
        assert table == pytest.approx(wanted, rel=1e-6)
        assert text == "v has vectors for 2 of the 3 words of the vocabulary"


def test_the_words_of_the_vocabulary_that_have_a_vector_are_told():
    events = train(config(max_steps=1))
    size = load_data(["cats.txt"], config()).tokenizer.vocab_size
    assert told(events) == f"given.txt has vectors for 3 of the {size} words of the vocabulary"
    stored = load_model(home_of("cats"))
    assert stored.training["config"]["vectors"] == "given.txt"
    assert stored.model_config["embedding_dim"] == 3
    assert (
        "- words: begun with the vectors of given.txt\n"
        in (home_of("cats") / "README.md").read_text()
    )


def test_words_that_had_a_vector_in_lower_case_are_told():
    space = Space(Words.of(["the", "cat"]), np.ones((2, 2), np.float32))
    _, text = LmVectors("v", space).table(_Tokens(["cat", "The", "THE", "Dog"]))
    assert text == (
        "v has vectors for 1 of the 4 words of the vocabulary; with --lowercase 1 more had one"
    )
    _, text = LmVectors("v", space).table(_Tokens(["cat", "The", "THE", "Dog"], "whitespace"))
    assert text == "v has vectors for 1 of the 4 words of the vocabulary"
    folding = Space(space.words, space.matrix, lowercase=True)
    _, text = LmVectors("v", folding).table(_Tokens(["cat", "The", "THE", "Dog"]))
    assert text == "v has vectors for 3 of the 4 words of the vocabulary"


@pytest.mark.parametrize("by_themselves", [(), ("cpu",)])  # as a GPU makes updates, too
def test_frozen_vectors_never_move_and_other_rows_learn(by_themselves, monkeypatch):
    monkeypatch.setattr(loop, "BY_THEMSELVES", by_themselves)
    start = begun(freeze_vectors=True)["model.embedding.weight"]
    train(config(freeze_vectors=True, ema=0.5, embedding_dropout=0.1), name="frozen")
    for rows in (
        tensors("frozen")["embedding.weight"],
        load_resume(home_of("frozen")).tensors["model.embedding.weight"],
    ):
        assert np.array_equal(rows[tokens(*HAVE)], start[tokens(*HAVE)])
        used = tokens("sat", "on", "ate", "mat")
        assert (np.abs(rows[used] - start[used]).max(axis=1) > 1e-4).all()
    assert "output.weight" in tensors("frozen")


def test_vectors_that_are_not_frozen_learn():
    start = begun()["model.embedding.weight"]
    train(name="free")
    rows = tensors("free")["embedding.weight"]
    assert (np.abs(rows - start)[tokens(*HAVE)].max(axis=1) > 1e-4).all()


def test_holding_anew_replaces_what_was_held():
    form = LanguageModelConfig(vocab_size=3, hidden_size=4, embedding_dim=2, num_layers=1)
    model = LanguageModel(form)
    model.initialise(torch.Generator().manual_seed(0))
    hold_rows(model, torch.tensor([[0.0], [1.0], [0.0], [1.0]]))
    hold_rows(model, torch.tensor([[1.0], [0.0], [0.0], [1.0]]))
    model.embedding.weight.sum().backward()
    assert model.embedding.weight.grad.tolist() == [[1, 1], [0, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize("freeze", [False, True])
def test_a_resumed_run_is_bit_identical_and_needs_no_file(freeze):
    settings = config(freeze_vectors=freeze, dropout=0.2, ema=0.5, max_steps=40)
    train(settings, name="whole")
    stop(settings, steps=20)
    Path("given.txt").unlink()
    last = list(train_language_model([], TrainConfig(), name="broken", resume=True))[-1]
    assert last.steps == 40
    one, two = tensors("whole"), tensors("broken")
    assert all(np.array_equal(one[name], two[name]) for name in one)


def stop(settings, *, steps, halves=1):
    """Begin the training `broken` and stop it after some steps of that half."""
    seen, last = 0, None
    for event in train_language_model(["cats.txt"], settings, name="broken"):
        seen += isinstance(event, Planned)
        if isinstance(event, StepRecord) and seen == halves and event.step >= steps:
            os.kill(os.getpid(), signal.SIGTERM)
        last = event
    assert last.interrupted


@pytest.mark.parametrize("half", [1, 2])
def test_both_halves_of_a_pair_begin_with_them_though_the_file_is_gone(half):
    settings = config(freeze_vectors=True, bidirectional=True, max_steps=20)
    train(settings, name="whole")
    stop(settings, steps=10, halves=half)
    Path("given.txt").unlink()
    last = list(train_language_model([], TrainConfig(), name="broken", resume=True))[-1]
    assert last.backward.steps == 20
    for place in ("", "/backward"):
        one, two = tensors("whole" + place), tensors("broken" + place)
        assert all(np.array_equal(one[name], two[name]) for name in one)
    halves = [tensors(place)["embedding.weight"] for place in ("whole", "whole/backward")]
    assert np.array_equal(*(rows[tokens(*HAVE)] for rows in halves))
    assert not np.array_equal(*(rows[tokens("sat")] for rows in halves))


def test_a_state_of_a_pair_without_the_vectors_is_refused():
    stop(config(bidirectional=True), steps=10)
    folder = home_of("broken")
    state = load_resume(folder)
    arrays = {name: array for name, array in state.tensors.items() if name != "given"}
    save_resume(folder, state.step, arrays, state.state)
    with pytest.raises(CheckpointError) as raised:
        list(train_language_model([], TrainConfig(), name="broken", resume=True))
    assert str(raised.value) == (
        "the training state lacks the vectors that the backward model begins with; "
        "start anew with --overwrite"
    )


def test_a_preset_takes_the_size_of_the_vectors_and_frees_the_output_of_frozen_ones():
    events = train(
        config(preset="awd", hidden_size=8, num_layers=1, max_steps=1, freeze_vectors=True)
    )
    form = load_model(home_of(events[-1].name)).model_config
    assert (form["embedding_dim"], form["tie_weights"]) == (3, False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tokenizer": "char"},
            "--vectors are for the words of a model, and the tokenizer is char; "
            "give --tokenizer word or whitespace, or leave out --vectors",
        ),
        (
            {"embedding_dim": 4},
            "--embedding-dim 4 does not fit the vectors of given.txt, which have 3 numbers; "
            "leave it out, or give other --vectors",
        ),
        (
            {"vectors": "other.txt"},
            "other.txt has a vector for none of the {size} words of the vocabulary; expected "
            "vectors of words as the text writes them: give other --vectors, or none",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(home, changes, message):
    write_vectors(home / "other.txt", {"xyz": [1.0, 2.0]})
    size = load_data(["cats.txt"], config()).tokenizer.vocab_size
    with pytest.raises(TaskError) as raised:
        train(config(**changes))
    assert str(raised.value) == message.format(size=size)
    assert not Path("checkpoints").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"vectors": None, "freeze_vectors": True},
            "--freeze-vectors is for the vectors of --vectors",
        ),
        (
            {"freeze_vectors": True, "tie_weights": True},
            "--tie-weights would train what --freeze-vectors keeps; leave one of them out",
        ),
    ],
)
def test_settings_that_exclude_each_other(changes, message):
    with pytest.raises(ConfigError) as raised:
        config(**changes)
    assert str(raised.value) == message


def test_a_resumed_run_cannot_take_other_vectors():
    with pytest.raises(ConfigError) as raised:
        merge(config(), TrainConfig(vectors="b"))
    assert str(raised.value) == (
        "a resumed training keeps its text and form; cannot change --vectors b (it is given.txt)"
    )
