"""A pair of language models as a speller's second opinion."""

import dataclasses
import functools
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.base.errors import CheckpointError, ConfigError, TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel
from charlm.spelling.close_calls import ROUNDS
from charlm.spelling.corrector import Corrector
from charlm.spelling.folder import restore_speller, save_speller
from charlm.spelling.pair import AHEAD, BACK, Pair, pair_arrays
from charlm.spelling.pair_judge import PairJudge
from charlm.spelling.pair_words import PairWords
from charlm.spelling.sentences import Document
from charlm.spelling.slips import add_slips, count_wrong
from charlm.spelling.speller import PAIR_SHARE
from charlm.spelling.words import CAPITAL, CAPITALS, LOWER
from charlm.store.checkpoint import load_model
from charlm.tasks.train_speller_config import SpellerTrainConfig
from charlm.tasks.train_speller_pair import add_pair, open_pair
from tests.cli.conftest import charlm as charlm
from tests.spelling.making import SENTENCES, make_speller
from tests.spelling.pairs import make_pair, make_tokenizer, save_half, save_pair, silent_pair

LINES = [
    "Teh quick brown fox jumsp over the lazy dog.",
    "",
    "there is alot to eat, she said (at",
    "the office of the dog's freind)",
    "we wents to",
]
PAIR = {"model": {}, "tokenizer": {}, "log_unknown": None}
FORMS = [
    {},
    {"num_layers": 1, "cell": "gru"},
    {"cell": "gru", "reset": "before"},
    {"cell": "rnn", "skip": True},
    {"tie_weights": True},
    {"tie_weights": True, "embedding_dim": 6, "num_layers": 1},
]


def engine_log_probs(pair, ids, prefix):
    """Return log p of every token after each of ids, the line end having been read first."""
    tensors = {
        name.removeprefix(prefix): array.astype(np.float32)
        for name, array in pair.arrays.items()
        if name.startswith(prefix)
    }
    model = LanguageModel(pair.config, tensors)
    read = np.array([[pair.words.end, *ids]])
    return model.log_probs(read, model.initial_state(1))[0][0]


def gap_scores(pair, text, place, tokens):
    one = np.ones(1, dtype=np.int64)
    vectors = pair.vectors(np.array(text), 0 * one, len(text) * one, place * one, place * one + 1)
    return pair.scores(np.repeat(vectors, len(tokens), axis=0), np.array(tokens))


@pytest.mark.parametrize("form", FORMS)
def test_scores_are_the_log_probabilities_of_both_models_less_that_of_the_word(form):
    pair = make_pair(**form)
    text = np.random.default_rng(3).integers(2, pair.config.vocab_size, 9).tolist()
    tokens = np.arange(pair.config.vocab_size)
    counts = np.maximum(np.array(pair.words.tokenizer.vocab.counts), 1)
    for place in (0, 4, 8):
        ahead = engine_log_probs(pair, text[:place], AHEAD)[-1]
        back = engine_log_probs(pair, text[place + 1 :][::-1], BACK)[-1]
        expected = ahead + back - np.log(counts)
        found = gap_scores(pair, text, place, tokens)
        np.testing.assert_allclose(found - found[0], expected - expected[0], atol=2e-5)


def test_a_score_by_hand():
    tokenizer = make_tokenizer("b b b a\n")
    one, two = tokenizer.vocab.ids["a"], tokenizer.vocab.ids["b"]
    config = LanguageModelConfig(
        vocab_size=tokenizer.vocab_size, cell="rnn", embedding_dim=1, hidden_size=1
    )
    ahead = {name: np.zeros(shape) for name, shape in config.tensor_shapes().items()}
    back = {name: array.copy() for name, array in ahead.items()}
    # the forward state is tanh(1) after b, and 0 after anything else; it speaks for a
    ahead["embedding.weight"][two] = 1.0
    ahead["layers.0.weight_ih"][...] = 1.0
    ahead["output.weight"][one] = 2.0
    back["output.bias"][two] = 0.25
    pair = Pair(config, tokenizer, pair_arrays(config, ahead, back))
    after_b = gap_scores(pair, [two, one, one], 1, [one, two])
    np.testing.assert_allclose(after_b, [2 * np.tanh(1.0), 0.25 - np.log(3)], atol=1e-6)
    after_a = gap_scores(pair, [one, one, one], 1, [one, two])
    np.testing.assert_allclose(after_a, [0.0, 0.25 - np.log(3)], atol=1e-6)


