"""The user's settings."""

import pytest

from charlm.base.errors import ConfigError
from charlm.repl.settings import ReplConfig, config_path, parse_settings, read_settings


def write(text):
    config_path().parent.mkdir(parents=True)
    config_path().write_text(text)


def test_settings_are_read(user):
    assert read_settings() == (ReplConfig(), "")
    write('keys = "vi"\nhistory = false\n[sampling]\ntemperature = 0.5\nstop = ["\\n"]\n')
    settings, problem = read_settings()
    assert (settings.keys, settings.history, problem) == ("vi", False, "")
    assert (settings.sampling().temperature, settings.sampling().stop) == (0.5, ("\n",))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kys": 1}, "unknown keys kys; known: keys, history, transcript, ghost, mouse, sampling"),
        ({"keys": "ed"}, "keys must be one of emacs, vi, got 'ed'"),
        ({"mouse": "on"}, "mouse must be true or false, got 'on'"),
        ({"sampling": {"top_p": 2.0}}, "[sampling]: top_p must be at most 1, got 2.0"),
        ({"sampling": 1}, "[sampling]: expected an object, found int"),
    ],
)
def test_wrong_settings_are_told(values, message):
    with pytest.raises(ConfigError) as error:
        parse_settings(values)
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["keys = ", 'keys = "ed"', "\udcff"])
def test_a_session_begins_whatever_is_in_the_file(told, user, text):
    config_path().parent.mkdir(parents=True)
    config_path().write_bytes(text.encode("utf-8", "surrogateescape"))
    status, out, err = told("/set temperature")
    assert (status, out) == (0, "temperature  0.8\n")
    assert err.startswith(f"charlm: warning: {config_path()}: ")
    assert err.endswith("; defaults are in use\n")
    assert err.count("\n") == 1


def test_the_settings_hold_for_the_session(told):
    write("[sampling]\nmax_new_tokens = 3\nseed = 1\n")
    status, out, _ = told("/set max_new_tokens", "the")
    assert (status, len(out)) == (0, len("max_new_tokens  3\nthe123\n"))


def test_a_model_brings_its_habits_and_what_was_set_goes_first(told, user):
    (user / "checkpoints" / "tiny.toml").write_text("max_new_tokens = 3\ntemperature = 0\n")
    status, out, err = told(
        "/set temperature 2", "/model tiny", "/set max_new_tokens", "/set temperature"
    )
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[-2:] == ["max_new_tokens  3", "temperature  2"]


def test_the_habits_of_a_model_hold_from_the_first_line_and_end_with_it(told, user, save_tiny):
    save_tiny(user / "checkpoints" / "other")
    (user / "checkpoints" / "tiny.toml").write_text("max_new_tokens = 3\ntemperature = 0\n")
    asked = "/set max_new_tokens"
    status, out, err = told(asked, "the", "/model other", asked, "/model tiny", asked)
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert (lines[0], len(lines[1])) == ("max_new_tokens  3", len("the123"))
    assert (lines[3], lines[5]) == ("max_new_tokens  200", "max_new_tokens  3")


@pytest.mark.parametrize("line", ["/set max_new_tokens", "/help quit"])
def test_habits_that_are_wrong_are_told_before_the_first_answer(told, user, line):
    (user / "checkpoints" / "tiny.toml").write_text("max_new_token = 3\n")
    status, _, err = told(line)
    begin = f"charlm: warning: {user / 'checkpoints' / 'tiny.toml'}: unknown keys max_new_token; "
    assert (status, err.startswith(begin), err.count("\n")) == (0, True, 1)


def test_habits_that_are_wrong_are_told_and_the_session_goes_on(told, user):
    (user / "checkpoints" / "tiny.toml").write_text("temperature = -1\n")
    status, out, err = told("/model tiny")
    assert (status, out[:5]) == (0, "tiny:")
    assert err.count("temperature must be at least 0") == 1
