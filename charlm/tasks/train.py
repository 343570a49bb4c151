"""Train a language model: everything between the command line and the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError, ConfigError
from charlm.store.checkpoint import load_model, load_resume
from charlm.store.locate import checkpoints_dir, require_valid_name
from charlm.store.lock import FolderLock
from charlm.tasks.train_data import TrainData, load_data
from charlm.tasks.train_events import Message, Planned, TrainEvent
from charlm.tasks.train_folder import free_name, is_taken, model_folder, require_free
from charlm.tasks.train_run import Run
from charlm.training.config import TrainConfig
from charlm.training.presets import architecture_settings


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
        corpus_specs: files, folders, globs, names of corpora, or `-`.
        config: what the user said; None in it is chosen here.
        name: of the model folder under `checkpoints/`; else after the corpus, the first that is
            free.
        resume: go on where the run of that name stopped, with its own settings; only those that
            differ from the defaults replace them.
        overwrite: replace a model of that name.
        dry_run: yield the plan and stop.

    Raises:
        CorpusError, TokenizerError, ConfigError, CheckpointError, TaskError: as these say.
    """
    if name is not None:
        require_valid_name(name)
    if resume:
        yield from _resume(corpus_specs, config, name)
        return
    if name is not None:
        require_free(model_folder(name), overwrite)
    data = load_data(corpus_specs, config)
    folder = model_folder(name or free_name(data.name, overwrite))
    yield from (Message(text=text, warning=True) for text in data.warnings)
    run = Run(folder, data, config, list(corpus_specs))
    if dry_run:
        yield run.plan()
        return
    with FolderLock(folder):
        yield from _start(run, replaces=overwrite and is_taken(folder))


def _start(run: Run, *, replaces: bool) -> Iterator[TrainEvent]:
    yield Message(text="measuring this machine (the first time compiles kernels, some seconds)")
    planned: Planned = run.plan()
    yield planned
    yield Message(text=run.built.choice())
    run.prepare(replaces=replaces)
    yield from run.train()


def _resume(specs: Sequence[str], config: TrainConfig, name: str | None) -> Iterator[TrainEvent]:
    folder = model_folder(name) if name else _newest_unfinished()
    if not folder.is_dir():
        raise CheckpointError(f"nothing to resume: there is no {folder}; leave out --resume")
    with FolderLock(folder):
        found = load_resume(folder)
        if found is None:
            raise CheckpointError(
                f"nothing to resume: {folder} holds no unfinished training; leave out --resume and "
                "add --overwrite to train it anew"
            )
        if found.warning:
            yield Message(text=found.warning, warning=True)
        old = from_json(TrainConfig, found.state["config"], where=f"{folder}/resume")
        merged = _merge(old, config)
        stored = load_model(folder)
        data = load_data(
            found.state["corpus"], merged, (stored.tokenizer_config, stored.tokenizer_files)
        )
        _require_same_data(data, found.state["sha256"], folder)
        run = Run(folder, data, merged, list(found.state["corpus"]))
        yield from (
            Message(text=text, warning=True) for text in (*data.warnings, *_changes(old, merged))
        )
        yield run.plan(found.state)
        run.restore(found.tensors, found.state)
        yield Message(text=f"going on from step {found.step:,}")
        yield from run.train()


def _merge(old: TrainConfig, new: TrainConfig) -> TrainConfig:
    """Return the old settings with those of the new that are not the defaults."""
    default = TrainConfig()
    given = {
        field.name: getattr(new, field.name)
        for field in dataclasses.fields(TrainConfig)
        if getattr(new, field.name) != getattr(default, field.name)
    }
    fixed = [
        f"--{name.replace('_', '-')} {value} (it is {getattr(old, name)})"
        for name, value in given.items()
        if name in architecture_settings() and value != getattr(old, name)
    ]
    if fixed:
        raise ConfigError(
            f"a resumed training keeps its text and form; cannot change {', '.join(fixed)}"
        )
    return dataclasses.replace(old, **given)


def _changes(old: TrainConfig, new: TrainConfig) -> list[str]:
    before, after = to_json(old), to_json(new)
    return [
        f"{name.replace('_', ' ')} changed from {before[name]} to {after[name]}"
        for name in before
        if before[name] != after[name]
    ]


def _require_same_data(data: TrainData, sha256: Any, folder: Path) -> None:
    if data.sha256 != sha256:
        raise CheckpointError(
            f"the corpus has changed since {folder} was begun (its checksum differs); bring the "
            "old text back, or train a new model with --name"
        )


def _newest_unfinished() -> Path:
    states = sorted(
        checkpoints_dir().glob("*/resume/state-*.json"), key=lambda path: path.stat().st_mtime
    )
    if not states:
        raise CheckpointError(
            f"nothing to resume: no unfinished training in {checkpoints_dir()}; leave out --resume"
        )
    return states[-1].parent.parent
