"""The texts of a session as lines of JSON: what each began with, what the model added, and how."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from charlm.base.config import from_json
from charlm.base.errors import ConfigError
from charlm.generation.sampling import SamplingConfig
from charlm.render.console import warn
from charlm.render.machine import json_line
from charlm.repl.session import Written

SUFFIX = ".jsonl"


def text_record(text: Written) -> dict[str, Any]:
    """Return the object that tells of a text; its settings and their seed draw it again."""
    settings = {**dataclasses.asdict(text.config), "seed": text.seed}
    return {"model": text.model, "prompt": text.prompt, "text": text.text, "settings": settings}


def write_records(path: Path, records: Iterable[Mapping[str, Any]], *, append: bool) -> None:
    """Write objects into a file of mode 0600, a line each; a new file unless they are appended."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else os.O_EXCL)
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        file.writelines(json_line(record) + "\n" for record in records)


def read_records(text: str, label: str) -> list[Written]:
    """Return the texts of such a file.

    Raises:
        ConfigError: if it is none; the message names the line.
    """
    texts: list[Written] = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{label}: line {number}"
        try:
            record = json.loads(line)
            model, settings = record["model"], record["settings"]
            begin, added = record["prompt"], record["text"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ConfigError(f"{where}: expected a text as /save wrote it") from None
        if not all(isinstance(one, str) for one in (model, begin, added)):
            raise ConfigError(f"{where}: expected a text as /save wrote it")
        config = from_json(SamplingConfig, settings, where=where)
        seed, config = config.seed, dataclasses.replace(config, seed=None)
        texts.append(Written(begin, added, seed, model, config))
    return texts


class Transcript:
    """A file that grows by every text of the session; one that takes no more is told of once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._works = True

    def add(self, text: Written) -> None:
        """Append a text."""
        if not self._works:
            return
        try:
            write_records(self._path, [text_record(text)], append=True)
        except OSError as error:
            self._works = False
            warn(f"texts are no longer kept in {self._path}: {error.strerror or error}")
