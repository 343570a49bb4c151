"""The fast model equals the textbook and torch: whole, in chunks, by steps, alone, in a batch."""

import numpy as np
import pytest
import torch
from torch import nn

from charlm.base.errors import CheckpointError
from charlm.engine import embedding
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel, log_softmax

CELLS = [("lstm", "after"), ("gru", "after"), ("gru", "before"), ("rnn", "after")]
SHAPES = [
    {"num_layers": 1},
    {"num_layers": 3},
    {"num_layers": 3, "skip": True},
    {"num_layers": 2, "skip": True, "tie_weights": True},
    {"num_layers": 2, "tie_weights": True},
    {"num_layers": 2, "tie_weights": True, "embedding_dim": 8},
]


@pytest.fixture(params=CELLS, ids=lambda pair: "-".join(pair))
def cell(request):
    return dict(zip(("cell", "reset"), request.param, strict=True))


@pytest.fixture
def ids():
    return np.random.default_rng(5).integers(0, 12, (3, 20))  # the bos row among them


def by_steps(model, ids):
    state, logits = model.initial_state(len(ids)), []
    for column in ids.T:
        row, state = model.step(column, state)
        logits.append(row)
    return np.stack(logits, axis=1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_way_of_reading_equals_the_textbook(make_model, textbook, cell, shape, ids):
    config, tensors, model = make_model(**cell, **shape)
    expected = textbook(config, tensors, ids)
    ways = {
        "batch": model.read(ids, model.initial_state(3))[0],
        "batch steps": by_steps(model, ids),
        "alone": np.concatenate([model.read(row[None], model.initial_state(1))[0] for row in ids]),
        "alone steps": np.concatenate([by_steps(model, row[None]) for row in ids]),
    }
    for way, logits in ways.items():
        np.testing.assert_allclose(logits, expected, atol=1e-5, err_msg=way)


@pytest.mark.parametrize("shape", [{"num_layers": 1}, {"num_layers": 2}], ids=str)
def test_steps_and_reads_of_one_row_may_alternate(make_model, textbook, cell, shape, ids):
    """A step may prepare the next one; whatever comes in between must not see that."""
    config, tensors, model = make_model(**cell, **shape)
    row, state, logits = ids[:1], model.initial_state(1), []
    for start in range(0, 20, 4):
        logits += [model.step(row[:, start + i], state)[0] for i in range(2)]
        logits += [*model.read(row[:, start + 2 : start + 4], state)[0].transpose(1, 0, 2)]
        state = model.select(state, np.array([0]))
    np.testing.assert_allclose(np.stack(logits, axis=1), textbook(config, tensors, row), atol=1e-5)


def copied(module, config):
    """The tensors of a torch module `nn.LSTM`, `nn.GRU` or `nn.RNN` under the engine's names."""
    tensors = {}
    hidden = config.hidden_size
    for layer in range(config.num_layers):
        part = {
            n: getattr(module, f"{n}_l{layer}").detach().numpy() for n in ("weight_ih", "weight_hh")
        }
        tensors |= {f"layers.{layer}.{name}": value for name, value in part.items()}
        bias = getattr(module, f"bias_ih_l{layer}").detach().numpy().copy()
        recurrent = getattr(module, f"bias_hh_l{layer}").detach().numpy()
        if config.cell == "gru":
            bias[: 2 * hidden] += recurrent[: 2 * hidden]
            tensors[f"layers.{layer}.bias_hn"] = recurrent[2 * hidden :]
        else:
            bias += recurrent
        tensors[f"layers.{layer}.bias"] = bias
    return tensors


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("hidden_size", [16, 96])
def test_the_model_equals_torch_in_float32(kind, hidden_size):
    torch.manual_seed(7)
    config = LanguageModelConfig(
        vocab_size=30, cell=kind, embedding_dim=24, hidden_size=hidden_size, num_layers=2
    )
    module = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind](
        24, hidden_size, 2, batch_first=True
    )
    embed, output = nn.Embedding(31, 24), nn.Linear(hidden_size, 30)
    ids = torch.randint(0, 31, (4, 60))
    with torch.no_grad():
        expected = output(module(embed(ids))[0]).numpy()
    tensors = copied(module, config) | {
        "embedding.weight": embed.weight.detach().numpy(),
        "output.weight": output.weight.detach().numpy(),
        "output.bias": output.bias.detach().numpy(),
    }
    model = LanguageModel(config, tensors)
    found, _ = model.read(ids.numpy(), model.initial_state(4))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(by_steps(model, ids.numpy()[:1]), expected[:1], atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_chunks_with_the_state_carried_equal_the_whole(make_model, cell, ids, batch):
    _, _, model = make_model(num_layers=2, skip=True, **cell)
    rows = ids[:batch]
    whole, end = model.read(rows, model.initial_state(batch))
    first, state = model.read(rows[:, :7], model.initial_state(batch))
    second, state = model.read(rows[:, 7:], state)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=2e-6)
    np.testing.assert_allclose(state.to_array(), end.to_array(), atol=2e-6)


def test_later_ids_leave_earlier_logits_alone(make_model, cell, ids):
    _, _, model = make_model(num_layers=2, **cell)
    changed = ids.copy()
    changed[:, 12:] = (changed[:, 12:] + 1) % 11
    before, _ = model.read(ids, model.initial_state(3))
    after, _ = model.read(changed, model.initial_state(3))
    np.testing.assert_array_equal(before[:, :12], after[:, :12])
    assert abs(before[:, 12:] - after[:, 12:]).max() > 1e-3


