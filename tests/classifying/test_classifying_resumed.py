"""A classifier whose training was stopped or killed goes on to the same classifier, bit by bit."""

import signal

import numpy as np
import pytest

from charlm.base.errors import CheckpointError, ConfigError
from charlm.store.checkpoint import load_model, load_resume, read_metrics, read_summary
from charlm.store.folder import check_folder
from charlm.tasks import train_classifier_run as task
from charlm.tasks.train_classifier import train_classifier
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_events import Message, VectorStep
from tests.killing import train_until

SMALL = {"threads": 1, "hidden_size": 4, "word_dim": 4, "subword_dim": 4, "batch_size": 8}

TASK = "charlm.tasks.train_classifier_run"


def run(file, name, *, resume=False, **more):
    config = ClassifierTrainConfig(**(SMALL | {"epochs": 4} | more))
    return list(train_classifier([str(file)], config, name=name, resume=resume))


def model(home, name):
    return load_model(home / "checkpoints" / name, verify=True)


def same(home, one, two):
    """Assert that two classifiers are the same, and the figures of their training."""
    models = model(home, one), model(home, two)
    first, second = (stored.tensors(floats_only=False) for stored in models)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert models[0].tokenizer_files == models[1].tokenizer_files
    told = ("steps", "epochs", "shares", "valid", "test", "finished", "parameters")
    assert [models[0].training[key] for key in told] == [models[1].training[key] for key in told]
    looks = [
        [r for r in read_metrics(home / "checkpoints" / name) if r["kind"] == "valid"]
        for name in (one, two)
    ]
    assert looks[0] == looks[1]


@pytest.mark.parametrize("more", [{}, {"ngrams": 0}, {"valid_fraction": 0.0}])
@pytest.mark.parametrize("stop_at", [1, 7, 10])  # an epoch has 5 updates
def test_stopped_by_ctrl_c_it_goes_on_as_one_that_was_not(reviews, home, stop_at, more):
    run(reviews, "whole", **more)
    config = ClassifierTrainConfig(**(SMALL | {"epochs": 4} | more))
    events = []
    for event in train_classifier([str(reviews)], config, name="part"):
        events.append(event)
        if isinstance(event, VectorStep) and event.step == stop_at:
            signal.raise_signal(signal.SIGINT)
    result = events[-1]
    assert (result.interrupted, result.signal, result.steps) == (True, "SIGINT", stop_at)
    assert model(home, "part").training["finished"] is False
    assert read_summary(home / "checkpoints" / "part").unfinished
    result = list(train_classifier([], ClassifierTrainConfig(), resume=True))[-1]
    assert (result.name, result.interrupted, result.steps) == ("part", False, 20)
    same(home, "whole", "part")


def test_stopped_while_n_grams_are_learnt_it_goes_on_with_the_layers(reviews, home, monkeypatch):
    run(reviews, "whole")
    real = task.train_linear_branch

    def stopped(*args):
        signal.raise_signal(signal.SIGINT)
        return (yield from real(*args))

    with monkeypatch.context() as patched:
        patched.setattr(task, "train_linear_branch", stopped)
        result = run(reviews, "part")[-1]
    assert (result.interrupted, result.steps) == (True, 1)
    assert model(home, "part").model_config["num_layers"] == 0
    monkeypatch.setattr(task, "train_linear_branch", None)  # not learnt again
    assert run(reviews, "part", resume=True)[-1].steps == 20
    same(home, "whole", "part")


def test_killed_at_saves_it_goes_on_to_the_same_classifier(reviews, home):
    sizes = [f"--{key.replace('_', '-')}={value}" for key, value in SMALL.items()]
    run(reviews, "whole")
    folder = home / "checkpoints" / "part"
    argv = ("classifier", "-q", reviews, "--epochs", "4", *sizes, "-o", "part")
    assert train_until(home, TASK, 1, "after", *argv)[0] == -signal.SIGKILL
    assert load_resume(folder).step == 0
    again = ("classifier", "-q", "--resume", "-o", "part")
    assert train_until(home, TASK, 9, "inside", *again) == (-signal.SIGKILL, "")
    assert check_folder(folder) == []
    assert 0 < load_resume(folder).step < 20
    assert train_until(home, TASK, 0, "", *again) == (0, "")
    same(home, "whole", "part")
    strays = [path.name for path in folder.rglob(".*") if path.name != ".lock"]
    assert strays == []


