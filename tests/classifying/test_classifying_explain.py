"""What words do for a label: left out in turn, placed in the text, marked."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.classifying.classifier import Classifier, log_odds
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.explaining import MOST_WORDS, explain, word_spans
from charlm.classifying.folder import restore_classifier
from charlm.classifying.linear import build_bags
from charlm.classifying.words import split_words
from charlm.render.classes import explained
from charlm.store.checkpoint import load_model
from charlm.tasks.classify import Classified
from charlm.tasks.train_classifier import train_classifier
from charlm.tasks.train_classifier_config import ClassifierTrainConfig

from .conftest import labelled_lines

WEIGHTS = {"good": 2.0, "bad": -1.6, "film": 0.1}


@pytest.fixture
def classifier():
    """Logits of label `pos`: the sum of the weights of its words."""
    texts = [[word] for word in WEIGHTS]
    keys, bags = build_bags(texts, (0, 0), 1)
    weights = np.zeros((3, 2), np.float32)
    weights[:, 1] = bags.times(np.eye(3)).T @ list(WEIGHTS.values())
    config = ClassifierConfig(
        labels=("neg", "pos"), ngrams=3, longest_ngram=1, shortest_chars=0, longest_chars=0
    )
    tensors = {"bias": np.zeros(2, np.float32), "ngram_keys": keys, "ngram_weights": weights}
    return Classifier(config, [], tensors)


def test_a_word_of_a_linear_model_has_its_weight(classifier):
    found = explain(classifier, "A good, good film? Bad!", 1)
    told = [(one.word, round(one.influence, 4)) for one in found]
    assert told == [
        ("a", 0.0), ("good", 2.0), (",", 0.0), ("good", 2.0), ("film", 0.1), ("?", 0.0),
        ("bad", -1.6), ("!", 0.0),
    ]  # fmt: skip
    other = explain(classifier, "good film", 0)
    assert [round(one.influence, 4) for one in other] == [-2.0, -0.1]


def test_a_text_without_words_has_nothing_to_explain(classifier):
    assert explain(classifier, " \n", 0) == []


def test_only_the_first_words_of_a_long_text_are_explained(classifier):
    found = explain(classifier, "good " * (MOST_WORDS + 50), 1)
    assert (len(found), found[-1].start) == (MOST_WORDS, 5 * (MOST_WORDS - 1))


WORDS = ["a", "the", "good", "bad", "fine", "poor", "film", "book", ",", "."]


@pytest.fixture(scope="module")
def both_branches(tmp_path_factory):
    """A classifier of n-grams of three words and letters, and of layers that read six words."""
    home = tmp_path_factory.mktemp("both")
    (home / "r.txt").write_text("\n".join(labelled_lines()) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHARLM_HOME", str(home))
        config = ClassifierTrainConfig(
            ngrams=3, longest=6, hidden_size=4, word_dim=4, subword_dim=4, epochs=2, threads=1
        )
        list(train_classifier([str(home / "r.txt")], config, name="r"))
        return restore_classifier(load_model(home / "checkpoints" / "r"))


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
def test_a_word_left_out_is_a_text_without_it(both_branches, words):
    """What is asked near a word alone gives what asking the whole text without it does."""
    assert both_branches.linear
    assert both_branches.recurrent
    found = explain(both_branches, " ".join(words), 1)
    without = [words[:place] + words[place + 1 :] for place in range(len(words))]
    odds = log_odds(both_branches.logits([words, *without]), 1)
    told = [one.influence for one in found]
    np.testing.assert_allclose(told, odds[0] - odds[1:], atol=2e-5)


def test_log_odds_by_hand():
    logits = np.log(np.array([[0.5, 0.3, 0.2]], dtype=np.float32))
    assert log_odds(logits, 0) == pytest.approx([0.0], abs=1e-6)
    assert log_odds(logits, 2) == pytest.approx([np.log(0.2 / 0.8)])


@given(st.text())
def test_spans_are_the_words_in_their_places(text):
    spans = word_spans(text)
    assert [word for _, _, word in spans] == split_words(text)
    assert all(start < end for start, end, _ in spans)
    ends = [0, *(end for _, end, _ in spans)]
    starts = [start for start, _, _ in spans]
    # İ is one letter and two when folded: words cut inside it share it
    assert all(start >= end - 1 for start, end in zip(starts, ends, strict=False))


@given(st.text(st.characters(exclude_characters="’")))
def test_a_span_holds_the_letters_of_its_word(text):
    for start, end, word in word_spans(text, lowercase=False):
        assert "".join(text[start:end].split()) == word


def test_marks_with_and_without_colours(classifier):
    text = "A \x1b[2J good bad film"
    words = tuple(explain(classifier, text, 1))
    found = Classified(text, (("pos", 0.6),), words)
    assert explained(found, color=False) == "A \\x1b[2J {good +2.0} {bad -1.6} film"
    assert explained(found, color=True) == (
        "A \\x1b[2J \x1b[30;42mgood\x1b[0m \x1b[97;41mbad\x1b[0m film"
    )


def test_the_command_explains(charlm, reviews):
    train = ("train", "classifier", "-q", "--num-layers", "0", reviews, "-o", "r")
    assert charlm(*train)[0] == 0
    status, out, _ = charlm("classify", "-m", "r", "--explain", "a good book")
    lines = out.splitlines()
    assert status == 0
    assert lines[0] == "{word +1.2}: without it the log-odds of the label are 1.2 nats lower"
    assert lines[1].startswith("pos\t")
    assert lines[2].startswith("  a {good +")
    record = json.loads(charlm("classify", "-m", "r", "--explain", "--json", "a good book")[1])
    assert [(one["start"], one["end"]) for one in record["words"]] == [(0, 1), (2, 6), (7, 11)]
    assert max(record["words"], key=lambda one: one["influence"])["start"] == 2
