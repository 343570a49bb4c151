"""A config names and sizes every tensor of its model."""

import math

import pytest

from charlm.engine.config import LanguageModelConfig, describe


def test_tensors_of_two_layers_by_hand():
    config = LanguageModelConfig(vocab_size=5, embedding_dim=3, hidden_size=2, num_layers=2)
    assert config.tensor_shapes() == {
        "embedding.weight": (6, 3),
        "layers.0.weight_ih": (8, 3),
        "layers.0.weight_hh": (8, 2),
        "layers.0.bias": (8,),
        "layers.1.weight_ih": (8, 2),
        "layers.1.weight_hh": (8, 2),
        "layers.1.bias": (8,),
        "output.weight": (5, 2),
        "output.bias": (5,),
    }


def test_skip_tied_weights_and_the_second_bias_of_a_gru():
    config = LanguageModelConfig(
        vocab_size=5,
        cell="gru",
        embedding_dim=3,
        hidden_size=2,
        num_layers=2,
        skip=True,
        tie_weights=True,
    )
    shapes = config.tensor_shapes()
    assert shapes["layers.1.weight_ih"] == (6, 5)
    assert shapes["layers.1.bias_hn"] == (2,)
    assert shapes["projection.weight"] == (3, 4)
    assert "output.weight" not in shapes


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_parameters_are_the_numbers_in_the_tensors(cell):
    config = LanguageModelConfig(cell=cell, num_layers=3, skip=True)
    shapes = config.tensor_shapes().values()
    assert config.count_parameters() == sum(math.prod(shape) for shape in shapes)


def test_a_model_in_a_few_words():
    config = LanguageModelConfig(cell="gru", hidden_size=96, num_layers=3)
    assert describe(config) == "3 x 96 GRU"
