"""Train a speller: count words and n-grams, learn how words are misspelt, set the threshold."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.config import to_json
from charlm.base.errors import CorpusError
from charlm.ngram.kneser_ney import build_ngram
from charlm.spelling.channel import parse_channel, shipped_channel
from charlm.spelling.corrector import Corrector
from charlm.spelling.counting import Counted, Counting, choose_min_counts, choose_vocabulary
from charlm.spelling.folder import KIND, save_speller
from charlm.spelling.learning import learn_channel
from charlm.spelling.lexicon import END
from charlm.spelling.speller import Speller, build_speller
from charlm.spelling.weights import Weights
from charlm.store.checkpoint import MetricsLog, clear_resume
from charlm.store.locate import require_valid_name
from charlm.tasks.train_card import safe_text
from charlm.tasks.train_events import Message, Saved, TrainEvent, TrainResult, Work
from charlm.tasks.train_folder import (
    claimed,
    claimed_last,
    free_name,
    model_folder,
    require_free,
)
from charlm.tasks.train_speller_cloze import add_cloze, cloze_seconds
from charlm.tasks.train_speller_config import SpellerTrainConfig
from charlm.tasks.train_speller_pair import add_pair, open_pair
from charlm.text.corpora import open_corpus

FEW_WORDS = 5_000_000
_LEAST_WORDS = 200
_HELD_SHARE, _HELD_CHARS = 0.01, 150_000
_LIST_BYTES = 256 << 20


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Text:
    """A text counted, some of its lines held out."""

    name: str
    description: str
    counted: Counted
    clean: tuple[str, ...]
    sha256: str
    warnings: tuple[str, ...]


def train_speller(
    corpus_specs: Sequence[str],
    config: SpellerTrainConfig,
    *,
    name: str | None = None,
    overwrite: bool = False,
) -> Iterator[TrainEvent]:
    """Build and save a speller, yielding what happens; the last event is a TrainResult.

    Args:
        corpus_specs: files, folders, globs, names of corpora, or `-`: text without errors, or
            with few.
        config: what the user said.
        name: of the model folder under `checkpoints/`; else after the corpus, the first that is
            free.
        overwrite: replace a model of that name.

    Raises:
        CorpusError, ConfigError, CheckpointError: as these say.
    """
    if name is not None:
        require_valid_name(name)
        require_free(model_folder(name), overwrite, can_resume=False)
    with claimed(name):
        yield from _train(corpus_specs, config, name, overwrite=overwrite)


def _train(
    corpus_specs: Sequence[str], config: SpellerTrainConfig, name: str | None, *, overwrite: bool
) -> Iterator[TrainEvent]:
    seconds_of_networks = cloze_seconds(config.max_time)
    pair, of_pair = (None, "") if config.pair is None else open_pair(config.pair)
    data = shipped_channel() if config.errors is None else _learn(Path(config.errors))
    text = yield from _read(corpus_specs, config)
    yield from (Message(text=warning, warning=True) for warning in text.warnings)
    begun = time.monotonic()
    yield Message(text=f"counting the n-grams of {text.description}")
    speller, ids = _build(text, config, data)
    tokens = len(ids)
    if pair is not None:
        speller = yield from add_pair(speller, pair, text.clean)
    else:
        speller = yield from add_cloze(speller, ids, seconds_of_networks)
    speller, rate = _set_threshold(speller, text.clean, config.false_changes)
    facts = speller.config
    yield Message(
        text=f"{facts.surfaces:,} words, {facts.ngrams:,} n-grams; changes {rate:.2%} of the "
        "words of clean text"
    )
    if tokens < FEW_WORDS:
        yield Message(
            text=f"{tokens:,} words are few; a speller gets better with more text, ten million "
            "words and up",
            warning=True,
        )
    seconds = time.monotonic() - begun
    folder = model_folder(name or free_name(f"{text.name}-speller", overwrite))
    with claimed_last(folder, name):
        if overwrite:
            clear_resume(folder)
        _save(folder, speller, text, config, corpus_specs, tokens, seconds, rate, of_pair)
    yield Saved(step=1, folder=str(folder))
    yield TrainResult(
        name=folder.name,
        kind=KIND,
        folder=str(folder),
        parameters=speller.parameters,
        steps=1,
        epochs=1.0,
        duration_seconds=seconds,
        tokens_per_second=tokens / max(1e-9, seconds),
        device="cpu",
        valid=None,
        test=None,
        interrupted=False,
    )


def _read(specs: Sequence[str], config: SpellerTrainConfig) -> Generator[Work, None, _Text]:
    import hashlib

    corpus = open_corpus(specs, encoding_errors=config.encoding_errors)
    counting, digest = Counting(), hashlib.sha256()
    clean: list[str] = []
    held = chars = 0
    for text in corpus.pieces():
        digest.update(text.encode("utf-8", "surrogatepass"))
        cut = len(text)
        if held < _HELD_CHARS:
            cut = text.rfind("\n", 0, int(len(text) * (1.0 - _HELD_SHARE))) + 1 or len(text)
            clean += text[cut:].split("\n")
            held += len(text) - cut
        counting.add(text[:cut])
        chars += len(text)
        yield Work("counting", chars, 0)
    counted = counting.finish()
    if len(counted.ids) < _LEAST_WORDS:
        raise CorpusError(
            f"{corpus.description}: {len(counted.ids):,} words, need at least {_LEAST_WORDS}"
        )
    return _Text(
        name=corpus.name,
        description=corpus.description,
        counted=counted,
        clean=tuple(clean),
        sha256=digest.hexdigest(),
        warnings=tuple(corpus.warnings),
    )


def _build(
    text: _Text, config: SpellerTrainConfig, data: bytes
) -> tuple[Speller, npt.NDArray[np.int32]]:
    size = len(text.counted.ids)
    least = config.min_count or (1 if size < 1_000_000 else 2)
    found = choose_vocabulary(text.counted, min_count=least, most=config.vocab_size)
    ngrams = build_ngram(
        found.ids,
        vocab_size=found.lexicon.vocab_size,
        order=config.order,
        line_end_id=END,
        min_counts=choose_min_counts(found.ids, config.order),
    )
    channel = parse_channel(data, config.errors or "the shipped table")
    speller = build_speller(found.lexicon, ngrams, found.rare, channel, data, Weights())
    return speller, found.ids


def _set_threshold(speller: Speller, clean: Sequence[str], allowed: float) -> tuple[Speller, float]:
    """Return the speller with the margin at which few words of clean text are changed.

    Also returns the share that still is. Where the weights' own margin changes fewer, it stays.
    """
    words, gains = 0, []
    for start in range(0, len(clean), 200):
        part = clean[start : start + 200]
        for line in Corrector(speller).correct(part):
            gains += [change.gain for change in line.changes]
            words += len(line.text.split())
    gains.sort(reverse=True)
    most = int(words * allowed)
    if len(gains) <= most:
        return speller, len(gains) / max(words, 1)
    margin = speller.weights.margin + gains[most]
    weights = dataclasses.replace(speller.weights, margin=margin)
    return dataclasses.replace(speller, weights=weights), most / max(words, 1)


def _learn(path: Path) -> bytes:
    """Return a table learnt from a list of misspellings.

    Raises:
        CorpusError: if it cannot be read or is no such list.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LIST_BYTES + 1)
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > _LIST_BYTES:
        raise CorpusError(f"{path} has more than {_LIST_BYTES >> 20} MiB")
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        place = data[: error.start].count(b"\n") + 1
        raise CorpusError(f"{path}, line {place}: not UTF-8") from error
    pairs = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip().lower() for part in line.split("\t")]
        if len(parts) != 2 or not all(parts):
            raise CorpusError(
                f"{path}, line {number}: expected a word TAB its misspelling, got {line[:60]!r}"
            )
        pairs.append((parts[0], parts[1]))
    if not pairs:
        raise CorpusError(f"{path}: no misspellings; expected a word TAB its misspelling a line")
    table = learn_channel(pairs, source=path.name)
    return json.dumps(table, ensure_ascii=False).encode()


