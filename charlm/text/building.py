"""From a measured text to a tokenizer and to ids: in memory if it is small, else through files.

A large text is counted and encoded by several processes, in pieces; its ids, and the tokenizer
learnt from it, are kept under `corpora/.ids/` in `CHARLM_HOME` by the checksums of what they come
from, so that the next run finds them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from charlm.base.config import to_json
from charlm.base.errors import CorpusError, TokenizerError
from charlm.text.corpora import corpora_folder
from charlm.text.measuring import MeasuredText, Work
from charlm.text.pieces import Piece, cut_pieces
from charlm.text.token_files import Tokens, TokenWriter, make_room, open_tokens
from charlm.text.tokenizers import (
    Tokenizer,
    TokenizerConfig,
    counting_class,
    train_tokenizer,
)
from charlm.text.tokenizers.counting import TokenTotals
from charlm.text.tokenizing_jobs import (
    CountJob,
    EncodeJob,
    read_counts,
    restored_tokenizer,
    smallest_dtype,
    stored_tokenizer,
)
from charlm.text.workers import MOST_WORKERS, cores, run_job

_RULES = "1"  # raised when a tokenizer begins to cut texts otherwise
_WORKER_CHARS = 4 << 20  # what makes up for the start of a process
_MOST_TOKENIZER_BYTES = 1 << 30
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def ids_folder() -> Path:
    """Return where ids are kept."""
    return corpora_folder() / ".ids"


def learn_tokenizer(
    text: MeasuredText, start: int, stop: int, name: str, config: TokenizerConfig
) -> Generator[Work, None, Tokenizer]:
    """Return a tokenizer learnt from the characters `start` to `stop`; yields the progress.

    Raises:
        TokenizerError: if none can be made of this text.
        CorpusError: if the text cannot be read, or changes meanwhile.
    """
    if text.in_memory or name.endswith(".model") or name == "byte":
        return (yield from _learn(text, start, stop, name, config))
    settings = json.dumps(to_json(config), sort_keys=True)
    key = _key(text.sha256, start, stop, name, settings, _versions(name))
    path = ids_folder() / f"{key}.tokenizer"
    if (kept := _kept_tokenizer(path)) is not None:
        return kept
    tokenizer = yield from _learn(text, start, stop, name, config)
    _keep_tokenizer(path, tokenizer)
    return tokenizer


def _learn(
    text: MeasuredText, start: int, stop: int, name: str, config: TokenizerConfig
) -> Generator[Work, None, Tokenizer]:
    kind = None if name.endswith(".model") else counting_class(name)
    pieces = _Told(text.pieces(start, stop))
    if kind is None:
        return train_tokenizer(name, (piece.text for piece in pieces), config)
    totals = TokenTotals()
    workers = _useful_workers(text, stop - start, is_slow=kind.is_slow)
    for answer in run_job(CountJob(name, config), pieces, workers):
        totals.add(read_counts(answer))
        if not text.in_memory:
            yield Work("counting", pieces.chars, stop - start)
    return kind.from_counts(totals.largest(kind.most_tokens(config)), config)


def encode_text(
    text: MeasuredText, start: int, stop: int, tokenizer: Tokenizer
) -> Generator[Work, None, Tokens]:
    """Return the ids of the characters `start` to `stop`; yields the progress.

    Those of a large text are mapped from a file, in the smallest type that holds them.

    Raises:
        CorpusError: if the text cannot be read, changes meanwhile, or the disk is full.
    """
    if text.in_memory:
        return _encode_here(text.pieces(start, stop), tokenizer)
    dtype = smallest_dtype(tokenizer.vocab_size)
    folder, key = ids_folder(), _key(text.sha256, start, stop, tokenizer_sha256(tokenizer))
    found = open_tokens(folder, key, dtype, tokenizer.vocab_size)
    if found is None:
        make_room(folder, needed=(stop - start) * dtype.itemsize)
        yield from _build(folder, key, text, start, stop, tokenizer)
        found = open_tokens(folder, key, dtype, tokenizer.vocab_size)
    if found is None:
        raise CorpusError(f"the ids of the text do not stay in {folder}; is the disk sound?")
    return found


def _build(
    folder: Path, key: str, text: MeasuredText, start: int, stop: int, tokenizer: Tokenizer
) -> Iterator[Work]:
    job = EncodeJob(tokenizer)
    with TokenWriter(folder, key, job.dtype) as writer:
        if (folder / f"{key}.ids").exists():  # another process was faster
            writer.discard()
            return
        pieces = _Told(text.pieces(start, stop))
        pieces.skip(writer.pieces)
        workers = _useful_workers(text, stop - start, is_slow=tokenizer.is_slow)
        for answer in run_job(job, pieces, workers):
            if answer:
                writer.append(*job.read(answer))
            yield Work("tokenizing", pieces.chars, stop - start)
        writer.finish()


def encode_pieces(
    texts: Iterable[str], tokenizer: Tokenizer
) -> Iterator[tuple[Piece, npt.NDArray[np.int32]]]:
    """Yield a text that arrives in portions in pieces, each with its ids."""
    job = EncodeJob(tokenizer)
    for piece in cut_pieces(texts):
        yield piece, tokenizer.encode(job.shown(piece))


def _encode_here(pieces: Iterable[Piece], tokenizer: Tokenizer) -> Tokens:
    job = EncodeJob(tokenizer)
    parts = [tokenizer.encode(job.shown(piece)) for piece in pieces]
    ids = np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)
    unk = tokenizer.unk_id
    unknown = 0 if unk is None else int(np.count_nonzero(ids == unk))
    return Tokens(ids, unknown, hashlib.sha256(ids.astype(job.dtype).tobytes()).hexdigest())


def tokenizer_sha256(tokenizer: Tokenizer) -> str:
    """Return a checksum of all that a tokenizer's ids depend on."""
    digest = hashlib.sha256(repr(sorted(tokenizer.config().items())).encode())
    for name, contents in sorted(tokenizer.to_files().items()):
        digest.update(name.encode() + hashlib.sha256(contents).digest())
    digest.update(_versions(tokenizer.name).encode())
    return digest.hexdigest()


