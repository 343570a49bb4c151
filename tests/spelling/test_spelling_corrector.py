"""What becomes of lines."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.base.errors import CheckpointError
from charlm.spelling import candidates
from charlm.spelling.corrector import Corrector
from charlm.spelling.folder import restore_speller, save_speller
from charlm.store.checkpoint import load_model
from charlm.tasks.spell import OpenSpeller, Spelling
from charlm.tasks.spell_config import SpellConfig
from tests.spelling.making import SENTENCES, make_speller, save_made

SPELLER = make_speller()


def corrected(*lines, **settings):
    return [line.corrected for line in Corrector(SPELLER).correct(lines)]


def spelling(config=None, **more):
    opened = OpenSpeller("x", Path("x"), make_speller())
    return Spelling(opened, config or SpellConfig(), **more)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "Teh quick brown fox jumsp over the lazy dog.",
            "The quick brown fox jumps over the lazy dog.",
        ),
        ("there is alot to eat", "there is a lot to eat"),
        ("He walked in to the garden.", "He walked into the garden."),
        ("I dont believe that", "I don't believe that"),
        ("I don’t beleive  that\tit’s", "I don’t believe  that\tit’s"),
        ("We went to there house because", "We went to their house because"),
        ("TEH QUICK BROWN FOX", "THE QUICK BROWN FOX"),
    ],
)
def test_wrong_words_are_put_right_and_nothing_else_is_touched(line, expected):
    assert corrected(line) == [expected]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "Mr. Sholto and Teh-Chung met NASA staff",
        "the https://exmaple.com/teh `teh` snake_csae 3rd",
        "Привет мир 你好 γειά",
        "x" * 5000,
        "\x00\x01 \x1b[31m",
        "it \udcff\udcfe bytes",
        "\r",
    ],
)
def test_what_is_no_word_of_the_language_comes_out_as_it_went_in(line):
    assert corrected(line) == [line]


def test_changes_tell_where_they_are_and_what_else_there_was():
    (line,) = Corrector(SPELLER).correct(["It took fifteen minuets to walk."])
    (change,) = line.changes
    assert (change.start, change.end, change.old, change.new) == (16, 23, "minuets", "minutes")
    assert change.candidates[0].text == "minutes"
    assert sum(one.probability for one in change.candidates) == pytest.approx(1.0)
    assert change.gain > 0


POOL = [
    *SENTENCES.split("\n"),
    "Teh garden",
    "and teh dgo",
    "```",
    "its alot",
    "",
    "recieve teh letter",
]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(POOL), max_size=8), st.data())
def test_how_lines_are_cut_into_batches_changes_nothing(lines, data):
    whole = Corrector(SPELLER).correct(lines)
    corrector, found = Corrector(SPELLER), []
    left = list(lines)
    while left:
        size = data.draw(st.integers(1, len(left)))
        found += corrector.correct(left[:size])
        left = left[size:]
    assert [line.corrected for line in found] == [line.corrected for line in whole]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=80).map(lambda text: text.replace("\n", "")), max_size=4))
def test_any_lines_come_out_one_for_one(lines):
    found = Corrector(SPELLER).correct(lines)
    assert [line.text for line in found] == lines
    for line in found:
        rest, place = [], 0
        for change in line.changes:
            assert line.text[change.start : change.end] == change.old
            rest += [line.text[place : change.start], change.new]
            place = change.end
        assert "".join([*rest, line.text[place:]]) == line.corrected


def test_added_words_are_right_and_are_offered():
    line = "the charlmm garden and charlm"
    assert [found.corrected for found in spelling(words=["Charlm"]).correct([line])] == [
        "the charlm garden and charlm"
    ]


def test_words_of_computing_stay():
    text = "the git garden and the npm, the numpy and the tokenizers"
    assert [found.corrected for found in spelling().correct([text])] == [text]


@pytest.mark.parametrize("form", ["realise", "realises", "organiser"])
def test_both_spellings_of_one_word_are_right(form):
    known = "They realize that the organizers organize it and she realizes that too.\n" * 30
    opened = OpenSpeller("x", Path("x"), make_speller(SENTENCES * 30 + known))
    text = f"They {form} that the organizers organize it"
    (line,) = Spelling(opened, SpellConfig()).correct([text])
    assert line.corrected == text


def test_ignored_words_stay():
    assert [found.corrected for found in spelling(ignore=["teh"]).correct(["teh dgo"])] == [
        "teh dog"
    ]


def test_the_surest_changes_come_first():
    (line,) = spelling(SpellConfig(max_changes=1)).correct(["Teh quick brown fox jumsp over"])
    assert len(line.changes) == 1


def test_a_sure_change_passes_where_a_doubtful_one_does_not():
    text = ["They went to there house because of teh garden"]
    (eager,) = spelling(SpellConfig(confidence=0.3)).correct(text)
    (strict,) = spelling(SpellConfig(confidence=0.999999)).correct(text)
    assert len(strict.changes) < len(eager.changes)


def test_a_long_line_is_corrected_in_parts_with_right_offsets():
    line = "It jumps over teh lazy dog. " * 3000
    (found,) = spelling().correct([line])
    assert found.corrected == line.replace("teh", "the")
    assert all(line[one.start : one.end] == one.old for one in found.judgements)


def test_a_folder_gives_back_the_same_speller(tmp_path):
    save_made(tmp_path / "made")
    restored = restore_speller(load_model(tmp_path / "made"))
    lines = ["Teh quick brown fox jumsp over alot of dgos in to the garden"]
    before, after = (Corrector(one).correct(lines)[0] for one in (SPELLER, restored))
    assert before == after


@pytest.mark.parametrize("name", ["words", "sound_words", "starts"])
def test_an_array_that_points_nowhere_is_refused(tmp_path, name):
    speller = make_speller()
    tensors = {key: array.copy() for key, array in speller.tensors.items()}
    tensors[name][0] = 2**31
    damaged = dataclasses.replace(speller, tensors=tensors)
    save_speller(tmp_path / "made", damaged, training={}, card="")
    with pytest.raises(CheckpointError, match=f"array {name} is not that of a speller"):
        restore_speller(load_model(tmp_path / "made"))


def test_a_folder_with_words_left_out_is_refused(tmp_path):
    speller = make_speller()
    speller.lexicon.surfaces.pop()
    save_speller(tmp_path / "made", speller, training={}, card="")
    with pytest.raises(CheckpointError, match="words, expected"):
        restore_speller(load_model(tmp_path / "made"))


def test_a_short_rare_word_may_be_one_two_edits_away(monkeypatch):
    text = SENTENCES * 30 + "Ath is short. "
    assert "and" not in texts_of("ath", make_speller(text))
    monkeypatch.setattr(candidates, "_RARE_SHORT", 20)
    assert "and" in texts_of("ath", make_speller(text))


def texts_of(form, speller):
    speller.candidates.look_up([form])
    found = speller.candidates.forms[form]
    return speller.candidates.options.texts[found.first : found.first + found.size]
