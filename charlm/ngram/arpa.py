r"""n-gram models as ARPA files, the text format that KenLM, SRILM and speech recognisers share.

`<s>` is the mark before a line, `</s>` the token that ends it, here called `<eos>`. A file's
numbers are log10; a context without a back-off weight has 0.

Source:
    The format: https://cmusphinx.github.io/wiki/arpaformat/
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.ngram.arpa_lines import ArpaLines, Section, parse_arpa
from charlm.ngram.config import NgramConfig
from charlm.ngram.counting import Int64
from charlm.ngram.model import NgramModel
from charlm.store.files import Writable, write_atomic
from charlm.text.sources import FileSource, Source

UNK, EOS = "<unk>", "<eos>"
_BEGIN, _END = "<s>", "</s>"
_UNK_ID, _EOS_ID = 0, 1
_LN10 = math.log(10.0)
# What a file without <unk> or </s> gives them, as KenLM does.
_NEVER = -100.0
_ROWS = 1 << 16


class ArpaModel(NamedTuple):
    """A model, and its tokens by id: `<unk>`, `<eos>`, then the words in the file's order."""

    model: NgramModel
    tokens: tuple[str, ...]


def read_arpa(source: Path | Source) -> ArpaModel:
    """Return the model of an ARPA file, plain or compressed.

    Raises:
        CorpusError: if the file cannot be read or is malformed; the message names the line.
    """
    lines, sections = parse_arpa(FileSource(source) if isinstance(source, Path) else source)
    words = [word.decode("utf-8") for word in lines.words]
    if EOS in words:
        line = sections[0].first_line + words.index(EOS)
        lines.fail(f"the word {EOS!r} stands for the end of a line here; expected {_END!r}", line)
    own = {_BEGIN, _END, UNK}
    tokens = (UNK, EOS, *(word for word in words if word not in own))
    ids = {token: i for i, token in enumerate(tokens)}
    ids |= {_END: _EOS_ID, _BEGIN: len(tokens)}
    id_of = np.array([ids[word] for word in words], dtype=np.int64)
    tensors = _Assembly(lines, sections, id_of, len(tokens)).tensors()
    order = len(sections)
    counts = [len(section.log_probs) for section in sections[1:]]
    config = NgramConfig(
        order=order,
        vocab_size=len(tokens),
        ngrams=(len(tokens), *counts),
        line_end_id=_EOS_ID,
    )
    return ArpaModel(NgramModel(config, tensors), tokens)