def test_stopped_before_anything_was_saved_it_says_what_to_do(reviews, home, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(task, "train_linear_branch", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(reviews, "part")
    with pytest.raises(CheckpointError) as caught:
        run(reviews, "part", resume=True)
    assert str(caught.value) == (
        f"nothing to resume: {home}/checkpoints/part holds no unfinished training of a "
        "classifier; leave out --resume and add --overwrite to train it anew"
    )


def test_a_longer_training_extends_a_finished_one(reviews, home):
    run(reviews, "r")
    result = run(reviews, "r", resume=True, epochs=6)[-1]
    assert (result.steps, result.interrupted) == (30, False)
    steps = [r["step"] for r in read_metrics(home / "checkpoints" / "r") if r["kind"] == "valid"]
    assert steps == [5, 10, 15, 20, 25, 30]


def test_a_finished_training_says_how_to_extend_it(reviews, home):
    run(reviews, "r")
    with pytest.raises(CheckpointError) as caught:
        run(reviews, "r", resume=True)
    assert str(caught.value) == (
        f"{home}/checkpoints/r is finished (step 20); to extend it, give a larger --epochs or "
        "--max-time"
    )


def test_a_limit_that_was_reached_before_is_told(reviews, home):
    run(reviews, "r")
    events = run(reviews, "r", resume=True, epochs=2)
    assert events[-1].steps == 20
    assert (
        "no update was made: step 20 is the end by --epochs 2; give a larger --epochs or "
        "--max-time to go on"
    ) in [event.text for event in events if isinstance(event, Message)]


def test_killed_between_the_last_state_and_the_model_it_ends(reviews, home, monkeypatch):
    run(reviews, "whole")

    def killed(*_, finished, **__):
        if finished:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(task.Run, "_save_model", killed)
        with pytest.raises(KeyboardInterrupt):
            run(reviews, "part")
    assert load_resume(home / "checkpoints" / "part").step == 20
    assert run(reviews, "part", resume=True)[-1].steps == 20
    same(home, "whole", "part")


def test_a_continuation_keeps_settings_and_texts(reviews, home):
    run(reviews, "r")
    with pytest.raises(ConfigError) as caught:
        run(reviews, "r", resume=True, hidden_size=9)
    assert str(caught.value) == (
        "hidden_size is 4 in the run to go on with; leave it out, or train a new classifier with "
        "another --name"
    )
    reviews.write_text(reviews.read_text() + "pos one more\n")
    with pytest.raises(CheckpointError) as caught:
        run(reviews, "r", resume=True)
    assert str(caught.value) == (
        f"the texts have changed since {home}/checkpoints/r was begun (their checksum differs); "
        "bring the old ones back, or train a new classifier with --name"
    )


def test_the_newest_unfinished_classifier_is_meant_not_another_model(charlm, reviews, home, tiny):
    status, _, err = charlm("train", "classifier", "--resume")
    assert (status, err) == (
        1,
        f"charlm: nothing to resume: no unfinished training of a classifier in {home}/checkpoints; "
        "leave out --resume\n",
    )
    status, _, err = charlm("train", "classifier", "--resume", "-o", "tiny")
    assert status == 1
    assert "tiny holds no unfinished training of a classifier" in err
    assert charlm("train", "classifier")[0] == 2


def test_a_state_that_does_not_fit_is_refused(reviews, home, monkeypatch):
    run(reviews, "r")
    found = load_resume(home / "checkpoints" / "r")
    for name in ("layers.weight.output.bias", "best.output.bias", "linear.bias"):
        wrong = found._replace(tensors=found.tensors | {name: np.zeros(7, np.float32)})
        monkeypatch.setattr("charlm.tasks.train_continue.load_resume", lambda _, w=wrong: w)
        with pytest.raises(CheckpointError, match="resume does not fit its own settings"):
            run(reviews, "r", resume=True, epochs=9)
    for values in ({"layers": {}}, {"shares": [1, 2]}, {"seconds": None}):
        wrong = found._replace(state=found.state | values)
        monkeypatch.setattr("charlm.tasks.train_continue.load_resume", lambda _, w=wrong: w)
        with pytest.raises(CheckpointError, match="resume does not fit its own settings"):
            run(reviews, "r", resume=True, epochs=9)


def test_words_that_changed_are_refused(reviews, home, monkeypatch):
    run(reviews, "r")
    found = load_resume(home / "checkpoints" / "r")
    values = found.state["layers"] | {"words_sha256": "0" * 64}
    wrong = found._replace(state=found.state | {"layers": values})
    monkeypatch.setattr("charlm.tasks.train_continue.load_resume", lambda _: wrong)
    with pytest.raises(CheckpointError, match=r"the words have changed since .*/r was begun"):
        run(reviews, "r", resume=True, epochs=9)
    del values["words_sha256"]  # as states had none before
    assert run(reviews, "r", resume=True, epochs=5)[-1].steps == 25


def test_a_training_goes_on_from_another_folder(reviews, home, monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", str(home))
    (home / "else").mkdir()
    monkeypatch.chdir(home)
    run(reviews.name, "r")
    monkeypatch.chdir(home / "else")
    longer = ClassifierTrainConfig(epochs=6)
    assert list(train_classifier([], longer, name="r", resume=True))[-1].steps == 30
