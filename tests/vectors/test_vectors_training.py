"""Skip-gram and CBOW: reproduced, resumed, finite, and learning what they should."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.vectors.sampling import alias_table, keep_chances, negative_chances, padded
from charlm.vectors.space import unit
from charlm.vectors.training import Settings, Trainer

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


def trained(stream, threads=1, **changed):
    trainer = Trainer(stream, dataclasses.replace(SETTINGS, **changed))
    for _ in trainer.run(threads):
        pass
    return trainer


@pytest.fixture(scope="module")
def topics():
    return stream_of([line.split() for line in two_topics(3000).split("\n") if line])


@pytest.mark.parametrize("method", ["sgns", "cbow"])
def test_one_thread_and_one_seed_give_the_same_vectors(topics, method):
    first, again, other = (trained(topics[0], method=method, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert not np.array_equal(first.vectors, other.vectors)


@pytest.mark.parametrize("method", ["sgns", "cbow"])
def test_a_stopped_training_goes_on_to_the_same_vectors(topics, method):
    whole = trained(topics[0], method=method)
    settings = dataclasses.replace(SETTINGS, method=method)
    begun = Trainer(topics[0], settings)
    for progress in begun.run(1):
        if progress.pieces == whole.total // 2:
            begun.stop()
    assert begun.done == whole.total // 2
    resumed = Trainer(topics[0], settings)
    resumed.restore(begun.state())
    for _ in resumed.run(1):
        pass
    np.testing.assert_array_equal(resumed.vectors, whole.vectors)
    np.testing.assert_array_equal(resumed.contexts, whole.contexts)
    assert resumed.epoch_loss() == whole.epoch_loss()


def test_a_state_of_another_text_is_refused(topics):
    state = trained(topics[0]).state()
    other, _ = stream_of([["a", "b"] * 50])
    with pytest.raises(ValueError, match="expected"):
        Trainer(other, SETTINGS).restore(state)


@pytest.mark.parametrize("seed", range(20))
def test_every_vector_is_finite_whatever_the_seed(topics, seed):
    trainer = trained(topics[0], seed=seed, learning_rate=0.5, epochs=2)
    assert np.isfinite(trainer.vectors).all()
    assert np.isfinite(trainer.contexts).all()


@pytest.mark.parametrize("method", ["sgns", "cbow"])
def test_words_used_alike_come_to_lie_together(topics, method):
    stream, names = topics
    vectors = unit(trained(stream, method=method, epochs=30).word_vectors())
    rows = [names.index(word) for word in (*ANIMALS, *FRUITS)]
    cosines = vectors[rows] @ vectors[rows].T
    within = (cosines[:4, :4].sum() + cosines[4:, 4:].sum() - 8) / 24
    assert within > cosines[:4, 4:].mean() + 0.5


def test_several_threads_train_every_piece_once(topics):
    trainer = trained(topics[0], threads=3)
    assert trainer.done == trainer.total
    assert np.isfinite(trainer.vectors).all()
    assert trainer.epoch_loss()[-1] < trainer.epoch_loss()[0]


def test_windows_do_not_reach_over_the_end_of_a_text():
    stream, _ = stream_of([["a"], ["b"], ["c"]] * 100)
    before = Trainer(stream, SETTINGS)
    after = trained(stream)
    np.testing.assert_array_equal(after.vectors, before.vectors)
    assert not after.contexts.any()


def test_the_learning_rate_falls_in_a_straight_line(topics):
    trainer = Trainer(topics[0], SETTINGS)
    assert trainer.rate(0) == 0.05
    assert trainer.rate(trainer.total // 2) == pytest.approx(0.025, rel=0.02)
    assert trainer.rate(trainer.total) == pytest.approx(0.05e-4)


def test_the_padding_of_rows_stays_zero(topics):
    trainer = trained(topics[0])
    assert not trainer.vectors[:, 12:].any()
    assert not trainer.contexts[:, 12:].any()


def test_fewer_than_two_words_cannot_be_trained():
    stream, _ = stream_of([["a"] * 10])
    with pytest.raises(ValueError, match="at least two words"):
        Trainer(stream, SETTINGS)


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=50))
def test_the_alias_table_draws_each_word_as_often_as_wanted(counts):
    chances = negative_chances(np.array(counts), 0.75)
    cuts, others = alias_table(chances)
    drawn = np.zeros(len(counts))
    for word, (cut, other) in enumerate(zip(cuts, others, strict=True)):
        share = cut / 2.0**32
        drawn[word] += share
        drawn[other] += 1 - share
    np.testing.assert_allclose(drawn / len(counts), chances, atol=1e-8)


def test_nothing_is_left_out_without_subsampling():
    np.testing.assert_array_equal(keep_chances(np.array([1000, 1]), 0.0), [1.0, 1.0])


@given(st.integers(1, 40), st.integers(1, 130))
def test_padded_rows_begin_where_a_line_of_the_cache_does(rows, columns):
    matrix = padded(rows, columns)
    assert matrix.shape[0] == rows
    assert matrix.shape[1] >= columns
    assert matrix.ctypes.data % 64 == matrix.strides[0] % 64 == 0