class _Assembly:
    """The sections of a file on their way into sorted arrays."""

    def __init__(self, lines: ArpaLines, sections: list[Section], id_of: Int64, mark: int) -> None:
        self.lines, self.sections, self.id_of, self.mark = lines, sections, id_of, mark
        self.keys: list[Int64] = []

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of a model."""
        order = len(self.sections)
        found = self._unigrams(with_backoff=order > 1)
        for length in range(2, order + 1):
            section = self.sections[length - 1]
            keys = self._keys_of(length, section)
            places = np.argsort(keys, kind="stable")
            self.keys.append(keys[places])
            self._require_distinct(length, section, places)
            found[f"keys.{length}"] = self.keys[-1]
            found[f"log_prob.{length}"] = _natural(section.log_probs)[places]
            if length < order:
                found[f"backoff.{length}"] = _natural(section.backoffs)[places]
        return found

    def _unigrams(self, *, with_backoff: bool) -> dict[str, npt.NDArray[Any]]:
        section = self.sections[0]
        log_probs = np.full(self.mark + 1, _NEVER * _LN10, dtype=np.float32)
        log_probs[self.id_of] = _natural(section.log_probs)
        found: dict[str, npt.NDArray[Any]] = {"log_prob.1": log_probs[: self.mark]}
        if with_backoff:
            backoffs = np.zeros(self.mark + 1, dtype=np.float32)
            backoffs[self.id_of] = _natural(section.backoffs)
            found["backoff.1"] = backoffs
        return found

    def _keys_of(self, length: int, section: Section) -> Int64:
        words = np.frombuffer(section.words, dtype=np.intc) if section.words else np.empty(0, int)
        rows = self.id_of[words.astype(np.int64)].reshape(-1, length)
        late = np.flatnonzero((rows[:, 1:] == self.mark).any(axis=1))
        if len(late):
            line = section.first_line + int(late[0])
            self.lines.fail(f"{_BEGIN} may only begin an n-gram", line)
        nodes = rows[:, 0]
        for place in range(1, length - 1):
            nodes = self._find(place, nodes * (self.mark + 1) + rows[:, place])
            lost = np.flatnonzero(nodes < 0)
            if len(lost):
                self.lines.fail(
                    f"the first {place + 1} words are not among the {place + 1}-grams",
                    section.first_line + int(lost[0]),
                )
        return nodes * (self.mark + 1) + rows[:, -1]

    def _find(self, index: int, wanted: Int64) -> Int64:
        keys = self.keys[index - 1]
        if not len(keys):
            return np.full(len(wanted), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[places] == wanted, places, -1)

    def _require_distinct(self, length: int, section: Section, places: Int64) -> None:
        twice = np.flatnonzero(self.keys[-1][1:] == self.keys[-1][:-1]) + 1
        if len(twice):
            line = section.first_line + int(places[twice].min())
            self.lines.fail(f"this {length}-gram is there twice", line)


def _natural(values: Sequence[float]) -> npt.NDArray[np.float32]:
    return (np.array(values, dtype=np.float64) * _LN10).astype(np.float32)


def write_arpa(path: Path, model: NgramModel, tokens: Sequence[str]) -> None:
    """Write a model as an ARPA file: whole, or not at all.

    Args:
        path: the file to make or replace.
        model: any n-gram model.
        tokens: what each id is called, (vocab,); that which ends a line is written `</s>`.

    Raises:
        TaskError: if a token cannot stand in an ARPA file.
        CheckpointError: if the disk is full or refuses.
    """
    names = list(tokens)
    if model.config.line_end_id is not None:
        names[model.config.line_end_id] = _END
    names.append(_BEGIN)
    for name in names:
        if not name or name.encode("utf-8", "replace").split() != [name.encode("utf-8", "replace")]:
            raise TaskError(
                f"the token {name!r} cannot stand in an ARPA file, which parts words by blanks; "
                "train with --tokenizer whitespace"
            )
    if len(set(names)) < len(names):
        raise TaskError(f"a token is called {_BEGIN} or {_END}, which mean something else in ARPA")
    write_atomic(path, lambda out: _write(out, model, names))


def _write(out: Writable, model: NgramModel, names: list[str]) -> None:
    config = model.config
    sizes = [config.vocab_size + 1, *config.ngrams[1:]]  # <s> is listed, if never predicted
    header = [f"ngram {n}={size}" for n, size in enumerate(sizes, start=1)]
    out.write(("\\data\\\n" + "\n".join(header) + "\n").encode())
    words = np.arange(config.vocab_size + 1)[:, None]
    for length in range(1, config.order + 1):
        log_probs = model.tensors[f"log_prob.{length}"]
        if length == 1:
            log_probs = np.append(log_probs, np.float32(_NEVER * _LN10))
        else:
            keys = model.tensors[f"keys.{length}"]
            size = config.vocab_size + 1
            words = np.concatenate([words[keys // size], (keys % size)[:, None]], axis=1)
        out.write(f"\n\\{length}-grams:\n".encode())
        for lines in _lines(words, log_probs, model.tensors.get(f"backoff.{length}"), names):
            out.write(lines)
    out.write(b"\n\\end\\\n")


def _lines(
    words: Int64, log_probs: npt.NDArray[Any], backoffs: npt.NDArray[Any] | None, names: list[str]
) -> Iterator[bytes]:
    for start in range(0, len(words), _ROWS):
        part = slice(start, start + _ROWS)
        rows = words[part].tolist()
        probs = (log_probs[part] / _LN10).tolist()
        texts = [
            f"{prob:.9g}\t{' '.join([names[i] for i in row])}"
            for prob, row in zip(probs, rows, strict=True)
        ]
        if backoffs is not None:
            rest = (backoffs[part] / _LN10).tolist()
            texts = [f"{text}\t{value:.9g}" for text, value in zip(texts, rest, strict=True)]
        yield ("\n".join(texts) + "\n").encode() if texts else b""
