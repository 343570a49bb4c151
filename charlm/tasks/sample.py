"""Text from a model: streamed token by token, or collected sample by sample."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from charlm.base.errors import TokenizerError
from charlm.generation.beam import beam_search
from charlm.generation.generate import Token, generate
from charlm.generation.sampling import SamplingConfig
from charlm.generation.stopping import TextStream
from charlm.tasks.load import OpenModel, count_unknown
from charlm.text.tokenizers.protocol import StreamDecoder

if TYPE_CHECKING:
    from charlm.generation.protocol import CausalModel

# Tokens of the prompt that a decoder sees first, so that what it shows joins the prompt rightly.
DECODER_CONTEXT = 64


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """A prompt in the model's tokens; `unknown` counts those that its vocabulary lacks."""

    text: str
    ids: Any
    unknown: int
    unknown_chars: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SampleResult:
    """One sample: the text after the prompt, and its natural log-probability under the model."""

    sample: int
    prompt: str
    text: str
    tokens: int
    log_prob: float
    stop_reason: str


def read_prompt(opened: OpenModel, text: str, *, strict: bool = False) -> Prompt:
    """Return a prompt as ids.

    Raises:
        TokenizerError: if `strict` and the vocabulary lacks something of it.
    """
    ids = opened.tokenizer.encode(text)
    unknown = count_unknown(opened.tokenizer, ids)
    chars: tuple[str, ...] = ()
    if unknown and len(ids) == len(text):  # tokens are characters: say which
        missing = (ids == opened.tokenizer.unk_id).nonzero()[0]
        chars = tuple(dict.fromkeys(text[int(place)] for place in missing))
    prompt = Prompt(text=text, ids=ids, unknown=unknown, unknown_chars=chars)
    if strict and unknown:
        raise TokenizerError(unknown_words(opened, prompt))
    return prompt


def unknown_words(opened: OpenModel, prompt: Prompt) -> str:
    """Return what a user should know of a prompt's unknown tokens."""
    if not prompt.unknown_chars:
        what = "1 token" if prompt.unknown == 1 else f"{prompt.unknown} tokens"
        return f"{what} of the prompt unknown to {opened.name!r}; taken as one unknown token"
    named = ", ".join(map(repr, prompt.unknown_chars[:5]))
    more = ", …" if len(prompt.unknown_chars) > 5 else ""
    return f"the prompt has characters unknown to {opened.name!r}: {named}{more}"


def stream_samples(opened: OpenModel, prompt: Prompt, config: SamplingConfig) -> Iterator[Token]:
    """Yield tokens as they are made; with several samples they take turns."""
    of_device = getattr(opened.model, "generate", None)  # a GPU draws on its own
    make = of_device or functools.partial(generate, cast("CausalModel", opened.model))
    tokens: Iterator[Token] = make(
        prompt.ids,
        config,
        decoder=lambda: _decoder_after(opened, prompt),
        masked_ids=opened.tokenizer.hidden_ids,
    )
    return tokens


def _decoder_after(opened: OpenModel, prompt: Prompt) -> StreamDecoder:
    """Return a decoder that has seen the end of the prompt."""
    decoder = opened.tokenizer.decoder()
    for token_id in prompt.ids[-DECODER_CONTEXT:].tolist():
        decoder.push(token_id)
    return decoder


def collect_samples(
    opened: OpenModel, prompt: Prompt, config: SamplingConfig
) -> Iterator[SampleResult]:
    """Yield each sample when it is whole, in the order of their numbers."""
    if config.beam_size:
        yield from _best_of_beam(opened, prompt, config)
        return
    pieces: dict[int, list[str]] = {number: [] for number in range(config.num_samples)}
    counts = dict.fromkeys(pieces, 0)
    log_probs = dict.fromkeys(pieces, 0.0)
    reasons: dict[int, str] = {}
    turn = 0
    for token in stream_samples(opened, prompt, config):
        number = token.sample
        pieces[number].append(token.text)
        counts[number] += 1
        log_probs[number] += token.log_prob
        if token.stop_reason is None:
            continue
        reasons[number] = token.stop_reason
        while turn in reasons:
            yield _result(turn, prompt, pieces.pop(turn), counts, log_probs, reasons[turn])
            turn += 1
    while turn < config.num_samples:  # nothing was to be generated
        yield _result(turn, prompt, pieces.pop(turn), counts, log_probs, "length")
        turn += 1


def _result(
    number: int,
    prompt: Prompt,
    pieces: list[str],
    counts: dict[int, int],
    log_probs: dict[int, float],
    reason: str,
) -> SampleResult:
    return SampleResult(
        sample=number,
        prompt=prompt.text,
        text="".join(pieces),
        tokens=counts[number],
        log_prob=log_probs[number],
        stop_reason=reason,
    )


def _best_of_beam(
    opened: OpenModel, prompt: Prompt, config: SamplingConfig
) -> Iterator[SampleResult]:
    def text_of(ids: Sequence[int], stop: Sequence[str] = ()) -> str:
        stream = TextStream(_decoder_after(opened, prompt), stop)
        shown = [stream.push(token_id) for token_id in ids]
        return "".join([*shown, stream.finish()])

    found = beam_search(
        cast("CausalModel", opened.model),
        prompt.ids,
        config,
        decode=text_of,
        masked_ids=opened.tokenizer.hidden_ids,
    )
    for number, result in enumerate(found):
        yield SampleResult(
            sample=number,
            prompt=prompt.text,
            text=text_of(result.ids, config.stop),
            tokens=len(result.ids),
            log_prob=result.log_prob,
            stop_reason=result.stop_reason,
        )
