"""The torch model: its tensors, its loss, and its agreement with the NumPy engine."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel as Engine
from charlm.models.cross_entropy import linear_cross_entropy
from charlm.models.language_model import Dropouts, LanguageModel

FORMS = [
    {"cell": "lstm"},
    {"cell": "lstm", "num_layers": 3, "skip": True},
    {"cell": "lstm", "num_layers": 2, "tie_weights": True},
    {"cell": "lstm", "skip": True, "num_layers": 2, "tie_weights": True},
    {"cell": "gru", "num_layers": 2},
    {"cell": "gru", "reset": "before", "num_layers": 2, "skip": True},
    {"cell": "rnn", "num_layers": 2},
]


def build(form: dict, **dropouts: float) -> LanguageModel:
    config = LanguageModelConfig(vocab_size=17, embedding_dim=12, hidden_size=16, **form)
    model = LanguageModel(config, Dropouts(**dropouts))
    model.initialise(torch.Generator().manual_seed(3))
    return model


def some_ids(rows: int = 3, steps: int = 11) -> torch.Tensor:
    return torch.randint(17, (rows, steps), generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_tensors_have_the_names_and_shapes_of_the_config(form):
    model = build(form)
    found = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert found == model.config.tensor_shapes()
    assert sum(p.numel() for p in model.parameters()) == model.config.count_parameters()


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_numpy_engine_gives_the_same_logits(form):
    model = build(form)
    ids = some_ids()
    ids[:, 0] = model.config.bos_id
    with torch.no_grad():
        wanted, _ = model(ids, model.initial_state(len(ids)))
    engine = Engine(model.config, {k: v.numpy() for k, v in model.state_dict().items()})
    whole, _ = engine.read(ids.numpy(), engine.initial_state(len(ids)))
    np.testing.assert_allclose(whole, wanted.numpy(), atol=1e-5, rtol=0)
    state = engine.initial_state(1)
    for step in range(ids.shape[1]):
        logits, state = engine.step(ids[:1, step].numpy(), state)
        np.testing.assert_allclose(logits[0], wanted[0, step].numpy(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("backend", ["cudnn", "padded"])
@pytest.mark.parametrize("form", FORMS[:4], ids=str)
def test_weights_that_are_laid_out_give_the_same_loss_and_gradients(form, backend):
    found = []
    for name in ("products", backend):
        model = build(form, weight=0.3, layer=0.2, input=0.1).double()
        model.use(torch.float64, backend=name)
        ids, draw = some_ids(), torch.Generator().manual_seed(0)
        loss, state = model.loss(ids, ids.flip(1), model.initial_state(3), draw)
        (loss + sum(part.sum() for layer in state for part in layer)).backward()
        found.append([loss.detach(), *(p.grad for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_loss_is_the_mean_cross_entropy_of_the_logits(form):
    model = build(form).double()
    model.use(torch.float64, backend="rows")
    ids, targets = some_ids(), some_ids().flip(1)
    logits, _ = model(ids, model.initial_state(3))
    wanted = F.cross_entropy(logits.reshape(-1, 17), targets.reshape(-1))
    found, _ = model.loss(ids, targets, model.initial_state(3))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    gradients = torch.autograd.grad(found, list(model.parameters()))
    for ours, theirs in zip(
        gradients, torch.autograd.grad(wanted, list(model.parameters())), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_later_ids_leave_earlier_logits_alone():
    model = build({"cell": "lstm", "num_layers": 2, "skip": True})
    ids = some_ids()
    changed = ids.clone()
    changed[:, 6:] = (changed[:, 6:] + 1) % 17
    before, _ = model(ids, model.initial_state(3))
    after, _ = model(changed, model.initial_state(3))
    torch.testing.assert_close(after[:, :6], before[:, :6])
    assert (after[:, 6] - before[:, 6]).abs().max() > 1e-3


@pytest.mark.parametrize("rate", ["output", "input", "layer", "embedding", "weight"])
def test_each_dropout_acts_in_training_and_only_there(rate):
    model = build({"cell": "lstm", "num_layers": 2}, **{rate: 0.5})
    plain = build({"cell": "lstm", "num_layers": 2})
    ids, state = some_ids(), model.initial_state(3)
    expected, _ = plain.loss(ids, ids, state)
    model.train()
    losses = [
        model.loss(ids, ids, state, torch.Generator().manual_seed(seed))[0].item()
        for seed in (1, 1, 2)
    ]
    assert losses[0] == losses[1] != losses[2]
    assert losses[0] != expected.item()
    model.eval()
    evaluated, _ = model.loss(ids, ids, state, torch.Generator().manual_seed(1))
    assert evaluated.item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_fused_cross_entropy_equals_torch(dtype):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 7, generator=generator, dtype=torch.float64)
    w = torch.randn(23, 7, generator=generator, dtype=torch.float64)
    b = torch.randn(23, generator=generator, dtype=torch.float64)
    targets = torch.randint(23, (40,), generator=generator)
    ours = [x.to(dtype).requires_grad_(), w.to(dtype).requires_grad_()]
    bias = b.to(torch.float64 if dtype == torch.float64 else torch.float32).requires_grad_()
    theirs = [t.detach().double().requires_grad_() for t in (*ours, bias)]
    found = linear_cross_entropy(*ours, bias, targets)
    wanted = F.cross_entropy(F.linear(*theirs), targets)
    limit = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 2e-2}[dtype]
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=limit)
    gradients = torch.autograd.grad(found * 3, [*ours, bias])
    for one, other in zip(gradients, torch.autograd.grad(wanted * 3, theirs), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0, atol=limit)


def test_a_uniform_model_has_the_vocabulary_size_as_perplexity():
    model = build({"cell": "lstm"})
    with torch.no_grad():
        for parameter in model.output.parameters():
            parameter.zero_()
    loss, _ = model.loss(some_ids(), some_ids(), model.initial_state(3))
    assert loss.exp().item() == pytest.approx(17.0, rel=1e-6)


def test_sampled_outputs_are_for_training_alone():
    model = build({"cell": "lstm"})
    ids, state = some_ids(), model.initial_state(3)
    exact, _ = model.loss(ids, ids, state)
    model.sample_outputs(torch.full((17,), 1 / 17).log(), 5)
    drawn = [model.loss(ids, ids, state, torch.Generator().manual_seed(seed))[0] for seed in (0, 1)]
    assert drawn[0] != drawn[1]
    assert model.loss(ids, ids, state)[0] == exact
    model.train(False)
    assert model.loss(ids, ids, state, torch.Generator())[0] == exact
