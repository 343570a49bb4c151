"""What may be said about sampling: defaults, bounds, and the one order of the transforms."""

import math
import re
import subprocess
import sys

import pytest

from charlm.base.config import settings_of
from charlm.base.errors import ConfigError
from charlm.generation.logits import MaskIds, MinP, RepetitionPenalty, Temperature, TopK, TopP
from charlm.generation.sampling import SamplingConfig, build_transforms

BAD = [
    ("temperature", -1.0, "must be at least 0, got -1.0"),
    ("temperature", math.nan, "must be a finite number, got nan"),
    ("temperature", math.inf, "must be a finite number, got inf"),
    ("top_k", -1, "must be at least 0, got -1"),
    ("top_k", 2.5, "must be a whole number, got 2.5"),
    ("top_p", 0.0, "must be more than 0, got 0.0"),
    ("top_p", 1.1, "must be at most 1, got 1.1"),
    ("min_p", 1.5, "must be at most 1, got 1.5"),
    ("repetition_penalty", 0.0, "must be more than 0, got 0.0"),
    ("repetition_window", -1, "must be at least 0, got -1"),
    ("max_new_tokens", -1, "must be at least 0, got -1"),
    ("num_samples", 0, "must be at least 1, got 0"),
    ("beam_size", -1, "must be at least 0, got -1"),
    ("length_penalty", -0.1, "must be at least 0, got -0.1"),
    ("seed", -1, "must be at least 0, got -1"),
    ("stop", ("a", ""), "must be texts that are not empty, got ('a', '')"),
]


@pytest.mark.parametrize(("field", "value", "problem"), BAD, ids=lambda value: str(value)[:20])
def test_a_value_out_of_range_is_refused(field, value, problem):
    with pytest.raises(ConfigError, match=re.escape(f"{field} {problem}") + "$"):
        SamplingConfig(**{field: value})


def test_every_field_has_a_help_text():
    assert all(about.help for about in settings_of(SamplingConfig).values())
    assert set(settings_of(SamplingConfig)) == set(SamplingConfig.__dataclass_fields__)


def test_transforms_stand_in_the_fixed_order():
    config = SamplingConfig(temperature=0.5, top_k=3, top_p=0.9, min_p=0.1, repetition_penalty=1.3)
    assert build_transforms(config, [7]) == [
        MaskIds((7,)),
        RepetitionPenalty(1.3),
        Temperature(0.5),
        TopK(3),
        TopP(0.9),
        MinP(0.1),
    ]


def test_what_changes_nothing_is_left_out():
    assert build_transforms(SamplingConfig(temperature=1.0)) == []


def test_at_temperature_zero_only_masks_and_penalties_count():
    config = SamplingConfig(temperature=0.0, top_k=3, top_p=0.5, repetition_penalty=2.0)
    assert build_transforms(config) == [RepetitionPenalty(2.0)]


def test_the_settings_can_be_listed_without_numpy():
    code = "import sys, charlm.generation.sampling; print('numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