def _save(
    folder: Path,
    speller: Speller,
    text: _Text,
    config: SpellerTrainConfig,
    specs: Sequence[str],
    tokens: int,
    seconds: float,
    rate: float,
    of_pair: str,
) -> None:
    facts = speller.config
    training: dict[str, Any] = {
        "config": to_json(config),
        "corpus": list(specs),
        "corpus_sha256": text.sha256,
        "description": text.description,
        "parameters": speller.parameters,
        "steps": 1,
        "epochs": 1.0,
        "duration_seconds": seconds,
        "tokens": tokens,
        "false_changes": rate,
        "valid": None,
        "test": None,
    }
    lines = [
        f"# {folder.name}",
        "",
        f"A speller ({facts.surfaces:,} words, {facts.ngrams:,} n-grams of up to {facts.order} "
        "words), made with charlm.",
        "",
        f"- text: {safe_text(text.description)}, {tokens:,} words",
        f"- changes {rate:.2%} of the words of clean text",
        *([f"- close calls are decided by the language models of {of_pair}"] if of_pair else []),
        *("", "```console", f'$ echo "…" | charlm spell -m {folder.name}', "```", ""),
    ]
    save_speller(folder, speller, training=training, card="\n".join(lines))
    with MetricsLog(folder):  # clears that of a model that was replaced
        pass
