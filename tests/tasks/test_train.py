"""Training runs from text to a model folder: what they yield, save, refuse and resume."""

import dataclasses
import math
import os
import signal

import numpy as np
import pytest

from charlm.base.errors import CheckpointError, ConfigError, CorpusError, TaskError
from charlm.store.checkpoint import load_model, read_metrics
from charlm.store.locate import find_model
from charlm.tasks.train import train_language_model
from charlm.tasks.train_events import Evaluated, Message, Planned, StepRecord, TrainResult
from charlm.training.config import TrainConfig

SMALL = {
    "hidden_size": 16,
    "embedding_dim": 8,
    "batch_size": 4,
    "bptt": 8,
    "precision": "float32",
    "threads": 1,
}
LINES = "the cat sat on the mat.\na dog ate the cat's hat!\n"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "cats.txt"
    path.write_text(LINES * 40)
    return str(path)


def config(**changes) -> TrainConfig:
    return TrainConfig(**SMALL | {"max_steps": 30} | changes)


def train(corpus, settings=None, **options) -> list:
    return list(train_language_model([corpus], settings or config(), **options))


def losses(folder) -> dict[int, float]:
    return {r["step"]: r["loss"] for r in read_metrics(folder) if r["kind"] == "step"}


def test_a_run_plans_trains_evaluates_and_saves(corpus, home):
    events = train(corpus)
    assert isinstance(events[0], Message)
    assert isinstance(events[1], Planned)
    assert events[2].text.startswith("computing in float32 in ")
    assert isinstance(events[-1], TrainResult)
    assert any(isinstance(event, StepRecord) for event in events)
    assert any(isinstance(event, Evaluated) for event in events)
    result = events[-1]
    assert (result.name, result.kind, result.steps) == ("cats", "lm", 30)
    text = LINES * 40
    assert result.valid.tokens == result.valid.chars == len(text) - int(len(text) * 0.9)
    assert result.valid.perplexity == pytest.approx(math.exp(result.valid.nats_per_token))
    stored = load_model(home / "checkpoints" / "cats", verify=True)
    assert stored.kind == "lm"
    assert stored.model_config["hidden_size"] == 16
    assert stored.training["finished"] is True
    assert len(list((home / "checkpoints" / "cats" / "resume").iterdir())) == 2


def test_the_reported_figure_is_the_mean_over_the_tail_one_token_after_another(corpus, home):
    from charlm.tasks.load import open_model

    result = train(corpus)[-1]
    opened = open_model("cats")
    text = (LINES * 40)[int(len(LINES * 40) * 0.9) :]
    state, previous, nll = opened.model.initial_state(1), opened.model.bos_id, 0.0
    for token in opened.tokenizer.encode(text):
        logits, state = opened.model.step(np.array([previous]), state)
        row = logits[0].astype(np.float64)
        nll -= row[token] - np.log(np.exp(row - row.max()).sum()) - row.max()
        previous = int(token)
    assert result.valid.nats_per_token == pytest.approx(nll / len(text), rel=1e-5)