def test_a_gap_is_read_alike_in_whatever_company():
    pair = make_pair()
    text = np.random.default_rng(2).integers(2, pair.config.vocab_size, 400)
    starts, ends = np.repeat([0, 100, 130], [2, 2, 3]), np.repeat([100, 130, 400], [2, 2, 3])
    begin = np.array([3, 99, 100, 120, 131, 200, 399])
    together = pair.vectors(text, starts, ends, begin, begin + 1)
    for place in range(7):
        part = slice(place, place + 1)
        alone = pair.vectors(
            text[: ends[place]], starts[part], ends[part], begin[part], begin[part] + 1
        )
        np.testing.assert_allclose(together[part], alone, atol=1e-5)


def test_neither_the_word_nor_what_is_behind_the_line_is_read():
    pair = make_pair()
    text = np.random.default_rng(3).integers(3, pair.config.vocab_size, 60)
    other = text.copy()
    other[30:], other[20] = 7, 8
    place = (np.zeros(1, np.int64), np.array([30]), np.array([20]), np.array([21]))
    np.testing.assert_array_equal(pair.vectors(text, *place), pair.vectors(other, *place))


@pytest.fixture
def cased():
    text = "Ann's dog - The the the U.S. don’t café\nAnn (so) x, y. Ann ANN\n"
    return PairWords(make_tokenizer(text, lowercase=False))


def tokens_of(words, ids):
    return [words.tokenizer.vocab.tokens[number] for number in ids]


@pytest.mark.parametrize(
    ("text", "case", "expected"),
    [
        ("the", LOWER, "the"),
        ("the", CAPITAL, "The"),
        ("the", CAPITALS, "the"),  # never seen so: as it is most often
        ("ann", LOWER, "Ann"),
        ("ann", CAPITALS, "ANN"),
        ("don't", LOWER, "don’t"),
        ("café", CAPITAL, "café"),
        ("zzz", LOWER, None),
    ],
)
def test_words_are_found_in_their_case_else_as_they_are_most_often(cased, text, case, expected):
    found = cased.word(text, case)
    assert (None if found < 0 else tokens_of(cased, [found])[0]) == expected


def test_an_unknown_word_with_an_apostrophe_is_read_as_its_stem(cased):
    assert tokens_of(cased, cased.words("dog's the", LOWER)) == ["dog", "the"]
    assert tokens_of(cased, cased.words("zzz's", LOWER)) == ["<unk>"]


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        (" ", {}, []),
        ("", {}, []),
        (", ", {}, ["￩,"]),
        (".\t  (", {"last": False}, ["￩.", "￫("]),
        (". ", {"last": True}, ["￩."]),
        ("  (", {"first": True}, ["￫("]),
        ("-", {}, ["￭-"]),
        (" 7 the ", {}, ["<unk>", "the"]),
        (f" {'x ' * 9999}", {}, ["x"] * 100),
    ],
)
def test_what_stands_between_words_is_read_as_in_a_text(text, place, expected):
    words = PairWords(make_tokenizer("a, a. (a) a-a, the x\n"))
    assert tokens_of(words, words.between(text, **place)) == expected


def readings(lines, *, tokenizer=None, chosen=None, times=1):
    """Return what a pair reads of lines, and the words at each gap."""
    speller = make_speller()
    pair = silent_pair(tokenizer or make_tokenizer())
    judge = PairJudge(pair, speller.model, speller.candidates.options, ROUNDS)
    corrector = Corrector(speller)
    document = Document(speller.candidates)
    positions = document.read(lines)
    table = corrector._decoder._priors.table(positions)
    first = np.searchsorted(table.position, np.arange(table.positions))
    judge.take(table, positions, lines)
    for _ in range(times):
        read = judge.read(first, 0)
    vocab = pair.words.tokenizer.vocab.tokens
    text = [vocab[number] for number in read.text.tolist()]
    gaps = [
        (text[begin:end], text[end:stop])
        for one, begin, end, stop in zip(positions, *read[1:], strict=True)
        if one.key[0] != "\0" and one.line >= 0
    ]
    return text, gaps


def test_a_line_is_read_with_its_marks_and_what_goes_on_as_one():
    tokenizer = make_tokenizer("(the dog's letter), 12 there. they're our garden is\n" * 2)
    lines = ["(The dog's letter), 12", "there. They're", "our garden"]
    text, gaps = readings(lines, tokenizer=tokenizer)
    assert text == [
        *["\n", "￫(", "the", "dog's", "letter", "￩)", "￩,", "12"],
        *["there", "￩.", "they're", "our", "garden"],
    ]
    assert gaps == [
        (["the"], []),
        (["dog's"], []),
        (["letter"], ["￩)", "￩,", "12"]),
        (["there"], ["￩."]),
        (["they're"], []),
        (["our"], []),
        (["garden"], []),
    ]


