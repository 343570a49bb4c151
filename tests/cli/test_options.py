"""Config classes to options and back."""

import contextlib
import dataclasses

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from charlm.base.config import check, setting
from charlm.cli.command import Command
from charlm.cli.completion import complete_file
from charlm.cli.options import Word, config_from, options_from
from charlm.cli.train import lm
from charlm.training.config import TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    top_p: float = setting(1.0, "mass to keep", gt=0.0, le=1.0)
    top: int | None = setting(None, "most", ge=1)
    cell: str = setting("lstm", "cell", choices=("lstm", "gru"))
    skip: bool | None = setting(None, "skip connections")
    stop: tuple[str, ...] = setting((), "stop strings")

    def __post_init__(self):
        check(self)


@click.command(cls=Command)
@click.argument("text", nargs=-1)
@options_from(Demo, short={"top": "t"}, complete={"stop": complete_file})
def demo(text, **settings):
    """Show."""
    return config_from(Demo, settings), text


def parse(*line):
    """Return the config and the arguments of a command line."""
    done = CliRunner().invoke(demo, line, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.return_value


def config(*line):
    return parse(*line)[0]


def test_each_field_becomes_an_option_of_its_type():
    found = [
        (o.opts, o.secondary_opts, type(o.type), o.default, o.multiple)
        for o in demo.params
        if isinstance(o, click.Option) and o.expose_value
    ]
    assert found == [
        (["--top-p"], [], type(click.FLOAT), 1.0, False),
        (["-t", "--top"], [], type(click.INT), None, False),
        (["--cell"], [], Word, "lstm", False),
        (["--skip"], ["--no-skip"], type(click.BOOL), None, False),
        (["--stop"], [], type(click.STRING), (), True),
    ]


def test_the_help_of_a_field_is_that_of_its_option():
    page = CliRunner().invoke(demo, ["--help"]).stdout
    assert "  --top-p FLOAT       mass to keep  [default: 1.0]\n" in page
    assert "  --cell [lstm|gru]   cell  [default: lstm]\n" in page
    assert "  --stop TEXT         stop strings (may be repeated)\n" in page


def test_an_empty_line_gives_the_default_config():
    assert config() == Demo()


def test_options_reach_the_config():
    line = ["--top-p", "0.5", "--top=3", "--cell", "gru", "--no-skip", "--stop", "a"]
    assert config(*line) == Demo(top_p=0.5, top=3, cell="gru", skip=False, stop=("a",))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["--top-p", "0"], "--top-p must be more than 0, got 0.0"),
        (["--top-p", "nan"], "--top-p must be a finite number, got nan"),
        (["--top", "-1"], "--top must be at least 1, got -1"),
        (
            ["--cell", "lsmt"],
            "'lsmt' is not one of lstm, gru (did you mean 'lstm'?)",
        ),
        (
            ["--top", "0", "--top-p", "2"],
            "--top-p must be at most 1, got 2.0; --top must be at least 1, got 0",
        ),
    ],
)
def test_what_the_config_refuses_is_told_in_the_spelling_of_the_options(line, message):
    with pytest.raises(click.UsageError) as error:
        config(*line)
    assert error.value.message == message


def test_every_training_setting_is_an_option():
    names = [param.name for param in lm.params]
    assert [f.name for f in dataclasses.fields(TrainConfig) if f.name not in names] == []


@pytest.mark.parametrize(
    ("line", "expected", "text"),
    [
        (["-t5"], {"top": 5}, ()),
        (["a", "-t", "5", "b"], {"top": 5}, ("a", "b")),
        (["--top-p=1e-3"], {"top_p": 0.001}, ()),
        (["--stop", "--top"], {"stop": ("--top",)}, ()),
        (["--stop="], {"stop": ("",)}, ()),
        (["--skip", "--no-skip"], {"skip": False}, ()),
        (["-"], {}, ("-",)),
        ([""], {}, ("",)),
        (["--", "--skip", "--"], {}, ("--skip", "--")),
    ],
)
def test_options_stand_anywhere_and_two_dashes_end_them(line, expected, text):
    assert parse(*line) == (Demo(**expected), text)


@given(st.lists(st.text()))
def test_any_line_is_read_or_refused(line):
    with contextlib.suppress(click.UsageError):
        assert parse("--stop", "x", *line) is None or isinstance(parse(*line)[1], tuple)
