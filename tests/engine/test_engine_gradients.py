"""Gradients of the NumPy model equal those of torch's autograd, in float64."""

import numpy as np
import pytest
import torch

from charlm.engine.config import LanguageModelConfig
from charlm.engine.gradients import backward, forward, zero_state
from charlm.models.language_model import LanguageModel

SHAPES = [
    {"cell": "lstm"},
    {"cell": "lstm", "num_layers": 2},
    {"cell": "lstm", "num_layers": 3, "skip": True},
    {"cell": "lstm", "tie_weights": True},
    {"cell": "lstm", "tie_weights": True, "embedding_dim": 8},
    {"cell": "rnn", "num_layers": 2},
    {"cell": "gru", "reset": "after", "num_layers": 2},
    {"cell": "gru", "reset": "before", "num_layers": 2, "skip": True},
]


@pytest.fixture(params=SHAPES, ids=lambda shape: "-".join(map(str, shape.values())))
def pair(request):
    """A config, float64 tensors, and the torch model that has them."""
    config = LanguageModelConfig(
        **{"vocab_size": 11, "embedding_dim": 7, "hidden_size": 8} | request.param
    )
    rng = np.random.default_rng(0)
    tensors = {n: 0.5 * rng.standard_normal(s) for n, s in config.tensor_shapes().items()}
    model = LanguageModel(config).double()
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    model.use(torch.float64, backend="native")
    return config, tensors, model


def test_log_probs_and_gradients_equal_autograd(pair):
    config, tensors, model = pair
    rng = np.random.default_rng(1)
    warm, ids, targets = (rng.integers(0, 11, size) for size in (5, 9, 9))
    before = forward(config, tensors, warm, zero_state(config, np.float64)).state
    tape = forward(config, tensors, ids, before)
    grads = backward(config, tensors, tape, targets)

    state = model(torch.from_numpy(warm)[None], model.initial_state(1))[1]
    state = [tuple(part.detach() for part in layer) for layer in state]
    logits, after = model(torch.from_numpy(ids)[None], state)
    loss = torch.nn.functional.cross_entropy(logits[0], torch.from_numpy(targets), reduction="sum")
    loss.backward()

    expected = torch.log_softmax(logits[0], dim=-1).detach().numpy()
    np.testing.assert_allclose(tape.log_probs, expected, atol=1e-12)
    for ours, theirs in zip(tape.state, after, strict=True):
        for part, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(part, other[0].detach().numpy(), atol=1e-12)
    if not config.tie_weights:
        rows = grads["embedding.weight"]
        grads["embedding.weight"] = np.zeros_like(tensors["embedding.weight"])
        np.add.at(grads["embedding.weight"], ids, rows)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(grads[name], parameter.grad.numpy(), atol=1e-11, err_msg=name)
    assert set(grads) == set(tensors)
