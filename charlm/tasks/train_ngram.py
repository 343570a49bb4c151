"""Train an n-gram model: read, count, smooth, measure, save; or take over an ARPA file."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from charlm.base.config import to_json
from charlm.metrics.likelihood import Likelihood
from charlm.ngram.arpa import read_arpa
from charlm.ngram.config import describe
from charlm.ngram.folder import KIND, save_ngram
from charlm.ngram.kneser_ney import build_ngram
from charlm.ngram.model import NgramModel
from charlm.store.checkpoint import MetricsLog, clear_resume
from charlm.store.locate import require_valid_name
from charlm.tasks.train_card import held_out_lines, safe_text
from charlm.tasks.train_data import Part, load_held_out, read_data
from charlm.tasks.train_events import HeldOut, Message, Saved, TrainEvent, TrainResult
from charlm.tasks.train_folder import (
    claimed,
    claimed_last,
    free_name,
    model_folder,
    require_free,
)
from charlm.tasks.train_ngram_arpa import find_arpa
from charlm.tasks.train_ngram_config import NgramTrainConfig
from charlm.text.expanding import SUFFIXES
from charlm.text.sources import FileSource, Source
from charlm.text.tokenizers import Tokenizer
from charlm.text.tokenizers.whitespace import WhitespaceTokenizer
from charlm.text.vocab import Vocab


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """A model and what it was made of; `seconds` is what counting and smoothing took."""

    name: str
    description: str
    model: NgramModel
    tokenizer: Tokenizer
    tokens: int
    sha256: str
    seconds: float
    valid: Part | None
    test: Part | None
    warnings: tuple[str, ...]


def train_ngram(
    corpus_specs: Sequence[str],
    config: NgramTrainConfig,
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> Iterator[TrainEvent]:
    """Build and save an n-gram model, yielding what happens; the last event is a TrainResult.

    Args:
        corpus_specs: files, folders, globs, names of corpora, or `-`; or one ARPA file, named or
            piped, which is taken over as it is.
        config: what the user said.
        name: of the model folder under `checkpoints/`; else after the corpus, the first that is
            free.
        overwrite: replace a model of that name.

    Raises:
        CorpusError, TokenizerError, ConfigError, CheckpointError: as these say.
    """
    if name is not None:
        require_valid_name(name)
        require_free(model_folder(name), overwrite, can_resume=False)
    with claimed(name):
        yield from _train(corpus_specs, config, name, overwrite=overwrite)


def _train(
    corpus_specs: Sequence[str], config: NgramTrainConfig, name: str | None, *, overwrite: bool
) -> Iterator[TrainEvent]:
    if arpa := find_arpa(corpus_specs):
        made = _take_over(arpa, config)
    else:
        made = yield from _count(corpus_specs, config)
    yield from (Message(text=text, warning=True) for text in made.warnings)
    yield Message(text=f"{describe(made.model.config)} from {made.description}")
    folder = model_folder(name or free_name(made.name, overwrite))
    with claimed_last(folder, name):
        valid, test = _measure(made, made.valid), _measure(made, made.test)
        if overwrite:
            clear_resume(folder)
        _save(folder, made, config, corpus_specs, valid, test)
    yield Saved(step=1, folder=str(folder))
    yield TrainResult(
        name=folder.name,
        kind=KIND,
        folder=str(folder),
        parameters=made.model.parameters,
        steps=1,
        epochs=1.0,
        duration_seconds=made.seconds,
        tokens_per_second=made.tokens / max(1e-9, made.seconds),
        device="cpu",
        valid=valid,
        test=test,
        interrupted=False,
    )


def _count(specs: Sequence[str], config: NgramTrainConfig) -> Generator[TrainEvent, None, _Made]:
    data = yield from read_data(specs, config.text_settings())
    begun = time.monotonic()
    model = build_ngram(
        data.train.in_memory(),
        vocab_size=data.tokenizer.vocab_size,
        order=config.order,
        line_ends=data.ends_line(),
        # text tokenised beforehand has a sentence a line, and is compared with other programs'
        line_end_id=data.tokenizer.eos_id if data.tokenizer.name == "whitespace" else None,
    )
    return _Made(
        name=data.name,
        description=f"{data.description}, {len(data.train.ids):,} tokens",
        model=model,
        tokenizer=data.tokenizer,
        tokens=len(data.train.ids),
        sha256=data.sha256,
        seconds=time.monotonic() - begun,
        valid=data.valid,
        test=data.test,
        warnings=data.warnings,
    )


def _take_over(source: Source, config: NgramTrainConfig) -> _Made:
    config.require_evaluation_only(source.label)
    begun = time.monotonic()
    model, tokens = read_arpa(source)
    tokenizer = WhitespaceTokenizer(Vocab(tokens, num_specials=2))
    seconds = time.monotonic() - begun
    warnings: list[str] = []
    settings = config.text_settings()
    valid, test = (
        load_held_out(text, tokenizer, settings, warnings) if text else None
        for text in (config.valid, config.test)
    )
    return _Made(
        name=_name_of(source),
        description=source.label,
        model=model,
        tokenizer=tokenizer,
        tokens=0,
        sha256="",
        seconds=seconds,
        valid=valid,
        test=test,
        warnings=tuple(warnings),
    )


def _name_of(source: Source) -> str:
    name = Path(source.label).name if isinstance(source, FileSource) else "stdin"
    for suffix in (*SUFFIXES, ".arpa", ".lm", ".txt"):
        name = name.removesuffix(suffix) or name
    return name


def _measure(made: _Made, part: Part | None) -> HeldOut | None:
    if part is None or not len(part.ids):
        return None
    nll = -float(made.model.score_ids(part.in_memory()).sum())
    found = Likelihood(nll_nats=nll, tokens=len(part.ids), chars=part.chars)
    return HeldOut(
        nats_per_token=found.nats_per_token,
        perplexity=found.perplexity,
        bits_per_char=found.bits_per_char,
        tokens=found.tokens,
        chars=found.chars,
        unknown_rate=part.unknown / len(part.ids),
    )


def _save(
    folder: Path,
    made: _Made,
    config: NgramTrainConfig,
    specs: Sequence[str],
    valid: HeldOut | None,
    test: HeldOut | None,
) -> None:
    training = {
        "config": to_json(config),
        "corpus": list(specs),
        "corpus_sha256": made.sha256,
        "description": made.description,
        "parameters": made.model.parameters,
        "steps": 1,
        "epochs": 1.0,
        "duration_seconds": made.seconds,
        "tokens": made.tokens,
        "valid": dataclasses.asdict(valid) if valid else None,
        "test": dataclasses.asdict(test) if test else None,
    }
    lines = [
        f"# {folder.name}",
        "",
        f"An n-gram language model ({describe(made.model.config)}, "
        f"{made.tokenizer.vocab_size:,} {made.tokenizer.name} tokens), made with charlm.",
        "",
        f"- text: {safe_text(made.description)}",
        *held_out_lines(training),
        *("", "```console", f'$ charlm score -m {folder.name} "…"', "```", ""),
    ]
    save_ngram(
        folder,
        made.model,
        tokenizer_config=made.tokenizer.config(),
        tokenizer_files=made.tokenizer.to_files(),
        training=training,
        card="\n".join(lines),
    )
    with MetricsLog(folder) as log:  # also clears that of a model that was replaced
        if valid:
            log.append({"kind": "valid", "step": 1, **dataclasses.asdict(valid)})
