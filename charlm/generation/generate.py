"""The iterator over generated tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.generation.drawing import Sampler, Uniforms
from charlm.generation.logits import FloatArray
from charlm.generation.protocol import CausalModel
from charlm.generation.sampling import SamplingConfig
from charlm.generation.stopping import Decoder, MaxTokens, StopIds, StopStrings, TextStream

# Prompt tokens read at once: enough for the matrix products, little enough for their logits.
PROMPT_CHUNK = 256


class Token:
    """One generated token.

    Attributes:
        id: the token.
        sample: which of the samples it belongs to, from 0.
        text: what may be shown now: never half a character, nothing of a stop string. Empty
            without a decoder.
        stop_reason: on the last token of its sample, why it is the last: "length" after
            `max_new_tokens`, "stop" at a stop string, "end" at a stop id; else None.
    """

    __slots__ = ("_logits", "id", "sample", "stop_reason", "text")

    def __init__(
        self,
        token_id: int,
        sample: int,
        text: str,
        stop_reason: str | None,
        logits: FloatArray | float,
    ) -> None:
        """Hold what is given; in place of logits the log-probability, where it is known."""
        self.id = token_id
        self.sample = sample
        self.text = text
        self.stop_reason = stop_reason
        self._logits = logits

    @property
    def log_prob(self) -> float:
        """The model's own log p(token | all before it), in nats, before any transform.

        It is computed when asked for: most streams never ask.
        """
        if isinstance(self._logits, float):
            return self._logits
        exact = self._logits.astype(np.float64)
        top = exact.max()
        return float(exact[self.id] - top - np.log(np.exp(exact - top).sum()))

    def __repr__(self) -> str:
        return (
            f"Token(id={self.id}, sample={self.sample}, text={self.text!r}, "
            f"stop_reason={self.stop_reason!r})"
        )


class Row:
    """One sample in the making."""

    def __init__(
        self, sample: int, config: SamplingConfig, decoder: Decoder | None, recent: Sequence[int]
    ) -> None:
        self.sample = sample
        self.uniforms = Uniforms(config.seed, sample)
        self.text = TextStream(decoder, config.stop)
        self.recent = deque(recent, maxlen=config.repetition_window)
        self.generated = 0


def generate(
    model: CausalModel,
    prompt_ids: Sequence[int] | npt.NDArray[np.integer[Any]],
    config: SamplingConfig,
    *,
    decoder: Callable[[], Decoder] | None = None,
    masked_ids: Sequence[int] = (),
    stop_ids: Sequence[int] = (),
) -> Iterator[Token]:
    """Return an iterator over the tokens of all samples, as they are drawn.

    The samples run as one batch: a token of each unfinished sample, in order, then the next of
    each. A sample's draws depend on (seed, sample) alone.

    Args:
        model: any causal model; its results are used as they come.
        prompt_ids: what the samples go on from; may be empty.
        config: `beam_size` has no effect here, see `beam.beam_search`.
        decoder: makes a fresh stream decoder, so that tokens carry text.
        masked_ids: ids never to be drawn.
        stop_ids: ids that end a sample.

    Raises:
        ValueError: if `config.stop` is given without `decoder`, or an id is out of range.
        TaskError: while iterating, if the model's logits are no numbers or all tokens are masked.
    """
    prompt = check_ids(model, prompt_ids)
    rows = begin_rows(config, prompt, decoder)
    sampler = Sampler(config, masked_ids)
    ends = (MaxTokens(config.max_new_tokens), StopIds(frozenset(stop_ids)))
    return _stream(model, prompt, rows, sampler, ends)


def begin_rows(
    config: SamplingConfig,
    prompt: npt.NDArray[np.int64],
    decoder: Callable[[], Decoder] | None,
) -> list[Row]:
    """Return all samples before their first token.

    Raises:
        ValueError: if `config.stop` is given without `decoder`.
    """
    if config.stop and decoder is None:
        raise ValueError("stop strings need a decoder to find them in")
    recent = prompt[-config.repetition_window :].tolist() if config.repetition_window else []
    return [
        Row(sample, config, decoder() if decoder else None, recent)
        for sample in range(config.num_samples)
    ]


def check_ids(
    model: CausalModel, ids: Sequence[int] | npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.int64]:
    """Return ids as an array, each a token of the model.

    Raises:
        ValueError: if one is not.
    """
    array = np.asarray(ids, dtype=np.int64).reshape(-1)
    if array.size and not (array.min() >= 0 and array.max() < model.vocab_size):
        raise ValueError(f"prompt ids must be from 0 to {model.vocab_size - 1}")
    return array


def read_prompt(model: CausalModel, prompt: npt.NDArray[np.int64]) -> tuple[FloatArray, Any]:
    """Return the logits (1, vocab) after the beginning of a text and a prompt, and the state."""
    ids = np.concatenate([[model.bos_id], prompt])[None]
    state = model.initial_state(1)
    for start in range(0, ids.shape[1], PROMPT_CHUNK):
        logits, state = model.read(ids[:, start : start + PROMPT_CHUNK], state)
    return logits[:, -1].copy(), state


def _stream(
    model: CausalModel,
    prompt: npt.NDArray[np.int64],
    rows: list[Row],
    sampler: Sampler,
    ends: tuple[MaxTokens, StopIds],
) -> Iterator[Token]:
    if ends[0].is_met(0):
        return
    logits, state = read_prompt(model, prompt)
    if len(rows) == 1:
        yield from _stream_one(model, (logits, state), rows[0], sampler, ends)
        return
    repeats = np.zeros(len(rows), dtype=np.int64)
    logits, state = logits[repeats], model.select(state, repeats)
    streams, recent = [row.uniforms for row in rows], [row.recent for row in rows]
    while True:
        drawn = sampler.pick(logits, streams, recent)
        going = []
        for index, row in enumerate(rows):
            token = next_token(row, drawn[index], logits[index], ends)
            if token.stop_reason is None:
                going.append(index)
            yield token
        if not going:
            return
        if len(going) < len(rows):
            rows, drawn = [rows[i] for i in going], [drawn[i] for i in going]
            streams, recent = [row.uniforms for row in rows], [row.recent for row in rows]
            state = model.select(state, np.array(going))
        logits, state = model.step(np.array(drawn), state)


def _stream_one(
    model: CausalModel,
    start: tuple[FloatArray, Any],
    row: Row,
    sampler: Sampler,
    ends: tuple[MaxTokens, StopIds],
) -> Iterator[Token]:
    """Yield the tokens of one sample: as `_stream`, with nothing to do for rows and their ends."""
    logits, state = start
    streams, recent, fed = [row.uniforms], [row.recent], np.empty(1, dtype=np.int64)
    while True:
        (drawn,) = sampler.pick(logits, streams, recent)
        token = next_token(row, drawn, logits[0], ends)
        yield token
        if token.stop_reason is not None:
            return
        fed[0] = drawn
        logits, state = model.step(fed, state)


def next_token(
    row: Row, token_id: int, logits: FloatArray | float, ends: tuple[MaxTokens, StopIds]
) -> Token:
    """Return the token with its text, and with the reason if it is its sample's last.

    Args:
        logits: of the row, or the token's own log-probability.
    """
    row.generated += 1
    row.recent.append(token_id)
    text = row.text.push(token_id)
    longest, at_ids = ends
    reason = None
    if row.text.stopped:
        reason = StopStrings.reason
    elif at_ids.is_met(token_id):
        reason = at_ids.reason
    elif longest.is_met(row.generated):
        reason = longest.reason
    if reason is not None:
        text += row.text.finish()
        if row.text.stopped:
            reason = StopStrings.reason
    return Token(token_id, row.sample, text, reason, logits)
