"""Labels of texts within a session."""

import pytest


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
