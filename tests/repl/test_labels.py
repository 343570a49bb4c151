"""Labels of texts within a session."""

import json

import pytest

from charlm.repl.kept import Kept


@pytest.fixture
def labelled(user):
    lines = [
        f"__label__{'good' if n % 2 else 'bad'} {'fine' if n % 2 else 'dull'}" for n in range(40)
    ]
    (user / "labelled.txt").write_text("\n".join(lines) + "\n")


def test_texts_are_classified_by_what_was_trained_within(told, labelled, capsys):
    from charlm.cli.app import run

    train = "/train classifier labelled.txt -o mood --num-layers 0"
    status, out, err = told(train, "/wait", "/classify fine | dull", "/classify --top 2 fine")
    assert status == 0
    assert "mood is trained; /classify TEXT uses it\n" in err
    run(["classify", "-m", "mood", "fine", "dull"])
    run(["classify", "-m", "mood", "--top", "2", "fine"])
    assert out.endswith(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/classify a", "no classifier yet; charlm train classifier FILE makes one of labelled"),
        ("/classify", "no text yet; type how one begins"),
        ("/classify --top 0 a", "--top must be a whole number from 1 to 100000, got '0'"),
        ("/tag a", "no tagger yet; "),
        ("/tag", "no text yet; type how one begins"),
    ],
)
def test_what_is_missing_is_told(told, line, message):
    status, out, err = told(line)
    assert (status, out) == (0, "")
    assert err.startswith(f"charlm: {message}")


NEWEST = "charlm: using 'mood', the newest model in {home}/checkpoints/ (choose with --model)\n"


def test_which_model_answers_is_told_once_and_of_which_command(told, labelled, user):
    train = "/train classifier labelled.txt -o mood --num-layers 0"
    asked = ("/classify fine", "/classify dull", "/classify --model mood fine")
    _, __, err = told(train, "/wait", *asked, "/model mood", "/classify fine")
    assert err == (
        "training beside the session; /stop saves and ends it\n"
        "mood is trained; /classify TEXT uses it\n"
        f"{NEWEST.format(home=user)}"
        "charlm: 'mood' holds a classifier, which cannot write; "
        "/classify --model mood TEXT asks it\n"
    )
    assert told("the", options=("-m", "mood")) == (0, "", err.splitlines(keepends=True)[-1])


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("speller", "en", "'en' holds a speller, which cannot write; /spell --model en TEXT"),
        ("tagger", "en", "'en' holds a tagger, which cannot write; /tag --model en TEXT"),
        (
            "vectors",
            "my en",
            "'my en' holds word vectors, which cannot write; /neighbors --model \"my en\" WORD",
        ),
    ],
)
def test_another_kind_of_model_names_the_command_that_asks_it(
    told, user, save_tiny, forge, kind, name, message
):
    folder = user / "checkpoints" / name
    save_tiny(folder)
    config = json.loads((folder / "config.json").read_text())
    forge(folder, "config.json", json.dumps({**config, "kind": kind}).encode())
    status, out, err = told(f"/model {name}", "/set min_p")
    assert (status, out, err) == (0, "min_p  0\n", f"charlm: {message} asks it\n")


class Space:
    """Word vectors that were chosen."""

    note = "using 'v'"


def test_completion_tells_nothing(capsys):
    kept = Kept("vectors", lambda _: Space())
    kept.open(None)
    assert capsys.readouterr().err == ""
    kept.told(None)
    kept.told(None)
    assert capsys.readouterr().err == "charlm: using 'v'\n"
