"""The number of BLAS threads is chosen by trial, restored after, and left to who has set it."""

import numpy as np
import pytest

from charlm.engine import blas
from charlm.engine.blas import StepThreads, blas_threads


class FakeBlas:
    """A thread count to get and put, as OpenBLAS has one."""

    def __init__(self, count=2):
        self.count = count
        self.puts = []

    def get(self):
        return self.count

    def put(self, count):
        self.count = count
        self.puts.append(count)


@pytest.fixture
def fake(monkeypatch):
    controls = FakeBlas()
    monkeypatch.setattr(blas, "_controls", lambda: (controls.get, controls.put))
    monkeypatch.setattr(blas, "cpu_count", lambda: 2)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return controls


LARGE = 16 * 2**20


def run_steps(threads, fake, steps, seconds):
    """Run steps that take `seconds[count]`; return the thread count of each."""
    clock = [0.0]
    threads._clock = lambda: clock[0]
    counts = []

    def step():
        counts.append(fake.count)
        clock[0] += seconds[fake.count]

    for _ in range(steps):
        threads.run(step)
    return counts


def test_the_count_is_restored_even_after_an_error(fake):
    with pytest.raises(KeyError), blas_threads(1):
        raise KeyError(fake.count)
    assert (fake.puts, fake.count) == ([1, 2], 2)


def test_none_changes_nothing(fake):
    with blas_threads(None):
        pass
    assert fake.puts == []


def test_who_set_the_count_by_hand_is_left_alone(fake, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with blas_threads(1):
        StepThreads(LARGE).run(lambda: None)
    assert fake.puts == []


def test_small_models_stay_on_one_thread(fake):
    counts = run_steps(StepThreads(2**20), fake, 9_000, {1: 1.0, 2: 0.1})
    assert set(counts) == {1}
    assert fake.count == 2


def test_more_threads_are_taken_where_they_are_faster(fake):
    counts = run_steps(StepThreads(LARGE), fake, 200, {1: 1.0, 2: 0.6})
    assert counts[:73] == [1] * 73
    assert counts[73:] == [2] * 127


def test_one_thread_stays_where_more_are_not_faster(fake):
    counts = run_steps(StepThreads(LARGE), fake, 200, {1: 1.0, 2: 0.95})
    assert counts[73:82] == [2] * 9
    assert counts[82:] == [1] * 118


def test_a_trial_is_made_again_after_a_while(fake):
    counts = run_steps(StepThreads(LARGE), fake, 9_000, {1: 1.0, 2: 5.0})
    assert counts.count(2) == 3 * StepThreads.PROBES


def test_a_slow_step_ends_the_use_of_more_threads(fake):
    threads = StepThreads(LARGE)
    run_steps(threads, fake, 200, {1: 1.0, 2: 0.6})
    counts = run_steps(threads, fake, 3, {1: 1.0, 2: 9.0})
    assert counts == [2, 1, 1]


def test_a_step_gives_the_same_bits_on_one_thread_and_on_many(make_model):
    """What lets a model change the number as it runs; on another BLAS nothing is changed."""
    _, _, model = make_model(hidden_size=256, num_layers=2, vocab_size=65)
    found = []
    for count in (1, 2):
        state = model.initial_state(1)
        with blas_threads(count):
            steps = [model._step_one(token, state) for token in range(20)]
        found.append(np.concatenate(steps))
    np.testing.assert_array_equal(found[0], found[1])


def test_without_openblas_everything_still_runs(monkeypatch):
    monkeypatch.setattr(blas, "_controls", lambda: None)
    with blas_threads(1):
        assert StepThreads(LARGE).run(lambda x: x + 1, 2) == 3
