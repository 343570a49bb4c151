from __future__ import annotations

import os

import pytest

from charlm.base.errors import CheckpointError, ConfigError
from charlm.store import locate
from charlm.store.locate import find_model, home, list_models, require_valid_name


@pytest.fixture
def place(tmp_path, monkeypatch, save):
    """A home with two models, one bundled model, and the current folder elsewhere."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("CHARLM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(locate, "BUNDLED", tmp_path / "bundled")
    own = tmp_path / "home" / "checkpoints"
    for age, name in ((30, "obama"), (20, "chars"), (10, "tags")):
        save(own / name, 1, kind="tagger" if name == "tags" else "lm")
        saved = (own / name / "manifest.json").stat().st_mtime - age
        os.utime(own / name / "manifest.json", (saved, saved))
    save(tmp_path / "bundled" / "shakespeare", 1)
    return tmp_path


def refusal(name, kinds=None) -> str:
    with pytest.raises(CheckpointError) as caught:
        find_model(name, kinds)
    return str(caught.value)


def test_a_name_means_a_checkpoint_then_a_bundled_model(place, save):
    assert find_model("obama").folder == place / "home" / "checkpoints" / "obama"
    found = find_model("shakespeare")
    assert (found.folder, found.how) == (place / "bundled" / "shakespeare", "")
    save(place / "home" / "checkpoints" / "shakespeare", 1)
    assert find_model("shakespeare").folder == place / "home" / "checkpoints" / "shakespeare"
    assert [path.name for path in list_models()] == ["chars", "obama", "shakespeare", "tags"]


def test_a_folder_is_taken_as_it_is(place, save):
    save(place / "cwd" / "mine", 1)
    for text in ("mine", "./mine", str(place / "cwd" / "mine"), "../cwd/mine"):
        assert find_model(text).folder.resolve() == place / "cwd" / "mine"
    os.chdir(place / "cwd" / "mine")
    assert find_model(".").folder.resolve() == place / "cwd" / "mine"


def test_a_folder_of_other_things_does_not_hide_a_bundled_model(place):
    (place / "cwd" / "shakespeare").mkdir()
    assert find_model("shakespeare").folder == place / "bundled" / "shakespeare"


def test_without_a_name_the_newest_of_the_kind_is_taken_and_said(place):
    shown = f"{place / 'home' / 'checkpoints'}/"
    found = find_model(None, ("lm",))
    assert found.folder.name == "chars"
    assert found.how == f"using 'chars', the newest model in {shown} (choose with --model)"
    assert find_model(None).folder.name == "tags"


def test_of_the_newest_it_is_said_where_its_training_was_not_finished(place, save):
    save(place / "home" / "checkpoints" / "young", 1, training={"steps": 1, "finished": False})
    assert find_model(None).how == (
        f"using 'young', the newest model in {place / 'home' / 'checkpoints'}/, "
        "not trained to its end (choose with --model)"
    )


def test_a_damaged_newest_model_is_passed_over(place):
    (place / "home" / "checkpoints" / "chars" / "config.json").write_text("{")
    assert find_model(None, ("lm",)).folder.name == "obama"


def test_without_any_the_bundled_one_is_taken_and_said(place, monkeypatch):
    monkeypatch.delenv("CHARLM_HOME")
    found = find_model(None, ("lm",))
    assert found.folder == place / "bundled" / "shakespeare"
    assert found.how == "using 'shakespeare', which comes with charlm (choose with --model)"
    assert refusal(None, ("vectors",)) == (
        "no model of this kind in checkpoints/; charlm train makes one"
    )


def test_near_misses_are_offered(place, monkeypatch):
    shown = f"{place / 'home' / 'checkpoints'}/"
    assert refusal("shakspeare") == (
        f"no checkpoint 'shakspeare' in {shown} (did you mean 'shakespeare'?)"
    )
    monkeypatch.delenv("CHARLM_HOME")
    assert refusal("shakspeare") == (
        "no checkpoint 'shakspeare' in checkpoints/ (did you mean 'shakespeare'?)"
    )
    assert refusal("zzz") == (
        "no checkpoint 'zzz' in checkpoints/; charlm models lists those there are"
    )
    (place / "cwd" / "mine").mkdir()
    assert refusal("./mime") == "no model folder './mime' (did you mean 'mine'?)"
    assert refusal("/no/such") == "no model folder '/no/such'"


@pytest.mark.parametrize("name", ["", "..x", "a b", "x" * 101, "é", "a\n"])
def test_what_is_no_name_is_not_looked_for(place, name):
    shown = f"{place / 'home' / 'checkpoints'}/"
    assert refusal(name) == (
        f"no checkpoint {name!r} in {shown}; charlm models lists those there are"
    )
    with pytest.raises(ConfigError) as caught:
        require_valid_name(name)
    assert str(caught.value) == (
        f"{name!r} is no name for a model; expected ASCII letters, digits, '.', '_' "
        "and '-', at most 100, the first a letter or digit"
    )


@pytest.mark.parametrize("name", ["spaced name", "ünïcode", "红楼梦", "x" * 120, "a\nb"])
def test_what_is_listed_can_be_opened_whatever_its_name(place, save, name):
    own = place / "home" / "checkpoints" / name
    (place / "cwd" / name).mkdir()
    (own).mkdir()
    assert refusal(name).startswith("no checkpoint ")  # neither holds a model
    save(place / "cwd" / name, 1)
    assert find_model(name).folder.resolve() == place / "cwd" / name
    save(own, 1)
    assert find_model(name).folder == own
    assert own in list_models()


def test_a_near_miss_of_an_odd_name_is_offered(place, save):
    shown = f"{place / 'home' / 'checkpoints'}/"
    save(place / "home" / "checkpoints" / "spaced name", 1)
    assert refusal("spacedname") == (
        f"no checkpoint 'spacedname' in {shown} (did you mean 'spaced name'?)"
    )
    (place / "cwd" / ".hid").mkdir()
    save(place / "cwd" / ".hid", 1)
    assert refusal(".hid").startswith("no checkpoint '.hid' in ")
    assert find_model("./.hid").folder.resolve() == place / "cwd" / ".hid"


def test_odd_paths_are_refused_not_crashed_on(place):
    assert refusal("a/\x00") == "no model folder 'a/\\x00'"
    assert refusal("~nobody-of-that-name/x") == "no model folder '~nobody-of-that-name/x'"


def test_home_is_the_current_folder_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.setenv("CHARLM_HOME", "")
    assert str(home()) == "."
    assert require_valid_name("a.B_c-9") == "a.B_c-9"
