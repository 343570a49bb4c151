"""Association tests and projections against values reckoned by hand."""

import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.errors import TaskError
from charlm.tasks.vectors_bias import WordLists, measure_bias, project_words
from charlm.tasks.vectors_open import OpenSpace
from charlm.vectors import permutation
from charlm.vectors.association import associations, directions, projections, weat
from charlm.vectors.permutation import permutation_test
from charlm.vectors.space import Space
from charlm.vectors.words import Words

# With attributes e1 and e2 the targets' associations are 1, -0.2, -1 and 0.2.
VECTORS = "east 2 0\nnorth 0 3\none 1 0\ntwo 3 4\nthree 0 1\nfour 5 5\nnought 0 0\nfive 8 6\n"
LISTS = (
    *("--targets-a", "one,two", "--targets-b", "three,five"),
    *("--attributes-a", "east", "--attributes-b", "north"),
)


@pytest.fixture
def file(home):
    (home / "v.txt").write_text(VECTORS)
    return home


def test_associations_are_differences_of_mean_cosines():
    first, second = np.array([[1.0, 0], [0.6, 0.8]]), np.array([[0.0, 1]])
    found = associations(directions(np.array([[2, 0], [3, 4], [0, 0]])), first, second)
    assert found == pytest.approx([0.8 - 0, (0.6 + 1.0) / 2 - 0.8, 0])


def test_weat_by_hand():
    first, second = directions(np.array([[1, 0], [3, 4]])), directions(np.array([[0, 1], [8, 6]]))
    found = weat(first, second, np.array([[1.0, 0]]), np.array([[0.0, 1]]))
    assert found.first == pytest.approx([1, -0.2])
    assert found.second == pytest.approx([-1, 0.2])
    assert found.statistic == pytest.approx(1.6)
    assert found.effect_size == pytest.approx(0.8 / math.sqrt(2.08 / 3))
    # first groups of two: 1.2, 0.8 (as observed), 0, 0, -0.8, -1.2
    assert (found.p_value, found.partitions, found.exact) == (pytest.approx(2 / 6), 6, True)


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=11), st.data())
def test_all_partitions_are_counted_as_one_by_one(values, data):
    size = data.draw(st.integers(1, len(values) - 1))
    first, second = np.array(values[:size]) / 10, np.array(values[size:]) / 10
    least = sum(values[:size])
    reached = sum(sum(group) >= least for group in itertools.combinations(values, size))
    partitions = math.comb(len(values), size)
    assert permutation_test(first, second) == (reached / partitions, partitions, True)


def test_as_many_as_forty_values_are_counted_in_every_way():
    high, low = np.arange(20, 40) / 40, np.arange(20) / 40
    found = permutation_test(high, low)
    assert found == (1 / math.comb(40, 20), math.comb(40, 20), True)
    assert permutation_test(low, high).p_value == 1


def test_more_are_drawn_by_the_seed_and_come_near(monkeypatch):
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.4, 1, size=12), rng.normal(size=9)
    exact = permutation_test(first, second).p_value
    monkeypatch.setattr(permutation, "MOST_EXACT", 20)
    monkeypatch.setattr(permutation, "_DRAWN_AT_ONCE", 21 * 300)
    drawn = permutation_test(first, second, draws=20_000, seed=1)
    assert drawn[1:] == (20_000, False)
    assert drawn.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000))
    assert permutation_test(first, second, draws=20_000, seed=1) == drawn
    assert permutation_test(first, second, draws=20_000, seed=2) != drawn
    assert permutation_test(first + 99, second, draws=9).p_value == 1 / 10


def test_projections_are_onto_the_normalised_difference():
    rows = directions(np.array([[1, 0], [0, 1], [1, 1], [3, 4]]))
    found = projections(rows, rows[0], rows[1])
    half = math.sqrt(0.5)
    assert found == pytest.approx([half, -half, 0, -0.2 * half])
    with pytest.raises(ValueError, match="have no direction between them"):
        projections(rows, rows[0], rows[0])


def test_our_own_words_are_as_many_and_each_in_one_list():
    lists = WordLists()
    every = [*lists.targets_a, *lists.targets_b, *lists.attributes_a, *lists.attributes_b]
    assert len(every) == len(set(every)) == 64
    assert {len(lists.targets_a), len(lists.attributes_a)} == {16}


def test_a_test_is_told_as_json(charlm, file):
    status, out, err = charlm("vectors", "bias", "-m", "v.txt", *LISTS, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "model": "v.txt",
        "targets_a": [
            {"word": "one", "association": 1.0},
            {"word": "two", "association": pytest.approx(-0.2)},
        ],
        "targets_b": [
            {"word": "three", "association": -1.0},
            {"word": "five", "association": pytest.approx(0.2)},
        ],
        "attributes_a": ["east"],
        "attributes_b": ["north"],
        "statistic": pytest.approx(1.6),
        "effect_size": pytest.approx(0.960769),
        "p_value": pytest.approx(1 / 3),
        "partitions": 6,
        "exact": True,
        "left_out": [],
    }


def test_a_test_is_told_to_people_with_lists_from_files(charlm, file):
    (file / "a.txt").write_text("one, two\none\nunknown\n\n")
    status, out, err = charlm(
        *("vectors", "bias", "-m", "v.txt", *LISTS, "--targets-a", "@a.txt"),
        *("--attributes-b", "north,nought"),
    )
    assert status == 0
    assert err == "charlm: warning: left out, without a vector: unknown, nought\n"
    assert out == (
        "model         v.txt\n"
        "targets a     2 words: one, two\n"
        "targets b     2 words: three, five\n"
        "attributes a  1 word: east\n"
        "attributes b  1 word: north\n"
        "statistic     1.6000\n"
        "effect size   0.9608\n"
        "p-value       0.333 (one-sided, 6 partitions, all)\n"
        "nearest to a  one +1.000, five +0.200, two -0.200, three -1.000\n"
        "nearest to b  three -1.000, two -0.200, five +0.200, one +1.000\n"
    )


