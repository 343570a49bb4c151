"""A training run as it goes, on stderr: one live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from charlm.base.durations import format_duration
from charlm.render.console import is_terminal, sanitize, talk, wants_color
from charlm.render.progress_events import EventLines, wants_events
from charlm.render.tables import count, cut
from charlm.tasks.train_events import (
    Evaluated,
    Message,
    Planned,
    Sampled,
    StepRecord,
    TrainEvent,
    VectorStep,
    Work,
)

PLAIN_SECONDS = 5.0
LIVE_SECONDS = 0.1


class Progress(Protocol):
    """Something that shows the events of a training run while it is open."""

    def show(self, event: TrainEvent) -> None:
        """Show one event."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_progress(*, quiet: bool = False, live: bool = True) -> Progress:
    """Return the view that fits stderr: for a program, silent, live or plain."""
    if wants_events():
        return EventLines()
    if quiet:
        return QuietProgress()
    import os

    if live and is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb":
        return LiveProgress()
    return PlainProgress()


class QuietProgress:
    """Shows warnings only."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, event: TrainEvent) -> None:
        """Show the event if it is a warning."""
        if isinstance(event, Message) and event.warning:
            talk(f"charlm: warning: {event.text}")


class PlainProgress(QuietProgress):
    """Whole lines: each evaluation, message and sample, and a step every few seconds."""

    def __init__(self, every: float = PLAIN_SECONDS) -> None:
        self._every = every
        self._shown = -every

    def show(self, event: TrainEvent) -> None:
        """Show the event, or not, if a step was shown just now."""
        if isinstance(event, StepRecord | VectorStep | Work):
            now = time.monotonic()
            if now - self._shown < self._every:
                return
            self._shown = now
            talk(work_words(event) if isinstance(event, Work) else step_words(event))
            return
        text = event_words(event)
        if text:
            talk(text)


class LiveProgress:
    """One line that is redrawn below everything else, as wide as the terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        self._text = Text
        self._console = Console(
            stderr=True, highlight=False, markup=False, no_color=not wants_color(sys.stderr)
        )
        # No thread of Rich's own: it would fight for the interpreter with the training.
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._drawn = -LIVE_SECONDS
        self._step: StepRecord | None = None
        self._valid: Evaluated | None = None

    def __enter__(self) -> Self:
        self._live.__enter__()
        self._draw("preparing …")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, event: TrainEvent) -> None:
        """Redraw the line, or print above it what stays."""
        now = time.monotonic()
        if isinstance(event, Work):
            if now - self._drawn >= LIVE_SECONDS:
                self._drawn = now
                self._draw(work_line(event, max(self._console.width - 1, 1)))
            return
        if isinstance(event, VectorStep):
            if now - self._drawn >= LIVE_SECONDS:
                self._drawn = now
                self._draw(vector_line(event, max(self._console.width - 1, 1)))
            return
        if isinstance(event, StepRecord):
            self._step = event
            if now - self._drawn < LIVE_SECONDS:
                return
        if isinstance(event, Evaluated):
            self._valid = event
        text = event_words(event)
        if text:
            self._console.print(self._text(sanitize(text)))
        if self._step is not None:
            self._drawn = now
            room = max(self._console.width - 1, 1)
            self._draw(live_line(self._step, self._valid, room))

    def _draw(self, line: str) -> None:
        self._live.update(self._text(line, no_wrap=True, overflow="crop"), refresh=True)


def live_line(step: StepRecord, valid: Evaluated | None, columns: int) -> str:
    """Return the live line, the most useful parts first, as many as `columns` hold."""
    parts = [f"{step.progress:4.0%}", f"loss {step.loss:.3f}"]
    optional = [
        f"{format_duration(step.remaining_seconds)} left",
        f"{step.bits_per_char:.3f} bpc",
        *([f"valid {valid.bits_per_char:.3f}{' ★' if valid.best else ''}"] if valid else []),
        f"{count(step.tokens_per_second)} tok/s",
        f"lr {step.learning_rate:.2g}",
        f"epoch {step.epoch:.2f}",
    ]
    return _fitted(parts, optional, step.progress, columns)


