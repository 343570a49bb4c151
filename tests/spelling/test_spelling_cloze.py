"""The recurrent networks of a speller: trained with torch, read with NumPy, heard now and then."""

import dataclasses

import numpy as np
import pytest

from charlm.base.errors import CheckpointError, ConfigError
from charlm.spelling.cloze import Cloze, cloze_shapes, plain_text
from charlm.spelling.corrector import Corrector
from charlm.spelling.folder import restore_speller, save_speller
from charlm.store.checkpoint import load_model
from charlm.tasks.train_speller_cloze import add_cloze, cloze_seconds
from charlm.tasks.train_speller_config import SpellerTrainConfig
from tests.spelling.making import make_speller

SIZES = {"words": 50, "dim": 6, "hidden": 8, "inner": 10}
BOS = 99


def random_arrays(words=50, seed=0):
    rng = np.random.default_rng(seed)
    shapes = cloze_shapes(words, SIZES["dim"], SIZES["hidden"], SIZES["inner"])
    return {
        name: rng.normal(0.0, 0.5, shape).astype(
            np.float32 if name.endswith((".b", "bias")) else np.float16
        )
        for name, shape in shapes.items()
    }


def torch_vectors(arrays, text):
    torch = pytest.importorskip("torch")
    from charlm.models.cloze import Cloze as Trained

    model = Trained(SIZES["dim"], SIZES["hidden"], SIZES["inner"])
    state = {}
    for side in ("ahead", "back"):
        for ours, theirs in (("ih", "weight_ih"), ("hh", "weight_hh"), ("b", "bias")):
            state[f"{side}.{theirs}"] = arrays[f"cloze.{side}.{ours}"]
    for name in ("inner", "outer"):
        state[f"{name}.weight"] = arrays[f"cloze.{name}.w"]
        state[f"{name}.bias"] = arrays[f"cloze.{name}.b"]
    model.load_state_dict(
        {name: torch.from_numpy(value.astype(np.float32)) for name, value in state.items()}
    )
    rows = torch.from_numpy(arrays["cloze.words"].astype(np.float32))
    with torch.no_grad():
        return model.contexts(rows, torch.from_numpy(text)[:, None])[:, 0].numpy()


def test_numpy_reads_what_torch_trained():
    arrays = random_arrays()
    text = np.random.default_rng(1).integers(0, 50, 20)
    begin = np.arange(20)
    zeros, ends = np.zeros(20, np.int64), np.full(20, 20)
    found = Cloze(arrays).vectors(text, zeros, ends, begin, begin + 1)
    np.testing.assert_allclose(found, torch_vectors(arrays, text), atol=1e-4)


def test_a_gap_is_read_alike_in_whatever_company():
    cloze = Cloze(random_arrays())
    text = np.random.default_rng(2).integers(0, 50, 400)
    starts, ends = np.repeat([0, 100, 130], [2, 2, 3]), np.repeat([100, 130, 400], [2, 2, 3])
    begin = np.array([3, 99, 100, 120, 131, 200, 399])
    together = cloze.vectors(text, starts, ends, begin, begin + 1)
    alone = [
        cloze.vectors(
            text[: ends[i]], starts[i : i + 1], ends[i : i + 1], begin[[i]], begin[[i]] + 1
        )
        for i in range(7)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)


def test_nothing_behind_the_line_is_read():
    cloze = Cloze(random_arrays())
    text = np.random.default_rng(3).integers(0, 50, 60)
    other = text.copy()
    other[30:] = 7
    place = (np.zeros(1, np.int64), np.array([30]), np.array([20]), np.array([21]))
    np.testing.assert_array_equal(cloze.vectors(text, *place), cloze.vectors(other, *place))


def test_scores_are_products_with_the_words_and_their_biases():
    arrays = random_arrays()
    vectors = np.ones((2, SIZES["dim"]), np.float32)
    expected = arrays["cloze.words"].astype(np.float32).sum(1) + arrays["cloze.bias"]
    found = Cloze(arrays).scores(vectors, np.array([7, 70]))
    np.testing.assert_allclose(found, expected[[7, 0]], rtol=1e-5)


def test_beginnings_become_one_end_and_repetitions_nothing():
    tokens = np.array([BOS, 5, 6, 1, BOS, BOS, 7, BOS, 8, 9])
    again = np.array([False] * 8 + [True, False])
    text, places = plain_text(tokens, BOS, again)
    assert text.tolist() == [5, 6, 1, 7, 1, 9]
    assert places.tolist() == [0, 0, 1, 2, 3, 3, 3, 4, 5, 5, 6]


