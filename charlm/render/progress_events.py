"""A training run as lines of JSON on stderr, for a program that shows it: a session, say.

`CHARLM_EVENTS=json` asks for them. Each line is an event with its name; whatever else stands on
stderr is for people.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
import typing
from typing import Any, Self

from charlm.render.console import talk
from charlm.render.machine import json_line
from charlm.tasks.train_events import HeldOut, StepRecord, TrainEvent, VectorStep, Work

VARIABLE = "CHARLM_EVENTS"
EVENT_SECONDS = 0.25  # steps that come sooner after another are left out
_FREQUENT = (StepRecord, VectorStep, Work)
_KINDS = {kind.__name__: kind for kind in typing.get_args(TrainEvent)}


def wants_events() -> bool:
    """Return whether whoever started this process reads events."""
    return os.environ.get(VARIABLE) == "json"


class EventLines:
    """Writes every event as a line, of the frequent ones some a second."""

    def __init__(self) -> None:
        self._shown = -EVENT_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, event: TrainEvent) -> None:
        """Write the event, or not, if one of its kind was written just now."""
        if isinstance(event, _FREQUENT):
            now = time.monotonic()
            if now - self._shown < EVENT_SECONDS:
                return
            self._shown = now
        talk(event_line(event))


def event_line(event: TrainEvent) -> str:
    """Return an event as a line of JSON."""
    record = event._asdict() if isinstance(event, Work) else dataclasses.asdict(event)
    return json_line({"event": type(event).__name__, **record})


def event_record(line: str) -> dict[str, Any] | None:
    """Return the object of a line that tells an event, of whatever kind; None for other lines."""
    if not line.startswith('{"event": '):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def parse_event(line: str) -> TrainEvent | None:
    """Return the event of a line; None for a line that is none, or of a kind not known here.

    Example:
        >>> parse_event('{"event": "Work", "stage": "reading", "done": 1, "total": 2}')
        Work(stage='reading', done=1, total=2)
        >>> parse_event("charlm: warning: as people read it")
    """
    record = event_record(line)
    if record is None:
        return None
    try:
        kind = _KINDS[record.pop("event")]
        hints = typing.get_type_hints(kind)
        values = {key: _value(hints[key], value) for key, value in record.items()}
        return typing.cast(TrainEvent, kind(**values))
    except (KeyError, TypeError):
        return None


def _value(hint: object, value: object) -> object:
    if hint is float and value is None:  # JSON has no NaN
        return math.nan
    if isinstance(value, dict):
        return HeldOut(**value)
    return value
