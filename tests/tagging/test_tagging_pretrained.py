"""A tagger that begins with a language model: its embedding, its layers in both directions."""

import dataclasses
import io
import json
import sys

import numpy as np
import pytest

from charlm.cli.app import run
from charlm.engine.config import LanguageModelConfig
from charlm.store.checkpoint import load_model, save_model
from charlm.tagging.tagger import word_rows
from charlm.tasks.train_tagger_config import TaggerTrainConfig
from charlm.tasks.train_tagger_data import read_annotated
from charlm.tasks.train_tagger_run import Run
from charlm.text.tokenizers import train_tokenizer
from charlm.training.tagging import TagData

from .conftest import SMALL

TEXT = "I like apples and Anna saw cars in paris\n" * 3
PLAIN = [str(word) for word in SMALL[4:]]  # without the sizes of layers and words


def save_half(folder, seed, tokenizer, direction, **settings):
    words = train_tokenizer(tokenizer, [TEXT])
    config = LanguageModelConfig(
        vocab_size=words.vocab_size, hidden_size=4, embedding_dim=3, num_layers=2, **settings
    )
    rng = np.random.default_rng(seed)
    tensors = {
        name: rng.normal(0.0, 0.5, shape).astype(np.float32)
        for name, shape in config.tensor_shapes().items()
    }
    save_model(
        folder,
        kind="lm",
        model_config=dataclasses.asdict(config),
        tokenizer_config=words.config(),
        tokenizer_files=words.to_files(),
        tensors=tensors,
        training={"direction": direction},
        card="",
    )
    return tensors, words


@pytest.fixture
def save_pair(home):
    """Save a language model of two layers and its backward half; return tensors and tokenizer."""

    def save(name, tokenizer="word", *, both=True, **settings):
        folder = home / "checkpoints" / name
        forward, words = save_half(folder, 0, tokenizer, "forward" if both else "", **settings)
        backward = None
        if both:
            backward, _ = save_half(folder / "backward", 1, tokenizer, "backward", **settings)
        return forward, backward, words

    return save


def begun(home, **settings):
    """Return the form, words and first weights of a tagger that begins with `lm`."""
    config = TaggerTrainConfig(from_model="lm", members=1, min_count=1, threads=1, **settings)
    data = read_annotated(["train.tsv"], "")
    made = Run(home / "checkpoints" / "t", data, None, None, config, ["train.tsv"])
    ids = TagData(data.sentences, made.form, made.words, made.parts)
    return made.form, made.words, made._build(ids).arrays()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_both_directions_begin_as_the_halves_of_a_pair(home, save_pair, cell):
    forward, backward, _ = save_pair("lm", cell=cell)
    form, _, arrays = begun(home)
    assert (form.cell, form.hidden_size, form.num_layers, form.word_dim) == (cell, 4, 2, 3)
    for direction, half, above in (
        ("forwards", forward, slice(0, 4)),
        ("backwards", backward, slice(4, 8)),
    ):
        for layer, columns in ((0, slice(0, 3)), (1, above)):
            mine, lm = f"0.birnn.layers.{layer}.{direction}", f"layers.{layer}"
            read = arrays[f"{mine}.weight_ih"][:, columns]
            np.testing.assert_array_equal(read, half[f"{lm}.weight_ih"])
            for part in ("weight_hh", "bias", *(("bias_hn",) if cell == "gru" else ())):
                np.testing.assert_array_equal(arrays[f"{mine}.{part}"], half[f"{lm}.{part}"])


def test_the_first_layers_may_be_taken_alone(home, save_pair):
    forward, _, _ = save_pair("lm")
    form, _, arrays = begun(home, num_layers=1)
    assert form.num_layers == 1
    found = arrays["0.birnn.layers.0.forwards.weight_hh"]
    np.testing.assert_array_equal(found, forward["layers.0.weight_hh"])


def test_without_a_backward_half_that_direction_begins_at_random(home, save_pair):
    forward, _, _ = save_pair("lm", both=False)
    _, _, arrays = begun(home)
    found = arrays["0.birnn.layers.1.forwards.weight_hh"]
    np.testing.assert_array_equal(found, forward["layers.1.weight_hh"])
    assert (arrays["0.birnn.layers.1.backwards.weight_hh"] != found).any()


def test_words_begin_as_the_model_knows_them_also_in_capitals(home, save_pair):
    forward, _, words = save_pair("lm")
    form, known, arrays = begun(home)
    embedding = forward["embedding.weight"]
    names = [words.token(number).strip() for number in range(words.vocab_size)]
    rows, table = word_rows(form, known), arrays["0.input.words.weight"]
    for word, token in (("like", "like"), ("anna", "Anna"), ("Paris", "paris"), ("in", "in")):
        np.testing.assert_array_equal(table[rows.get(word)], embedding[names.index(token)])
    unknown = embedding[words.unk_id]
    np.testing.assert_array_equal(table[0], unknown)
    np.testing.assert_array_equal(table[rows.get("books")], unknown)


@pytest.fixture
def charlm(home, capsys, monkeypatch):
    """Train a small tagger by the command line; return exit status, stdout and stderr."""

    def run_line(*more):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        status = run(["train", "tagger", "train.tsv", *PLAIN, *map(str, more)])
        found = capsys.readouterr()
        return status, found.out, found.err

    return run_line


def test_the_command_begins_with_a_model_and_needs_it_no_more(home, save_pair, charlm):
    save_pair("lm")
    status, out, err = charlm("--from", "lm", "-o", "t", "--valid", "train.tsv", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["valid"]["accuracy"] > 0.9
    form = load_model(home / "checkpoints" / "t").model_config
    assert (form["hidden_size"], form["num_layers"], form["word_dim"]) == (4, 2, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hidden-size", 9), "--hidden-size 9 does not fit lm, where it is 4; leave it out"),
        (("--num-layers", 3), "--num-layers 3 does not fit lm, where it is 2; leave it out"),
        (("--cell", "gru"), "--cell gru does not fit lm, where it is lstm; leave it out"),
    ],
)
def test_sizes_that_do_not_fit_are_told_in_a_line(home, save_pair, charlm, options, message):
    save_pair("lm")
    assert charlm("--from", "lm", *options) == (1, "", f"charlm: {message}\n")


def test_models_that_no_tagger_can_begin_with_are_told(home, save_pair, charlm):
    save_pair("chars", "char")
    save_pair("skips", skip=True)
    assert charlm("--from", "chars")[2] == (
        "charlm: chars reads char tokens; a tagger starts from a language model of words "
        "(charlm train lm TEXT --tokenizer word --lowercase)\n"
    )
    assert charlm("--from", "skips")[2] == (
        "charlm: skips has skip connections, which a tagger has not\n"
    )
    status, _, err = charlm("--from", "chars", "--vectors", "chars")
    assert status == 2
    assert "--from brings vectors of its own; leave out --vectors" in err
