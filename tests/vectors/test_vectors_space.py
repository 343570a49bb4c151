"""Neighbours and analogies on vectors small enough to reckon by hand; words looked up in bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import CheckpointError
from charlm.vectors.space import Space, unit
from charlm.vectors.spellings import near_spellings
from charlm.vectors.words import Words, distinct_names

ROOT = np.sqrt(0.5)


def space_of(**vectors):
    matrix = np.array(list(vectors.values()), dtype=np.float32)
    return Space(Words.of(vectors), matrix)


def test_neighbours_come_by_cosine_whatever_the_lengths():
    space = space_of(east=[9, 0], north=[0, 2], northeast=[0.1, 0.1], west=[-3, 0])
    found = space.nearest(np.array([2.0, 0.0], np.float32), 3, without={0})
    assert [one.word for one in found] == ["northeast", "north", "west"]
    assert [one.similarity for one in found] == pytest.approx([ROOT, 0.0, -1.0], abs=1e-6)


def test_a_zero_vector_is_near_to_nothing():
    space = space_of(a=[1, 0], zero=[0, 0], tiny=[1e-30, 0], huge=[1e30, 0])
    found = dict(space.nearest(np.array([1.0, 0.0], np.float32), 4))
    assert found == pytest.approx({"a": 1.0, "tiny": 1.0, "huge": 1.0, "zero": 0.0})


def test_an_analogy_leaves_out_the_words_it_was_given():
    space = space_of(
        man=[1, 0, 0], king=[1, 1, 0], woman=[0, 0, 1], queen=[0, 1, 1], pear=[1, 0, 1]
    )
    for method in ("3cosadd", "3cosmul"):
        found = space.analogy(0, 1, 2, 5, method=method)
        assert found[0].word == "queen"
        assert {one.word for one in found} == {"queen", "pear"}


def test_3cosmul_multiplies_cosines_moved_to_0_to_1():
    space = space_of(a=[1, 0], b=[0, 1], c=[-1, 0], d=[0, -1])
    (found,) = space.analogy(0, 1, 2, 1, method="3cosmul")
    assert found.word == "d"
    assert found.similarity == pytest.approx(0.0 * 0.5 / (0.5 + 1e-3))


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_nearest_are_those_of_a_full_sort(rows, dim, seed, top):
    matrix = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    space = Space(Words.of(f"w{i}" for i in range(rows)), matrix)
    found = space.nearest(matrix[0], top, without={0})
    cosines = unit(matrix) @ unit(matrix[0])
    wanted = sorted(cosines[1:], reverse=True)[:top]
    assert [one.similarity for one in found] == pytest.approx(wanted, abs=1e-5)


@given(st.lists(st.text(min_size=1).filter(lambda t: "\n" not in t), unique=True))
def test_words_are_found_where_they_stand(names):
    words = Words.of(names)
    assert [words.index(name) for name in names] == list(range(len(names)))
    assert words.index("\n") is None
    assert words.index("") is None
    if names:
        assert Words(words.data).known() == {name: i for i, name in enumerate(words)}


def test_a_word_inside_another_is_not_found():
    words = Words.of(["king", "kingdom", "viking"])
    assert [words.index(word) for word in ("king", "kin", "ing", "viking")] == [0, None, None, 2]


def test_a_cut_list_of_words_is_refused():
    with pytest.raises(CheckpointError) as told:
        Words(b"king\nque")
    assert str(told.value) == "words.txt: the last line has no end; copy the file again"


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("kinng", ["king"]),
        ("knig", ["king"]),
        ("kin", ["king"]),
        ("quean", ["queen"]),
        ("qwean", ["queen"]),
        ("PARIS", ["paris"]),
        ("zzzzz", []),
        ("x" * 5000, []),
    ],
)
def test_near_spellings_of_an_unknown_word(word, near):
    words = Words.of(["the", "king", "queen", "paris"])
    assert near_spellings(word, words) == near


@given(st.lists(st.text(alphabet=" ab\n#", min_size=1), max_size=8))
def test_every_token_gets_a_name_of_its_own(tokens):
    names = distinct_names(tokens)
    assert len(set(names)) == len(tokens)
    assert not any("\n" in name for name in names)


def test_of_words_as_near_the_earlier_ones_are_told():
    names = [f"w{number}" for number in range(40)]
    space = Space(Words.of(names), np.ones((40, 2), dtype=np.float32))
    found = space.nearest(np.ones(2, dtype=np.float32), 3, without={1})
    assert [one.word for one in found] == ["w0", "w2", "w3"]
    scores = np.array([np.nan, 0.5, np.nan, 1.0])
    assert [one.word for one in space.best(scores, 2)] == ["w3", "w1"]
    assert [one.word for one in space.best(scores, 3)] == ["w3", "w1", "w0"]
