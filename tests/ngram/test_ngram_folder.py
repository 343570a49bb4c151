"""Model folders: saved, opened, mapped; altered ones refused."""

import json

import numpy as np
import pytest

import charlm.store.checkpoint as checkpoint
from charlm.base.errors import CheckpointError
from charlm.ngram.config import NgramConfig
from charlm.ngram.folder import restore_ngram, save_ngram
from charlm.ngram.kneser_ney import build_ngram
from charlm.ngram.model import NgramModel
from charlm.store.checkpoint import load_model, read_summary

IDS = np.random.default_rng(0).integers(0, 6, 300)


def save(folder, model):
    save_ngram(
        folder, model, tokenizer_config={"name": "x"}, tokenizer_files={}, training={}, card="# x\n"
    )


@pytest.fixture
def model():
    return build_ngram(IDS, vocab_size=6, order=3, line_end_id=2)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_saved_model_comes_back_bit_by_bit(tmp_path, monkeypatch, model, mapped):
    if mapped:
        monkeypatch.setattr(checkpoint, "IN_MEMORY", 0)
    save(tmp_path / "m", model)
    again = restore_ngram(load_model(tmp_path / "m", kinds=("ngram",)))
    assert again.config == model.config
    assert not again.tensors["keys.2"].flags.writeable
    for name, array in model.tensors.items():
        np.testing.assert_array_equal(again.tensors[name], array)
    np.testing.assert_array_equal(again.score_ids(IDS), model.score_ids(IDS))
    state = model.initial_state(2)
    expected, _ = model.step(np.array([0, 6]), state)
    np.testing.assert_array_equal(again.step(np.array([0, 6]), state)[0], expected)


def test_a_list_of_models_shows_its_form(tmp_path, model):
    save(tmp_path / "m", model)
    summary = read_summary(tmp_path / "m")
    assert (summary.kind, summary.model, summary.problem) == ("ngram", "3-gram", None)
    assert summary.parameters == model.parameters


def altered(model, **arrays):
    return NgramModel(model.config, dict(model.tensors) | arrays)


def keys_with(model, place, value):
    keys = model.tensors["keys.2"].copy()
    keys[place] = value
    return {"keys.2": keys}


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, -1), (-1, 7 * 7), (1, 0), (-1, 6 * 7 + 6)],
    ids=["negative", "no such context", "twice", "the mark as a token"],
)
def test_indices_that_cannot_be_are_refused(tmp_path, model, place, value):
    save(tmp_path / "m", altered(model, **keys_with(model, place, value)))
    with pytest.raises(CheckpointError) as caught:
        restore_ngram(load_model(tmp_path / "m"))
    assert str(caught.value) == (
        f"{tmp_path / 'm'}: array keys.2 is not that of an n-gram model; train it again"
    )


def test_numbers_that_are_none_are_refused(tmp_path, model):
    wrong = np.full_like(model.tensors["log_prob.1"], np.nan)
    save(tmp_path / "m", altered(model, **{"log_prob.1": wrong}))
    with pytest.raises(CheckpointError, match=r"tensor 'log_prob.1' holds NaN or infinity$"):
        restore_ngram(load_model(tmp_path / "m"))


def test_a_config_that_does_not_fit_is_refused(tmp_path, model):
    other = NgramConfig(order=3, vocab_size=6, ngrams=(6, 1, 1))
    save(tmp_path / "m", model)
    stored = load_model(tmp_path / "m")
    object.__setattr__(stored, "model_config", json.loads('{"order": 3, "vocab_size": 6}'))
    with pytest.raises(CheckpointError) as caught:
        restore_ngram(stored)
    assert str(caught.value) == (
        f"{tmp_path / 'm'}/config.json: ngrams must be 3 counts, the first 6, got ()"
    )
    values = {"order": 3, "vocab_size": 6, "ngrams": list(other.ngrams)}
    object.__setattr__(stored, "model_config", values)
    with pytest.raises(CheckpointError, match=r"does not fit its config: tensor 'keys\.2'"):
        restore_ngram(stored)
