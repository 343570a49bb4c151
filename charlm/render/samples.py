"""Samples on stdout: each as it is made, the others held back until it is their turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from charlm.render.console import LiveText

if TYPE_CHECKING:
    from charlm.generation.generate import Token
    from charlm.generation.sampling import SamplingConfig
    from charlm.tasks.load import OpenModel
    from charlm.tasks.sample import Prompt

Keep = Callable[[int, str], None]


def _forget(_: int, __: str) -> None:
    """Keep nothing: a sample may be longer than memory."""


class Counter:
    """Tokens and characters, and the time since the first was asked for."""

    def __init__(self) -> None:
        self.tokens = 0
        self.chars = 0
        self._start = time.perf_counter()

    def rate(self) -> float:
        """Return tokens a second until now."""
        return self.tokens / max(time.perf_counter() - self._start, 1e-9)

    def words(self) -> str:
        """Return all of it in a line."""
        seconds = max(time.perf_counter() - self._start, 1e-9)
        return (
            f"charlm: {self.tokens:,} tokens, {self.chars:,} characters in {seconds:.2f} s: "
            f"{self.tokens / seconds:,.0f} tokens a second"
        )


def show_stream(
    opened: OpenModel,
    prompt: Prompt,
    config: SamplingConfig,
    counter: Counter,
    *,
    with_prompt: bool,
    keep: Keep = _forget,
) -> None:
    """Write samples as they are drawn, one after the other.

    Args:
        keep: is given each piece with its sample's number, just before it is written.
    """
    from charlm.tasks.sample import stream_samples

    live = LiveText()
    head = prompt.text if with_prompt else ""
    tokens = stream_samples(opened, prompt, config)
    for number, pieces in _in_order(tokens, config.num_samples, counter):
        _head(live, number, config.num_samples)
        live.write(head)
        for piece in pieces:
            keep(number, piece)
            live.write(piece)
    live.end_line()


def _in_order(
    tokens: Iterator[Token], num_samples: int, counter: Counter
) -> Iterator[tuple[int, Iterator[str]]]:
    """Yield each sample's number with its pieces: the one whose turn it is streams, others wait."""
    waiting: list[list[str]] = [[] for _ in range(num_samples)]
    done = [False] * num_samples

    def pieces(number: int) -> Iterator[str]:
        yield from waiting[number]
        waiting[number].clear()
        while not done[number]:
            token = next(tokens, None)
            if token is None:
                return
            counter.tokens += 1
            counter.chars += len(token.text)
            done[token.sample] = token.stop_reason is not None
            if token.sample == number:
                yield token.text
            elif token.text:
                waiting[token.sample].append(token.text)

    for number in range(num_samples):
        yield number, pieces(number)


def show_beam(
    opened: OpenModel,
    prompt: Prompt,
    config: SamplingConfig,
    counter: Counter,
    *,
    with_prompt: bool,
    keep: Keep = _forget,
) -> None:
    """Write what beam search finds; `keep` as in `show_stream`."""
    from charlm.tasks.sample import collect_samples

    live = LiveText()
    for result in collect_samples(opened, prompt, config):
        counter.tokens += result.tokens
        counter.chars += len(result.text)
        _head(live, result.sample, config.num_samples)
        keep(result.sample, result.text)
        live.write((prompt.text if with_prompt else "") + result.text)
    live.end_line()


def _head(live: LiveText, number: int, num_samples: int) -> None:
    """Part one sample from the next, where there are several."""
    if num_samples > 1:
        live.end_line()
        live.write(f"=== sample {number + 1} of {num_samples} ===\n")
