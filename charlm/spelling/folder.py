"""A speller to and from a model folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError, TokenizerError
from charlm.engine.config import LanguageModelConfig
from charlm.spelling.channel import parse_channel
from charlm.spelling.config import SpellerConfig
from charlm.spelling.lexicon import SPECIALS, Lexicon
from charlm.spelling.pair import Pair, pair_dtypes, pair_shapes
from charlm.spelling.speller import Speller, assemble
from charlm.spelling.weights import Weights
from charlm.store.checkpoint import StoredModel, save_model
from charlm.text.tokenizers import load_tokenizer
from charlm.text.tokenizers.word import WordTokenizer

KIND = "speller"
WORDS_FILE = "words.txt"
CHANNEL_FILE = "channel.json"
PAIR = "pair"
_PAIR_FILE = f"{PAIR}_"  # begins the names of its tokenizer's files
_SPECIAL_LINES = len(SPECIALS)


def save_speller(folder: Path, speller: Speller, *, training: dict[str, Any], card: str) -> None:
    """Make this the model of a folder, as `store.save_model` does."""
    words = "\n".join(speller.lexicon.surfaces[_SPECIAL_LINES:]) + "\n"
    config: dict[str, Any] = {**to_json(speller.config), "weights": to_json(speller.weights)}
    files = {WORDS_FILE: words.encode(), CHANNEL_FILE: speller.channel_data}
    if speller.pair is not None:
        tokenizer = speller.pair.words.tokenizer
        config[PAIR] = {
            "model": to_json(speller.pair.config),
            "tokenizer": tokenizer.config(),
            "log_unknown": speller.pair.log_unknown,
        }
        files |= {f"{_PAIR_FILE}{name}": data for name, data in tokenizer.to_files().items()}
    save_model(
        folder,
        kind=KIND,
        model_config=config,
        tokenizer_config={"name": "spelling"},
        tokenizer_files=files,
        tensors=speller.tensors,
        training=training,
        card=card,
    )


def restore_speller(stored: StoredModel) -> Speller:
    """Return the speller that a folder holds.

    Arrays that are mapped, not read, are checked where they are used.

    Raises:
        CheckpointError: if config, words, table or arrays are malformed, or do not fit.
    """
    where = f"{stored.folder}/config.json"
    values = dict(stored.model_config)
    pair = _pair_config(stored, values.pop(PAIR)) if PAIR in values else None
    try:
        weights = from_json(Weights, values.pop("weights", {}), where=where)
        config = from_json(SpellerConfig, values, where=where)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    if config.slots <= config.reach + 1 or config.buckets & (config.buckets - 1):
        raise CheckpointError(f"{where}: sizes that no speller has; train it again")
    if pair is not None and config.cloze_words:
        raise CheckpointError(f"{where}: networks of two kinds; train the speller again")
    is_read = isinstance(stored.buffer, bytes)
    shapes, dtypes = config.tensor_shapes(), config.dtypes()
    if pair is not None:
        shapes, dtypes = shapes | pair_shapes(pair), dtypes | pair_dtypes(pair)
    tensors = stored.tensors(shapes, check_finite=is_read, floats_only=False)
    wrong = [name for name, dtype in dtypes.items() if tensors[name].dtype != dtype]
    if wrong:
        raise CheckpointError(f"{stored.folder}: {wrong[0]} is no {dtypes[wrong[0]]}")
    _require_indices(stored, config, tensors)
    lexicon = _restore_lexicon(stored, config, tensors["capitals"])
    data = stored.tokenizer_files.get(CHANNEL_FILE, b"")
    channel = parse_channel(data, f"{stored.folder}/{CHANNEL_FILE}")
    speller = assemble(config, weights, lexicon, tensors, channel, data)
    if pair is None:
        return speller
    tokenizer = _pair_tokenizer(stored, pair)
    share = stored.model_config[PAIR]["log_unknown"]
    return dataclasses.replace(speller, pair=Pair(pair, tokenizer, tensors, log_unknown=share))


def _pair_config(stored: StoredModel, values: Any) -> LanguageModelConfig:
    where = f"{stored.folder}/config.json, {PAIR}"
    is_whole = isinstance(values, dict) and set(values) == {"model", "tokenizer", "log_unknown"}
    if not is_whole or not isinstance(values["tokenizer"], dict):
        raise CheckpointError(f"{where}: expected a model and a tokenizer; copy the folder again")
    share = values["log_unknown"]
    if share is not None and (not isinstance(share, float) or not -100.0 < share <= 1.0):
        raise CheckpointError(f"{where}: {share!r} is no share of unknown words")
    try:
        return from_json(LanguageModelConfig, values["model"], where=where)
    except ValueError as error:
        raise CheckpointError(str(error)) from error


def _pair_tokenizer(stored: StoredModel, config: LanguageModelConfig) -> WordTokenizer:
    files = {
        name.removeprefix(_PAIR_FILE): data
        for name, data in stored.tokenizer_files.items()
        if name.startswith(_PAIR_FILE)
    }
    about = stored.model_config[PAIR]["tokenizer"]
    where = f"{stored.folder}: the tokenizer of its pair"
    try:
        tokenizer = load_tokenizer(about, files, vocab_size=config.vocab_size)
    except TokenizerError as error:
        raise CheckpointError(f"{where}: {error}; copy the folder again") from error
    if not isinstance(tokenizer, WordTokenizer) or tokenizer.vocab_size != config.vocab_size:
        raise CheckpointError(f"{where} does not fit its models; copy the folder again")
    return tokenizer


def _require_indices(
    stored: StoredModel, config: SpellerConfig, tensors: Mapping[str, Any]
) -> None:
    """Raise `CheckpointError` if an array points to where nothing is."""
    starts = tensors["starts"]
    wrong = [
        name
        for name in ("words", "sound_words")
        if len(tensors[name]) and tensors[name].max() >= config.surfaces
    ]
    if starts[-1] != config.postings or (starts[1:] < starts[:-1]).any():
        wrong.append("starts")
    if wrong:
        raise CheckpointError(
            f"{stored.folder}: array {wrong[0]} is not that of a speller; train it again"
        )


def _restore_lexicon(stored: StoredModel, config: SpellerConfig, capitals: Any) -> Lexicon:
    where = f"{stored.folder}/{WORDS_FILE}"
    try:
        text = stored.tokenizer_files.get(WORDS_FILE, b"").decode()
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{where} is not UTF-8; copy the folder again") from error
    surfaces = [*SPECIALS, *text.split("\n")[:-1]]
    if len(surfaces) != config.surfaces or config.vocab_size > config.surfaces:
        raise CheckpointError(
            f"{where}: {len(surfaces):,} words, expected {config.surfaces:,}; copy the folder again"
        )
    if len(set(config.alphabet)) != len(config.alphabet) or len(config.alphabet) > 255:
        raise CheckpointError(f"{stored.folder}: the alphabet has a letter twice, or too many")
    words, joined = surfaces[: config.vocab_size], surfaces[config.vocab_size :]
    return Lexicon(words, joined, config.alphabet, capitals)
