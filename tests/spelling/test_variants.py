"""British and American endings, side by side."""

import pytest

from charlm.spelling.variants import is_variant

KNOWN = {"realize", "analyze", "size", "surprise", "normalize"}
KNOWN |= {"resize", "capsize", "oversize", "prize", "seize", "mize"}


@pytest.mark.parametrize(
    "form", ["realise", "realised", "realisation", "realizers", "analyse", "unnormalised"]
)
def test_either_letter_is_right_in_a_known_family(form):
    assert is_variant(form, KNOWN)


@pytest.mark.parametrize(
    "form",
    [
        "surprize",
        "advise",
        "sise",
        "realis",
        "realisee",
        "",
        "paradise",
        "resised",
        "capsising",
        "oversised",
        "reprized",
        "premize",
    ],
)
def test_others_are_no_variants(form):
    assert not is_variant(form, KNOWN)
