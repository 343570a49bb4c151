"""Words that sound like a spelling, and those that nearly do."""

import numpy as np
import pytest

from charlm.spelling.alike import Sounds, build_sounds, sound_hash
from charlm.spelling.sound import sound_of

WORDS = ["knight", "night", "psychology", "elephant", "relevant", "telephone", "minute", "мир"]


def sounds():
    arrays = build_sounds(WORDS, 3)
    return Sounds(arrays["sound_hashes"], arrays["sound_words"])


def pairs(found):
    owners, words = (numbers.tolist() for numbers in found)
    return sorted((owner, WORDS[word - 3]) for owner, word in zip(owners, words, strict=True))


def test_words_that_sound_alike_are_found():
    found = pairs(sounds().alike(["nite", "minit", "мир"]))
    assert found == [(0, "knight"), (0, "night"), (1, "minute")]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("eliphan", "elephant"), ("teliphopne", "telephone"), ("sikology", "psychology")],
)
def test_words_that_nearly_sound_alike_are_found(typed, meant):
    assert pairs(sounds().alike([typed])) == []
    assert (0, meant) in pairs(sounds().nearly_alike([typed]))


def test_short_sounds_are_near_to_nothing():
    assert pairs(sounds().nearly_alike(["nite", "мир", ""])) == []


def test_near_keys_are_all_that_one_change_makes():
    letters = "abdfghjklmnprstx0"
    key = sound_of("dominate")
    changed = {key[:cut] + key[cut + 1 :] for cut in range(len(key))}
    for letter in letters:
        changed |= {key[:cut] + letter + key[cut:] for cut in range(len(key) + 1)}
        changed |= {key[:cut] + letter + key[cut + 1 :] for cut in range(len(key))}
    for one in sorted(changed):
        found = Sounds(np.array([sound_hash(one)], np.uint32), np.array([7], np.uint32))
        assert found.nearly_alike(["dominate"])[1].tolist() == [7], one
