"""Corpora by name or path: own files, those added under `corpora/`, and the built-in ones."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from charlm.base.errors import CorpusError
from charlm.base.registry import did_you_mean
from charlm.text import builtin
from charlm.text.corpus import Corpus as Corpus
from charlm.text.corpus import Reader, join
from charlm.text.corpus import repiece as repiece
from charlm.text.decoding import ENCODING_ERRORS
from charlm.text.downloadable import DOWNLOADABLE
from charlm.text.expanding import SUFFIXES
from charlm.text.sources import (
    FileSource,
    Source,
    file_source,
    folder_sources,
    read_source,
    standard_input,
)
from charlm.text.split import split_tail as split_tail

DEFAULT_CORPUS = "python"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
_SUFFIXES = ("", ".txt", *(before + packed for before in (".txt", "") for packed in SUFFIXES))


def open_corpus(specs: Sequence[str], *, encoding_errors: str = "strict") -> Corpus:
    """Return the corpus that paths and names mean, in their order.

    A spec is, in this order: `-` for standard input; an existing file or folder; a glob; a corpus
    under `corpora/` in `CHARLM_HOME`; a built-in corpus. Several are read one after the other; a
    text that does not end its last line gets a line end before the next begins. Without specs it
    is the built-in corpus `python`.

    Raises:
        CorpusError: if there is no such file or corpus. Reading raises it for what it finds.
    """
    if encoding_errors not in ENCODING_ERRORS:
        known = ", ".join(ENCODING_ERRORS)
        raise ValueError(f"encoding_errors must be one of {known}, got {encoding_errors!r}")
    if list(specs).count("-") > 1:
        raise CorpusError("standard input (-) can be read only once")
    warnings: list[str] = []
    parts = [_open_one(spec, encoding_errors, warnings) for spec in specs or [DEFAULT_CORPUS]]
    if len(parts) == 1:
        return parts[0]
    name = f"{parts[0].name}-and-{len(parts) - 1}-more"
    description = "; ".join(part.description for part in parts)
    files = [path for part in parts for path in part.files]
    read = [part.read_parts for part in parts]
    return Corpus(name, description, lambda: join(read), warnings, files)


def _open_one(spec: str, encoding_errors: str, warnings: list[str]) -> Corpus:
    if spec == "-":
        return _corpus_of("stdin", "standard input", [standard_input()], encoding_errors, warnings)
    path = Path(spec)
    if spec and _exists(path):
        return _open_path(path, None, encoding_errors, warnings)
    if path.is_symlink():
        raise CorpusError(f"cannot read {spec}: it is a link to nothing")
    if any(letter in spec for letter in "*?[") and (found := _glob(spec)):
        return _open_glob(spec, found, encoding_errors, warnings)
    if own := _own_corpus(spec):
        return _open_path(own, spec, encoding_errors, warnings)
    if spec in builtin.BUILTINS:
        about = builtin.BUILTINS[spec]
        return Corpus(spec, about.description, about.read, warnings)
    if spec in DOWNLOADABLE:
        raise CorpusError(f"no corpus {spec!r} here yet; charlm corpus fetch {spec} downloads it")
    raise CorpusError(f"no file or corpus {spec!r}{did_you_mean(spec, _candidates(path))}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError) as error:  # a name too long, or a folder closed to us
        raise CorpusError(f"cannot read {str(path)!r}: {error}") from error


def _open_path(path: Path, name: str | None, encoding_errors: str, warnings: list[str]) -> Corpus:
    if path.is_dir():
        sources = folder_sources(path, warnings.append)
        about = f"{len(sources):,} files in {path}"
        name = name or path.resolve().name or "root"
    else:
        sources = [file_source(path)]
        about = str(path)
    return _corpus_of(name or _stem(path), about, sources, encoding_errors, warnings)


def _open_glob(spec: str, found: list[Path], encoding_errors: str, warnings: list[str]) -> Corpus:
    sources: list[Source] = []
    for path in found:
        sources += folder_sources(path, warnings.append) if path.is_dir() else [file_source(path)]
    about = f"{len(sources):,} files of {spec}"
    return _corpus_of(_stem(found[0]), about, sources, encoding_errors, warnings)


def _corpus_of(
    name: str,
    description: str,
    sources: Sequence[Source],
    encoding_errors: str,
    warnings: list[str],
) -> Corpus:
    def warn(message: str) -> None:
        if message not in warnings:  # a second reading finds the same
            warnings.append(message)

    def reader(source: Source) -> Reader:
        return lambda: read_source(source, encoding_errors=encoding_errors, warn=warn)

    readers = [reader(source) for source in sources]
    files = [source.path for source in sources if isinstance(source, FileSource)]
    return Corpus(name, description, lambda: join(readers), warnings, files)


def _glob(spec: str) -> list[Path]:
    return [Path(name) for name in sorted(glob.glob(spec, recursive=True))]  # noqa: PTH207


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (*SUFFIXES, ".txt"):
        name = name.removesuffix(suffix) or name
    return name


def corpora_folder() -> Path:
    """Return where a user's own corpora lie: `corpora/` in `CHARLM_HOME`, else in this folder."""
    return Path(os.environ.get("CHARLM_HOME") or ".") / "corpora"


