"""States at tokens: they know one side of the text and no other, however texts are batched."""

import numpy as np
import pytest

from charlm.engine.contextual import CHUNK, contextual_states, layer_weights

FORMS = [
    {"cell": "lstm"},
    {"cell": "lstm", "num_layers": 2},
    {"cell": "gru", "num_layers": 2, "skip": True},
    {"cell": "gru", "reset": "before"},
    {"cell": "rnn", "num_layers": 3},
]


def texts(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 11, length) for length in lengths]


def true_states(model, ids):
    """The states after each id, (tokens, layers, hidden), one step of the engine at a time."""
    state = model.initial_state(1)
    found = []
    for token in [model.bos_id, *ids]:
        _, state = model.step(np.array([token]), state)
        found.append(np.stack([layer.h.copy() for layer in state.layers]))
    scale = model._layers[0].output_scale
    return np.array(found[1:], dtype=np.float32).reshape(len(ids), len(state.layers), -1) / scale


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("from_the_end", [False, True])
def test_states_are_those_of_the_engine_token_by_token(make_model, form, from_the_end):
    _, _, model = make_model(**form)
    given = texts([5, 1, 0, CHUNK + 3, 9])
    every = np.eye(model.config.num_layers, dtype=np.float32)
    found = contextual_states(model, given, every, from_the_end=from_the_end)
    for ids, states in zip(given, found, strict=True):
        if not len(ids):
            assert states.shape == (0, model.config.num_layers, 8)
        elif from_the_end:  # read by hand: the reversed text, its states turned back
            np.testing.assert_allclose(states, true_states(model, ids[::-1])[::-1], atol=1e-5)
        else:
            np.testing.assert_allclose(states, true_states(model, ids), atol=1e-5)


def test_the_last_layer_is_what_the_output_reads(make_model):
    _, tensors, model = make_model(num_layers=2)
    (ids,) = texts([7])
    (states,) = contextual_states(model, [ids], layer_weights(2, 2))
    logits, _ = model.read(np.array([[model.bos_id, *ids]]), model.initial_state(1))
    expected = states[:, 0] @ tensors["output.weight"].T + tensors["output.bias"]
    np.testing.assert_allclose(logits[0, 1:], expected, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_forward_states_ignore_the_future_and_backward_ones_the_past(make_model, form):
    _, _, model = make_model(**form)
    (ids,) = texts([20])
    other = ids.copy()
    other[10] = (other[10] + 1) % 11
    weights = layer_weights(model.config.num_layers, None)
    for from_the_end in (False, True):
        before, after = contextual_states(model, [ids, other], weights, from_the_end=from_the_end)
        differs = np.abs(before - after).max(axis=(1, 2)) > 0
        if from_the_end:
            assert not differs[11:].any()
            assert differs[:11].all()
        else:
            assert not differs[:10].any()
            assert differs[10:].all()


def test_texts_together_are_as_texts_alone(make_model):
    _, _, model = make_model(num_layers=2)
    given = texts([*range(0, 150, 7), 3, 3, 64, 65, 128], seed=1) + texts([1] * 70)
    weights = layer_weights(2, None)
    for from_the_end in (False, True):
        together = contextual_states(model, given, weights, from_the_end=from_the_end)
        for ids, states in zip(given, together, strict=True):
            (alone,) = contextual_states(model, [ids], weights, from_the_end=from_the_end)
            np.testing.assert_allclose(states, alone, atol=1e-5)


def test_the_mix_is_that_of_elmo(make_model):
    _, _, model = make_model(num_layers=2)
    given = texts([6])
    first, second = (contextual_states(model, given, layer_weights(2, n))[0] for n in (1, 2))
    (mixed,) = contextual_states(model, given, layer_weights(2, None, (0.0, np.log(3.0))))
    np.testing.assert_allclose(mixed, 0.25 * first + 0.75 * second, atol=1e-6)


def test_huge_scores_do_not_overflow():
    np.testing.assert_array_equal(layer_weights(2, None, (999999.0, 0.0)), [[1.0, 0.0]])
