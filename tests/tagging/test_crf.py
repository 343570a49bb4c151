"""The CRF against the sum and the best over all sequences, each weighed on its own."""

import itertools

import numpy as np
import pytest
import torch

from charlm.models import crf as models_crf
from charlm.tagging.crf import CRF

TAGS = 3


def make(seed):
    module = models_crf.CRF(TAGS).double()
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data.normal_(generator=generator)
    plain = CRF(*(part.detach().numpy() for part in (module.after, module.first, module.last)))
    return module, plain


def weight(crf, scores, tags):
    total = crf.first[tags[0]] + crf.last[tags[-1]]
    total += sum(scores[place, tag] for place, tag in enumerate(tags))
    return total + sum(crf.after[a, b] for a, b in itertools.pairwise(tags))


@pytest.mark.parametrize("words", [1, 2, 5])
def test_the_best_sequence_is_the_best_of_all(words):
    _, crf = make(words)
    scores = np.random.default_rng(words).normal(size=(words, TAGS))
    best = max(itertools.product(range(TAGS), repeat=words), key=lambda t: weight(crf, scores, t))
    assert crf.best(scores).tolist() == list(best)


def test_no_words_have_no_tags():
    assert make(0)[1].best(np.empty((0, TAGS))).tolist() == []


def test_probabilities_are_shares_of_all_sequences_whatever_pads_a_row():
    module, crf = make(4)
    lengths, generator = [4, 1, 2, 0], torch.Generator().manual_seed(5)
    scores = torch.randn(4, 4, TAGS, generator=generator, dtype=torch.float64)
    tags = torch.randint(TAGS, (4, 4), generator=generator)
    found = module(scores, tags, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        if not length:
            assert found[row] == 0.0
            continue
        own = scores[:length, row].numpy()
        every = itertools.product(range(TAGS), repeat=length)
        total = np.logaddexp.reduce([weight(crf, own, one) for one in every])
        gold = weight(crf, own, tags[:length, row].tolist())
        assert found[row].item() == pytest.approx(total - gold, abs=1e-10)


def test_gradients_are_those_of_the_numbers():
    module, _ = make(6)
    scores = torch.randn(3, 2, TAGS, dtype=torch.float64, requires_grad=True)
    tags, lengths = torch.tensor([[0, 1], [2, 2], [1, 0]]), torch.tensor([3, 2])
    assert torch.autograd.gradcheck(lambda s: module(s, tags, lengths), (scores,))
