"""Models opened as mixtures, the weights fitted, and torch beside the engine."""

import dataclasses

import numpy as np
import pytest
import torch

from charlm.base.errors import TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.models.scoring import TorchModel
from charlm.store.checkpoint import save_model
from charlm.tasks.load import open_model
from charlm.tasks.mixture import fit_mixture, open_models
from charlm.tasks.score import score_texts
from charlm.tasks.scoring import score_batch, score_ids
from charlm.tasks.unknown import UnknownWords
from charlm.text.tokenizers import train_tokenizer

TEXTS = ["the quick brown fox", "", "a lazy dog jumps over the fox [b]\n" * 40, "fox"]


@pytest.fixture
def three(tiny, save_tiny):
    """Models `tiny` and `other` of one tokenizer, one of which is uniform; `foreign` of another."""
    save_tiny(tiny / "checkpoints" / "other", uniform=True)
    save_tiny(tiny / "checkpoints" / "foreign", text="abc")
    return tiny


def test_a_mixture_scores_the_weighted_sum(three):
    mixture = open_models(["tiny", "other"], [0.25, 0.75])
    assert mixture.name == "0.25 tiny + 0.75 other"
    ids = mixture.tokenizer.encode(TEXTS[0])
    probs = [np.exp(score_ids(open_model(name).model, ids)) for name in ("tiny", "other")]
    found = np.exp(score_ids(mixture.model, ids))
    np.testing.assert_allclose(found, 0.25 * probs[0] + 0.75 * probs[1])


@pytest.mark.parametrize("names", [["tiny"], ["tiny", "other"]])
def test_a_text_scores_the_same_alone_and_among_others(three, names):
    opened = open_models(names)
    encoded = [opened.tokenizer.encode(text) for text in TEXTS]
    for ids, scores in zip(encoded, score_batch(opened.model, encoded), strict=True):
        np.testing.assert_allclose(scores, score_ids(opened.model, ids), rtol=1e-5, atol=1e-6)


def test_torch_gives_the_same_scores(three):
    opened = open_models(["tiny"])
    config = opened.model.config
    tensors = opened.stored.tensors(config.tensor_shapes())
    model = TorchModel(config, tensors, torch.device("cpu"))
    encoded = [opened.tokenizer.encode(text) for text in TEXTS]
    expected = score_batch(opened.model, encoded)
    for ours, theirs in zip(score_batch(model, encoded), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    on_torch = dataclasses.replace(opened, model=model)
    first, second = (
        score_texts(one, TEXTS[:1], alternatives=True)[0] for one in (opened, on_torch)
    )
    assert [item.rank for item in first.per_token] == [item.rank for item in second.per_token]


def test_weights_fitted_on_a_text_make_it_likelier(three):
    (three / "a.txt").write_text(TEXTS[2])
    names = ["tiny", "other"]
    equal = open_models(names)
    fitted = fit_mixture(equal, names, ["a.txt"], encoding_errors="strict")
    ids = equal.tokenizer.encode(TEXTS[2])
    assert score_ids(fitted.model, ids).sum() >= score_ids(equal.model, ids).sum()


def test_models_of_different_tokens_do_not_mix(three):
    with pytest.raises(TaskError) as caught:
        open_models(["tiny", "foreign"])
    assert str(caught.value) == (
        "'tiny' and 'foreign' have different tokens (31 of char; 4 of char); "
        "models of a mixture need the same tokenizer, trained on the same text"
    )


def test_one_model_has_no_weights_to_fit(three):
    with pytest.raises(TaskError, match=r"^fitting a mixture needs two models or more"):
        fit_mixture(open_models(["tiny"]), ["tiny"], ["a.txt"], encoding_errors="strict")


@pytest.fixture
def words(home):
    """A uniform word model."""
    tokenizer = train_tokenizer("word", ["the cat sat on the mat\n" * 3])
    config = LanguageModelConfig(
        vocab_size=tokenizer.vocab_size, embedding_dim=2, hidden_size=2, num_layers=1
    )
    save_model(
        home / "checkpoints" / "words",
        kind="lm",
        model_config=dataclasses.asdict(config),
        tokenizer_config=tokenizer.config(),
        tokenizer_files=tokenizer.to_files(),
        tensors={n: np.zeros(s, np.float32) for n, s in config.tensor_shapes().items()},
        training={},
        card="",
    )
    return open_models(["words"])


def test_unknown_words_cost_their_spelling_too(words):
    unknown = UnknownWords(words)
    text = "the cap sat xq"
    ids = words.tokenizer.encode(text)
    extra = unknown.extra(text, ids)
    assert [bool(value) for value in extra] == [False, True, False, True]
    assert extra[1] > extra[3] - 20
    plain, priced = (score_texts(words, [text], unknown=u)[0] for u in (None, unknown))
    assert priced.log_prob == pytest.approx(plain.log_prob + extra.sum())
    assert plain.unknown == priced.unknown == 2


def test_nothing_is_unknown_to_bytes(words):
    opened = dataclasses.replace(words, tokenizer=train_tokenizer("byte", ["a"]))
    with pytest.raises(TaskError, match=r"^'words' has no unknown words: its tokens are byte$"):
        UnknownWords(opened)
