"""Beam search: the likeliest continuations, deterministically."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.generation.drawing import bad_logits
from charlm.generation.generate import check_ids, read_prompt
from charlm.generation.logits import FloatArray, mask_ids
from charlm.generation.protocol import CausalModel
from charlm.generation.sampling import SamplingConfig


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BeamResult:
    """One continuation found by beam search.

    Attributes:
        ids: its tokens, without the prompt.
        log_prob: log p(ids | prompt) under the model, in nats.
        score: what results are ranked by, `log_prob / length ** length_penalty`.
        stop_reason: "length", "end" (a stop id, its last token) or "stop" (a stop string).
    """

    ids: tuple[int, ...]
    log_prob: float
    score: float
    stop_reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Beam:
    ids: tuple[int, ...]
    log_prob: float


def beam_search(
    model: CausalModel,
    prompt_ids: Sequence[int] | npt.NDArray[np.integer[Any]],
    config: SamplingConfig,
    *,
    decode: Callable[[Sequence[int]], str] | None = None,
    masked_ids: Sequence[int] = (),
    stop_ids: Sequence[int] = (),
) -> list[BeamResult]:
    """Return the best `num_samples` continuations that the search found, best first.

    It keeps the `beam_size` likeliest unfinished continuations of each length. Those that end
    leave the beam for the results; the search is over at `max_new_tokens`, or when no unfinished
    one can still beat the results. Of equals the earlier beam and the lower id come first.

    Args:
        config: `beam_size`, `max_new_tokens`, `length_penalty`, `num_samples` and `stop` count;
            temperature and the other settings of drawing do not.
        decode: ids to text, needed for `config.stop`. The ids of a result include the stop
            string; who shows the text cuts it there.
        masked_ids: ids never to be chosen.
        stop_ids: ids that end a continuation.

    Raises:
        ValueError: if `beam_size` is 0, or stop strings are given without `decode`.
        TaskError: if the model's logits are no numbers, or every token is masked.
    """
    if config.beam_size < 1:
        raise ValueError("beam_size must be at least 1 for a beam search, got 0")
    if config.stop and decode is None:
        raise ValueError("stop strings need `decode` to find them in")
    prompt = check_ids(model, prompt_ids)
    finished: list[BeamResult] = []
    beams = [_Beam((), 0.0)]
    logits, state = read_prompt(model, prompt)
    for length in range(1, config.max_new_tokens + 1):
        parents, beams = _extend(beams, logits, config.beam_size, masked_ids)
        going = []
        for index, beam in enumerate(beams):
            reason = _end_of(beam, config, decode, stop_ids)
            if reason is None:
                going.append(index)
            else:
                finished.append(_result(beam, reason, config.length_penalty))
        parents, beams = parents[going], [beams[index] for index in going]
        if not beams or _is_settled(finished, beams, config):
            break
        if length < config.max_new_tokens:
            last = np.array([beam.ids[-1] for beam in beams])
            logits, state = model.step(last, model.select(state, parents))
    finished.sort(key=lambda result: -result.score)  # stable: of equals the earlier first
    return finished[: config.num_samples]


def _extend(
    beams: list[_Beam], logits: FloatArray, size: int, masked_ids: Sequence[int]
) -> tuple[npt.NDArray[np.int64], list[_Beam]]:
    """Return the `size` likeliest one-token extensions, and the beam that each extends."""
    if not np.isfinite(logits.max(axis=-1)).all():
        raise bad_logits(logits)
    log_probs: FloatArray = _log_softmax(logits)
    if masked_ids:
        log_probs = mask_ids(log_probs, masked_ids)
    totals = log_probs + np.array([[beam.log_prob] for beam in beams])
    flat = totals.ravel()
    order = np.argsort(-flat, kind="stable")[:size]
    order = order[flat[order] > -np.inf]
    if not len(order):
        raise bad_logits(log_probs)
    parents, tokens = np.divmod(order, logits.shape[-1])
    extended = [
        _Beam((*beams[parent].ids, token), total)
        for parent, token, total in zip(
            parents.tolist(), tokens.tolist(), flat[order].tolist(), strict=True
        )
    ]
    return parents, extended


def _log_softmax(logits: FloatArray) -> npt.NDArray[np.float64]:
    exact = logits.astype(np.float64)
    exact -= exact.max(axis=-1, keepdims=True)
    return np.asarray(exact - np.log(np.exp(exact).sum(axis=-1, keepdims=True)))


def _end_of(
    beam: _Beam,
    config: SamplingConfig,
    decode: Callable[[Sequence[int]], str] | None,
    stop_ids: Sequence[int],
) -> str | None:
    if config.stop and decode is not None:
        text = decode(beam.ids)
        if any(string in text for string in config.stop):
            return "stop"
    if beam.ids[-1] in stop_ids:
        return "end"
    return "length" if len(beam.ids) >= config.max_new_tokens else None


def _result(beam: _Beam, reason: str, length_penalty: float) -> BeamResult:
    score = beam.log_prob / len(beam.ids) ** length_penalty
    return BeamResult(ids=beam.ids, log_prob=beam.log_prob, score=score, stop_reason=reason)


def _is_settled(finished: list[BeamResult], beams: list[_Beam], config: SamplingConfig) -> bool:
    """Whether no unfinished beam can still enter the results.

    A log-probability only falls, and the largest divisor is that of the longest text.
    """
    if len(finished) < config.num_samples:
        return False
    worst = sorted((result.score for result in finished), reverse=True)[config.num_samples - 1]
    longest = config.max_new_tokens**config.length_penalty
    return all(beam.log_prob / longest <= worst for beam in beams)
