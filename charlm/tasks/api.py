"""The Python API: `charlm.load("shakespeare").sample("To be")`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from charlm.generation.sampling import SamplingConfig
from charlm.tasks.load import OpenModel, open_model
from charlm.tasks.sample import collect_samples, read_prompt, stream_samples
from charlm.tasks.score import ScoreResult, score_text


class Model:
    """An open model. Settings of `sample` and `stream` are the fields of `SamplingConfig`."""

    def __init__(self, opened: OpenModel) -> None:
        self._opened = opened

    @property
    def name(self) -> str:
        """The name of the model."""
        return self._opened.name

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._opened.folder

    def sample(self, prompt: str = "", **settings: Any) -> str:
        """Return the text that follows `prompt`; the prompt itself is not repeated.

        Args:
            prompt: what the text begins with; empty starts at the beginning of a text.
            settings: fields of `SamplingConfig`: max_new_tokens, temperature, seed, …

        Raises:
            ConfigError: if a setting is out of range.
        """
        return self.samples(prompt, **settings)[0]

    def samples(self, prompt: str = "", **settings: Any) -> list[str]:
        """Return `num_samples` texts that follow `prompt`, as `sample`."""
        config = SamplingConfig(**settings)
        read = read_prompt(self._opened, prompt)
        return [result.text for result in collect_samples(self._opened, read, config)]

    def stream(self, prompt: str = "", **settings: Any) -> Iterator[str]:
        """Yield the text of `sample` in pieces as it is made, never half a character."""
        config = SamplingConfig(**{**settings, "num_samples": 1, "beam_size": 0})
        read = read_prompt(self._opened, prompt)
        for token in stream_samples(self._opened, read, config):
            if token.text:
                yield token.text

    def score(self, text: str) -> ScoreResult:
        """Return log-probability, perplexity and bits per character of a text, token by token."""
        return score_text(self._opened, text)

    def log_prob(self, text: str) -> float:
        """Return the natural logarithm of the probability of a text."""
        return self.score(text).log_prob

    def __repr__(self) -> str:
        return f"<charlm model {self.name!r}>"


def load(name: str | Path | None = None) -> Model:
    """Return the model of that name or folder; None takes the newest, else the bundled one.

    Raises:
        CheckpointError: if there is none, or it is damaged.
    """
    return Model(open_model(None if name is None else str(name)))