def test_targets_that_are_all_alike_have_no_effect_size(charlm, file):
    line = ("vectors", "bias", "-m", "v.txt", *LISTS, "--targets-a", "one", "--targets-b", "east")
    status, out, _ = charlm(*line, "--json")
    found = json.loads(out)
    assert (status, found["effect_size"], found["p_value"]) == (0, None, 1.0)
    assert "effect size   -\n" in charlm(*line)[1]


def test_words_are_projected_onto_a_direction(charlm, file):
    line = ("vectors", "bias", "-m", "v.txt", "--direction", "east,north")
    status, out, err = charlm(*line, "one", "two", "four")
    assert (status, err) == (0, "")
    assert out == (
        "word  projection  towards\n"
        "one      +0.7071  east\n"
        "two      -0.1414  north\n"
        "four     +0.0000  -\n"
    )
    status, out, err = charlm(*line, "onne", "--words", "-", "--json", stdin=b"two\nnought\ntwo\n")
    assert status == 1
    assert json.loads(out) == {
        "direction": ["east", "north"],
        "word": "two",
        "projection": pytest.approx(-0.2 * math.sqrt(0.5)),
    }
    assert err == (
        "charlm: no vector for 'onne' (did you mean 'one'?)\n"
        "charlm: the vector of 'nought' is zero, and points nowhere\n"
    )


USAGE = {
    "one of two lists": (
        ("--targets-a", "x"),
        "--targets-a and --targets-b go together",
    ),
    "an empty list": (
        ("--attributes-a", " ,", "--attributes-b", "x"),
        "--attributes-a: no words in it",
    ),
    "words without a direction": (("king",), "words to project are for --direction A,B"),
    "a direction of one": (
        ("--direction", "he", "king"),
        "--direction takes two words, as he,she; got 'he'",
    ),
    "a direction without words": (
        ("--direction", "he,she"),
        "--direction needs a WORD to project, or --words FILE",
    ),
    "both forms": (
        ("--direction", "he,she", "king", "--targets-a", "x"),
        "--direction takes WORDs, not targets and attributes",
    ),
}


@pytest.mark.parametrize("name", USAGE)
def test_a_wrong_line_is_told_in_one_line(charlm, file, name):
    argv, message = USAGE[name]
    told = f"charlm: {message}; try: charlm vectors bias --help\n"
    assert charlm("vectors", "bias", "-m", "v.txt", *argv) == (2, "", told)


REFUSED = {
    "none known": (
        (*LISTS, "--attributes-b", "x,nought"),
        "charlm: none of the 2 words of attributes b has a vector in v.txt\n",
    ),
    "in both": (
        (*LISTS, "--targets-b", "three,one"),
        "charlm: 'one' is in targets a and in targets b; expected it in one\n",
    ),
    "no file": (
        (*LISTS, "--targets-b", "@none"),
        "charlm: no file 'none'; expected words, one a line\n",
    ),
    "an unknown end": (
        ("--direction", "east,nroth", "one"),
        "charlm: no vector for 'nroth' (did you mean 'north'?)\n",
    ),
    "one direction": (
        ("--direction", "east,one", "two"),
        "charlm: the vectors of 'east' and 'one' point the same way; expected two words that "
        "differ\n",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_measured_is_told_in_one_line(charlm, file, name):
    argv, message = REFUSED[name]
    assert charlm("vectors", "bias", "-m", "v.txt", *argv) == (1, "", message)


def test_numbers_that_are_not_finite_are_refused():
    matrix = np.array([[1, 0], [np.nan, 1], [0, 1]], dtype=np.float32)
    damaged = OpenSpace(name="m", space=Space(Words.of(["a", "b", "c"]), matrix))
    told = (
        "the vector of 'b' in m has a number that is not finite; charlm doctor tells what is "
        "damaged"
    )
    with pytest.raises(TaskError) as error:
        project_words(damaged, ("a", "c"), ["c", "b"])
    assert str(error.value) == told
    lists = WordLists(targets_a=["a"], targets_b=["c"], attributes_a=["b"], attributes_b=["c"])
    with pytest.raises(TaskError) as error:
        measure_bias(damaged, lists)
    assert str(error.value) == told


def test_words_are_folded_as_the_vectors_are_and_count_once():
    space = Space(Words.of(["a", "b", "c"]), np.eye(3, dtype=np.float32), lowercase=True)
    lists = WordLists(
        targets_a=["A", "a"], targets_b=["B"], attributes_a=["C", "x"], attributes_b=["a", "X"]
    )
    found = measure_bias(OpenSpace(name="m", space=space), lists)
    assert [one.word for one in found.targets_a] == ["a"]
    assert (found.statistic, found.left_out) == (-1.0, ("x", "X"))


def test_neither_command_imports_torch_or_numba(file):
    code = (
        "import sys\nfrom charlm.cli.app import run\n"
        "status = run(['vectors', 'shift', 'v.txt', 'v.txt'])\n"
        f"status += run(['vectors', 'bias', '-m', 'v.txt', *{LISTS!r}])\n"
        "bad = {'torch', 'numba', 'llvmlite', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'{status} {bad}' if status or bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert (done.returncode, done.stderr) == (
        0,
        "charlm: 7 words compared; median similarity 1.0000\n",
    )
