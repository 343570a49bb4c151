"""Training on a GPU by batches, run on PyTorch's CPU: published gradients, resumption, refusal."""

import dataclasses

import numpy as np
import pytest
import torch

from charlm.base.errors import TaskError
from charlm.vectors import cuda_batches
from charlm.vectors.cuda import build_cuda_trainer
from charlm.vectors.cuda_batches import BatchTrainer, centers_of_a_batch
from charlm.vectors.space import unit
from charlm.vectors.training import Settings

from .conftest import ANIMALS, FRUITS, stream_of, two_topics

SETTINGS = Settings(
    method="sgns",
    dim=12,
    window=3,
    num_negatives=5,
    subsample=0.0,
    ns_exponent=0.75,
    epochs=4,
    learning_rate=0.05,
    seed=1,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small products wait for each other where several threads share them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def topics():
    return stream_of([line.split() for line in two_topics(800).split("\n") if line])


def trainer_for(stream, **changed):
    return BatchTrainer(stream, dataclasses.replace(SETTINGS, **changed), torch.device("cpu"))


def trained(stream, **changed):
    trainer = trainer_for(stream, **changed)
    for _ in trainer.run(1):
        pass
    return trainer


@pytest.mark.parametrize("method", ["sgns", "cbow"])
def test_a_batch_follows_the_published_gradient(topics, monkeypatch, method):
    monkeypatch.setattr(cuda_batches, "MOST_CHANGE", np.inf)
    trainer = trainer_for(topics[0], method=method)
    random = torch.Generator()
    rng = np.random.default_rng(0)
    for name in ("w", "c"):
        shape = getattr(trainer, name).shape
        setattr(trainer, name, torch.from_numpy(rng.normal(size=shape)))
    kept = torch.from_numpy(topics[0].read(0, 60).astype(np.int64))
    texts, places = (kept < 0).cumsum(0), torch.arange(20, 45)
    w, c = (one.clone().requires_grad_() for one in (trainer.w, trainer.c))
    near, is_near = trainer._near(kept, texts, places, random.manual_seed(3))
    outs, counts = trainer._outs(kept[places], random)
    rate, loss = 0.05, torch.zeros((), dtype=torch.float64)
    for row in range(len(places)):
        inputs = w[near[row, is_near[row]]]
        if method == "cbow" and len(inputs):
            inputs = inputs.mean(0, keepdim=True)
        loss = loss - torch.nn.functional.logsigmoid(inputs @ c[outs[row, 0]]).sum()
        negatives = c[outs[row, 1:][counts[row, 1:]]]
        loss = loss - torch.nn.functional.logsigmoid(-inputs @ negatives.T).sum()
    loss.backward()
    told = torch.zeros(2, dtype=torch.float64)
    rates = torch.full((len(places),), rate, dtype=torch.float64)
    trainer._batch(kept, texts, places, rates, random.manual_seed(3), told)
    torch.testing.assert_close(trainer.w, (w - rate * w.grad).detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(trainer.c, (c - rate * c.grad).detach(), rtol=0, atol=1e-12)
    assert told[0].item() == pytest.approx(loss.item())


def test_windows_shrink_and_stay_within_a_text(topics):
    trainer = trainer_for(topics[0], window=4)
    kept = torch.tensor([0, 1, 2, 3, 4, -1, 5, 6, 7, 8, 9, -1] * 500)
    texts, places = (kept < 0).cumsum(0), torch.arange(len(kept))
    near, is_near = trainer._near(kept, texts, places, torch.Generator().manual_seed(1))
    of_two = is_near[kept == 2]
    assert not is_near[kept < 0].any()
    assert set(near[kept == 4][is_near[kept == 4]].tolist()) == {0, 1, 2, 3}
    # columns: 1 to 4 places before, then 1 to 4 behind
    shares = of_two.double().mean(0)
    wanted = torch.tensor([1, 0.75, 0, 0, 1, 0.75, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(shares, wanted, rtol=0, atol=0.08)


def test_negatives_are_drawn_by_counts_to_the_power(topics):
    stream = topics[0]
    trainer = trainer_for(stream)
    centers = torch.zeros(20_000, dtype=torch.int64)
    outs, counts = trainer._outs(centers, torch.Generator().manual_seed(1))
    assert not outs[:, 0].any()
    assert counts[:, 0].all()
    torch.testing.assert_close(counts[:, 1:], outs[:, 1:] != 0)
    drawn = np.bincount(outs[:, 1:].flatten().numpy(), minlength=len(stream.counts)) / 1e5
    np.testing.assert_allclose(drawn, stream.counts**0.75 / (stream.counts**0.75).sum(), atol=0.01)


@pytest.mark.parametrize("method", ["sgns", "cbow"])
def test_words_used_alike_come_to_lie_together(topics, method):
    stream, names = topics
    trainer = trained(stream, method=method, epochs=12)
    vectors = unit(trainer.word_vectors())
    rows = [names.index(word) for word in (*ANIMALS, *FRUITS)]
    cosines = vectors[rows] @ vectors[rows].T
    within = (cosines[:4, :4].sum() + cosines[4:, 4:].sum() - 8) / 24
    assert within > cosines[:4, 4:].mean() + 0.4
    assert trainer.epoch_loss()[-1] < trainer.epoch_loss()[0]


def test_a_stopped_training_goes_on_to_the_same_vectors(topics):
    whole, begun, resumed = trained(topics[0]), trainer_for(topics[0]), trainer_for(topics[0])
    for progress in begun.run(1):
        if progress.pieces == whole.total // 2:
            begun.stop()
    resumed.restore(begun.state())
    for _ in resumed.run(1):
        pass
    np.testing.assert_array_equal(resumed.word_vectors(), whole.word_vectors())


@pytest.mark.parametrize("seed", range(5))
def test_every_vector_is_finite_at_a_high_rate(topics, seed):
    assert np.isfinite(trained(topics[0], seed=seed, learning_rate=0.5).word_vectors()).all()


def test_batches_are_small_where_one_word_is_much_of_the_text():
    assert centers_of_a_batch(np.array([10, 1]), 0.0) == 16
    assert centers_of_a_batch(np.full(10_000, 7), 0.0) == 1_024


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_one_line_says_so(topics, charlm, home):
    with pytest.raises(TaskError, match="no CUDA device was found"):
        build_cuda_trainer(topics[0], SETTINGS)
    (home / "t.txt").write_text(two_topics(100))
    status, out, err = charlm("train", "vectors", "t.txt", "--device", "cuda", "-q")
    assert (status, out) == (1, "")
    assert err == ("charlm: no CUDA device was found; use --device cpu, or auto\n")
    status, _, err = charlm("train", "vectors", "t.txt", "--device", "cuda", "--method", "glove")
    assert status == 1
    assert err.splitlines()[-1] == (
        "charlm: glove is trained on the CPU only; leave --device cuda out"
    )