def vector_line(step: VectorStep, columns: int) -> str:
    """Return the live line of word vectors in training."""
    parts = [f"{step.progress:4.0%}"]
    optional = [
        *([f"loss {step.loss:.3f}"] if step.loss == step.loss else []),  # a NaN: none is known
        f"{format_duration(step.remaining_seconds)} left",
        f"{count(step.words_per_second)} words/s",
        f"epoch {step.epoch:.2f}",
        f"lr {step.learning_rate:.2g}",
    ]
    return _fitted(parts, optional, step.progress, columns)


def _fitted(parts: list[str], optional: list[str], share: float, columns: int) -> str:
    """Return a line of parts, those that are optional as far as they fit, behind a bar."""
    for part in optional:
        if len("  ".join([*parts, part])) > columns:
            break
        parts.append(part)
    line = "  ".join(parts)
    room = columns - len(line) - 1
    if room >= 8:
        line = f"{bar(share, min(room, 24))} {line}"
    return cut(line, columns)


def work_words(work: Work) -> str:
    """Return how far the reading of a text is.

    Example:
        >>> work_words(Work("counting", 40_000_000, 100_000_000))
        'counting: 40 of 100 million characters'
        >>> work_words(Work("reading", 40_000_000, 0))
        'reading: 40 million characters'
    """
    total = f" of {work.total / 1e6:,.0f}" if work.total else ""
    return f"{work.stage}: {work.done / 1e6:,.0f}{total} million characters"


def work_line(work: Work, columns: int) -> str:
    """Return the live line of such a reading, with a bar where there is room."""
    line = work_words(work)
    room = columns - len(line) - 1
    if work.total and room >= 8:
        line = f"{bar(work.done / work.total, min(room, 24))} {line}"
    return cut(line, columns)


def bar(share: float, columns: int) -> str:
    """Return a bar of which `share` is full.

    Example:
        >>> bar(0.5, 8)
        '━━━━────'
    """
    full = round(min(max(share, 0.0), 1.0) * columns)
    return "━" * full + "─" * (columns - full)


def step_words(step: StepRecord | VectorStep) -> str:
    """Return a step as one plain line."""
    if isinstance(step, VectorStep):
        loss = f"loss {step.loss:.4f}  " if step.loss == step.loss else ""
        return (
            f"{step.progress:.0%}  epoch {step.epoch:.2f}  {loss}"
            f"{step.words_per_second:,.0f} words/s  lr {step.learning_rate:.3g}  "
            f"{format_duration(step.remaining_seconds)} left"
        )
    return (
        f"step {step.step:,}  {step.progress:.0%}  epoch {step.epoch:.2f}  loss {step.loss:.4f}  "
        f"{step.bits_per_char:.4f} bits/char  {step.tokens_per_second:,.0f} tokens/s  "
        f"lr {step.learning_rate:.3g}  {format_duration(step.remaining_seconds)} left"
    )


def event_words(event: TrainEvent) -> str:
    """Return what is printed for an event that stays on the screen; empty for the others."""
    if isinstance(event, Planned):
        unknown = f" ({event.unknown_rate:.2%} unknown)" if event.unknown_rate else ""
        return (
            f"{event.name}: {event.model}, {event.parameters:,} parameters, "
            f"{event.vocab_size:,} tokens in the vocabulary{unknown}; "
            f"{event.train_tokens:,} tokens to train on, {event.valid_tokens:,} held out; "
            f"{event.device} {event.precision}"
        )
    if isinstance(event, Evaluated):
        best = "  ★ best" if event.best else ""
        return (
            f"step {event.step:,}  valid {event.nats_per_token:.4f} nats/token  "
            f"perplexity {event.perplexity:.4g}  {event.bits_per_char:.4f} bits/char{best}"
        )
    if isinstance(event, Sampled):
        return f"--- sample at step {event.step:,}\n{event.text}\n---"
    if isinstance(event, Message):
        return f"charlm: warning: {event.text}" if event.warning else event.text
    return ""
