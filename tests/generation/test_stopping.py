"""Stop strings are found however the text is cut, and nothing of them is ever shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm.generation.stopping import StopStrings, TextStream


def shown(strings, pieces):
    """Return what is shown of a text that comes in pieces, and whether it was stopped."""
    stop = StopStrings(strings)
    parts = []
    for piece in pieces:
        parts.append(stop.push(piece))
        if stop.found:
            break
    else:
        parts.append(stop.flush())
    return "".join(parts), stop.found


@pytest.mark.parametrize(
    ("strings", "text", "expected"),
    [
        (["aab"], "aaab", ("a", True)),
        (["aab"], "xaaabc", ("xa", True)),
        (["abab"], "abaabab", ("aba", True)),
        (["b", "ab"], "xab", ("x", True)),
        (["ab", "abc"], "xabc", ("x", True)),
        (["abc"], "ab", ("ab", False)),
        (["\n\n"], "one\ntwo\n\nthree", ("one\ntwo", True)),
        (["e"], "e", ("", True)),
        ([], "anything", ("anything", False)),
        (["😀b"], "a😀b", ("a", True)),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_is_shown_does_not_depend_on_the_pieces(strings, text, expected, size):
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert shown(strings, pieces) == expected


LETTERS = st.text("ab", max_size=12)


@given(st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), st.lists(LETTERS, max_size=8))
def test_any_text_in_any_pieces_ends_before_the_first_stop_string(strings, pieces):
    # the first to be complete: a longer one that begins earlier but is not yet complete waits
    text = "".join(pieces)
    found, stopped = shown(strings, pieces)
    assert text.startswith(found)
    assert not any(string in found for string in strings)
    assert stopped == any(string in text for string in strings)
    if not stopped:
        assert found == text
    else:
        assert any(text.startswith(string, len(found)) for string in strings)


@given(st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3), LETTERS)
def test_letter_by_letter_nothing_is_shown_too_early_and_nothing_held_too_long(strings, text):
    """What is held back after a letter is exactly the longest end that may become a stop."""
    stop, so_far, seen = StopStrings(strings), "", ""
    for letter in text:
        so_far, seen = so_far + letter, seen + stop.push(letter)
        if stop.found:
            return
        held = so_far[len(seen) :]
        assert held == "" or any(string.startswith(held) for string in strings)


def test_nothing_is_shown_after_the_stop():
    stop = StopStrings(["b"])
    assert [stop.push("ab"), stop.push("c"), stop.flush()] == ["a", "", ""]


def test_an_empty_stop_string_is_refused():
    with pytest.raises(ValueError, match=r"^stop strings must not be empty, got \[''\]$"):
        StopStrings([""])


def test_a_stop_string_is_found_in_what_the_decoder_held_back(letters):
    stream = TextStream(letters(pairs=True), ["c"])
    assert [stream.push(0), stream.push(1), stream.push(2)] == ["", "ab", ""]
    assert (stream.finish(), stream.stopped) == ("", True)


def test_what_was_held_back_appears_at_the_end(letters):
    stream = TextStream(letters(), ["abc"])
    assert [stream.push(0), stream.push(1)] == ["", ""]
    assert (stream.finish(), stream.stopped) == ("ab", False)
