"""Training on a GPU by kernels of our own, run in NumPy: each number against a plain reference."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from charlm.tasks import train_vectors_device
from charlm.vectors.cuda_programs import (
    ProgramTrainer,
    programs_in_step,
    seed_of,
    thin_out,
)
from charlm.vectors.sampling import keep_chances, negative_chances
from charlm.vectors.training import Settings, Trainer

from . import triton_stand_in as stand_in
from .conftest import stream_of, two_topics

SETTINGS = Settings(
    method="sgns",
    dim=12,
    window=3,
    num_negatives=5,
    subsample=0.0,
    ns_exponent=0.75,
    epochs=1,
    learning_rate=0.05,
    seed=1,
)
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def kernels(monkeypatch):
    return stand_in.put_in(monkeypatch)


def lines_of(number, seed=0):
    return [line.split() for line in two_topics(number, seed).split("\n") if line]


def trainer_for(stream, **changed):
    return ProgramTrainer(stream, dataclasses.replace(SETTINGS, **changed), CPU)


def trained(stream, **changed):
    trainer = trainer_for(stream, **changed)
    for _ in trainer.run(1):
        pass
    return trainer


def drawn(trainer, center, place, seed):
    """Return how far the window of a place reaches, and its negatives, as the kernels say."""
    settings, size = trainer.settings, len(trainer._others)
    slots = 1 << settings.num_negatives.bit_length()
    reach, negatives = 0, []
    for slot in range(settings.num_negatives + 1):
        bits = [int(one) for one in stand_in.randint4x(seed, np.int32(place * slots + slot))]
        if slot == 0:
            reach = 1 + (bits[0] * settings.window >> 32)
            continue
        for first, second in (bits[:2], bits[2:]):
            word = first * size >> 32
            word = word if second < trainer._cuts[word] else int(trainer._others[word])
            if word != center:
                negatives.append(word)
                break
    return reach, negatives


def near_words(words, place, reach):
    """Return the words around a place as far as its text goes, in their order."""
    found = []
    for step in (-1, 1):
        q = place + step
        while 0 <= q < len(words) and words[q] >= 0 and abs(q - place) <= reach:
            found.append(q)
            q += step
    return [words[q] for q in sorted(found)]


def reference(trainer, words):
    """Return W and C after the only piece, and its mean loss: pair by pair, in float64."""
    settings, loss, pairs = trainer.settings, 0.0, 0
    w, c = (one.numpy().astype(np.float64) for one in (trainer.w, trainer.c))
    for place, center in enumerate(words):
        if center < 0:
            continue
        reach, negatives = drawn(trainer, center, place, seed_of(settings.seed, 0))
        rate = trainer.rate(0) + (trainer.rate(1) - trainer.rate(0)) * place / len(words)
        near, outs = near_words(words, place, reach), [center, *negatives]
        if not near:
            continue
        groups = [near] if settings.method == "cbow" else [[word] for word in near]
        # a row is read before the one ahead of it has changed
        inputs = [w[group].mean(0) for group in groups[:1]]
        rows, changes, labels = c[outs], np.zeros_like(c[outs]), np.arange(len(outs)) == 0
        for number, group in enumerate(groups):
            inputs += [w[ahead].mean(0) for ahead in groups[number + 1 : number + 2]]
            logits = rows @ inputs[number]
            pulls = rate * (labels - 1 / (1 + np.exp(-logits)))
            np.add.at(w, group, pulls @ rows / len(group))
            changes += np.outer(pulls, inputs[number])
            if number % 4 == 3:
                rows = c[outs] + changes
            if place % 16 == 0:
                loss += np.logaddexp(0, np.where(labels, -logits, logits)).sum()
                pairs += 1
        # a word drawn twice is changed by both, as they were before
        np.add.at(c, outs, changes)
    return w, c, loss / pairs


def test_random_numbers_are_those_of_philox():
    """The first known answers of Random123, whose order Triton keeps."""
    found = stand_in.randint4x(0, np.int32(0))
    assert [hex(int(bits)) for bits in found] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]


def test_one_centre_moves_as_computed_by_hand(monkeypatch):
    """Two words, one negative: the centre is 0, the word beside it 1, and so is the negative."""
    stream, _ = stream_of([["a", "b"]])
    trainer = trainer_for(stream, dim=2, num_negatives=1, window=1, learning_rate=0.5)
    trainer.programs = 1
    trainer.w[:, :2] = torch.tensor([[0.0, 0.0], [2.0, 1.0]])
    trainer.c[:, :2] = torch.tensor([[1.0, -1.0], [0.5, 0.0]])
    # the second word is another text's: only the first is a centre with a word beside it
    monkeypatch.setattr(
        "charlm.vectors.cuda_programs.thin_out",
        lambda *_: tuple(
            torch.tensor(numbers, dtype=torch.int32) for numbers in ([0, 1], [0, 2], [2, 2], [2])
        ),
    )
    loss, pairs = trainer._launch(torch.zeros(2, dtype=torch.int32), 0).tolist()
    # dots: (2, 1).(1, -1) = 1 and (2, 1).(0.5, 0) = 1; sigmoid(1) = s
    s = 1 / (1 + math.exp(-1))
    up, down = 0.5 * (1 - s), -0.5 * s
    assert trainer.w[1, :2].tolist() == pytest.approx([2 + up + 0.5 * down, 1 - up])
    assert trainer.c[0, :2].tolist() == pytest.approx([1 + 2 * up, -1 + up])
    assert trainer.c[1, :2].tolist() == pytest.approx([0.5 + 2 * down, down])
    assert trainer.w[0].tolist() == [0] * 16
    assert (loss, pairs) == (pytest.approx(-math.log(s) - math.log(1 - s)), 1)


@pytest.mark.parametrize("method", ["sgns", "cbow"])
@pytest.mark.parametrize(
    ("dim", "window", "num_negatives"), [(12, 3, 5), (17, 1, 1), (4, 9, 7), (40, 5, 12)]
)
def test_a_piece_trains_as_the_reference_does(method, dim, window, num_negatives):
    """The texts are of many lengths, and words stand beside themselves."""
    rng = np.random.default_rng(dim)
    texts = [[f"w{rng.integers(9)}" for _ in range(rng.integers(1, 12))] for _ in range(12)]
    stream, _ = stream_of(texts)
    trainer = trainer_for(
        stream, method=method, dim=dim, window=window, num_negatives=num_negatives
    )
    trainer.c[:, :dim] = torch.from_numpy(rng.normal(size=(len(stream.counts), dim)))
    w, c, loss = reference(trainer, stream.read(0, stream.tokens).tolist())
    (progress,) = trainer.run(1)
    np.testing.assert_allclose(trainer.w, w, atol=1e-6)
    np.testing.assert_allclose(trainer.c, c, atol=1e-5)
    assert progress.loss == pytest.approx(loss, rel=1e-5)
    assert (progress.pieces, progress.words) == (1, sum(map(len, texts)))


@pytest.mark.parametrize("programs", [2, 7, 1000])
def test_every_place_is_trained_once_whatever_the_number_of_programs(programs):
    """Run one after the other, programs do what one alone does; most of a thousand do nothing."""
    stream, _ = stream_of(lines_of(20))
    alone, shared = trainer_for(stream), trainer_for(stream)
    alone.programs, shared.programs = 1, programs
    (one,), (many,) = list(alone.run(1)), list(shared.run(1))
    np.testing.assert_array_equal(shared.w, alone.w)
    np.testing.assert_array_equal(shared.c, alone.c)
    assert many.loss == pytest.approx(one.loss)


def test_windows_do_not_reach_over_the_end_of_a_text():
    stream, _ = stream_of([["a"], ["b"], ["c"]] * 20)
    for method in ("sgns", "cbow"):
        before, after = trainer_for(stream, method=method), trained(stream, method=method)
        np.testing.assert_array_equal(after.w, before.w)
        assert not after.c.any()


def test_negatives_are_drawn_by_counts_to_the_power_and_windows_evenly(kernels):
    stream, _ = stream_of(lines_of(200))
    trainer = trainer_for(stream)
    cuts, others = (stand_in.Pointer(one.numpy()) for one in trainer._alias)
    size, counters = stand_in.block(np.int32(len(trainer._others))), np.arange(40_000)
    slots = stand_in.block(counters.astype(np.int32))
    center = stand_in.block(np.int32(0))
    outs, counts = kernels._outputs(center, 0, 7, cuts, others, size, slots, num_outs=40_000)
    np.testing.assert_array_equal(counts[1:], outs[1:] != 0)
    # the centre is drawn again once, then left out
    share = stream.counts**0.75 / (stream.counts**0.75).sum()
    wanted = share * (1 + share[0])
    wanted[0] = share[0] ** 2
    drawn = np.bincount(outs[1:], minlength=len(share)) / 40_000
    np.testing.assert_allclose(drawn, wanted, atol=0.008)
    reaches = kernels._reach(slots, 7, stand_in.block(np.int32(4)))
    np.testing.assert_allclose(np.bincount(reaches) / 40_000, [0, *[0.25] * 4], atol=0.01)


@given(st.lists(st.integers(-1, 5), max_size=60), st.integers(0, 2**32))
def test_thinned_texts_begin_and_end_where_a_plain_loop_says(words, seed):
    chances = torch.tensor([0.0, 1.0, 0.5, 0.2, 1.0, 0.9], dtype=torch.float64)
    found = thin_out(
        torch.tensor(words, dtype=torch.int32), chances, torch.Generator().manual_seed(seed)
    )
    drawn = torch.rand(
        len(words), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).tolist()
    kept = [word for word, lot in zip(words, drawn, strict=True) if word < 0 or lot < chances[word]]
    size = int(found.size)
    assert found.kept[:size].tolist() == kept
    for place, word in enumerate(kept):
        if word < 0:
            continue
        start, end = place, place
        while start > 0 and kept[start - 1] >= 0:
            start -= 1
        while end < size and kept[end] >= 0:
            end += 1
        assert (int(found.starts[place]), int(found.ends[place])) == (start, end)


def test_subsampling_keeps_each_word_as_often_as_wanted():
    counts = np.array([60_000, 20_000, 15_000, 4_900, 100])
    chances = keep_chances(counts, 0.01)
    words = np.random.default_rng(1).permutation(np.repeat(np.arange(5), counts))
    found = thin_out(
        torch.from_numpy(words.astype(np.int32)),
        torch.from_numpy(chances),
        torch.Generator().manual_seed(3),
    )
    kept = np.bincount(found.kept[: int(found.size)].numpy(), minlength=5)
    spread = np.sqrt(counts * chances * (1 - chances))
    assert (np.abs(kept - counts * chances) <= 4 * spread).all()


def whole_loss(trainer, words):
    """Return the mean loss that a text is expected to have, whatever is drawn."""
    settings, counts = trainer.settings, trainer.stream.counts
    weights = np.zeros((len(counts), len(counts)))
    for reach in range(1, settings.window + 1):
        for place, center in enumerate(words):
            for word in near_words(words, place, reach) if center >= 0 else ():
                weights[center, word] += 1
    trainer.state()  # fetches what lies on a GPU
    logits = trainer.contexts @ trainer.vectors.T
    others = negative_chances(counts, settings.ns_exponent)[:, None] * np.ones_like(logits)
    missed = np.logaddexp(0, -logits)
    for center in range(len(counts)):
        chances = others[:, 0].copy()
        chances[center] = 0
        missed[center] += settings.num_negatives * (
            chances / chances.sum() @ np.logaddexp(0, logits)
        )
    return float((weights * missed).sum() / weights.sum())


def test_a_text_is_learnt_as_well_as_on_the_cpu():
    stream, _ = stream_of(lines_of(100))
    settings = dataclasses.replace(SETTINGS, epochs=3, learning_rate=0.2)
    words = stream.read(0, stream.tokens).tolist()

    def judged(trainer):
        before = whole_loss(trainer, words)
        for _ in trainer.run(1):
            pass
        return before, whole_loss(trainer, words)

    begun, ours = judged(ProgramTrainer(stream, settings, CPU))
    on_cpu = [
        judged(Trainer(stream, dataclasses.replace(settings, seed=seed)))[1] for seed in range(8)
    ]
    assert ours < begun - 1
    assert ours == pytest.approx(np.mean(on_cpu), abs=4 * np.std(on_cpu, ddof=1) + 0.02)


def test_a_stopped_training_goes_on_to_the_same_vectors():
    stream, _ = stream_of(lines_of(15))
    whole, begun, resumed = trained(stream, epochs=4), *(trainer_for(stream, epochs=4),) * 2
    resumed = trainer_for(stream, epochs=4)
    for progress in begun.run(1):
        if progress.pieces == 1:
            begun.stop()
    assert begun.done == 2  # one was under way
    resumed.restore(begun.state())
    for _ in resumed.run(1):
        pass
    np.testing.assert_array_equal(resumed.word_vectors(), whole.word_vectors())
    assert resumed.epoch_loss() == whole.epoch_loss()


def test_a_text_larger_than_its_share_of_memory_is_read_again(monkeypatch):
    stream, _ = stream_of(lines_of(15))
    asked = []
    counted = dataclasses.replace(stream, read=lambda a, b: asked.append(a) or stream.read(a, b))
    held = trained(counted, epochs=3)
    assert asked == [0]
    monkeypatch.setattr("charlm.vectors.cuda_programs.MOST_HELD", 10)
    read_again = trained(counted, epochs=3)
    assert asked == [0, 0, 0, 0]
    np.testing.assert_array_equal(read_again.w, held.w)


def test_the_command_trains_saves_and_answers(charlm, home, monkeypatch):
    monkeypatch.setattr(train_vectors_device, "has_gpu", lambda: True)
    monkeypatch.setattr(
        "charlm.vectors.cuda.build_cuda_trainer",
        lambda stream, settings: ProgramTrainer(stream, settings, CPU),
    )
    (home / "t.txt").write_text(two_topics(60))
    status, out, err = charlm(
        *("train", "vectors", "t.txt", "-o", "t", "--epochs", "1", "--dim", "8", "--json", "-q")
    )
    assert (status, err) == (0, "")
    assert {"device": "cuda", "name": "t", "epochs": 1.0}.items() <= json.loads(out).items()
    status, out, _ = charlm("neighbors", "cat", "-m", "t", "-n", "3", "--json")
    assert status == 0
    assert len(out.splitlines()) == 3


def test_preparing_changes_nothing():
    trainer = trainer_for(stream_of(lines_of(5))[0])
    before = trainer.w.clone()
    trainer.prepare()
    torch.testing.assert_close(trainer.w, before, rtol=0, atol=0)
    assert not trainer.c.any()


def test_fewer_programs_share_a_text_of_few_words_or_great_steps():
    even = np.full(80, 100)
    # a word is 1/80 of the text; it is given 6 outputs x 4 words x 0.05 = 1.2 by a centre near it
    assert programs_in_step(even, SETTINGS) == pytest.approx(6 / (1.2 / 80), abs=1)
    steep = dataclasses.replace(SETTINGS, learning_rate=0.2)
    assert programs_in_step(even, steep) == pytest.approx(100, abs=1)
    cbow = dataclasses.replace(SETTINGS, method="cbow")
    assert programs_in_step(even, cbow) == pytest.approx(1600, abs=1)
    uneven = dataclasses.replace(SETTINGS, ns_exponent=2)  # the first word is always a negative
    assert programs_in_step(np.array([100, *[1] * 100]), uneven) == 5
    assert programs_in_step(np.array([9, 1]), dataclasses.replace(SETTINGS, learning_rate=9)) == 1


@pytest.mark.parametrize(
    ("dim", "num_negatives", "fits"),
    [(100, 5, True), (4096, 7, True), (4096, 8, False), (100, 60, True), (2000, 60, False)],
)
def test_large_outputs_are_left_to_batches(dim, num_negatives, fits):
    settings = dataclasses.replace(SETTINGS, dim=dim, num_negatives=num_negatives)
    assert ProgramTrainer.has_room_for(settings) is fits


@given(st.integers(0, 2**63 - 1), st.integers(0, 10**6))
def test_seeds_of_pieces_are_of_one_type_and_differ(seed, piece):
    assert 2**62 <= seed_of(seed, piece) < 2**63
    assert seed_of(seed, piece) != seed_of(seed, piece + 1)
