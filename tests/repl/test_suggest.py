"""What is offered for the text before the cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.repl.commands import COMMANDS
from charlm.repl.session import Session
from charlm.repl.suggest import guess, suggest


def offered(session, text, *, asked=False):
    return [
        text[: len(text) - one.replaces] + one.text for one in suggest(session, text, asked=asked)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/mo", ["/more", "/model", "/models"]),
        ("/score --t", ["/score --tokens"]),
        ("/score --tokens ", []),
        ("/sample --tem", ["/sample --temperature"]),
        ("/set rep", ["/set repetition_penalty", "/set repetition_window"]),
        ("/set top_p ", []),
        ("/model ti", ["/model tiny"]),
        ("/spell --model ti", ["/spell --model tiny"]),
        ("/plot tiny ti", ["/plot tiny tiny"]),
        ("/help ag", ["/help again"]),
        ("/save fi", ["/save file.txt", "/save files/"]),
        ("/save files/", ["/save files/one"]),
        ("/zzz ", []),
        ("the qui", []),
    ],
)
def test_commands_options_names_and_files(session, user, text, expected):
    (user / "file.txt").touch()
    (user / "files").mkdir()
    (user / "files" / "one").touch()
    assert offered(session, text) == expected


def test_a_name_with_blanks_is_offered_in_quotes_and_opened(session, user, save_tiny, told):
    save_tiny(user / "checkpoints" / "spaced name")
    assert offered(session, "/model sp") == ['/model "spaced name"']
    assert offered(session, '/plot "sp') == ['/plot "spaced name"']
    status, out, err = told('/model "spaced name"', "/model tiny", "/model spaced name")
    first, _, last = out.splitlines()
    assert (status, err, first) == (0, "", last)
    assert first.startswith("spaced name: lm, char, ")


@pytest.fixture
def vectors(user):
    """A file of vectors, its words by frequency, and half of a folder's name."""
    (user / "small.vec").write_text("4 1\nthe 1\nking 1\nthey 1\nKingdom 1\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/neighbors --model small.vec th", ["the", "they"]),
        ("/neighbors --model small.vec the", ["they"]),
        ("/analogy --model small.vec king K", ["Kingdom"]),
        ("/neighbors --model small.vec zz", []),
        ("/neighbors --model small.vec ", []),
        ("/neighbors --model nothing th", []),
        ("/neighbors th", []),
        ("/neighbors --top-n 1", []),
    ],
)
def test_words_that_have_vectors(session, vectors, text, expected):
    begin = text[: text.rindex(" ") + 1]
    assert offered(session, text) == [begin + word for word in expected]


def test_words_of_a_language_model(session):
    assert offered(session, "/neighbors --model tiny t") == []
    assert session.others.spaces.open("tiny") is session.others.spaces.open("tiny")


def test_vectors_that_change_are_opened_again(session, vectors, user):
    import os

    assert len(session.others.spaces.open("small.vec").space.words) == 4
    (user / "small.vec").write_text("1 1\nnew 1\n")
    os.utime(user / "small.vec", ns=(1, 1))
    assert offered(session, "/neighbors --model small.vec n")[0].endswith(" new")


@given(st.lists(st.text(alphabet="abé", min_size=1)), st.text(alphabet="abé", max_size=2))
def test_words_by_their_beginning(words, half):
    from charlm.repl.kept import words_that_begin
    from charlm.vectors.words import Words

    found = list(words_that_begin(Words.of(words), half))
    assert found == [word for word in words if word.startswith(half)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/train ng", ["/train ngram"]),
        ("/train --max-t", ["/train --max-time"]),
        ("/train vectors --meth", ["/train vectors --method"]),
        ("/train file.txt --cell gr", ["/train file.txt --cell gru"]),
        ("/train python-d", ["/train python-docs"]),
        ("/train fi", ["/train file.txt"]),
        ("/model ./fi", ["/model ./file.txt"]),
    ],
)
def test_what_a_training_takes(session, user, text, expected):
    from charlm.cli.repl import complete_training

    session.complete_training = complete_training
    (user / "file.txt").touch()
    assert offered(session, text) == expected


def test_a_slash_offers_every_command(session):
    assert offered(session, "/") == [f"/{name}" for name in COMMANDS]


def test_tab_asks_the_model(session):
    for text in ("the qui", "/score the qui", '"""the qui'):
        found = offered(session, text, asked=True)
        assert found
        assert all(one.startswith(text) for one in found)
        assert offered(session, text) == []


def test_a_model_on_its_way_or_broken_offers_nothing(user, tiny, save_tiny):
    save_tiny(tiny / "checkpoints" / "broken")
    (tiny / "checkpoints" / "broken" / "config.json").write_text("{")
    session = Session("broken")
    session.close()
    assert offered(session, "the qui", asked=True) == []
    assert guess(session, "the qui") == ""
    assert session.model_name == "broken"


@given(st.text(max_size=12))
def test_a_ghost_is_harmless_and_of_one_line(shared, text):
    found = guess(shared, text)
    assert found.isprintable()
    assert found == "" or (text.strip() and not text.startswith("/")) or text.startswith("//")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    from tests.conftest import save_tiny_model

    folder = tmp_path_factory.mktemp("home") / "tiny"
    save_tiny_model(folder, text="\x1b]0;\x07 \u202e the quick\n")
    session = Session(str(folder))
    session.opened()
    return session


def test_work_does_not_wait_for_a_guess(session):
    with session.guessing() as is_wanted:
        assert is_wanted()
        session._asked += 1  # what `working` does before it waits
        assert not is_wanted()
    with session.working():
        pass
