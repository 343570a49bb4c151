"""Training and opening sentencepiece models, with its exceptions translated."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from charlm.base.errors import TokenizerError
from charlm.text.normalize import replace_surrogates

MAX_MODEL_BYTES = 64 << 20
SMALL_TEXT_BYTES = 2_000_000
SMALL_VOCAB_SIZE, LARGE_VOCAB_SIZE = 2_000, 8_000
MAX_TRAINING_CHARS = 16 << 20
_MAX_SENTENCE_CHARS = 1_000
_TOO_FEW = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")
logger = logging.getLogger(__name__)


def read_model_file(path: str) -> bytes:
    """Return the bytes of a sentencepiece file named by the user.

    Raises:
        TokenizerError: if it cannot be read or is too large for one.
    """
    try:
        if Path(path).stat().st_size > MAX_MODEL_BYTES:
            raise TokenizerError(f"{path}: more than {MAX_MODEL_BYTES >> 20} MiB, no such model")
        return Path(path).read_bytes()
    except OSError as error:
        raise TokenizerError(f"cannot read {path}: {error.strerror}") from error


def load_model(model: bytes) -> Any:
    """Return the sentencepiece processor of a model.

    Raises:
        TokenizerError: if the bytes are no such model.
    """
    import sentencepiece

    if not 0 < len(model) <= MAX_MODEL_BYTES:
        raise TokenizerError(f"tokenizer.model: {len(model):,} bytes are no sentencepiece model")
    try:
        processor = sentencepiece.SentencePieceProcessor()
        processor.LoadFromSerializedProto(model)
        if processor.get_piece_size() < 1:
            raise ValueError("no pieces")
        processor.encode("a")
    except (RuntimeError, ValueError, OSError, TypeError, UnicodeError) as error:
        raise TokenizerError(f"tokenizer.model: no sentencepiece model ({error})") from error
    return processor


def train_model(kind: str, pieces: Iterable[str], vocab_size: int | None) -> bytes:
    """Return a model trained on a text; by default of 2,000 pieces, 8,000 from 2 MB on.

    Of a text of more than 16 Mi characters a sample is taken, spread evenly, always the same.

    Raises:
        TokenizerError: if there is no text, or more characters than the vocabulary may hold.
    """
    kept, total = _sample(pieces)
    if vocab_size is not None:
        return _train_model(kind, kept, vocab_size)
    wanted = SMALL_VOCAB_SIZE if total < SMALL_TEXT_BYTES else LARGE_VOCAB_SIZE
    try:
        return _train_model(kind, kept, wanted)
    except TooFewPiecesError as error:  # a script of many characters
        return _train_model(kind, kept, max(LARGE_VOCAB_SIZE, 2 * error.needed))


class TooFewPiecesError(TokenizerError):
    """The characters and bytes alone are more than the vocabulary may hold."""

    def __init__(self, wanted: int, needed: int) -> None:
        super().__init__(
            f"--vocab-size {wanted} is too small for this text: it needs at least {needed}"
        )
        self.needed = needed


def _train_model(kind: str, sentences: list[str], vocab_size: int) -> bytes:
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type=kind,
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            character_coverage=0.9995,
            required_chars="\u2581",  # else a rare blank comes back as this sign of it
            byte_fallback=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            user_defined_symbols=["\n"],
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=2,
            minloglevel=2,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise _training_error(kind, vocab_size, sentences, str(error)) from error
    found = int(load_model(model.getvalue()).get_piece_size())
    if found < vocab_size:
        logger.warning("the text gives %d pieces, not the %d wanted", found, vocab_size)
    return model.getvalue()


def _training_error(kind: str, wanted: int, sentences: list[str], message: str) -> TokenizerError:
    if not any(sentences):
        return TokenizerError(f"no text to train a {kind} tokenizer on")
    if match := _TOO_FEW.search(message):
        return TooFewPiecesError(wanted, int(match[1]))
    return TokenizerError(
        f"cannot train a {kind} tokenizer of {wanted:,} pieces on this text: {message}"
    )


def _sample(pieces: Iterable[str]) -> tuple[list[str], int]:
    """Return the sentences of a text, of a large one a sample, and the bytes of all.

    Each sentence has a random number of a fixed seed; those below a bound are kept, and the bound
    is halved whenever they are more than `MAX_TRAINING_CHARS`. So the sample is spread evenly, and
    depends on the text alone.
    """
    rng = np.random.Generator(np.random.PCG64(0))
    kept: list[tuple[float, str]] = []
    bound, size, total = 1.0, 0, 0
    for piece in pieces:
        total += len(piece.encode(errors="replace"))
        sentences = list(_sentences([piece]))
        numbers = rng.random(len(sentences))
        chosen = np.flatnonzero(numbers < bound).tolist()
        kept += ((float(numbers[index]), sentences[index]) for index in chosen)
        size += sum(len(sentences[index]) for index in chosen)
        while size > MAX_TRAINING_CHARS and len(kept) > 1:
            bound /= 2
            kept = [item for item in kept if item[0] < bound]
            size = sum(len(sentence) for _, sentence in kept)
    return [sentence for _, sentence in kept], total


def _sentences(pieces: Iterable[str]) -> Iterator[str]:
    """Yield lines without their ends, long ones in parts: sentencepiece skips long sentences."""
    for piece in pieces:
        for line in replace_surrogates(piece).replace("\0", " ").split("\n"):
            for start in range(0, len(line), _MAX_SENTENCE_CHARS):
                yield line[start : start + _MAX_SENTENCE_CHARS]
