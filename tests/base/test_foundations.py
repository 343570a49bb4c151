from __future__ import annotations

import contextlib
import dataclasses
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from charlm.base import errors
from charlm.base.config import check, from_json, setting, settings_of, to_json
from charlm.base.durations import format_duration, parse_duration
from charlm.base.errors import CharlmError, ConfigError
from charlm.base.registry import Registry, did_you_mean


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    size: int = setting(4, "units", ge=1, le=100)
    rate: float = setting(0.5, "rate", gt=0.0, lt=1.0)
    cell: str = setting("lstm", "cell", choices=("lstm", "gru"))
    tied: bool = setting(False, "tied")
    limit: int | None = setting(None, "limit", ge=0, le=10_000_000)
    widths: tuple[int, ...] = setting((), "widths")

    def __post_init__(self) -> None:
        check(self)


EXAMPLES = st.builds(
    Example,
    size=st.integers(1, 100),
    rate=st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
    cell=st.sampled_from(("lstm", "gru")),
    tied=st.booleans(),
    limit=st.none() | st.integers(0, 10_000_000),
    widths=st.lists(st.integers()).map(tuple),
)


def test_every_error_for_users_is_a_charlm_error():
    classes = [item for item in vars(errors).values() if isinstance(item, type)]
    assert len(classes) == 6
    assert all(issubclass(item, CharlmError) for item in classes)
    assert [item.__name__ for item in classes if issubclass(item, ValueError)] == ["ConfigError"]


@given(EXAMPLES)
def test_a_config_comes_back_from_json(config):
    assert from_json(Example, to_json(config)) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"size": 101}, "size must be at most 100, got 101"),
        ({"limit": 10**8}, "limit must be at most 10000000, got 100000000"),
        ({"size": 2.0}, "size must be a whole number, got 2.0"),
        ({"size": True}, "size must be a whole number, got True"),
        ({"rate": 0}, "rate must be more than 0, got 0"),
        ({"rate": 1.0}, "rate must be less than 1, got 1.0"),
        ({"rate": math.nan}, "rate must be a finite number, got nan"),
        ({"cell": "ltsm"}, "cell must be one of lstm, gru (did you mean 'lstm'?), got 'ltsm'"),
        ({"tied": 1}, "tied must be true or false, got 1"),
        ({"limit": "3"}, "limit must be a whole number or nothing, got '3'"),
        ({"size": 0, "tied": None}, "size must be at least 1, got 0; "
         "tied must be true or false, got None"),
    ],
)  # fmt: skip
def test_a_field_out_of_range_is_named(changes, message):
    with pytest.raises(ConfigError) as caught:
        Example(**changes)
    assert str(caught.value) == message
    with pytest.raises(ConfigError) as caught:
        from_json(Example, changes, where="config.json")
    assert str(caught.value) == f"config.json: {message}"


def test_unknown_keys_are_listed_with_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        from_json(Example, {"sise": 1, "a": 2}, where="x")
    assert str(caught.value) == (
        "x: unknown keys a, sise; known: cell, limit, rate, size, tied, widths"
    )
    with pytest.raises(ConfigError) as caught:
        from_json(Example, [])
    assert str(caught.value) == "config: expected an object, found list"


def test_a_missing_field_is_said():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Needs:
        size: int

    with pytest.raises(ConfigError, match=r"missing 1 required keyword-only argument: 'size'"):
        from_json(Needs, {})


def test_settings_know_help_and_bounds():
    found = settings_of(Example)
    assert list(found) == ["size", "rate", "cell", "tied", "limit", "widths"]
    assert (found["size"].help, found["size"].ge, found["size"].le) == ("units", 1, 100)


def test_a_registry_knows_its_names_and_near_ones():
    things: Registry[type] = Registry("cell")
    things.register("lstm")(int)
    things.register("gru")(str)
    assert (things.names(), list(things), "gru" in things) == (
        ["lstm", "gru"],
        ["lstm", "gru"],
        True,
    )
    assert things.get("gru") is str
    with pytest.raises(ConfigError) as caught:
        things.get("ltsm")
    assert str(caught.value) == "no cell 'ltsm' (did you mean 'lstm'?); known: lstm, gru"
    with pytest.raises(ValueError, match="cell 'gru' is registered twice"):
        things.register("gru")(int)


def test_near_misses_of_nothing_are_empty():
    assert did_you_mean("a", None) == ""
    assert did_you_mean("", []) == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("3m", 180), ("1h", 3600), ("1h30m", 5400), ("1d", 86_400), ("2.5m", 150),
     ("45", 45), (" 1H 30M ", 5400)],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-3m", "3 weeks", "nan", "inf", "1e3", "m", "3m!"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ConfigError) as caught:
        parse_duration(text)
    assert str(caught.value) == f"{text!r} is no duration; write 90s, 3m, 1h or 1h30m"


@pytest.mark.parametrize("text", ["0", "0s", "9" * 30])
def test_durations_of_no_length_or_without_end_are_refused(text):
    with pytest.raises(ConfigError) as caught:
        parse_duration(text)
    assert str(caught.value) == f"{text!r} is no duration above zero; write 90s, 3m, 1h or 1h30m"


@given(st.integers(1, 10**6))
def test_a_shown_duration_reads_back_within_its_precision(seconds):
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= (0 if seconds < 3600 else 60)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_config_error(text):
    with contextlib.suppress(ConfigError):
        assert parse_duration(text) > 0
