"""Keys at the prompt, without a terminal."""

import stat

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from charlm.repl.history import MOST_BYTES, open_history
from charlm.repl.prompt import Prompt, toolbar
from charlm.repl.settings import ReplConfig, history_path


class Small(DummyOutput):
    """A terminal of some size that shows nothing."""

    def __init__(self, rows=24, columns=80):
        self.size = Size(rows=rows, columns=columns)

    def get_size(self):
        return self.size


@pytest.fixture
def typed(session):
    """Type keys at a prompt, and return the line that it reads."""

    def read(*keys, settings=None, keep_history=False, output=None, before=None):
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            prompt = Prompt(
                session,
                settings or ReplConfig(ghost=False),
                keep_history=keep_history,
                input=pipe,
                output=output or Small(),
            )
            if before is not None:
                before()
            lines = []
            for text in keys:
                pipe.send_text(text)
                lines.append(prompt.read())
            return lines[0] if len(lines) == 1 else lines

    return read


def test_enter_ends_a_line_and_alt_enter_adds_one(typed):
    assert typed("one\r") == "one"
    assert typed("one\x1b\rtwo\r") == "one\ntwo"
    assert typed('"""one\rtwo"""\r') == '"""one\ntwo"""'


def test_what_is_pasted_keeps_its_lines(typed):
    assert typed("\x1b[200~one\ntwo\x1b[201~\r") == "one\ntwo"


def test_ctrl_c_gives_a_line_up_and_ctrl_d_leaves(typed):
    with pytest.raises(KeyboardInterrupt):
        typed("half a line\x03")
    with pytest.raises(EOFError):
        typed("\x04")


def test_ctrl_r_searches_earlier_lines(typed):
    assert typed("first one\r", "second\r", "\x12fir\r\r")[-1] == "first one"


def test_keys_of_vi_if_settled(typed):
    vi = ReplConfig(ghost=False, keys="vi")
    assert typed("one two\x1b0dwi\r", settings=vi) == "two"


@pytest.mark.parametrize(("rows", "columns"), [(10, 20), (1, 1), (60, 200)])
def test_terminals_of_any_size_will_do(typed, rows, columns):
    assert typed("/he\tx\r", output=Small(rows, columns)).endswith("x")


def test_history_is_private_and_optional(typed, user):
    assert typed("a secret\r") == "a secret"
    assert not history_path().exists()
    typed("kept\r", keep_history=True)
    assert stat.S_IMODE(history_path().stat().st_mode) == 0o600
    assert "+kept" in history_path().read_text()
    history_path().chmod(0o644)
    open_history(history_path())
    assert stat.S_IMODE(history_path().stat().st_mode) == 0o600


def test_a_long_history_loses_its_older_half(user):
    path = history_path()
    path.parent.mkdir(parents=True)
    entry = "\n# 2026-01-01 00:00:00.000000\n+line\n"
    path.write_text(entry * (MOST_BYTES // len(entry) + 2))
    lines = list(open_history(path).load_history_strings())
    assert set(lines) == {"line"}
    assert 0 < path.stat().st_size <= MOST_BYTES // 2


def test_a_history_that_cannot_be_written_is_told(user, capsys):
    (user / "state").write_text("a file")
    open_history(history_path()).append_string("x")
    assert capsys.readouterr().err.startswith("charlm: warning: lines are not kept: ")


def test_the_toolbar_shows_what_fits(session):
    assert toolbar(session, 99).endswith(" · seed random · /help tells what there is")
    session.lines.append("the")
    session.speed = 12345.6
    full = "tiny · temperature 0.8 · top-p 1 · seed random · 12,346 tokens/s"
    assert toolbar(session, 80) == full
    assert toolbar(session, len(full) - 1) == full.rpartition(" · ")[0]
    assert toolbar(session, 3) == "ti…"


def test_tab_writes_a_command_however_fast_it_comes(typed):
    assert typed("/heatm\tabc\r") == "/heatmap abc"
    assert typed("/und\t\r") == "/undo"
    assert typed("/hea\t\t\tx\r") == "/heatmap x"
    assert typed("/score --tok\tx\r") == "/score --tokens x"
    assert typed("/spell --mo\ttin\tx\r") == "/spell --model tiny x"
    assert typed("/score --tokens\tx\r") == "/score --tokens x"
    assert typed("/help set\tx\r") == "/help set x"
    assert typed("/zzz\tx\r") == "/zzzx"


def test_enter_takes_what_was_chosen_and_the_line_goes_on(typed):
    assert typed("/set top\t\t\t\r0.5\r") == "/set top_p 0.5"


def test_the_last_text_is_changed_at_the_prompt(typed, session):
    from charlm.repl.loop import answer
    from charlm.repl.session import Written

    session.texts.append(Written("the ", "fox\nran"))
    session.draft = ""
    answer(session, "/edit")
    assert typed_again(typed, session, "\x7f\x7f\x7fsat\r") == "the fox\nsat"
    session.texts.append(Written("/etc"))
    answer(session, "/edit")
    assert typed_again(typed, session, '"""\r') == '"""/etc"""'


def typed_again(typed, session, keys):
    draft = session.draft
    return typed(keys, before=lambda: setattr(session, "draft", draft))