def _own_corpus(name: str) -> Path | None:
    if not _NAME.fullmatch(name):
        return None
    for suffix in _SUFFIXES:
        path = corpora_folder() / f"{name}{suffix}"
        if path.exists():
            return path
    return None


def _own_names() -> list[str]:
    folder = corpora_folder()
    if not folder.is_dir():
        return []
    names = {_stem(path) for path in folder.iterdir() if _NAME.fullmatch(path.name)}
    return sorted(name for name in names if _own_corpus(name))


def _candidates(path: Path) -> list[str]:
    names = list(list_corpora())
    with contextlib.suppress(OSError, ValueError):  # no such folder: then no file is near
        names += [str(path.parent / near.name) for near in path.parent.iterdir()]
    return names


def list_corpora() -> list[str]:
    """Return the names of a user's own corpora and of the built-in ones."""
    own = _own_names()
    return own + [name for name in builtin.BUILTINS if name not in own]


def describe_corpus(name: str) -> str:
    """Return what a corpus is and where it comes from, in a line.

    Raises:
        CorpusError: if there is none of this name.
    """
    if own := _own_corpus(name):
        return f"own text, {own}"
    if name in builtin.BUILTINS:
        return builtin.BUILTINS[name].description
    raise CorpusError(
        f"no corpus {name!r}{did_you_mean(name, list_corpora())}; known: "
        f"{', '.join(list_corpora())}"
    )


def add_corpus(
    name: str,
    specs: Sequence[str],
    *,
    overwrite: bool = False,
    encoding_errors: str = "strict",
    warnings: list[str] | None = None,
) -> Path:
    """Copy a text, normalised, to `corpora/NAME.txt` in `CHARLM_HOME` and return that path.

    The copy appears whole or not at all. What is odd about the text joins `warnings`.

    Raises:
        CorpusError: if the name is bad or taken, or the text cannot be read or written.
    """
    if not _NAME.fullmatch(name) or _stem(Path(name)) != name:
        raise CorpusError(
            f"bad corpus name {name!r}: use letters, digits, '.', '_' and '-', no dot in front, "
            "no suffix .txt, .gz, .xz or .bz2"
        )
    taken = _own_corpus(name)
    if taken and not (overwrite and taken.is_file()):
        raise CorpusError(f"a corpus {name!r} is there already ({taken}); --overwrite replaces it")
    if name in builtin.BUILTINS and not overwrite:
        raise CorpusError(
            f"{name!r} is a built-in corpus; take another name (--overwrite puts yours before it)"
        )
    corpus = open_corpus(specs, encoding_errors=encoding_errors)
    target = corpora_folder() / f"{name}.txt"
    try:
        _write_atomically(target, corpus.pieces())
        if taken and taken != target:
            taken.unlink()
    except OSError as error:
        raise CorpusError(f"cannot write {target}: {error.strerror}") from error
    if warnings is not None:
        warnings.extend(corpus.warnings)
    return target


def _write_atomically(target: Path, pieces: Iterable[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            for piece in pieces:
                file.write(piece)
            if not file.tell():
                raise CorpusError("nothing to keep: the text is empty")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
