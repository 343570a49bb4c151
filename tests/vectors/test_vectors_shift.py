"""Two spaces aligned: words that keep their place, and words that move, by what can be reckoned."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import TaskError
from charlm.tasks.vectors_open import OpenSpace
from charlm.tasks.vectors_shift import shift_words
from charlm.vectors import alignment
from charlm.vectors.alignment import align, common_rows
from charlm.vectors.space import Space
from charlm.vectors.words import Words

# All of NEW is OLD after a quarter turn, but for two words that moved by as much to either side:
# so the best rotation is that turn, and their cosines are 0.6.
OLD = "a 0 1\nb 0 2\nleft 3 0\nright 1 0\ngone 1 5\n"
NEW = "left -0.8 0.6\nright 4 3\nb -1 0\nfresh -1 1\na -7 0\n"


def space_of(names, rows):
    return Space(Words.of(names), np.array(rows, dtype=np.float32))


def opened(name, names, rows, counts=None):
    known = None if counts is None else np.array(counts, dtype=np.int64)
    return OpenSpace(name=name, space=space_of(names, rows), counts=known)


@pytest.fixture
def files(home):
    (home / "old.txt").write_text(f"5 2\n{OLD}")
    (home / "new.txt").write_text(f"5 2\n{NEW}")
    return home


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_rotated_copy_has_no_shift_anywhere(seed, dim):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(20, dim))
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    order = rng.permutation(20)
    names = [f"w{number}" for number in range(20)]
    scales = rng.uniform(0.1, 10, size=(20, 1))
    old = space_of(names, rows)
    new = space_of([names[place] for place in order], (scales * (rows @ turn))[order])
    both = align(old, new)
    np.testing.assert_allclose(both.rotation, turn, atol=1e-3)
    np.testing.assert_allclose(both.similarities(both.common), 1.0, atol=2e-6)


def test_words_in_common_come_as_early_as_they_are_frequent_in_both():
    old = space_of(["a", "b", "c", "x"], np.eye(4))
    new = space_of(["c", "y", "a", "b"], np.eye(4))
    np.testing.assert_array_equal(common_rows(old, new), [[0, 2], [2, 0], [1, 3]])


def test_parts_give_what_the_whole_gives(monkeypatch):
    rng = np.random.default_rng(3)
    names = [f"w{number}" for number in range(17)]
    old, new = (space_of(names, rng.normal(size=(17, 4))) for _ in range(2))
    whole = align(old, new)
    monkeypatch.setattr(alignment, "PART_BYTES", 5 * 16)
    parts = align(old, new)
    np.testing.assert_allclose(parts.rotation, whole.rotation, atol=1e-5)
    np.testing.assert_allclose(
        parts.similarities(parts.common), whole.similarities(whole.common), atol=1e-5
    )


def test_a_vector_of_zeros_is_not_compared():
    names, rows = ["a", "b", "c"], [[1, 0], [0, 1], [0, 0]]
    both = align(space_of(names, rows), space_of(names, [[1, 0], [0, 1], [1, 1]]))
    assert both.similarities(both.common).tolist() == [1.0, 1.0, pytest.approx(np.nan, nan_ok=True)]
    found = shift_words(opened("old", names, rows), opened("new", names, rows))
    assert (found.compared, found.median, [one.word for one in found.words]) == (2, 1, ["a", "b"])


def test_the_words_that_moved_most_come_first(charlm, files):
    status, out, err = charlm("vectors", "shift", "old.txt", "new.txt", "--near", "1")
    assert status == 0
    assert out == (
        "word   similarity  rank  nearest in old.txt  nearest in new.txt\n"
        "left       0.6000     1  right               fresh\n"
        "right      0.6000     1  left                fresh\n"
        "b          1.0000     3  a                   a\n"
        "a          1.0000     3  b                   b\n"
    )
    assert err == "charlm: 4 words compared; median similarity 0.8000\n"


def test_words_given_are_told_in_their_order_as_json(charlm, files):
    status, out, err = charlm(
        *("vectors", "shift", "old.txt", "new.txt", "a", "left", "a", "--near", "1", "--json")
    )
    assert (status, err) == (0, "charlm: 4 words compared; median similarity 0.8000\n")
    first, second = map(json.loads, out.splitlines())
    assert first == {
        "word": "a",
        "similarity": 1.0,
        "rank": 3,
        "old_count": None,
        "new_count": None,
        "old": [{"word": "b", "similarity": 1.0}],
        "new": [{"word": "b", "similarity": 1.0}],
        "compared": 4,
    }
    assert (second["word"], second["similarity"]) == ("left", pytest.approx(0.6, abs=1e-6))


def test_missing_words_take_a_line_each_and_the_others_are_told(charlm, files):
    (files / "nought.txt").write_text(NEW.replace("b -1 0", "b 0 0"))
    status, out, err = charlm(
        *("vectors", "shift", "old.txt", "new.txt", "fresh", "b", "gone", "zzz", "--json")
    )
    assert status == 1
    assert [json.loads(line)["word"] for line in out.splitlines()] == ["b"]
    assert err == (
        "charlm: old.txt: no vector for 'fresh' among 5 words\n"
        "charlm: new.txt: no vector for 'gone' among 5 words\n"
        "charlm: neither old.txt nor new.txt has a vector for 'zzz'\n"
        "charlm: 4 words compared; median similarity 0.8000\n"
    )
    status, out, err = charlm("vectors", "shift", "old.txt", "nought.txt", "b")
    assert (status, out) == (1, "")
    assert "charlm: nought.txt: the vector of 'b' is zero, and points nowhere" in err.splitlines()


def test_rare_words_are_left_out_by_place_and_by_count():
    names = ["a", "b", "left", "right"]
    rows = [[1, 0], [0, 1], [1, 0], [1, 0]], [[1, 0], [0, 1], [0.6, 0.8], [0.6, -0.8]]
    old = opened("old", names, rows[0], [90, 80, 70, 60])
    new = opened("new", names, rows[1], [90, 80, 50, 49])

    def words(**asked):
        return [one.word for one in shift_words(old, new, **asked).words]

    assert words() == ["left", "a", "b"]
    assert words(min_count=0, limit=3) == ["left", "a", "b"]
    assert words(min_count=0, top_n=2) == ["left", "right"]
    assert words(min_count=60) == ["a", "b"]
    given = shift_words(old, new, ["right"]).words[0]
    assert (given.rank, given.old_count, given.new_count) == (1, 60, 49)
    no_counts = opened("new", names, rows[1], [0, 0, 0, 0])  # as in converted files
    found = shift_words(old, no_counts, ["right"])
    assert (found.compared, found.words[0].new_count) == (4, None)
    with pytest.raises(TaskError) as told:
        shift_words(old, new, min_count=1000)
    assert str(told.value) == (
        "none of the 4 words that old and new share is frequent enough in both; raise --limit or "
        "lower --min-count"
    )


REFUSED = {
    "another length": (
        "a 1 0 0\n",
        "charlm: old.txt has vectors of 2 numbers, other.txt of 3; expected as many in both\n",
    ),
    "nothing in common": (
        "z 1 0\n",
        "charlm: the two have no word in common; expected vectors of one language\n",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_aligned_is_told_in_one_line(charlm, files, name):
    row, message = REFUSED[name]
    (files / "other.txt").write_text(row)
    assert charlm("vectors", "shift", "old.txt", "other.txt") == (1, "", message)


def test_too_few_words_in_common_are_warned_of(charlm, files):
    (files / "one.txt").write_text("a 1 0\nz 0 1\n")
    status, out, err = charlm("vectors", "shift", "old.txt", "one.txt", "--near", "0")
    assert (status, out.split()[-3:]) == (0, ["a", "1.0000", "1"])
    assert err == (
        "charlm: warning: only 1 word in common, fewer than a vector has numbers (2): so few can "
        "be laid over each other whatever they mean\n"
        "charlm: 1 word compared; median similarity 1.0000\n"
    )


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(TaskError) as told:
        align(space_of(["a", "b"], [[1, np.inf], [0, 1]]), space_of(["a", "b"], np.eye(2)))
    assert str(told.value) == (
        "vectors with numbers that are not finite; charlm doctor NAME tells which model is damaged"
    )


def test_models_of_one_name_are_called_as_they_were_given(charlm, files):
    for folder, text in (("x", OLD), ("y", NEW)):
        (files / folder).mkdir()
        (files / "v.txt").write_text(text)
        assert charlm("vectors", "convert", "v.txt", "-o", "v")[0] == 0
        (files / "checkpoints" / "v").rename(files / folder / "v")
    status, out, err = charlm("vectors", "shift", "x/v", "y/v", "gone", "b", "--near", "1")
    assert status == 1
    assert out.splitlines()[0] == "word  similarity  rank  nearest in x/v  nearest in y/v"
    assert err.splitlines()[0] == "charlm: y/v: no vector for 'gone' among 5 words"
