import math

import numpy as np
import pytest
import torch

from charlm.engine.config import LanguageModelConfig
from charlm.models import language_model
from charlm.models.chunked_loss import chunked_cross_entropy
from charlm.models.language_model import Dropouts, LanguageModel
from charlm.training import device_step, feeds
from charlm.training.batches import Streams
from charlm.training.device_step import DeviceStep
from charlm.training.feeds import HostFeed, ResidentFeed, id_type, uploaded
from charlm.training.loop import device_steps, train_steps
from charlm.training.optim import AveragedWeights, build_adamw
from charlm.training.resume import pack, unpack
from charlm.training.scaling import GROWS_AFTER, START, LossScale
from charlm.training.trainer import Trainer, TrainingDivergedError

VOCAB = 11
DROPS = Dropouts(output=0.2, input=0.1, layer=0.1, embedding=0.1, weight=0.2)
ENDS = np.arange(VOCAB) == 3
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    """Waking others for so little work takes longer than the work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def streams(ids=None, *, rows=6, bptt=5):
    if ids is None:
        ids = np.random.default_rng(0).integers(0, VOCAB, 400).astype(np.uint16)
    return Streams(
        ids,
        ENDS,
        bos_id=VOCAB,
        batch_size=rows,
        bptt=bptt,
        restart_probability=0.1,
        rng=np.random.default_rng(1),
    )


def trainer(dtype=torch.float64, cell="lstm", *, norm=0.3, drops=DROPS, rate=1e-2):
    config = LanguageModelConfig(
        vocab_size=VOCAB, cell=cell, hidden_size=8, embedding_dim=6, num_layers=2, skip=True
    )
    model = LanguageModel(config, drops)
    model.initialise(torch.Generator().manual_seed(1))
    model.to(dtype).use(dtype, backend="products")
    return Trainer(
        model=model,
        optimizer=build_adamw(model, learning_rate=rate, weight_decay=0.03),
        streams=streams(),
        generator=torch.Generator().manual_seed(2),
        learning_rate=rate,
        max_grad_norm=norm,
        averages=AveragedWeights(model.parameters(), 0.06),
    )


def weights_and_states(made):
    yield from made.model.parameters()
    yield from made.averages.averages
    yield from (part for layer in made.state for part in layer)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("norm", [0.05, 1e9])
def test_updates_of_a_device_are_those_of_the_loop(cell, norm):
    expected, made = trainer(cell=cell, norm=norm), trainer(cell=cell, norm=norm)
    plain = list(train_steps(expected, lambda: expected.step / 60))
    found = list(device_steps(made, lambda: made.step / 60))
    assert [u.step for u in found] == [u.step for u in plain] == list(range(1, 61))
    for one, other in zip(plain, found, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-10)
        assert other.grad_norm == pytest.approx(one.grad_norm, rel=1e-9)
        assert other.learning_rate == one.learning_rate
    for one, other in zip(weights_and_states(expected), weights_and_states(made), strict=True):
        torch.testing.assert_close(other, one, rtol=0.0, atol=1e-10)


def test_in_float32_they_are_equal_up_to_rounding():
    expected, made = trainer(torch.float32), trainer(torch.float32)
    plain = list(train_steps(expected, lambda: expected.step / 40))
    found = list(device_steps(made, lambda: made.step / 40))
    assert [u.loss for u in found] == pytest.approx([u.loss for u in plain], rel=1e-4)


def test_several_updates_are_told_as_one_and_the_rest_by_settle():
    plain, made = trainer(), trainer()
    losses = [u.loss for u in train_steps(plain, lambda: plain.step / 14)]
    made.read_every = 4
    told = []
    for update in device_steps(made, lambda: made.step / 14):
        told.append(update)
        if update.step == 4:
            assert made.step == 8  # the device is at later ones meanwhile
    assert [(u.step, u.steps) for u in told] == [(4, 4), (8, 4), (12, 4), (14, 2)]
    assert [u.loss for u in told] == pytest.approx(
        [np.mean(losses[:4]), np.mean(losses[4:8]), np.mean(losses[8:12]), np.mean(losses[12:])]
    )
    assert list(made.settle()) == []


def test_settle_tells_all_that_was_asked_for():
    made = trainer()
    made.read_every = 4
    steps = device_steps(made, lambda: made.step / 100)
    assert next(steps).step == 4
    assert [(u.step, u.steps) for u in made.settle()] == [(8, 4)]
    assert next(steps).step == 12
    assert next(steps).step == 16


def test_results_that_nobody_reads_do_not_run_over(monkeypatch):
    monkeypatch.setattr(device_step, "MOST_UNREAD", 3)
    made = trainer()
    made.read_every = 100
    assert [u.steps for u in device_steps(made, lambda: made.step / 8)] == [3, 3, 2]


@pytest.mark.parametrize(("seconds", "most"), [(0.0, 64), (0.1, 2), (9.0, 1)])
def test_slow_updates_are_told_the_sooner(monkeypatch, seconds, most):
    advance, clock = DeviceStep.advance, [0.0]

    def slow(queue, share):
        advance(queue, share)
        clock[0] += seconds

    monkeypatch.setattr(DeviceStep, "advance", slow)
    monkeypatch.setattr(device_step, "perf_counter", lambda: clock[0])
    made = trainer()
    made.read_every = 64
    told = list(device_steps(made, lambda: made.step / 200))
    assert told[-1].step == sum(update.steps for update in told) == 200
    assert [u.steps for u in told[:2]] == [8, 8]
    assert max(u.steps for u in told[2:]) <= most
    assert {64, 128, 192} <= {u.step for u in told}  # records are of the same steps all the same


@pytest.mark.parametrize("spoilt", ["loss", "gradient"])
def test_after_a_bad_update_weights_and_states_stay_those_before_it(spoilt):
    good, made = trainer(), trainer()
    list(device_steps(good, lambda: good.step / 1000 if good.step < 5 else 1.0))
    made.read_every = 4
    updates = device_steps(made, lambda: _spoil(made, spoilt))
    assert next(updates).step == 4
    with pytest.raises(TrainingDivergedError) as raised:
        next(updates)
    assert str(raised.value).startswith("training diverged at step 6: the ")
    assert made.step == 5
    states = [part for layer in made.state for part in layer]
    expected = [part for layer in good.state for part in layer]
    for one, other in zip(expected, states, strict=True):
        torch.testing.assert_close(other, one, rtol=0.0, atol=1e-12)
    assert all(bool(p.isfinite().all()) for p in made.model.parameters())
    steps = {int(made.optimizer.state[p]["step"]) for p in made.model.parameters()}
    assert steps == {5}
    assert list(made.settle()) == []


def _spoil(made, how):
    """Let the sixth update fail, and later ones be asked for."""
    if made.step == 5:
        bias = made.model.output.bias
        if how == "loss":
            bias.register_hook(lambda grad: grad)
            made.model.loss_before = made.model.loss
            made.model.loss = lambda *args: _times(made.model.loss_before(*args), math.nan)
        else:
            bias.register_hook(lambda grad: grad * math.inf)
    return made.step / 1000 if made.step < 12 else 1.0


def _times(found, factor):
    return found[0] * factor, found[1]


def test_a_run_goes_on_from_a_saved_state_as_if_it_had_not_stopped():
    whole, first, second = trainer(), trainer(), trainer()
    list(device_steps(whole, lambda: whole.step / 30))
    list(device_steps(first, lambda: first.step / 30 if first.step < 13 else 1.0))
    unpack(second, *pack(first))
    list(device_steps(second, lambda: second.step / 30))
    for one, other in zip(weights_and_states(whole), weights_and_states(second), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", [ResidentFeed, HostFeed])
def test_feeds_hold_the_windows_that_readers_return(kind):
    expected, feed = streams(), kind(streams(), CPU)
    for _ in range(80):
        window = expected.next_window()
        feed.send()
        found = feed.window()
        assert torch.equal(found.inputs, torch.from_numpy(window.inputs))
        assert torch.equal(found.targets, torch.from_numpy(window.targets))
        assert torch.equal(found.kept == 0, torch.from_numpy(window.restarted))


def test_ids_lie_in_the_smallest_type(monkeypatch):
    assert [id_type(n) for n in (255, 256, 32_767, 32_768)] == [
        torch.uint8,
        torch.int16,
        torch.int16,
        torch.int32,
    ]
    monkeypatch.setattr("charlm.training.feeds.UPLOAD_TOKENS", 3)
    ids = np.array([1, 2, 70_000, 4, 5, 6, 7], dtype=np.uint32)
    found = uploaded(ids, CPU)
    assert found.dtype == torch.int32
    assert found.tolist() == ids.tolist()


def test_a_loss_scale_is_halved_by_an_overflow_and_doubled_after_many_updates_without():
    scale = LossScale(CPU)
    yes, no = torch.tensor(True), torch.tensor(False)
    scale.learn(yes)
    scale.learn(no)
    assert scale.values.tolist() == [START / 2, 0.0]
    for _ in range(int(GROWS_AFTER)):
        scale.learn(yes)
    assert scale.values.tolist() == [START, 0.0]
    for _ in range(40):
        scale.learn(no)
    assert bool(scale.at_its_least())


def test_an_overflow_of_scaled_gradients_costs_an_update_and_no_more():
    made = trainer(torch.float32)
    made.scale = LossScale(CPU)
    made.scale.values[0] = 2.0**24
    made.model.output.bias.register_hook(
        lambda grad: torch.where(made.scale.factor > 2.0**22, grad * math.inf, grad)
    )
    found = list(device_steps(made, lambda: made.step / 100 if made.step < 20 else 1.0))
    steps = {int(made.optimizer.state[p]["step"]) for p in made.model.parameters()}
    assert steps == {18}  # 2**24 and 2**23 were too large
    assert float(made.scale.factor) == 2.0**22
    assert [math.isfinite(update.grad_norm) for update in found] == [False] * 2 + [True] * 18


class OnMeta:
    """A relay to a device whose tensors have no values."""

    def __init__(self, shape, dtype, device):
        self.buffer = torch.zeros(shape, dtype=dtype, device=device)


@pytest.mark.parametrize(
    ("cell", "dtype", "backend", "sampled"),
    [
        ("lstm", torch.float16, "padded", False),
        ("lstm", torch.float16, "stacked", False),
        ("lstm", torch.bfloat16, "cudnn", True),
        ("lstm", torch.float32, "native", False),
        ("gru", torch.float16, "native", False),
        ("rnn", torch.float32, "native", False),
    ],
)
def test_an_update_looks_at_no_value_and_stays_on_its_device(
    monkeypatch, cell, dtype, backend, sampled
):
    """Both would fail here: a value cannot be asked for, nor tensors of two devices be mixed."""
    meta = torch.device("meta")

    def adamw(moved, grads, *lists, lr, found_inf, **settings):
        for parameter, grad in zip(moved, grads, strict=True):
            parameter.add_(grad * lr * found_inf)

    def mask(shape, p, like, generator):
        return torch.empty(shape, dtype=like.dtype, device=like.device)

    monkeypatch.setattr(torch, "_fused_adamw_", adamw)  # has no form without values
    monkeypatch.setattr("charlm.models.layers.dropout_mask", mask)
    monkeypatch.setattr("charlm.models.language_model.dropout_mask", mask)
    monkeypatch.setattr(feeds, "Relay", OnMeta)
    monkeypatch.setattr(device_step, "Relay", OnMeta)
    made = trainer(torch.float32, cell)
    made.model.to(meta).use(dtype, backend=backend)
    made.optimizer = build_adamw(made.model, learning_rate=0.1, weight_decay=0.1)
    made.averages = AveragedWeights(made.model.parameters(), 0.1)
    if sampled:
        made.model.sample_outputs(torch.zeros(VOCAB), 4)
        drawn = torch.zeros(4, dtype=torch.int64, device=meta)
        monkeypatch.setattr(made.model.proposal, "draw", lambda generator: drawn)
    step = DeviceStep(made)
    for _ in range(4):  # the fourth averages
        step._work()
        made.averages.update(step.moved)
    assert {part.device for layer in made.state for part in layer} == {meta}


@pytest.mark.parametrize("backend", ["padded", "stacked"])
def test_float16_learns_what_float32_does(monkeypatch, backend):
    """The kernel for the loss on CPUs has no float16, the parts for GPUs have."""
    monkeypatch.setattr(language_model, "linear_cross_entropy", chunked_cross_entropy)
    plain, made = trainer(torch.float32, drops=Dropouts()), trainer(torch.float32, drops=Dropouts())
    made.model.use(torch.float16, backend=backend)
    expected = list(device_steps(plain, lambda: plain.step / 60))
    found = list(device_steps(made, lambda: made.step / 60))
    assert [u.loss for u in found] == pytest.approx([u.loss for u in expected], rel=1e-2)
    assert [u.grad_norm for u in found] == pytest.approx([u.grad_norm for u in expected], rel=0.1)
    assert float(made.scale.factor) == START
