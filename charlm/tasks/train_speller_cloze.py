"""Give a speller the recurrent networks that decide close calls."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from charlm.base.durations import parse_duration
from charlm.spelling.speller import Speller
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_events import Message, VectorStep

_MOST_SECONDS = 20 * 60.0
_FEW_WORDS = 2_000_000  # networks learn from them what n-grams know better
_MANY_PASSES = 1e6
_WINDOWS = 64  # words that a text has at least


def cloze_seconds(max_time: str | None) -> float | None:
    """Return the seconds that a user gives the networks: None says nothing, 0 none.

    Raises:
        ConfigError: if it is neither a duration nor `none`.
    """
    if max_time is None:
        return None
    return 0.0 if max_time.strip().lower() == "none" else parse_duration(max_time)


def add_cloze(
    speller: Speller, ids: npt.NDArray[np.int32], seconds: float | None
) -> Generator[VectorStep | Message, None, Speller]:
    """Return the speller with networks trained on its text, for so long; None decides itself."""
    if seconds == 0.0 or len(ids) < _WINDOWS or (seconds is None and len(ids) < _FEW_WORDS):
        return speller
    from charlm.models.runtime import use_threads
    from charlm.training.cloze import ClozeSettings, train_cloze

    yield Message(text="training the networks that decide close calls; Ctrl-C ends it early")
    use_threads(None)
    with Interrupts() as interrupts:
        training = train_cloze(
            ids,
            speller.config.vocab_size,
            ClozeSettings(),
            seconds=seconds or _MOST_SECONDS,
            passes=1.0 if seconds is None else _MANY_PASSES,
        )
        step = next(training)
        while True:
            left = step.seconds * (1.0 - step.share) / max(step.share, 1e-6)
            yield VectorStep(
                step=step.step,
                epoch=step.passes,
                loss=step.loss,
                learning_rate=step.learning_rate,
                words_per_second=step.words / max(step.seconds, 1e-9),
                elapsed_seconds=step.seconds,
                progress=step.share,
                remaining_seconds=left,
            )
            try:
                step = training.send(bool(interrupts.signal))
            except StopIteration as end:
                return speller.with_cloze(end.value)
