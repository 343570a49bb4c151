"""The two things done to every piece of a text: counting its tokens, and encoding it.

A job answers a piece with bytes, so that it runs alike in this process and in another one.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from charlm.base.config import from_json, to_json
from charlm.base.errors import TokenizerError
from charlm.text.pieces import Piece
from charlm.text.tokenizers import (
    Tokenizer,
    TokenizerConfig,
    counting_class,
    load_tokenizer,
)

IdArray = npt.NDArray[np.unsignedinteger[Any]]
MOST_COUNTED = 1 << 19  # distinct tokens that a counter may hold before it hands them over
_UNKNOWN = struct.Struct("<Q")


class Job(Protocol):
    """What is done to each piece of a text."""

    def describe(self) -> dict[str, Any]:
        """Return what `job_of` makes the same job from, as JSON values."""

    def shown(self, piece: Piece) -> str:
        """Return the text of a piece as this job wants it."""

    def answer(self, text: str) -> bytes:
        """Work on a piece."""

    def finish(self) -> bytes:
        """Return what is left to say after the last piece."""


class CountJob:
    """Counts tokens; answers are JSON objects of counts, mostly empty."""

    def __init__(self, name: str, config: TokenizerConfig) -> None:
        kind = counting_class(name)
        if kind is None:
            raise ValueError(f"a {name} tokenizer is not made of counts")
        self._name, self._config, self._kind = name, config, kind
        self._counter = kind.counter(config)

    def describe(self) -> dict[str, Any]:
        """Return the tokenizer's name and settings."""
        return {"job": "count", "name": self._name, "config": to_json(self._config)}

    def shown(self, piece: Piece) -> str:
        """Return the piece, without the blank of a cut line where it is implied."""
        return _shown(piece, self._kind.implies_blanks)

    def answer(self, text: str) -> bytes:
        """Count a piece; answers with the counts when there are many."""
        self._counter.add(text)
        return self.finish() if len(self._counter) > MOST_COUNTED else b""

    def finish(self) -> bytes:
        """Return all counts not yet told."""
        return json.dumps(self._counter.take(), ensure_ascii=True).encode()


class EncodeJob:
    """Encodes; an answer is the number of unknown tokens and the ids in their smallest type."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.dtype = smallest_dtype(tokenizer.vocab_size)

    def describe(self) -> dict[str, Any]:
        """Return the tokenizer whole."""
        return {"job": "encode", **stored_tokenizer(self._tokenizer)}

    def shown(self, piece: Piece) -> str:
        """Return the piece, without the blank of a cut line where it is implied."""
        return _shown(piece, self._tokenizer.implies_blanks)

    def answer(self, text: str) -> bytes:
        """Encode a piece."""
        ids = self._tokenizer.encode(text)
        unk = self._tokenizer.unk_id
        unknown = 0 if unk is None else int(np.count_nonzero(ids == unk))
        return _UNKNOWN.pack(unknown) + ids.astype(self.dtype).tobytes()

    def finish(self) -> bytes:
        """Return nothing."""
        return b""

    def read(self, answer: bytes) -> tuple[IdArray, int]:
        """Return the ids of an answer, and how many of them are unknown."""
        ids = np.frombuffer(answer, dtype=self.dtype, offset=_UNKNOWN.size)
        return ids, int(_UNKNOWN.unpack_from(answer)[0])


def read_counts(answer: bytes) -> dict[str, int]:
    """Return the counts of a `CountJob`'s answer."""
    counts: dict[str, int] = json.loads(answer) if answer else {}
    return counts


def job_of(description: Mapping[str, Any]) -> Job:
    """Return the job that `describe` described."""
    if description["job"] == "count":
        config = from_json(TokenizerConfig, description["config"], where="tokenizer config")
        return CountJob(description["name"], config)
    return EncodeJob(restored_tokenizer(description))


def stored_tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return a tokenizer as JSON values: its config and its files."""
    files = tokenizer.to_files().items()
    return {
        "config": tokenizer.config(),
        "files": {name: base64.b64encode(data).decode("ascii") for name, data in files},
    }


def restored_tokenizer(stored: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer that `stored_tokenizer` stored; checks everything.

    Raises:
        TokenizerError: if it is none.
    """
    try:
        files = {
            str(name): base64.b64decode(data, validate=True)
            for name, data in dict(stored["files"]).items()
        }
        config = dict(stored["config"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise TokenizerError(f"a stored tokenizer is malformed ({error})") from error
    return load_tokenizer(config, files)


def smallest_dtype(vocab_size: int) -> np.dtype[Any]:
    """Return the unsigned type, one, two or four bytes, that holds the ids of a vocabulary.

    Example:
        >>> [smallest_dtype(size).name for size in (256, 257, 65_536, 65_537)]
        ['uint8', 'uint16', 'uint16', 'uint32']
    """
    for bits in (8, 16):
        if vocab_size <= 1 << bits:
            return np.dtype(f"<u{bits // 8}")
    return np.dtype("<u4")


def run_here(job: Job, pieces: Iterable[Piece]) -> Iterable[bytes]:
    """Yield a job's answers to pieces, in order, then what it finishes with."""
    for piece in pieces:
        yield job.answer(job.shown(piece))
    yield job.finish()


def _shown(piece: Piece, implies_blanks: bool) -> str:
    return piece.text[1:] if implies_blanks and piece.continued else piece.text
