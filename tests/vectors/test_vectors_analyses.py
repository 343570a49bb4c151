"""Evaluation sets, clusters, projections, phrases, GloVe and PMI, on what can be reckoned."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import CorpusError, TaskError
from charlm.metrics.ranking import ranks, spearman
from charlm.vectors import evaluation
from charlm.vectors.clustering import cluster
from charlm.vectors.evaluation import Pair, Section, SectionResult, parse_questions
from charlm.vectors.factorised import PmiTrainer
from charlm.vectors.glove import GloveTrainer
from charlm.vectors.pairs import PairCounter, Pairs, count_followers, count_near
from charlm.vectors.phrases import choose_phrases, join_phrases
from charlm.vectors.projection import principal_components, tsne
from charlm.vectors.space import Space, unit
from charlm.vectors.words import Words

from .conftest import stream_of


def test_spearman_with_ties_is_pearson_of_mean_ranks():
    assert spearman(np.array([1, 2, 2, 4]), np.array([10, 30, 20, 40])) == pytest.approx(
        np.corrcoef([1, 2.5, 2.5, 4], [1, 3, 2, 4])[0, 1]
    )
    assert np.isnan(spearman(np.array([1, 1]), np.array([1, 2])))


@given(st.lists(st.integers(-5, 5), min_size=1))
def test_ranks_add_up_to_those_without_ties(values):
    assert ranks(np.array(values)).sum() == pytest.approx(len(values) * (len(values) + 1) / 2)


def test_analogies_are_read_in_sections_and_pairs_with_scores():
    assert parse_questions(": capitals\nParis France Rome Italy\n: gram1\na b c d\n", "f") == [
        Section("capitals", [("Paris", "France", "Rome", "Italy")]),
        Section("gram1", [("a", "b", "c", "d")]),
    ]
    assert parse_questions("Word 1\tWord 2\tHuman\ncat\tdog\t7.5\n", "f") == [
        Pair("cat", "dog", 7.5)
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f: neither analogies nor pairs of words in it"),
        (
            "a b c d\na b c\n",
            "f, line 2: 'a b c'; expected four words (an analogy) or two words and a number (a "
            "pair), the same on all lines",
        ),
        (
            "a b 1\nc d x\n",
            "f, line 2: 'c d x'; expected four words (an analogy) or two words and a number (a "
            "pair), the same on all lines",
        ),
    ],
)
def test_a_file_that_is_neither_is_refused(text, message):
    with pytest.raises(CorpusError) as told:
        parse_questions(text, "f")
    assert str(told.value) == message


def test_only_questions_whose_words_are_all_known_count():
    names = ["man", "king", "woman", "queen", "pear"]
    matrix = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 1]], np.float32)
    space = Space(Words.of(names), matrix)
    sections = [
        Section("family", [("Man", "king", "woman", "queen"), ("man", "king", "woman", "pear")]),
        Section("gram1", [("man", "king", "cat", "dog")]),
    ]
    found = evaluation.answer_analogies(space, sections)
    assert found == [
        SectionResult(name="family", right=1, covered=2, total=2),
        SectionResult(name="gram1", right=0, covered=0, total=1),
    ]
    assert evaluation.answer_analogies(space, sections, limit=3)[0].covered == 0
    assert evaluation.answer_analogies(space, sections, method="3cosmul")[0].right == 1
    assert evaluation.judge_pairs(space, [Pair("a", "b", 1.0)])[1] == 0


def test_clusters_are_the_directions_that_there_are():
    rng = np.random.default_rng(0)
    centers = np.eye(4, 6)
    rows = unit(np.repeat(centers, 10, axis=0) + rng.normal(size=(40, 6)) * 0.05)
    found = cluster(rows, 4)
    groups = [set(found.labels[place : place + 10]) for place in range(0, 40, 10)]
    assert all(len(group) == 1 for group in groups)
    assert len(set.union(*groups)) == 4
    assert found.cohesion > 0.98


def test_as_many_clusters_as_rows_are_the_rows_even_with_twins():
    rows = unit(np.array([[1.0, 0], [1, 0], [0, 1]]))
    assert cluster(rows, 3).cohesion == pytest.approx(1.0)


def test_principal_components_find_the_axis_of_largest_spread():
    rows = np.array([[0, 0, 5], [0, 1, -5], [0, -1, 5], [0, 0, -5]], np.float32)
    found = principal_components(rows)
    assert np.abs(found[:, 0]) == pytest.approx([5, 5, 5, 5], abs=0.3)
    assert principal_components(np.ones((3, 1), np.float32)).shape == (3, 2)


def test_tsne_keeps_groups_apart():
    rng = np.random.default_rng(1)
    rows = (np.repeat(np.eye(3, 8), 15, axis=0) * 5 + rng.normal(size=(45, 8))).astype(np.float32)
    points = tsne(rows, perplexity=10, rounds=400)
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(distances, np.inf)
    labels = np.repeat(np.arange(3), 15)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.95
    np.testing.assert_array_equal(points, tsne(rows, perplexity=10, rounds=400))


@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=1, max_size=12),
    st.integers(1, 3),
)
def test_pairs_near_each_other_are_counted_as_by_hand(texts, window):
    stream, names = stream_of(texts)
    wanted: dict[tuple[int, int], float] = {}
    for text in texts:
        for (i, a), (j, b) in itertools.combinations(enumerate(text), 2):
            if j - i <= window:
                key = tuple(sorted((names.index(a), names.index(b))))
                wanted[key] = wanted.get(key, 0.0) + 1 / (j - i)
    counter = PairCounter(1 / np.arange(1, window + 1))
    for _ in count_near(stream, counter):
        pass
    keys, weights = counter.finish()
    size = len(names)
    found = {(int(k) // size, int(k) % size): float(w) for k, w in zip(keys, weights, strict=True)}
    assert found == pytest.approx(wanted)


def test_too_many_pairs_are_refused_before_memory_is_full():
    counter = PairCounter(np.ones(1), most=3)
    with pytest.raises(TaskError) as told:
        counter.add(np.arange(4))
    assert str(told.value) == (
        "more than 3 different pairs of words, which do not fit into memory; raise --min-count, "
        "or lower --window or --vocab-size"
    )


def test_words_seen_together_become_phrases():
    texts = [["new", "york", "is", "big"], ["new", "york"], ["is", "new"], ["big", "is", "big"]]
    stream, names = stream_of(texts * 10)
    counter = PairCounter(np.ones(1))
    for _ in count_followers(stream, counter):
        pass
    pairs = counter.finish()
    keys = choose_phrases(
        pairs, stream.counts, min_count=5, threshold=2.0
    )  # new york 2.75, is big 1.83
    size = len(names)
    assert [(names[k // size], names[k % size]) for k in keys] == [("new", "york")]
    words, joined = join_phrases(Words.of(names), stream, keys, min_count=5)
    assert dict(zip(words, joined.counts, strict=True)) == {
        "big": 30, "is": 30, "new_york": 20, "new": 10,
    }  # fmt: skip
    read = [words[i] if i >= 0 else "." for i in joined.read(0, 5)]
    assert read == ["new_york", "is", "big", "."]


def test_glove_comes_to_the_logarithms_of_the_counts():
    counts = np.array([50, 40, 30], dtype=np.int64)
    pairs = Pairs(np.array([1, 2, 5]), np.array([20, 3, 8], np.float32))
    trainer = GloveTrainer(pairs, counts, dim=4, epochs=400, learning_rate=0.05, seed=1)
    losses = [step.loss for step in trainer.run(1)]
    assert losses[-1] < 1e-3 * losses[0]


def test_a_step_of_glove_is_adagrad_on_the_published_loss():
    counts = np.array([5, 4], dtype=np.int64)
    pairs = Pairs(np.array([0]), np.array([2.0], np.float32))  # a word with itself: one way round
    trainer = GloveTrainer(pairs, counts, dim=3, epochs=1, learning_rate=0.1, seed=3)
    before = trainer.state()
    w, c = before["w"][0].astype(float), before["c"][0].astype(float)
    error = w[:3] @ c[:3] + w[3] + c[3] - np.log(2.0)
    pull = (2 / 10) ** 0.75 * error
    (step,) = trainer.run(1)
    assert step.loss == pytest.approx(0.5 * pull * error)
    for name, own, other in (("w", w, c), ("c", c, w)):
        gradient = pull * np.append(other[:3], 1.0)
        wanted = own - 0.1 * gradient / np.sqrt(1 + (0.1 * gradient) ** 2)
        np.testing.assert_allclose(trainer.state()[name][0], wanted, rtol=1e-5)


def test_glove_goes_on_where_it_stopped():
    rng = np.random.default_rng(0)
    keys = np.flatnonzero(np.triu(np.ones((400, 400))).ravel())
    pairs = Pairs(keys, rng.integers(1, 50, len(keys)).astype(np.float32))
    counts = np.full(400, 100, np.int64)

    def fresh():
        return GloveTrainer(pairs, counts, dim=5, epochs=3, learning_rate=0.05, seed=3)

    whole, begun, resumed = fresh(), fresh(), fresh()
    for _ in whole.run(1):
        pass
    for _ in begun.run(1):
        begun.stop()
    resumed.restore(begun.state())
    for _ in resumed.run(1):
        pass
    np.testing.assert_array_equal(resumed.word_vectors(), whole.word_vectors())


def test_pmi_vectors_are_those_of_a_full_decomposition():
    rng = np.random.default_rng(0)
    size, dim = 30, 5
    half = np.triu(rng.poisson(3, (size, size)))
    a, b = np.nonzero(half)
    pairs = Pairs((a * size + b).astype(np.int64), half[a, b].astype(np.float32))
    trainer = PmiTrainer(pairs, np.ones(size, np.int64), dim=dim, exponent=0.75, seed=1)
    for _ in trainer.run(2):
        pass
    counts = half + half.T
    margin = counts.sum(axis=1)
    smoothed = margin**0.75 / (margin**0.75).sum()
    with np.errstate(divide="ignore"):
        pmi = np.log(counts / margin.sum()) - np.log(np.outer(margin / margin.sum(), smoothed))
    left, values, _ = np.linalg.svd(np.maximum(pmi, 0.0))
    wanted = left[:, :dim] * np.sqrt(values[:dim])
    found = trainer.word_vectors()
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=2e-2)
