"""The recurrent branch: pooling by hand, NumPy against torch, rows alone and together, joining."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charlm.classifying.config import ClassifierConfig
from charlm.classifying.joining import fit_shares
from charlm.classifying.recurrent import RecurrentBranch
from charlm.classifying.training import joined
from charlm.engine.pooling import pool
from charlm.engine.pooling_config import POOLINGS
from charlm.models.classifier import RecurrentBranch as TorchBranch
from charlm.training.classifier import Recipe, Trainer
from charlm.training.classifier_words import Vocabulary

OUTPUTS = np.array([[1, 5], [3, 2], [0, 8], [7, 4], [2, 1]], dtype=np.float32)
LENGTHS = [3, 0, 2]
TEXTS = [["a", "b", "unseen"], ["c"], ["b", "a", "c", "a", "b", "b"], ["d", "c"]]


def config_of(pooling="max+mean", cell="lstm", layers=2, **settings):
    sizes = {"hidden_size": 5, "word_dim": 4, "subword_dim": 3, "buckets": 50, "vocab_size": 4}
    return ClassifierConfig(
        labels=("x", "y", "z"),
        pooling=pooling,
        cell=cell,
        num_layers=layers,
        **(sizes | settings),
    )


def trained(config):
    net = TorchBranch(config.input, config.rnn, config.pooling, len(config.labels))
    net.initialise(torch.Generator().manual_seed(0))
    torch.nn.init.normal_(net.output.weight, generator=torch.Generator().manual_seed(1))
    torch.nn.init.normal_(net.output.bias, generator=torch.Generator().manual_seed(2))
    return net.eval()


def torch_logits(net, config, texts):
    vocabulary = Vocabulary([["a", "b", "c"]], config, 1)
    batch = vocabulary.batch(texts)
    known = torch.zeros_like(batch.index, dtype=torch.bool)
    with torch.no_grad():
        found = net(batch.types, batch.parts, batch.index, batch.lengths, known)
    return vocabulary.words, found.numpy()


@pytest.mark.parametrize(
    ("pooling", "rows"),
    [
        ("max", [[3, 8], [0, 0], [7, 4]]),
        ("mean", [[4 / 3, 5], [0, 0], [4.5, 2.5]]),
        ("max+mean", [[3, 8, 4 / 3, 5], [0, 0, 0, 0], [7, 4, 4.5, 2.5]]),
        ("last", [[0, 5], [0, 0], [2, 4]]),
    ],
)
def test_pooling_by_hand(pooling, rows):
    np.testing.assert_allclose(pool(OUTPUTS, LENGTHS, pooling, {}), rows, rtol=1e-6)


def test_attention_looks_where_it_is_told():
    """With v · tanh(W h + b) far higher where the first feature is high, that word is all."""
    tensors = {
        "attention.weight": np.zeros((64, 2), np.float32),
        "attention.bias": np.zeros(64, np.float32),
        "attention.choice": np.zeros(64, np.float32),
    }
    np.testing.assert_allclose(
        pool(OUTPUTS, LENGTHS, "attention", tensors), pool(OUTPUTS, LENGTHS, "mean", {}), rtol=1e-6
    )
    tensors["attention.weight"][0, 0] = 1.0
    tensors["attention.bias"][0] = -2.5
    tensors["attention.choice"][0] = 100.0
    found = pool(OUTPUTS, LENGTHS, "attention", tensors)
    np.testing.assert_allclose(found, [[3, 2], [0, 0], [7, 4]], atol=1e-4)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_numpy_gives_what_torch_gives(pooling, cell):
    config = config_of(pooling, cell)
    net = trained(config)
    words, wanted = torch_logits(net, config, TEXTS)
    arrays = {name: value.numpy() for name, value in net.tensors().items()}
    assert {name: array.shape for name, array in arrays.items()} == config.recurrent_shapes()
    found = RecurrentBranch(config, words, arrays).logits(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "dd", "e"]), max_size=7), max_size=5))
def test_texts_have_the_same_logits_together_and_alone(texts):
    config = config_of()
    arrays = {name: value.numpy() for name, value in trained(config).tensors().items()}
    branch = RecurrentBranch(config, ["a", "b", "c"], arrays)
    alone = [branch.logits([text])[0] for text in texts]
    np.testing.assert_allclose(branch.logits(texts), np.reshape(alone, (-1, 3)), atol=1e-5)


def test_a_long_text_is_read_as_far_as_the_classifier_reads():
    config = config_of(longest=3)
    arrays = {name: value.numpy() for name, value in trained(config).tensors().items()}
    branch = RecurrentBranch(config, ["a", "b", "c"], arrays)
    long, short = branch.logits([["a", "b", "c", "d", "e"], ["a", "b", "c"]])
    assert long.tolist() == short.tolist()


def test_padding_adds_nothing_to_torch_either():
    config = config_of("max+mean")
    net = trained(config)
    together = torch_logits(net, config, TEXTS)[1]
    alone = [torch_logits(net, config, [text])[1][0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def recipe(**settings):
    usual = {"epochs": 60, "batch_size": 4, "learning_rate": 0.02, "dropout": 0.1, "seed": 0}
    return Recipe(**(usual | {"word_dropout": 0.1, "weight_decay": 0.0} | settings))


def test_the_order_of_words_is_learnt():
    """The same words in both labels: what n-grams of one word cannot tell apart."""
    texts = [["a", "b"], ["b", "a"]] * 8
    labels = np.array([0, 1] * 8)
    config = config_of("last", layers=1, vocab_size=3)
    vocabulary = Vocabulary(texts, config, 1)
    trainer = Trainer(config, vocabulary, texts, labels, recipe())
    steps = list(trainer.steps(lambda: 0.0))
    assert (len(steps), steps[-1].epoch) == (240, 60.0)
    found = RecurrentBranch(config, vocabulary.words, trainer.arrays()).logits(texts)
    assert (found.argmax(axis=1) == labels).all()


def test_the_same_seed_gives_the_same_weights():
    config = config_of(vocab_size=5)
    vocabulary = Vocabulary(TEXTS, config, 1)
    labels = np.array([0, 1, 2, 1])

    def arrays(seed):
        config = config_of(vocab_size=len(vocabulary.words) + 1)
        trainer = Trainer(config, vocabulary, TEXTS, labels, recipe(epochs=3, seed=seed))
        list(trainer.steps(lambda: 0.0))
        return trainer.arrays()

    one, same, other = arrays(1), arrays(1), arrays(2)
    assert all((one[name] == same[name]).all() for name in one)
    assert (one["output.weight"] != other["output.weight"]).any()


def test_shares_are_those_under_which_labels_are_likeliest():
    """A branch that guesses gets next to none; one that is too sure is made less so."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 2000)
    right = np.where(rng.random(2000) < 0.8, labels, 1 - labels)
    sure = np.eye(2)[right] * 20
    guess = rng.normal(size=(2000, 2))
    shares, nats = fit_shares([sure, guess], labels)
    assert shares[0] * 20 == pytest.approx(np.log(0.8 / 0.2), abs=0.15)
    assert shares[1] < 0.1
    assert nats == pytest.approx(-0.8 * np.log(0.8) - 0.2 * np.log(0.2), abs=0.03)


def test_few_held_out_texts_move_no_share():
    shares, nats = fit_shares([np.zeros((3, 2)), np.zeros((3, 2))], np.array([0, 1, 1]))
    assert (shares, nats) == ([0.6, 0.6], pytest.approx(np.log(2)))


def test_branches_are_joined_by_their_shares():
    linear = {"bias": np.ones(2), "ngram_keys": np.arange(2), "ngram_weights": np.ones((2, 2))}
    layers = {"output.weight": np.ones((2, 3)), "output.bias": np.ones(2), "x": np.ones(1)}
    both = joined(linear, layers, [0.5, 2.0])
    sums = {name: float(array.sum()) for name, array in both.items()}
    assert sums == {
        "bias": 1.0, "ngram_keys": 1.0, "ngram_weights": 2.0, "output.weight": 12.0,
        "output.bias": 4.0, "x": 1.0,
    }  # fmt: skip
    assert float(joined({}, layers, [3.0])["output.bias"].sum()) == 6.0
