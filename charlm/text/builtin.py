"""Corpora that need no network: the running Python's standard library and its documentation."""

from __future__ import annotations

import ast
import inspect
import os
import sysconfig
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from charlm.base.errors import CorpusError
from charlm.text.normalize import normalize

_LEFT_OUT_FOLDERS = {
    "test",
    "tests",
    "idle_test",
    "site-packages",
    "dist-packages",
    "__pycache__",
    "lib-dynload",
}
# generated tables, not written by people: code pages, character maps, help texts, grammar
_LEFT_OUT_FILES = ("encodings/cp", "encodings/mac_", "encodings/iso", "pydoc_data/topics.py")


class Builtin(NamedTuple):
    """A built-in corpus: what it is, and how to read it."""

    description: str
    read: Callable[[], Iterable[str]]


def stdlib_folder() -> Path:
    """Return the folder of the running Python's standard library."""
    return Path(sysconfig.get_paths()["stdlib"])


def stdlib_files(folder: Path) -> list[Path]:
    """Return the modules of the standard library in order, tests and tables left out.

    Raises:
        CorpusError: if this Python carries no source files.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT_FOLDERS]
        inside = Path(parent).relative_to(folder).as_posix()
        found.extend(
            Path(parent, name)
            for name in names
            if name.endswith(".py") and not f"{inside}/{name}".startswith(_LEFT_OUT_FILES)
        )
    if len(found) < 10:
        raise CorpusError(
            f"this Python has no source of its standard library in {folder}; name a text file"
        )
    return sorted(found)


def read_python() -> Iterator[str]:
    """Yield the source of each module, from its first line on."""
    for path in stdlib_files(stdlib_folder()):
        if text := _source(path):
            yield text if text.endswith("\n") else f"{text}\n"


def read_python_docs() -> Iterator[str]:
    """Yield the documentation strings of each module, then the topics of `pydoc`."""
    folder = stdlib_folder()
    for path in stdlib_files(folder):
        if docs := "".join(_docstrings(_source(path))):
            yield docs
    yield from _topics(folder / "pydoc_data" / "topics.py")


def _source(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # a file in an old encoding, or not readable: the corpus does without
    return "" if "\0" in text else normalize(text)


def _docstrings(source: str) -> Iterator[str]:
    tree = _parse(source)
    if tree is None:
        return
    for node in _documented(tree):
        doc = ast.get_docstring(node, clean=False)
        if doc and (cleaned := _clean(doc)):
            yield f"{cleaned}\n\n"


def _parse(source: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in old modules
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            return None


def _documented(
    node: ast.AST,
) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield what may carry a docstring, in the order of the file."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node
    for field in ("body", "handlers", "orelse", "finalbody"):
        for child in getattr(node, field, ()):
            if isinstance(child, ast.stmt | ast.ExceptHandler):
                yield from _documented(child)


def _clean(doc: str) -> str:
    lines = [line.rstrip() for line in inspect.cleandoc(doc).split("\n")]
    paragraphs = "\n".join(lines).strip("\n")
    while "\n\n\n" in paragraphs:
        paragraphs = paragraphs.replace("\n\n\n", "\n\n")
    # one word is no English
    return paragraphs if " " in paragraphs else ""


def _topics(path: Path) -> Iterator[str]:
    tree = _parse(_source(path))
    for node in tree.body if tree else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            for value in node.value.values:
                text = ast.literal_eval(value)
                if isinstance(text, str) and (cleaned := _clean(text)):
                    yield f"{cleaned}\n\n"


BUILTINS = {
    "python": Builtin("source of this Python's standard library, tests left out", read_python),
    "python-docs": Builtin(
        "English of the standard library's documentation strings and help topics",
        read_python_docs,
    ),
}
