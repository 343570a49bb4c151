"""Vectors of words: torch and NumPy agree, and a word is read as unknown where that is asked."""

import numpy as np
import torch

from charlm.engine import word_input as engine
from charlm.models.word_input import WordInput, flat_parts
from charlm.text.subwords import subword_ids

CONFIG = engine.WordInputConfig(vocab_size=3, word_dim=2, subword_dim=5, buckets=50)
IDS = {"the": 1, "cat": 2}


def make():
    module = WordInput(CONFIG)
    module.initialise(torch.Generator().manual_seed(0))
    tensors = {name: value.detach().numpy() for name, value in module.state_dict().items()}
    return module, engine.WordInput(CONFIG, IDS, tensors)


def run(module, distinct, index, unknown):
    types = torch.tensor([IDS.get(word, 0) for word in distinct])
    parts = flat_parts([subword_ids(word, CONFIG) for word in distinct])
    return module(types, parts, torch.tensor(index), torch.tensor(unknown)).detach().numpy()


def test_torch_and_numpy_give_the_same_vectors():
    module, plain = make()
    rows, index = plain.vectors(["the", "dog", "the", "cat", ""])
    found = run(module, ["the", "dog", "cat", ""], [[0, 1, 0, 2, 3]], [[False] * 5])
    assert index.tolist() == [0, 1, 0, 2, 3]
    np.testing.assert_allclose(found[0], rows[index], atol=1e-6)


def test_a_word_read_as_unknown_keeps_its_parts():
    module, _ = make()
    known, unknown = run(module, ["cat"], [0, 0], [False, True])
    table = module.words.weight.detach().numpy()
    np.testing.assert_array_equal(unknown[:2], table[engine.UNKNOWN])
    np.testing.assert_array_equal(known[:2], table[2])
    np.testing.assert_array_equal(known[2:], unknown[2:])


def test_words_are_kept_up_to_a_number_of_them(monkeypatch):
    monkeypatch.setattr(engine, "MOST_KEPT", 3)
    _, plain = make()
    first = plain.vectors([str(number) for number in range(2000)])[0][7].copy()
    rows, index = plain.vectors(["a", "7"])
    assert len(rows) == 2
    np.testing.assert_array_equal(rows[index[1]], first)
