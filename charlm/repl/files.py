"""Commands that keep texts in files, and bring them back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from charlm.base.errors import ConfigError
from charlm.render.console import talk, warn
from charlm.render.tables import plural
from charlm.repl.commands import Options, command
from charlm.repl.continuing import last_text
from charlm.repl.parsing import unquoted
from charlm.repl.session import KEPT_CHARS, Session, Written
from charlm.repl.transcript import SUFFIX, read_records, text_record, write_records


@command(
    "save",
    "FILE",
    "write the last text; as .jsonl all, and how drawn",
    completes="file",
)
def _save(session: Session, rest: str, _: Options) -> None:
    if not rest:
        raise ConfigError("/save needs a FILE")
    last, path = last_text(session), _path(rest)
    if path.suffix == SUFFIX:
        texts = list(session.texts)
        write_records(path, map(text_record, texts), append=False)
        talk(f"wrote {path}: {plural(len(texts), 'text')}")
        return
    text = last.whole
    with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text if text.endswith("\n") else text + "\n")
    cut = len(last.prompt) + len(last.text) >= KEPT_CHARS
    talk(f"wrote {path}{f': the last {KEPT_CHARS:,} characters' if cut else ''}")


@command(
    "load",
    "FILE",
    "take up a text from a file, or what /save wrote",
    completes="file",
)
def _load(session: Session, rest: str, _: Options) -> None:
    if not rest:
        raise ConfigError("/load needs a FILE")
    path = _path(rest)
    if path.suffix == SUFFIX:
        texts = read_records(_read(path), str(path))
        if not texts:
            raise ConfigError(f"{path} holds no text")
        session.texts.extend(texts)
        session.config = dataclasses.replace(texts[-1].config, seed=session.config.seed)
        talk(f"read {plural(len(texts), 'text')} and the settings of the last")
        return
    text = _read(path, KEPT_CHARS)
    if not text:
        raise ConfigError(f"{path} holds no text")
    session.texts.append(Written(text))
    cut = "the last " if len(text) == KEPT_CHARS else ""
    talk(f"read {cut}{plural(len(text), 'character')}; /more goes on with them")


def _path(rest: str) -> Path:
    """Return the file that is meant; quotes may stand around it, as a shell needs them."""
    return Path(unquoted(rest)).expanduser()


def _read(path: Path, most: int | None = None) -> str:
    """Return a text, or the last characters of it; a line end at its end is no part of it."""
    from charlm.text.decoding import read_text

    text = ""
    with path.open("rb") as file:
        for piece in read_text(file, str(path), encoding_errors="strict", warn=warn):
            text = (text + piece)[-most - 1 :] if most else text + piece
    text = text.removesuffix("\n")
    return text[-most:] if most else text