def test_the_same_seed_gives_the_same_losses_and_another_seed_others(corpus, home):
    runs = [
        train(corpus, config(seed=seed), name=name) and losses(home / "checkpoints" / name)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert runs[0] == runs[1] != runs[2]


def test_a_model_learns_more_than_the_frequencies_of_letters(corpus):
    result = train(corpus, config(max_steps=400, learning_rate=0.02))[-1]
    text = LINES * 40
    counts = np.array([text.count(char) for char in sorted(set(text))]) / len(text)
    unigram = -(counts * np.log(counts)).sum()
    assert result.valid.nats_per_token < 0.4 * unigram


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_is_bit_identical_to_the_unbroken_one(corpus, home, precision):
    settings = config(
        max_steps=60, precision=precision, dropout=0.2, ema=0.9, embedding_dropout=0.1
    )
    train(corpus, settings, name="whole")
    events = train_language_model([corpus], settings, name="broken")
    for event in events:
        if isinstance(event, StepRecord) and event.step >= 25:
            os.kill(os.getpid(), signal.SIGTERM)
            break
    stopped = list(events)[-1]
    assert (stopped.interrupted, stopped.signal) == (True, "SIGTERM")
    assert stopped.steps < 60
    finished = list(train_language_model([corpus], TrainConfig(), name="broken", resume=True))[-1]
    whole, broken = (losses(home / "checkpoints" / name) for name in ("whole", "broken"))
    assert finished.steps == 60
    common = sorted(set(whole) & set(broken))
    assert common
    assert [whole[s] for s in common] == [broken[s] for s in common]
    one, other = (load_model(home / "checkpoints" / name).tensors() for name in ("whole", "broken"))
    for name, tensor in one.items():
        np.testing.assert_array_equal(other[name], tensor)


def interrupted(corpus, name="halfway", **changes):
    events = train_language_model([corpus], config(max_steps=60, **changes), name=name)
    for event in events:
        if isinstance(event, StepRecord):
            os.kill(os.getpid(), signal.SIGINT)
            break
    return list(events)[-1]


def test_resume_refuses_a_changed_corpus(corpus, home):
    interrupted(corpus)
    (home / "cats.txt").write_text(LINES * 41)
    with pytest.raises(CheckpointError, match=r"the corpus has changed since .*halfway was begun"):
        list(train_language_model([corpus], TrainConfig(), name="halfway", resume=True))


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"seed": 7}, "--seed 7 (it is 0)"), ({"batch_size": 3}, "--batch-size 3 (it is 4)")],
)
def test_resume_refuses_other_draws_and_tells_what_was_settled(corpus, changed, message):
    interrupted(corpus)
    with pytest.raises(ConfigError) as caught:
        list(train_language_model([], TrainConfig(**changed), name="halfway", resume=True))
    assert str(caught.value) == (
        f"a resumed training keeps its text and form; cannot change {message}"
    )


def test_a_run_finds_its_text_from_another_folder(corpus, home, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(home))
    monkeypatch.chdir(home)
    interrupted("cats.txt")
    (home / "else").mkdir()
    monkeypatch.chdir(home / "else")
    longer = TrainConfig(max_steps=60)
    assert list(train_language_model([], longer, name="halfway", resume=True))[-1].steps == 60


def test_a_run_whose_current_folder_is_removed_goes_on_to_its_end(corpus, home, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(home))
    (home / "gone[1]").mkdir()
    monkeypatch.chdir(home / "gone[1]")
    events = train_language_model(["../ca*.txt"], config(max_steps=60), name="r")
    for event in events:
        if isinstance(event, StepRecord):
            (home / "gone[1]").rmdir()
            break
    assert list(events)[-1].steps == 60
    monkeypatch.chdir(home)
    (home / "gone[1]").mkdir()
    longer = TrainConfig(max_steps=90)
    assert list(train_language_model([], longer, name="r", resume=True))[-1].steps == 90


def test_what_the_machine_lacks_is_told_before_a_folder_is_made(corpus, home):
    with pytest.raises(TaskError, match="float16 needs CUDA"):
        train(corpus, config(precision="float16", device="cpu"), name="half")
    assert not (home / "checkpoints" / "half").exists()


def test_resume_refuses_another_architecture_and_takes_another_rate(corpus):
    interrupted(corpus)
    changed = TrainConfig(hidden_size=32)
    with pytest.raises(ConfigError, match=r"cannot change --hidden-size 32 \(it is 16\)"):
        list(train_language_model([corpus], changed, name="halfway", resume=True))
    changed = TrainConfig(learning_rate=0.5)
    events = list(train_language_model([corpus], changed, name="halfway", resume=True))
    messages = [event.text for event in events if isinstance(event, Message)]
    assert "learning rate changed from unset to 0.5" in messages
    assert events[-1].steps == 60


def test_resume_without_a_name_takes_the_newest_unfinished_run(corpus):
    interrupted(corpus, name="older")
    interrupted(corpus, name="newer")
    assert list(train_language_model([], TrainConfig(), resume=True))[-1].name == "newer"


def test_nothing_to_resume_is_said(corpus):
    with pytest.raises(CheckpointError, match="nothing to resume: no unfinished training in"):
        list(train_language_model([], TrainConfig(), resume=True))
    train(corpus, name="done")
    with pytest.raises(
        CheckpointError,
        match=r"done is finished \(--max-steps 30, step 30\); to extend it, give a larger",
    ):
        list(train_language_model([], TrainConfig(), name="done", resume=True))


def test_a_taken_name_is_refused_and_an_unnamed_run_finds_a_free_one(corpus):
    train(corpus, name="cats")
    with pytest.raises(CheckpointError, match=r"cats exists; add --resume .* --overwrite"):
        train(corpus, name="cats")
    assert train(corpus)[-1].name == "cats-2"
    assert train(corpus, name="cats", overwrite=True)[-1].name == "cats"


