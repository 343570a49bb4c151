"""Train a tagger: read sentences, begin a run or go on with one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from charlm.base.config import from_json
from charlm.base.durations import parse_duration
from charlm.base.errors import CheckpointError, ConfigError
from charlm.store.checkpoint import ResumeState, clear_resume, load_resume
from charlm.store.locate import require_valid_name
from charlm.store.lock import FolderLock
from charlm.tagging.folder import KIND
from charlm.tasks.train_events import Message, TrainEvent
from charlm.tasks.train_folder import free_name, model_folder, newest_unfinished, require_free
from charlm.tasks.train_tagger_config import TaggerTrainConfig
from charlm.tasks.train_tagger_data import Annotated, read_annotated

# What a continuation may have otherwise than the run that it continues.
_MAY_CHANGE = ("threads", "max_time", "epochs", "valid", "test")


def train_tagger(
    specs: Sequence[str],
    config: TaggerTrainConfig,
    *,
    name: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Iterator[TrainEvent]:
    """Train and save a tagger, yielding what happens; the last event is a TaggerResult.

    Args:
        specs: annotated files, CoNLL-U or columns, or `-`.
        config: what the user said.
        name: of the model folder under `checkpoints/`; else after the first file, the first that
            is free.
        resume: go on with what was interrupted.
        overwrite: replace a model of that name.

    Raises:
        CorpusError, ConfigError, CheckpointError: as these say.
    """
    if config.max_time is not None:
        parse_duration(config.max_time)
    if name is not None:
        require_valid_name(name)
    if resume:
        yield from _resume(specs, config, name)
        return
    if name is not None:
        require_free(model_folder(name), overwrite)
    data, valid, test = _read(specs, config)
    yield from _tell(data, valid, test)
    folder = model_folder(name or free_name(data.name, overwrite))
    from charlm.tasks.train_tagger_run import Run

    run = Run(folder, data, valid, test, config, list(specs))
    with FolderLock(folder):
        if overwrite:
            clear_resume(folder)
        yield from run.train()


def _read(
    specs: Sequence[str], config: TaggerTrainConfig
) -> tuple[Annotated, Annotated | None, Annotated | None]:
    data = read_annotated(specs, config.column, config.encoding_errors)
    held = [
        None if spec is None else read_annotated([spec], config.column, config.encoding_errors)
        for spec in (config.valid, config.test)
    ]
    return data, held[0], held[1]


def _tell(*read: Annotated | None) -> Iterator[TrainEvent]:
    for data in read:
        for warning in data.warnings if data is not None else ():
            yield Message(text=warning, warning=True)


def _resume(
    specs: Sequence[str], config: TaggerTrainConfig, name: str | None
) -> Iterator[TrainEvent]:
    folder = model_folder(name) if name else newest_unfinished()
    if not folder.is_dir():
        raise CheckpointError(f"nothing to resume: there is no {folder}; leave out --resume")
    with FolderLock(folder):
        found = _found_state(folder)
        if found.warning:
            yield Message(text=found.warning, warning=True)
        old = from_json(TaggerTrainConfig, found.state["config"], where=f"{folder}/resume")
        merged = _merged(old, config)
        corpus = list(specs or found.state["corpus"])
        data, valid, test = _read(corpus, merged)
        yield from _tell(data, valid, test)
        if data.sha256 != found.state["sha256"]:
            raise CheckpointError(
                f"the sentences have changed since {folder} was begun (their checksum differs); "
                "bring the old ones back, or train a new tagger with --name"
            )
        from charlm.tasks.train_tagger_run import Run

        yield from Run(folder, data, valid, test, merged, corpus, found).train()


def _found_state(folder: Path) -> ResumeState:
    found = load_resume(folder)
    if found is None or found.state.get("kind") != KIND:
        raise CheckpointError(
            f"nothing to resume: {folder} holds no unfinished training of a tagger; leave out "
            "--resume and add --overwrite to train it anew"
        )
    return found


def _merged(old: TaggerTrainConfig, new: TaggerTrainConfig) -> TaggerTrainConfig:
    """Return the settings of a continuation.

    Raises:
        ConfigError: for settings that cannot change under way.
    """
    default = TaggerTrainConfig()
    names = [field.name for field in dataclasses.fields(new)]
    given: dict[str, Any] = {
        name: getattr(new, name) for name in names if getattr(new, name) != getattr(default, name)
    }
    for name, value in given.items():
        if name not in _MAY_CHANGE and value != getattr(old, name):
            raise ConfigError(
                f"{name} is {getattr(old, name)!r} in the run to go on with; leave it out, or "
                "train a new tagger with another --name"
            )
    return dataclasses.replace(old, **given)