def test_the_end_of_what_was_read_is_remembered():
    once, _ = readings(["the garden"])
    again, _ = readings(["the garden"], times=2)
    assert once == ["\n", "the", "garden"]
    assert again == once * 2


def heard(weight, **biases):
    """Return what becomes of a line where a pair knows how likely two words are alone."""
    speller = make_speller(margin=0.0, unknown=-6.0, model=0.3)
    speller = speller.with_pair(silent_pair(make_tokenizer(), **biases))
    weights = dataclasses.replace(speller.weights, cloze=weight)
    return Corrector(speller, weights).correct(["the therr letter came"])[0].corrected


def test_a_pair_decides_a_close_call():
    assert heard(1.0, there=30.0, their=-30.0) == "the there letter came"
    assert heard(1.0, there=-30.0, their=30.0) == "the their letter came"
    assert heard(0.0, there=30.0) == heard(0.0, their=30.0)


def test_words_that_a_pair_lacks_share_what_it_says_of_unknown_ones():
    speller = make_speller()
    text = "the the lazy lazy dog dog dog cat cat cat\n" * 2
    pair = silent_pair(make_tokenizer(text), cat=5.0).meeting(
        speller.lexicon, speller.model.log_unigrams
    )
    ids, unigrams = speller.lexicon.ids, np.exp(speller.model.log_unigrams)
    known = [ids[word] for word in ("the", "lazy", "dog")]
    size = speller.lexicon.vocab_size
    lacking = unigrams[:size].sum() - unigrams[[1, 2, *known]].sum()
    assert pair.log_unknown == pytest.approx(np.log(lacking), abs=1e-5)
    judge = PairJudge(pair, speller.model, speller.candidates.options, ROUNDS)
    vectors = np.zeros((2, 2 * pair.config.hidden_size), np.float32)
    vocab = pair.words.tokenizer.vocab
    found = judge.scores(
        vectors, np.array([vocab.ids["dog"], pair.config.vocab_size + ids["garden"]])
    )
    # a pair that says the same of all tokens, but counts: log p p / p of dog and of garden
    total = sum(vocab.counts)
    assert found[0] == pytest.approx(0.0, abs=1e-5)
    expected = 2 * np.log(1 / lacking) + np.log(unigrams[ids["garden"]]) - np.log(total)
    assert found[1] == pytest.approx(expected, abs=1e-4)


def test_of_a_text_without_unknown_words_nothing_is_learnt_of_them():
    speller = make_speller()
    pair = make_pair(make_tokenizer("the lazy dog\n"))
    assert pair.meeting(speller.lexicon, speller.model.log_unigrams).log_unknown is None


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_line_does_not_depend_on_how_lines_come(lowercase):
    tokenizer = make_tokenizer(lowercase=lowercase)
    speller = make_speller().with_pair(make_pair(tokenizer))
    at_once = Corrector(speller).correct(LINES)
    corrector = Corrector(speller)
    one_by_one = [corrector.correct([line])[0] for line in LINES]
    assert [line.corrected for line in one_by_one] == [line.corrected for line in at_once]
    for one, other in zip(one_by_one, at_once, strict=True):
        gains = [[judged.gain for judged in line.judgements] for line in (one, other)]
        np.testing.assert_allclose(*gains, atol=1e-4)


@functools.cache
def speller_with_pair():
    return make_speller().with_pair(make_pair(make_tokenizer(lowercase=False)))


PARTS = st.sampled_from(
    ["Teh", "the", "office", "dog's", "“", "’s", ",", " ", " ", ".", "alot", "7"]
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(PARTS | st.text(max_size=4), max_size=12).map("".join), max_size=5))
def test_any_text_is_read(lines):
    found = Corrector(speller_with_pair()).correct(lines)
    assert [line.text for line in found] == lines
    corrector = Corrector(speller_with_pair())
    assert [corrector.correct([line])[0].corrected for line in lines] == [
        line.corrected for line in found
    ]


@pytest.fixture
def saved(tmp_path):
    speller = make_speller().with_pair(make_pair())
    save_speller(tmp_path / "a", speller, training={"note": "x"}, card="x")
    return speller, load_model(tmp_path / "a")


