"""A classifier that starts from a language model: its embedding and forward layers, taken over."""

import dataclasses

import numpy as np
import pytest

from charlm.base.errors import TaskError
from charlm.classifying.config import ClassifierConfig
from charlm.engine.config import LanguageModelConfig
from charlm.store.checkpoint import save_model
from charlm.tasks.train_classifier_pretrained import Pretrained
from charlm.text.tokenizers import train_tokenizer
from charlm.training.classifier import Recipe, Trainer
from charlm.training.classifier_words import Vocabulary

TEXT = "a good film and a bad film\n" * 3


@pytest.fixture
def save_lm(home):
    """Save a language model of two layers; return its tensors and tokenizer."""

    def save(name, tokenizer="word", **settings):
        words = train_tokenizer(tokenizer, [TEXT])
        config = LanguageModelConfig(
            vocab_size=words.vocab_size,
            hidden_size=4,
            embedding_dim=3,
            num_layers=2,
            **settings,
        )
        rng = np.random.default_rng(0)
        tensors = {
            name: rng.normal(0.0, 0.5, shape).astype(np.float32)
            for name, shape in config.tensor_shapes().items()
        }
        save_model(
            home / "checkpoints" / name,
            kind="lm",
            model_config=dataclasses.asdict(config),
            tokenizer_config=words.config(),
            tokenizer_files=words.to_files(),
            tensors=tensors,
            training={},
            card="",
        )
        return config, tensors, words

    return save


def begun(pretrained, texts):
    config = pretrained.form(ClassifierConfig(labels=("x", "y"), num_layers=1, subword_dim=2))
    vocabulary = Vocabulary(texts, config, 1)
    config = dataclasses.replace(config, vocab_size=len(vocabulary.words) + 1)
    vectors, found = pretrained.rows(vocabulary.words, 0, zeros=False)
    recipe = Recipe(
        epochs=1, batch_size=1, learning_rate=1e-3, dropout=0.0, word_dropout=0.0,
        weight_decay=0.0, seed=0,
    )  # fmt: skip
    labels = np.zeros(len(texts), np.int64)
    trainer = Trainer(
        config, vocabulary, texts, labels, recipe, vectors=vectors, layers=pretrained.layers()
    )
    return config, vocabulary, trainer.arrays(), found


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_embedding_and_forward_layers_are_taken_over(save_lm, cell):
    _, tensors, words = save_lm("w", cell=cell)
    config, vocabulary, arrays, found = begun(Pretrained("w"), [["good", "film", "unseen"]])
    assert (config.cell, config.hidden_size, config.num_layers, found) == (cell, 4, 2, 2)
    ids = {words.token(number): number for number in range(words.vocab_size)}
    row = 1 + vocabulary.words.index("good")
    good = tensors["embedding.weight"][next(n for t, n in ids.items() if t.strip() == "good")]
    assert arrays["input.words.weight"][row].tolist() == good.tolist()
    for layer, width in ((0, 3), (1, 4)):
        mine, lm = f"birnn.layers.{layer}.forwards", f"layers.{layer}"
        read = arrays[f"{mine}.weight_ih"][:, :width]
        assert read.tolist() == tensors[f"{lm}.weight_ih"].tolist()
        assert arrays[f"{mine}.weight_hh"].tolist() == tensors[f"{lm}.weight_hh"].tolist()
        assert arrays[f"{mine}.bias"].tolist() == tensors[f"{lm}.bias"].tolist()
        back = arrays[f"birnn.layers.{layer}.backwards.weight_hh"]
        assert (back != tensors[f"{lm}.weight_hh"]).any()


def test_a_model_of_characters_is_refused(save_lm):
    save_lm("c", "char")
    with pytest.raises(TaskError) as caught:
        Pretrained("c")
    assert str(caught.value) == (
        "c reads char tokens; a classifier starts from a language model of words "
        "(charlm train lm TEXT --tokenizer word --lowercase)"
    )


def test_skip_connections_are_refused(save_lm):
    save_lm("s", skip=True)
    with pytest.raises(TaskError, match="s has skip connections, which a classifier has not"):
        Pretrained("s")


def test_the_command_starts_from_a_language_model(save_lm, charlm, reviews):
    save_lm("w")
    line = ("train", "classifier", reviews, "-o", "r", "--epochs", "1", "--threads", "1")
    status, _, err = charlm(*line, "--from", "w")
    assert status == 0
    assert "4 of 15 words have a vector\n" in err
    status, _, err = charlm(*line, "--from", "w", "--vectors", "w", "--overwrite")
    assert status == 2
    assert "--from needs layers, and no --vectors beside its own" in err
