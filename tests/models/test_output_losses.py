import pytest
import torch
from torch.nn import functional as F

from charlm.models.chunked_loss import chunked_cross_entropy
from charlm.models.lookup import _Lookup, looked_up
from charlm.models.sampled_softmax import Proposal, sampled_cross_entropy

N, D, V = 23, 5, 17


def made(seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    features, weight, bias = (
        torch.randn(shape, generator=draw, dtype=dtype).requires_grad_()
        for shape in ((N, D), (V, D), (V,))
    )
    return features, weight, bias, torch.randint(V, (N,), generator=draw)


@pytest.mark.parametrize("rows", [None, 1, 7, 23, 100])
def test_a_loss_in_parts_is_the_loss_of_the_whole(rows):
    *inputs, targets = made()
    *others, _ = made()
    expected = F.cross_entropy(F.linear(*inputs), targets)
    (3.0 * expected).backward()
    found = chunked_cross_entropy(*others, targets, rows=rows)
    (3.0 * found).backward()
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-12)
    for one, other in zip(inputs, others, strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=0.0, atol=1e-12)


def test_without_gradients_only_the_loss_is_made():
    features, weight, bias, targets = made()
    with torch.no_grad():
        found = chunked_cross_entropy(features, weight, bias, targets, rows=4)
    expected = F.cross_entropy(F.linear(features, weight, bias), targets)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-12)
    assert not found.requires_grad


def test_weights_of_a_wider_type_keep_it():
    features, weight, bias, targets = made(dtype=torch.float32)
    narrow = features.detach().bfloat16().requires_grad_()
    chunked_cross_entropy(narrow, weight, bias, targets, rows=8).backward()
    assert (narrow.grad.dtype, weight.grad.dtype) == (torch.bfloat16, torch.float32)
    expected = F.cross_entropy(F.linear(features, weight.detach(), bias.detach()), targets)
    expected.backward()
    torch.testing.assert_close(narrow.grad.float(), features.grad, rtol=0.1, atol=2e-3)


def test_gradients_of_a_table_are_summed_by_row():
    table = torch.randn(7, 3, dtype=torch.float64).requires_grad_()
    other = table.detach().clone().requires_grad_()
    ids = torch.tensor([[0, 6, 6], [2, 0, 6]])
    weights = torch.randn(2, 3, 3, dtype=torch.float64)
    (looked_up(ids, table, torch.float64) * weights).sum().backward()
    (_Lookup.apply(ids, other, torch.float64) * weights).sum().backward()
    torch.testing.assert_close(other.grad, table.grad, rtol=0.0, atol=1e-12)


def test_a_sampled_loss_worked_by_hand():
    features = torch.tensor([[1.0, 2.0]])
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    bias = torch.tensor([0.5, 0.0, -1.0])
    probs = torch.tensor([0.5, 0.25, 0.25])
    proposal = Proposal(probs.log(), 3)
    targets, drawn = torch.tensor([0]), torch.tensor([1, 0, 2])  # the target itself does not count
    logits = torch.tensor([1.5, 2.0, 2.0]) - (3 * probs).log()
    found = sampled_cross_entropy(features, weight, bias, targets, proposal, drawn)
    assert float(found) == pytest.approx(float(logits.logsumexp(0) - logits[0]))


def test_every_token_drawn_once_from_a_uniform_proposal_gives_the_whole_softmax():
    *inputs, targets = made(1)
    *others, _ = made(1)
    F.cross_entropy(F.linear(*inputs), targets).backward()
    proposal = Proposal(torch.full((V,), 1.0 / V).log(), V)
    sampled_cross_entropy(*others, targets, proposal, torch.arange(V)).backward()
    for one, other in zip(inputs, others, strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=0.0, atol=1e-6)


def test_a_proposal_draws_by_its_probabilities():
    probs = torch.tensor([0.1, 0.0001, 0.5, 0.3999])
    drawn = Proposal(probs.log(), 40_000).draw(torch.Generator().manual_seed(0))
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    torch.testing.assert_close(shares, probs, rtol=0.0, atol=0.01)


def test_the_mean_of_many_sampled_gradients_is_near_that_of_the_softmax():
    *inputs, targets = made(2)
    F.cross_entropy(F.linear(*inputs), targets).backward()
    probs = torch.softmax(torch.linspace(-1.0, 1.0, V), 0)
    proposal, draw = Proposal(probs.log(), 200), torch.Generator().manual_seed(0)
    *others, _ = made(2)
    for _ in range(50):
        drawn = proposal.draw(draw)
        (sampled_cross_entropy(*others, targets, proposal, drawn) / 50).backward()
    for one, other in zip(inputs, others, strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=0.0, atol=0.02)