def test_a_pair_is_saved_with_the_speller(saved):
    speller, stored = saved
    restored = restore_speller(stored)
    assert restored.config == speller.config
    assert restored.weights == speller.weights
    assert restored.pair.log_unknown == speller.pair.log_unknown
    assert restored.pair.config == speller.pair.config
    assert restored.pair.words.tokenizer.vocab.tokens == speller.pair.words.tokenizer.vocab.tokens
    for name, array in speller.tensors.items():
        np.testing.assert_array_equal(restored.tensors[name], array)
    assert Corrector(restored).correct(LINES) == Corrector(speller).correct(LINES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pair": None}, "config.json, pair: expected a model and a tokenizer; copy the folder"),
        ({"pair": {"model": {}}}, "expected a model and a tokenizer; copy the folder again"),
        ({"pair": {**PAIR, "tokenizer": 7}}, "expected a model and a tokenizer"),
        ({"pair": {**PAIR, "model": {"cell": "x"}}}, "config.json, pair: cell must be"),
        ({"pair": {**PAIR, "log_unknown": "x"}}, "pair: 'x' is no share of unknown words"),
        ({"pair": {**PAIR, "log_unknown": 5.0}}, "pair: 5.0 is no share of unknown words"),
        ({"model": {"hidden_size": 7}}, "has shape"),
        ({"model": {"num_layers": 1}}, "unknown"),
        ({"tokenizer": {"name": "char"}}, "the tokenizer of its pair"),
        ({"tokenizer": {"name": "nothing"}}, "the tokenizer of its pair"),
        ({"cloze_words": 5, "cloze_dim": 1, "cloze_hidden": 1, "cloze_inner": 1}, "of two kinds"),
    ],
)
def test_what_does_not_fit_is_refused(saved, change, message):
    _, stored = saved
    config = dict(stored.model_config)
    if "pair" in change or "cloze_words" in change:
        config |= change
    else:
        pair = config["pair"]
        config["pair"] = pair | {name: pair[name] | value for name, value in change.items()}
    with pytest.raises(CheckpointError) as found:
        restore_speller(dataclasses.replace(stored, model_config=config))
    assert message in str(found.value)
    assert str(stored.folder) in str(found.value)


def test_a_vocabulary_that_is_missing_or_another_is_refused(saved):
    _, stored = saved
    files = {name: data for name, data in stored.tokenizer_files.items() if "pair" not in name}
    with pytest.raises(CheckpointError, match=r"the tokenizer's file vocab\.json is missing"):
        restore_speller(dataclasses.replace(stored, tokenizer_files=files))
    other = make_tokenizer("few words\n").to_files()["vocab.json"]
    files["pair_vocab.json"] = other
    with pytest.raises(CheckpointError, match="does not fit its models; copy the folder again"):
        restore_speller(dataclasses.replace(stored, tokenizer_files=files))


def test_numbers_beyond_float16_are_refused():
    pair = make_pair()
    config = pair.config
    half = {name: np.zeros(shape) for name, shape in config.tensor_shapes().items()}
    large = {**half, "output.weight": half["output.weight"] + 1e5}
    with pytest.raises(CheckpointError, match="numbers beyond 60,000; train both again"):
        pair_arrays(config, half, large)


def test_slips_change_letters_of_words_alone():
    lines = [line for line in SENTENCES.split("\n") if line]
    typed = add_slips(lines)
    assert typed == add_slips(lines)
    assert typed != add_slips(lines, seed=1)
    for line, other in zip(lines, typed, strict=True):
        words, others = line.split(), other.split()
        assert len(words) == len(others)
        assert all(abs(len(one) - len(two)) < 2 for one, two in zip(words, others, strict=True))
        assert [one for one in words if not one[0].islower()] == [
            two for one, two in zip(words, others, strict=True) if not one[0].islower()
        ]
    wrong = sum(map(count_wrong, lines, typed))
    assert 0.03 < wrong / len(" ".join(lines).split()) < 0.25


def run_to_the_end(events):
    """Return what events return, and the last of them."""
    last = None
    while True:
        try:
            last = next(events)
        except StopIteration as end:
            return end.value, last


@pytest.mark.parametrize(("right", "is_heard"), [("there", True), ("their", False)])
def test_a_pair_is_heard_as_far_as_it_serves(right, is_heard):
    tokenizer = make_tokenizer(SENTENCES * 2)
    pair = silent_pair(tokenizer, there=9.0, their=-9.0)
    lines = [f"{right} {right} house {right} dog {right}"] * 200
    speller, last = run_to_the_end(add_pair(make_speller(), pair, lines))
    assert (speller.weights.cloze > 0.0) == is_heard
    assert last.text.startswith(
        f"the pair has a share of {speller.weights.cloze:.0%} in what words around say: of 1,200 "
        "words held out, slips put in, "
    )