@pytest.mark.parametrize(
    "name", ["my novel.txt", "\x1b[31mred.txt", "红楼梦.txt", "-.txt", "é" * 60]
)
def test_an_unnamed_model_gets_a_name_that_can_be_asked_for(corpus, home, name):
    (home / name).write_text(LINES * 40)
    result = train(str(home / name))[-1]
    assert find_model(result.name).folder == home / "checkpoints" / result.name
    assert result.name.isascii()
    assert result.name.isprintable()


def test_overwriting_keeps_the_old_model_until_there_is_a_trained_one(corpus, home):
    train(corpus, name="cats")
    folder = home / "checkpoints" / "cats"
    before = load_model(folder, verify=True).tensors()
    events = train_language_model([corpus], config(seed=9), name="cats", overwrite=True)
    next(event for event in events if isinstance(event, StepRecord))
    events.close()  # as if killed
    after = load_model(folder, verify=True).tensors()
    assert all((after[name] == before[name]).all() for name in before)
    assert train(corpus, config(seed=9), name="cats", overwrite=True)[-1].steps == 30


def test_a_dry_run_tells_the_plan_and_writes_nothing(corpus, home):
    (planned,) = train(corpus, dry_run=True)
    assert planned.vocab_size == 17
    assert planned.batch_size == 4
    assert planned.tokens_per_second > 0
    assert not (home / "checkpoints").exists()


def test_a_diverging_run_stops_before_the_update_and_says_what_to_do(corpus, home, monkeypatch):
    from charlm.models.language_model import LanguageModel

    healthy = LanguageModel.loss

    def failing(self, ids, targets, state, generator=None):
        loss, after = healthy(self, ids, targets, state, generator)
        failing.calls += generator is not None
        return (loss * math.nan if failing.calls == 12 else loss), after

    failing.calls = 0
    monkeypatch.setattr(LanguageModel, "loss", failing)
    with pytest.raises(TaskError, match=r"diverged at step 12: the loss is nan .*--learning-rate"):
        train(corpus, name="wild")
    stored = load_model(home / "checkpoints" / "wild", verify=True)
    assert all(np.isfinite(tensor).all() for tensor in stored.tensors().values())
    assert stored.training["steps"] == 11


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n\t\n", "nothing but blanks"),
        ("abc", "2 tokens to train on, need at least 128"),
    ],
)
def test_a_text_that_is_too_short_is_refused(tmp_path, text, message):
    path = tmp_path / "short.txt"
    path.write_text(text)
    with pytest.raises(CorpusError, match=message):
        train(str(path))


def test_a_text_of_one_symbol_trains_without_nan(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a" * 2_000)
    result = train(str(path))[-1]
    assert math.isfinite(result.valid.nats_per_token)


def test_valid_and_test_files_are_scored_whole(corpus, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("the dog sat.\n" * 9)
    result = train(corpus, config(valid=str(other), test=str(other), max_steps=5))[-1]
    assert result.valid == result.test
    assert result.test.tokens == len("the dog sat.\n" * 9)


@pytest.mark.parametrize("tokenizer", ["byte", "word", "whitespace", "bpe", "unigram"])
def test_every_tokenizer_trains(corpus, tokenizer):
    result = train(corpus, config(tokenizer=tokenizer, max_steps=4))[-1]
    assert math.isfinite(result.valid.bits_per_char)


@pytest.mark.parametrize(
    "form",
    [
        {"cell": "gru"},
        {"cell": "gru", "reset": "before"},
        {"cell": "rnn"},
        {"num_layers": 3, "skip": True, "layer_dropout": 0.1},
        {"tie_weights": True, "weight_drop": 0.3, "ema": 0.9},
    ],
    ids=str,
)
def test_every_form_trains_and_scores_exactly(corpus, form):
    result = train(corpus, config(max_steps=4, **form))[-1]
    assert math.isfinite(result.valid.nats_per_token)


def test_the_plan_survives_its_json(corpus):
    from charlm.training.presets import Plan, plan_run

    plan = plan_run(
        config(), vocab_size=65, train_tokens=10_000, chars_per_token=1.0, operations_per_second=0.0
    )
    assert Plan.from_values(plan.to_values(), config()) == plan
    faster = Plan.from_values(plan.to_values(), config(learning_rate=0.5))
    assert faster == dataclasses.replace(plan, learning_rate=0.5)