class _Told:
    """Pieces that pass, counted: how many characters have gone by."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self.chars = 0

    def __iter__(self) -> Iterator[Piece]:
        for piece in self._pieces:
            self.chars += len(piece.text)
            yield piece

    def skip(self, count: int) -> None:
        """Pass over the first pieces."""
        for _, piece in zip(range(count), self._pieces, strict=False):
            self.chars += len(piece.text)


def _useful_workers(text: MeasuredText, chars: int, *, is_slow: bool) -> int:
    """Return how many processes to start: none where that takes longer than the work."""
    if text.in_memory or not is_slow:
        return 0
    return min(cores(), MOST_WORKERS, chars // _WORKER_CHARS)


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps([_RULES, *parts]).encode()).hexdigest()


def _versions(name: str) -> str:
    """Return the versions of what a tokenizer stands on, where its ids depend on that."""
    package = {"word": "jieba", "bpe": "sentencepiece", "unigram": "sentencepiece"}.get(name)
    if package is None:
        return ""
    from importlib import metadata

    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return ""


def _kept_tokenizer(path: Path) -> Tokenizer | None:
    try:
        if path.stat().st_size > _MOST_TOKENIZER_BYTES:
            return None
        stored = json.loads(path.read_bytes())
        if stored["sha256"] != hashlib.sha256(stored["tokenizer"].encode()).hexdigest():
            return None
        tokenizer = restored_tokenizer(json.loads(stored["tokenizer"]))
    except (OSError, *_MALFORMED, TokenizerError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return tokenizer


def _keep_tokenizer(path: Path, tokenizer: Tokenizer) -> None:
    """Keep a tokenizer beside the ids; a torn file is noticed by its checksum when it is read."""
    inner = json.dumps(stored_tokenizer(tokenizer))
    document = {"sha256": hashlib.sha256(inner.encode()).hexdigest(), "tokenizer": inner}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):  # it saves time, no more
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(document))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
