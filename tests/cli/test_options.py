"""Config classes to options and back."""

import dataclasses

import pytest

from charlm.base.config import check, setting
from charlm.cli.options import config_from, options_from
from charlm.cli.parse import parse
from charlm.cli.spec import Command, Option, UsageError
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


def config(*line):
    command = Command("demo", "demo", lambda values: 0, options=options_from(Demo))
    return config_from(Demo, parse(command, line))


def test_each_field_becomes_an_option_of_its_type():
    assert options_from(Demo, short={"top": "t"}, complete={"stop": "file"}) == (
        Option("top_p", "mass to keep", kind=float, default=1.0),
        Option("top", "most", kind=int, short="t"),
        Option("cell", "cell", default="lstm", values=("lstm", "gru")),
        Option("skip", "skip connections", kind=bool, negatable=True),
        Option("stop", "stop strings", default=(), repeats=True, complete="file"),
    )


def test_an_option_can_be_left_out():
    assert [o.name for o in options_from(Demo, leave_out=("top_p", "cell", "skip"))] == [
        "top",
        "stop",
    ]


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
            "--cell must be one of lstm, gru (did you mean 'lstm'?), got 'lsmt'",
        ),
        (
            ["--top", "0", "--top-p", "2"],
            "--top-p must be at most 1, got 2.0; --top must be at least 1, got 0",
        ),
    ],
)
def test_what_the_config_refuses_is_told_in_the_spelling_of_the_options(line, message):
    with pytest.raises(UsageError) as error:
        config(*line)
    assert str(error.value) == message


def test_every_training_setting_is_an_option():
    names = [option.name for option in options_from(TrainConfig)]
    assert names == [field.name for field in dataclasses.fields(TrainConfig)]