def test_select_reorders_and_repeats_rows(make_model, cell, ids):
    _, _, model = make_model(num_layers=2, **cell)
    _, state = model.read(ids, model.initial_state(3))
    chosen = model.select(state, np.array([2, 0, 2, 1]))
    logits, _ = model.step(np.array([4, 4, 4, 4]), chosen)
    single, _ = model.step(np.array([4, 4, 4]), state)
    np.testing.assert_allclose(logits, single[[2, 0, 2, 1]], atol=2e-6)


def test_a_selected_state_is_a_copy_that_later_steps_do_not_reach(make_model, cell):
    _, _, model = make_model(**cell)
    state = model.initial_state(1)
    model.step(np.array([1]), state)
    kept = model.select(state, np.array([0]))
    values = kept.to_array()
    model.step(np.array([2]), state)
    np.testing.assert_array_equal(kept.to_array(), values)
    assert abs(state.to_array() - values).max() > 1e-3


def test_logits_of_a_step_are_not_overwritten_by_the_next(make_model):
    _, _, model = make_model()
    state = model.initial_state(1)
    first, _ = model.step(np.array([1]), state)
    before = first.copy()
    model.step(np.array([2]), state)
    np.testing.assert_array_equal(first, before)


def test_the_bits_of_a_text_do_not_depend_on_what_was_read_before(make_model):
    _, _, used = make_model(num_layers=2)
    _, _, fresh = make_model(num_layers=2)
    used.read(np.arange(11)[None], used.initial_state(1))
    ids = np.array([[3, 1, 4, 1, 5]])
    np.testing.assert_array_equal(
        used.read(ids, used.initial_state(1))[0], fresh.read(ids, fresh.initial_state(1))[0]
    )


def test_prepared_ids_are_not_computed_again(make_model):
    """What threads rely on: reading such ids writes nothing that they share."""
    config, _, model = make_model()
    model.prepare(np.array([[0, 2], [1, 1]]))
    filled = model._inputs[0].filled
    assert np.flatnonzero(filled).tolist() == [0, 1, 2, config.bos_id]


def test_a_vocabulary_too_large_for_a_table_gives_the_same(make_model, monkeypatch, ids):
    _, tensors, with_table = make_model(num_layers=2, skip=True)
    monkeypatch.setattr(embedding, "TABLE_BYTES", 0)
    without = LanguageModel(with_table.config, tensors)
    for way in (lambda m: m.read(ids, m.initial_state(3))[0], lambda m: by_steps(m, ids[:1])):
        np.testing.assert_allclose(way(without), way(with_table), atol=2e-6)


def test_inputs_that_are_not_kept_give_the_same(make_model):
    _, tensors, keeping = make_model(num_layers=2, skip=True)
    plain = LanguageModel(keeping.config, tensors, keeps_inputs=False)
    many = np.random.default_rng(0).integers(0, plain.vocab_size, (3, 400))
    for ids in (many, many[:, :5], many[:1, :1]):
        found, expected = (
            model.read(ids, model.initial_state(len(ids)))[0] for model in (plain, keeping)
        )
        np.testing.assert_allclose(found, expected, atol=5e-6)
    assert not plain._inputs[0].table.size


def test_log_probs_are_normalised_logits(make_model, ids):
    _, _, model = make_model()
    logits, _ = model.read(ids, model.initial_state(3))
    log_probs, _ = model.log_probs(ids, model.initial_state(3))
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), np.ones((3, 20)), atol=1e-5)
    np.testing.assert_allclose(log_probs, log_softmax(logits), atol=1e-6)


def test_half_precision_tensors_are_read_as_the_numbers_they_hold(make_model, ids):
    config, tensors, _ = make_model()
    half = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    wide = {name: tensor.astype(np.float32) for name, tensor in half.items()}
    models = LanguageModel(config, half), LanguageModel(config, wide)
    found, expected = (model.read(ids, model.initial_state(3))[0] for model in models)
    np.testing.assert_array_equal(found, expected)


def test_eight_bit_tensors_are_read_with_a_scale_a_row(make_model, ids):
    config, tensors, _ = make_model()
    scale = np.linspace(0.01, 0.02, 32, dtype=np.float32)
    codes = np.random.default_rng(0).integers(-127, 128, (32, 8)).astype(np.int8)
    name = "layers.0.weight_hh"
    coded = LanguageModel(config, tensors | {name: codes, f"{name}.scale": scale})
    plain = LanguageModel(config, tensors | {name: codes * scale[:, None]})
    np.testing.assert_array_equal(
        coded.read(ids, coded.initial_state(3))[0], plain.read(ids, plain.initial_state(3))[0]
    )


def test_the_tensors_given_are_not_written_to(make_model, cell, ids):
    config, tensors, _ = make_model(num_layers=2, **cell)
    before = {name: tensor.copy() for name, tensor in tensors.items()}
    for tensor in tensors.values():
        tensor.flags.writeable = False
    model = LanguageModel(config, tensors)
    model.read(ids, model.initial_state(3))
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, before[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.pop("output.bias"),
            "the tensors do not fit the config: missing output.bias",
        ),
        (
            lambda t: t.update({"extra": np.zeros(1)}),
            "the tensors do not fit the config: unknown extra",
        ),
        (
            lambda t: t.update({"output.bias": np.zeros(12)}),
            "tensor output.bias has shape (12,), expected (11,)",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused(make_model, change, message):
    config, tensors, _ = make_model()
    change(tensors)
    with pytest.raises(CheckpointError) as error:
        LanguageModel(config, tensors)
    assert str(error.value) == message
