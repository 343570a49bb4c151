"""Train a language model: everything between the command line and the loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from charlm.base.errors import CheckpointError, TaskError
from charlm.models.runtime import require_machine
from charlm.store.checkpoint import load_model, load_resume
from charlm.store.locate import require_valid_name
from charlm.store.lock import FolderLock
from charlm.tasks.train_data import TrainData, read_data
from charlm.tasks.train_events import Message, Planned, TrainEvent
from charlm.tasks.train_folder import (
    free_name,
    is_taken,
    model_folder,
    newest_unfinished,
    require_free,
)
from charlm.tasks.train_group import join_group, require_shareable
from charlm.tasks.train_lm_vectors import Table, open_vectors
from charlm.tasks.train_merge import merge
from charlm.tasks.train_pair import go_on, train_pair
from charlm.tasks.train_run import Run
from charlm.tasks.train_state import run_state
from charlm.training.config import TrainConfig
from charlm.training.group import Group


def train_language_model(
    corpus_specs: Sequence[str],
    config: TrainConfig,
    *,
    name: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Iterator[TrainEvent]:
    """Train and save a language model, yielding what happens; the last event is a TrainResult.

    Args:
        corpus_specs: files, folders, globs, names of corpora, or `-`; to resume, none means those
            of the run, and others must hold the same text.
        config: what the user said; None in it is chosen here.
        name: of the model folder under `checkpoints/`; else after the corpus, the first that is
            free.
        resume: go on where the run of that name stopped, with its own settings; only those that
            differ from the defaults replace them. A finished run is extended by a larger limit.
        overwrite: replace a model of that name.
        dry_run: yield the plan and stop.

    Raises:
        CorpusError, TokenizerError, ConfigError, CheckpointError, TaskError: as these say.
    """
    if name is not None:
        require_valid_name(name)
    group = join_group(config.device)
    try:
        if resume:
            yield from _resume(corpus_specs, config, name, group, dry_run=dry_run)
        else:
            yield from _begin(corpus_specs, config, name, group, overwrite, dry_run=dry_run)
    finally:
        if group is not None:
            group.end(1)


def _begin(
    corpus_specs: Sequence[str],
    config: TrainConfig,
    name: str | None,
    group: Group | None,
    overwrite: bool,
    *,
    dry_run: bool,
) -> Iterator[TrainEvent]:
    if group is not None:
        _require_one_way(config)
        require_shareable(corpus_specs)
    if name is not None:
        require_free(model_folder(name), overwrite)
    require_machine(config.device, config.precision)
    vectors = open_vectors(config)
    data = yield from read_data(corpus_specs, config)
    folder = model_folder(name or free_name(data.name, overwrite))
    yield from (Message(text=text, warning=True) for text in data.warnings)
    given: Table | None = None
    if vectors is not None:
        given, told = vectors.table(data.tokenizer)
        yield Message(text=told)
    del vectors  # which may be large
    if dry_run:
        yield Run(folder, data, config, list(corpus_specs), given=given).plan()
        return
    with FolderLock(folder) as lock:
        run = Run(folder, data, config, list(corpus_specs), lock, given=given)
        first = _start(run, group, replaces=overwrite and is_taken(folder))
        yield from train_pair(run, first)


def _start(run: Run, group: Group | None, *, replaces: bool) -> Iterator[TrainEvent]:
    yield Message(text="measuring this machine (the first time compiles kernels, some seconds)")
    planned: Planned = run.plan()
    yield planned
    yield Message(text=run.built.choice())
    run.prepare(replaces=replaces)
    if group is not None:
        run.share(group)
    yield from run.train()


def _resume(
    specs: Sequence[str],
    config: TrainConfig,
    name: str | None,
    group: Group | None,
    *,
    dry_run: bool,
) -> Iterator[TrainEvent]:
    folder = model_folder(name) if name else newest_unfinished()
    if not folder.is_dir():
        raise CheckpointError(f"nothing to resume: there is no {folder}; leave out --resume")
    with FolderLock(folder) as lock:
        found = load_resume(folder)
        if found is None:
            raise CheckpointError(
                f"nothing to resume: {folder} holds no training state; leave out --resume and "
                "add --overwrite to train it anew"
            )
        if found.warning:
            yield Message(text=found.warning, warning=True)
        saved = run_state(found.state, folder)
        merged = merge(saved.config, config, saved.plan)
        stored = load_model(folder, weights=False)  # their damage is no loss: a state is there
        corpus = list(specs or saved.corpus)
        if group is not None:
            _require_one_way(merged)
            require_shareable(corpus)
        known = (stored.tokenizer_config, stored.tokenizer_files)
        data = yield from read_data(corpus, merged, known)
        _require_same_data(data, saved.sha256, folder)
        yield from (Message(text=text, warning=True) for text in data.warnings)
        run = Run(folder, data, merged, corpus, lock)
        planned = run.plan(saved)
        if dry_run:
            yield planned
            return
        yield planned
        ended = stored.training if stored.training.get("finished") is True else None
        yield from train_pair(run, go_on(run, group, found, saved, ended))


def _require_one_way(config: TrainConfig) -> None:
    if config.bidirectional:
        raise TaskError("several processes cannot train a bidirectional pair; start one process")


def _require_same_data(data: TrainData, sha256: str, folder: Path) -> None:
    if data.sha256 != sha256:
        raise CheckpointError(
            f"the corpus has changed since {folder} was begun (its checksum differs); bring the "
            "old text back, or train a new model with --name"
        )