def test_of_few_lines_nothing_is_tried():
    speller, last = run_to_the_end(add_pair(make_speller(), make_pair(), ["few words"]))
    assert last is None
    assert speller.weights.cloze == PAIR_SHARE
    assert speller.weights.margin == make_speller().weights.margin - PAIR_SHARE


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    (tmp_path / "text.txt").write_text(SENTENCES * 20)
    return tmp_path


def test_a_speller_keeps_its_pair_when_that_is_gone(charlm, home):
    save_pair(home / "checkpoints" / "two")
    argv = ("train", "speller", home / "text.txt", "-o", "own", "--pair", "two")
    status, out, _ = charlm(*argv, "--json")
    assert status == 0
    result = json.loads(out.splitlines()[-1])
    listed = [json.loads(line) for line in charlm("models", "--json")[1].splitlines()]
    (own,) = (one for one in listed if one["name"] == "own")
    speller = restore_speller(load_model(home / "checkpoints" / "own"))
    of_pair = sum(array.size for array in speller.pair.arrays.values())
    told = 2 * speller.config.ngrams + of_pair
    assert (own["parameters"], result["parameters"]) == (told, told)
    card = (home / "checkpoints" / "own" / "README.md").read_text()
    assert "- close calls are decided by the language models of two" in card
    shutil.rmtree(home / "checkpoints" / "two")
    assert charlm("spell", "-m", "own", "over teh lazy dog")[1] == "over the lazy dog\n"
    assert "'the'" in charlm("spell", "-m", "own", "--explain", "over teh lazy dog")[1]
    assert charlm("doctor", "own")[0] == 0


def test_a_pair_is_trained_and_heard(charlm, home):
    pytest.importorskip("torch")
    sizes = ("--hidden-size", "16", "--embedding-dim", "8", "--bptt", "8", "--batch-size", "4")
    limits = ("--max-steps", "40", "--precision", "float32", "--threads", "1")
    words = ("--tokenizer", "word", "--lowercase", "--bidirectional")
    text = home / "text.txt"
    assert charlm("train", "lm", text, "-o", "two", "-q", *words, *sizes, *limits)[0] == 0
    status, _, err = charlm("train", "speller", text, "-o", "own", "--pair", "two")
    assert status == 0, err
    stored = load_model(home / "checkpoints" / "own")
    assert stored.model_config["pair"]["model"]["hidden_size"] == 16
    line = "it tok them about ten minuets"
    assert charlm("spell", "-m", "own", line)[1] == "it took them about ten minutes\n"


@pytest.mark.parametrize("name", ["char", "bpe", "whitespace"])
def test_a_pair_of_other_tokens_is_refused(home, name):
    tokenizer = make_tokenizer(SENTENCES * 5, name=name, lowercase=False)
    save_pair(home / "checkpoints" / "two", tokenizer)
    with pytest.raises(TaskError) as found:
        open_pair("two")
    assert str(found.value) == (
        f"two reads {name} tokens; a speller needs a pair that reads words "
        "(charlm train lm TEXT --tokenizer word --bidirectional)"
    )


def test_a_model_alone_is_refused(home):
    tokenizer = make_tokenizer()
    config = LanguageModelConfig(vocab_size=tokenizer.vocab_size, embedding_dim=5, hidden_size=6)
    save_half(home / "checkpoints" / "one", tokenizer, config, direction="")
    save_half(home / "checkpoints" / "begun", tokenizer, config, direction="forward")
    with pytest.raises(TaskError) as found:
        open_pair("one")
    assert str(found.value) == (
        "one has no backward model beside it; charlm train lm CORPUS --bidirectional trains both"
    )
    with pytest.raises(TaskError, match="charlm train --resume --name begun goes on with it"):
        open_pair("begun")
    with pytest.raises(CheckpointError, match="no checkpoint 'non'"):
        open_pair("non")


def test_time_for_networks_of_its_own_is_refused_beside_a_pair(charlm, home):
    with pytest.raises(ConfigError):
        SpellerTrainConfig(pair="two", max_time="1m")
    status, _, err = charlm("train", "speller", "x.txt", "--pair", "two", "--max-time", "1m")
    assert status == 2
    assert "--max-time is for networks of its own: leave it out beside --pair" in err
