"""What is told of gradients, units and gates, by hand."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from charlm.base.errors import TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.engine.inspection import last_loss_gradients, read_layers
from charlm.tasks.adaptive import Network
from charlm.tasks.inspect_gates import inspect_gates
from charlm.tasks.inspect_gradients import decay_of, inspect_gradients
from charlm.tasks.inspect_neurons import inspect_neurons, inspect_unit
from charlm.tasks.inspect_reading import Reading
from charlm.tasks.inspect_traits import TRAITS, traits_of

ALPHABET = "ab(A1,\n "


def make_reading(text, seed=None, **fields):
    """A reading by a model of chars, with weights of 0 or, by a seed, any."""
    config = LanguageModelConfig(
        **({"vocab_size": len(ALPHABET), "embedding_dim": 3, "hidden_size": 2} | fields)
    )
    rng = np.random.default_rng(seed)
    tensors = {
        name: rng.normal(size=shape).astype(np.float32) * (seed is not None)
        for name, shape in config.tensor_shapes().items()
    }
    opened = SimpleNamespace(
        name="hand", tokenizer=SimpleNamespace(token=lambda index: ALPHABET[index])
    )
    ids = np.array([ALPHABET.index(char) for char in text])
    return Reading(opened, Network(config, tensors), ids, tuple(text))


def logit(p):
    return math.log(p / (1 - p))


def test_gates_by_hand():
    reading = make_reading("ab", cell="lstm", num_layers=2)
    units = [0.95, 0.5, 0.05, 0.5, 0.5, 0.5, 0.95, 0.92]  # i, f, g, o of two units each
    reading.network.tensors["layers.1.bias"][:] = [logit(p) for p in units]
    found = inspect_gates(reading, layer=2)
    assert [(one.layer, one.gate) for one in found] == [(2, "input"), (2, "forget"), (2, "output")]
    assert [one.mean for one in found] == pytest.approx([0.725, 0.275, 0.935], rel=1e-6)
    assert [(one.left, one.right) for one in found] == [(0.0, 0.5), (0.5, 0.0), (0.0, 1.0)]
    assert found[1].per_token == pytest.approx([0.275, 0.275], rel=1e-6)
    assert [one.mean for one in inspect_gates(reading)][:3] == [0.5] * 3


def test_gates_of_a_gru_depend_on_the_token():
    reading = make_reading("ab", cell="gru", num_layers=1)
    tensors = reading.network.tensors
    tensors["embedding.weight"][0] = 1.0  # a
    tensors["layers.0.weight_ih"][2:4, 0] = logit(0.95)  # update
    reset, update = inspect_gates(reading)
    assert (reset.gate, update.gate) == ("reset", "update")
    assert update.per_token == pytest.approx([0.95, 0.5], rel=1e-6)
    assert (update.left, update.right, reset.mean) == (0.0, 0.5, 0.5)


def test_an_rnn_has_no_gates():
    message = (
        "'hand' is a tanh RNN, which has no gates; "
        r"an LSTM or a GRU has (charlm train lm --cell lstm)"
    )
    with pytest.raises(TaskError) as caught:
        inspect_gates(make_reading("ab", cell="rnn"))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("layer", "message"),
    [(3, "'hand' has 2 layers, got --layer 3"), (0, "'hand' has 2 layers, got --layer 0")],
)
@pytest.mark.parametrize(
    "inspect", [inspect_gates, inspect_gradients, inspect_neurons, lambda *a, **k: inspect_unit(
        *a, unit=1, **k)]
)  # fmt: skip
def test_a_layer_that_is_not_there(inspect, layer, message):
    with pytest.raises(TaskError) as caught:
        inspect(make_reading("ab", num_layers=2), layer=layer)
    assert str(caught.value) == message


def test_gradients_are_norms_by_layer_and_state():
    reading = make_reading("ab(ba", seed=1, num_layers=2)
    nll, layers = last_loss_gradients(
        reading.network.config, reading.network.tensors, reading.ids, steps=9
    )
    found = inspect_gradients(reading)
    assert (found.target, found.tokens, found.nll) == ("a", ("", "a", "b", "(", "b"), nll)
    assert found.texts == found.tokens
    shown = [(one.layer, one.state) for one in found.reaches]
    assert shown == [(1, "hidden"), (1, "cell"), (2, "hidden"), (2, "cell")]
    norms = [math.hypot(*row) for row in layers[1].cell.tolist()]
    assert found.reaches[3].norms == pytest.approx(norms)
    ratios = [one / other for one, other in pairwise(norms)]
    assert found.reaches[3].decay == pytest.approx(math.prod(ratios) ** (1 / len(ratios)))
    [hidden, _] = inspect_gradients(reading, layer=2, steps=2).reaches
    assert hidden.norms == pytest.approx(found.reaches[2].norms[-2:])
    assert inspect_gradients(reading, steps=2).tokens == ("(", "b")


def test_an_rnn_forgets_by_what_its_weight_says():
    """One unit near 0, so that tanh is the identity: a step back is the recurrent weight."""
    reading = make_reading("aaaaaaaa", cell="rnn", hidden_size=1, num_layers=1)
    reading.network.tensors["layers.0.weight_hh"][:] = 0.5
    reading.network.tensors["output.weight"][0] = 1.0
    [reach] = inspect_gradients(reading).reaches
    assert reach.decay == pytest.approx(0.5, rel=1e-12)
    last = 1 - 1 / len(ALPHABET)
    assert reach.norms == pytest.approx([last * 0.5**back for back in range(7, -1, -1)])


@pytest.mark.parametrize("reset", ["after", "before"])
def test_a_gate_keeps_what_an_rnn_forgets(reset):
    """Without recurrent weights a step back is the gate alone: forget, or update."""
    lstm = make_reading("abababab", seed=3, cell="lstm", num_layers=1)
    lstm.network.tensors["layers.0.weight_hh"][:] = 0.0
    lstm.network.tensors["layers.0.weight_ih"][2:4] = 0.0
    lstm.network.tensors["layers.0.bias"][2:4] = logit(0.9)
    hidden, cell = inspect_gradients(lstm).reaches
    assert cell.decay == pytest.approx(0.9, rel=1e-6)
    assert (hidden.decay, hidden.norms[:-1]) == (0.0, (0.0,) * 7)  # it goes by the cell alone
    gru = make_reading("abababab", seed=3, cell="gru", num_layers=1, reset=reset)
    gru.network.tensors["layers.0.weight_hh"][:] = 0.0
    gru.network.tensors["layers.0.weight_ih"][2:4] = 0.0
    gru.network.tensors["layers.0.bias"][2:4] = logit(0.99)
    [hidden] = inspect_gradients(gru).reaches
    assert hidden.decay == pytest.approx(0.99, rel=1e-6)


@pytest.mark.parametrize(
    ("norms", "decay"),
    [([1.0], None), ([1.0, 0.0], None), ([0.0, 1.0], 0.0), ([math.nan, 1.0], None),
     ([1.0, math.inf], None), ([8.0, 0.0, 2.0], 2.0), ([1e-300, 1.0], 1e-300)],
)  # fmt: skip
def test_decay_is_the_geometric_mean(norms, decay):
    assert decay_of(norms) == (None if decay is None else pytest.approx(decay))


def test_traits_of_chars():
    text = 'A (b "1,\n\n x'
    rows = dict(zip(TRAITS, traits_of(list(text)).T.tolist(), strict=True))
    assert rows == {
        "position in line": [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 1, 2],
        "position in word": [1, 0, 1, 2, 0, 1, 2, 3, 0, 0, 0, 1],
        "inside quotes": [0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0],
        "inside brackets": [0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        "capital letter": [1] + [0] * 11,
        "digit": [0] * 6 + [1] + [0] * 5,
        "punctuation": [0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0],
        "white space": [0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0],
    }


def test_traits_of_longer_tokens_and_parts_of_characters():
    rows = traits_of(["The", " (cat", "", "é)", " “a", "”]"])
    assert rows[:, 0].tolist() == [3, 8, 8, 10, 13, 15]
    assert rows[:, 2].tolist() == [0, 0, 0, 0, 1, 0]
    assert rows[:, 3].tolist() == [0, 1, 1, 0, 0, 0]
    assert rows[:, 7].tolist() == [0, 1, 0, 0, 1, 0]
    assert traits_of([]).shape == (0, len(TRAITS))


def test_the_unit_that_follows_capitals_is_found():
    reading = make_reading("abAabAAb,a", cell="rnn", hidden_size=3, num_layers=1)
    tensors = reading.network.tensors
    tensors["embedding.weight"][ALPHABET.index("A")] = 1.0
    tensors["layers.0.weight_ih"][1, 0] = -1.0  # unit 2 is tanh(-1) at capitals, else 0
    tensors["layers.0.weight_ih"][2, 0] = 0.05  # unit 3 hardly moves
    found = inspect_neurons(reading, top=5)
    [match] = [one for one in found.matches if one.trait == "capital letter"]
    assert (match.layer, match.unit) == (1, 2)
    assert match.correlation == pytest.approx(-1.0, abs=1e-6)
    share = 0.3
    assert match.deviation == pytest.approx(math.tanh(1.0) * math.sqrt(share * (1 - share)))
    assert found.absent == ("inside quotes", "inside brackets", "digit", "white space")
    assert found.chance == pytest.approx(math.sqrt(2 * math.log(6) / 10))
    assert inspect_unit(reading, unit=2).states == pytest.approx(
        [-math.tanh(1.0) * (char == "A") for char in reading.texts]
    )


def test_correlations_are_numpys_over_all_blocks(monkeypatch):
    reading = make_reading("ab(A1, a\nAb a11 (\n" * 3, seed=2, cell="gru", num_layers=2)
    monkeypatch.setattr("charlm.engine.inspection.BLOCK", 7)
    found = inspect_neurons(reading, top=4)
    config, tensors = reading.network.config, reading.network.tensors
    traits = dict(zip(TRAITS, traits_of(reading.texts).T, strict=True))
    states = [[], []]
    for block in read_layers(config, tensors, reading.ids):
        states[block.index] += block.states.tolist()
    for one in found.matches:
        unit = np.array(states[one.layer - 1])[:, one.unit - 1]
        expected = np.corrcoef(unit, traits[one.trait])[0, 1]
        assert one.correlation == pytest.approx(expected, abs=1e-6)
        assert one.deviation == pytest.approx(unit.std(), rel=1e-5)
    by_trait = [one for one in found.matches if one.trait == "digit"]
    assert len(by_trait) == 4
    sizes = [abs(one.correlation) for one in by_trait]
    assert sizes == sorted(sizes, reverse=True)
    only = inspect_neurons(reading, layer=2, top=1).matches
    assert {one.layer for one in only} == {2}


def test_what_cannot_be_watched():
    with pytest.raises(TaskError, match=r"^the text has 1 token; nothing can vary over it$"):
        inspect_neurons(make_reading("a"))
    with pytest.raises(TaskError, match=r"^'hand' has 2 units a layer, got --unit 3$"):
        inspect_unit(make_reading("a"), unit=3)
    still = inspect_neurons(make_reading("ab A"))
    assert still.matches == ()
