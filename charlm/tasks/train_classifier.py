"""Train a classifier: read labelled texts, begin a run or go on with one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from charlm.base.config import from_json
from charlm.base.errors import CheckpointError
from charlm.classifying.folder import KIND
from charlm.store.checkpoint import clear_resume
from charlm.store.locate import require_valid_name
from charlm.store.lock import FolderLock
from charlm.tasks.train_classifier_config import ClassifierTrainConfig
from charlm.tasks.train_classifier_data import ClassifierData, read_classifier_data
from charlm.tasks.train_classifier_run import ClassifierResult as ClassifierResult
from charlm.tasks.train_classifier_run import Run
from charlm.tasks.train_continue import (
    folder_to_resume,
    require_something_left,
    settings_to_resume,
    state_to_resume,
)
from charlm.tasks.train_events import Message, TrainEvent
from charlm.tasks.train_folder import free_name, model_folder, require_free

# What a continuation may have otherwise than the run that it continues.
_MAY_CHANGE = ("threads", "max_time", "epochs", "test")


def train_classifier(
    files: Sequence[str],
    config: ClassifierTrainConfig,
    *,
    name: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Iterator[TrainEvent]:
    """Train and save a classifier, yielding what happens; the last event is a ClassifierResult.

    Args:
        files: labelled files, or `-` for standard input; to resume, none means those of the run.
        config: what the user said.
        name: of the model folder under `checkpoints/`; else after the first file, the first that
            is free.
        resume: go on with what was interrupted.
        overwrite: replace a model of that name.

    Raises:
        CorpusError, ConfigError, CheckpointError: as these say.
    """
    if name is not None:
        require_valid_name(name)
    if resume:
        yield from _resume(files, config, name)
        return
    if name is not None:
        require_free(model_folder(name), overwrite)
    data = read_classifier_data(files, config)
    folder = model_folder(name or free_name(data.train.texts.name, overwrite))
    yield from _introduce(folder.name, data)
    with FolderLock(folder):
        if overwrite:
            clear_resume(folder)
        yield from Run(folder, data, config, list(files)).train()


def _resume(
    files: Sequence[str], config: ClassifierTrainConfig, name: str | None
) -> Iterator[TrainEvent]:
    folder = folder_to_resume(name, KIND, "a classifier")
    with FolderLock(folder):
        found = state_to_resume(folder, KIND, "a classifier")
        if found.warning:
            yield Message(text=found.warning, warning=True)
        where = f"{folder}/resume"
        old = from_json(ClassifierTrainConfig, found.state.get("config"), where=where)
        merged = settings_to_resume(old, config, _MAY_CHANGE, "a new classifier")
        corpus = list(files or map(str, found.state.get("corpus", ())))
        data = read_classifier_data(corpus, merged)
        if data.sha256 != found.state.get("sha256"):
            raise CheckpointError(
                f"the texts have changed since {folder} was begun (their checksum differs); bring "
                "the old ones back, or train a new classifier with --name"
            )
        require_something_left(folder, found, merged)
        yield from _introduce(folder.name, data)
        yield from Run(folder, data, merged, corpus, found).train()


def _introduce(name: str, data: ClassifierData) -> Iterator[TrainEvent]:
    yield from (Message(text=text, warning=True) for text in data.warnings)
    held = f", {len(data.valid.words):,} held out" if data.valid else ""
    yield Message(
        text=f"{name}: {len(data.train.words):,} texts to learn from, "
        f"{len(data.labels)} labels{held}"
    )
