"""Settings beside a model: they hold where nothing else was said."""

import pytest

from charlm.base.errors import ConfigError
from charlm.tasks.sampling_habits import habits_path, read_habits


def test_a_model_without_a_file_has_none(tmp_path):
    assert read_habits(tmp_path / "model") == {}


def test_what_the_file_says_is_returned_and_no_more(tmp_path):
    (tmp_path / "model.v2.toml").write_text('temperature = 0.5\nstop = ["\\n"]\n')
    assert habits_path(tmp_path / "model.v2") == tmp_path / "model.v2.toml"
    assert read_habits(tmp_path / "model.v2") == {"temperature": 0.5, "stop": ("\n",)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"temperature = -1\n", "temperature must be at least 0"),
        (b"warmth = 1\n", "unknown keys warmth"),
        (b"temperature 1\n", "Expected '='"),
        (b"\xff", "utf-8"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_name(tmp_path, content, message):
    (tmp_path / "model.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as error:
        read_habits(tmp_path / "model")
    assert str(tmp_path / "model.toml") in str(error.value)