def trained_arrays(text_words=400, steps=3):
    torch = pytest.importorskip("torch")
    from charlm.training.cloze import ClozeSettings, train_cloze

    torch.set_num_threads(1)
    ids = np.tile(np.arange(3, 43, dtype=np.int32), text_words // 40)
    settings = ClozeSettings(
        words=50, dim=6, hidden=8, inner=10, others=8, window=16, rows=4, learning_rate=0.02
    )
    training = train_cloze(ids, 50, settings, seconds=1e9, passes=20.0)
    losses = [next(training).loss]
    while True:
        try:
            losses.append(training.send(len(losses) >= steps).loss)
        except StopIteration as end:
            return losses, end.value


def test_training_learns_what_follows_what():
    losses, arrays = trained_arrays(steps=40)
    assert losses[-1] < 0.9 * losses[0]
    assert {name: a.shape for name, a in arrays.items()} == cloze_shapes(43 + 7, 6, 8, 10)


def test_training_on_the_same_text_gives_the_same_networks():
    first, second = trained_arrays()[1], trained_arrays()[1]
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_text_without_a_window_is_refused():
    pytest.importorskip("torch")
    from charlm.training.cloze import ClozeSettings, train_cloze

    training = train_cloze(np.zeros(5, np.int32), 5, ClozeSettings(), seconds=1.0, passes=1.0)
    with pytest.raises(ValueError, match="5 words have no window of 64"):
        next(training)


def heard(weight, sign):
    """Return what becomes of a line where networks know one of two words alone."""
    speller = make_speller(cloze=weight, margin=0.0, unknown=-6.0, model=0.3)
    arrays = random_arrays(min(50, speller.config.vocab_size))
    for name in arrays:
        arrays[name][...] = 0
    for word in ("their", "there"):
        place = speller.lexicon.ids[word]
        assert place < 50
        arrays["cloze.bias"][place] = sign if word == "there" else -sign
    speller = speller.with_cloze(arrays)
    return Corrector(speller).correct(["the therr letter came"])[0].corrected


def test_networks_decide_a_close_call():
    assert heard(0.5, 0.0) == heard(0.0, 30.0)
    assert heard(1.0, 30.0) == "the there letter came"
    assert heard(1.0, -30.0) == "the their letter came"


def test_a_line_does_not_depend_on_how_lines_come():
    speller = make_speller().with_cloze(random_arrays(40))
    lines = [
        "Teh quick brown fox jumsp over the lazy dog.",
        "",
        "there is alot to eat",
        "we wents to",
    ]
    at_once = [line.corrected for line in Corrector(speller).correct(lines)]
    corrector = Corrector(speller)
    assert [corrector.correct([line])[0].corrected for line in lines] == at_once


def test_networks_are_saved_with_the_speller(tmp_path):
    speller = make_speller().with_cloze(random_arrays(40))
    save_speller(tmp_path / "a", speller, training={"note": "x"}, card="x")
    restored = restore_speller(load_model(tmp_path / "a"))
    assert restored.config == speller.config
    for name, array in speller.tensors.items():
        np.testing.assert_array_equal(restored.tensors[name], array)
    lines = ["we wents to there house becuase"]
    assert Corrector(restored).correct(lines) == Corrector(speller).correct(lines)


@pytest.mark.parametrize(
    "change", [{"cloze_words": 10**6}, {"cloze_hidden": 0}, {"cloze_dim": 7}, {"cloze_inner": 11}]
)
def test_sizes_that_do_not_fit_are_refused(tmp_path, change):
    import json

    speller = make_speller().with_cloze(random_arrays(40))
    save_speller(tmp_path / "a", speller, training={"note": "x"}, card="x")
    stored = load_model(tmp_path / "a")
    broken = dataclasses.replace(stored, model_config={**stored.model_config, **change})
    json.dumps(broken.model_config)
    with pytest.raises(CheckpointError):
        restore_speller(broken)


def test_max_time_is_a_duration_or_none():
    assert (cloze_seconds(None), cloze_seconds("none"), cloze_seconds("90s")) == (None, 0.0, 90.0)
    with pytest.raises(ConfigError, match="'soon' is no duration; write 90s, 3m, 1h or 1h30m"):
        cloze_seconds("soon")
    assert SpellerTrainConfig().max_time is None


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_few_words_and_no_time_make_no_networks(seconds):
    speller = make_speller()
    events = add_cloze(speller, np.zeros(1000, np.int32), seconds)
    with pytest.raises(StopIteration) as end:
        next(events)
    assert end.value.value is speller
