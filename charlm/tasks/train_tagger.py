"""Train a tagger: read sentences, begin a run or go on with one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from charlm.base.config import from_json
from charlm.base.durations import parse_duration
from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import clear_resume
from charlm.store.locate import require_valid_name
from charlm.store.lock import FolderLock
from charlm.tagging.folder import KIND
from charlm.tasks.train_continue import (
    folder_to_resume,
    require_something_left,
    settings_to_resume,
    state_to_resume,
)
from charlm.tasks.train_events import Message, TrainEvent
from charlm.tasks.train_folder import free_name, model_folder, require_free
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
    folder = folder_to_resume(name, KIND, "a tagger")
    with FolderLock(folder):
        found = state_to_resume(folder, KIND, "a tagger")
        if found.warning:
            yield Message(text=found.warning, warning=True)
        old = from_json(TaggerTrainConfig, found.state.get("config"), where=f"{folder}/resume")
        merged = settings_to_resume(old, config, _MAY_CHANGE, "a new tagger")
        corpus = list(specs or map(str, found.state.get("corpus", ())))
        data, valid, test = _read(corpus, merged)
        yield from _tell(data, valid, test)
        if data.sha256 != found.state.get("sha256"):
            raise CheckpointError(
                f"the sentences have changed since {folder} was begun (their checksum differs); "
                "bring the old ones back, or train a new tagger with --name"
            )
        require_something_left(folder, found, merged)
        from charlm.tasks.train_tagger_run import Run

        yield from Run(folder, data, valid, test, merged, corpus, found).train()
