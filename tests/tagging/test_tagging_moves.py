"""With a CRF no span goes on that has not begun, whatever the network says."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.metrics.spans import spans
from charlm.tagging.config import TaggerConfig
from charlm.tagging.crf import CRF
from charlm.tagging.moves import are_followed, legal_moves
from charlm.tagging.tagger import Tagger

from .conftest import columns

BIO = ("B-A", "B-C", "I-A", "I-C", "O")
BIOES = ("B-A", "E-A", "I-A", "O", "S-A")


def written_as_it_should_be(tags, known):
    """Return the tags that mark the spans which some tags mark."""
    written = ["O"] * len(tags)
    for label, first, end in spans(tags):
        written[first:end] = [f"B-{label}", *[f"I-{label}"] * (end - first - 1)]
        if known is BIOES:
            written[end - 1] = f"{'S' if end == first + 1 else 'E'}-{label}"
    return written


@pytest.mark.parametrize("tags", [BIO, BIOES])
@pytest.mark.parametrize("words", [1, 2, 3, 4])
def test_moves_allow_just_the_sequences_that_are_written_as_spans_are(tags, words):
    moves = legal_moves(tags)
    for row in itertools.product(range(len(tags)), repeat=words):
        allowed = moves.first[row[0]] and moves.last[row[-1]]
        allowed = allowed and all(moves.after[a, b] for a, b in itertools.pairwise(row))
        named = [tags[tag] for tag in row]
        assert allowed == (written_as_it_should_be(named, tags) == named), named


@given(
    st.integers(1, 6),
    st.sampled_from([BIO, BIOES]),
    st.integers(0, 2**32 - 1),
)
def test_the_best_sequence_is_the_best_of_those_that_may_be(words, tags, seed):
    rng = np.random.default_rng(seed)
    number = len(tags)
    crf = CRF(*(rng.normal(0, 2, shape) for shape in ((number, number), number, number)))
    scores = rng.normal(0, 2, (words, number))
    moves = legal_moves(tags)

    def weight(row):
        if not (moves.first[row[0]] and moves.last[row[-1]]):
            return -np.inf
        if not all(moves.after[a, b] for a, b in itertools.pairwise(row)):
            return -np.inf
        own = sum(scores[place, tag] for place, tag in enumerate(row))
        return (
            own
            + sum(crf.after[a, b] for a, b in itertools.pairwise(row))
            + (crf.first[row[0]] + crf.last[row[-1]])
        )

    found = crf.within(moves).best(scores).tolist()
    if words <= 4:
        assert found == list(max(itertools.product(range(number), repeat=words), key=weight))
    assert weight(found) > -np.inf


def test_a_tagger_emits_no_such_sequence_whatever_its_weights(home):
    """The network's own choice would be I-A everywhere."""
    form = TaggerConfig(
        tags=BIO, crf=True, whole_spans=True, vocab_size=1, word_dim=2, subword_dim=2, buckets=2,
        hidden_size=2,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    tensors = {
        name: rng.normal(0, 1, shape).astype(np.float32)
        for name, shape in form.tensor_shapes().items()
    }
    tensors["0.output.bias"] = np.array([0, 0, 90, 0, 0], np.float32)
    tensors["0.crf.after"] = np.zeros((5, 5), np.float32)
    tensors["0.crf.first"] = tensors["0.crf.last"] = np.zeros(5, np.float32)
    words = [["a", "b", "c"], ["a"], []]
    found = Tagger(form, [], [""], tensors).tag(words)
    assert found[0] == ["B-A", "I-A", "I-A"]
    assert found[1][0] in ("B-A", "B-C", "O")
    assert found[2] == []
    free = dataclasses.replace(form, whole_spans=False)
    assert Tagger(free, [], [""], tensors).tag(words) == [["I-A"] * 3, ["I-A"], []]


@pytest.mark.parametrize(
    ("rows", "followed"),
    [
        ([["B-A", "I-A", "O", "B-C", "I-C"]], True),
        ([["I-A", "I-A", "B-A", "O", "I-C"]], False),  # IOB1: B only behind another span
        ([["B-A", *["I-A"] * 20], ["O", "I-A"]], True),  # one error among many
        ([["B-A", "I-C"]], False),
        ([["O", "B-A"], []], True),
    ],
)
def test_a_scheme_is_told_by_what_comes_before_tags_that_go_on(rows, followed):
    assert are_followed(rows) == followed


def test_training_tells_the_scheme_and_evaluation_shows_spans(home, train, charlm):
    assert train("names.txt", "-o", "ner")[0] == 0
    _, out, _ = charlm("show", "ner", "--json")
    assert json.loads(out)["model"]["whole_spans"] is True
    status, out, _ = charlm("evaluate", "names.txt", "-m", "ner")
    assert status == 0
    assert "   100.0%  100.0%  100.0%     30  all\n" in out
    assert out.endswith("span F1      100.00%\n")
    old = [[("Anna", "I-PER"), ("saw", "O"), ("Paris", "I-LOC")]] * 9
    (home / "old.txt").write_text(columns(old, " "))
    assert train("old.txt", "-o", "old")[0] == 0
    _, out, _ = charlm("show", "old", "--json")
    model = json.loads(out)["model"]
    assert (model["crf"], model["whole_spans"]) == (True, False)
    _, out, _ = charlm("tag", "-m", "old", "Anna saw Paris")
    assert out == "Anna/I-PER saw/O Paris/I-LOC\n"
