"""Saves of a run: copied between two steps, and written while training goes on."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from charlm.base.config import to_json
from charlm.base.errors import CheckpointError
from charlm.engine.config import LanguageModelConfig
from charlm.store.background import BackgroundJob
from charlm.store.checkpoint import (
    MetricsLog,
    clear_resume,
    has_resume,
    save_model,
    save_resume,
)
from charlm.store.files import disk_errors
from charlm.store.lock import FolderLock
from charlm.store.manifest import BACKWARD
from charlm.tasks.train_card import model_card
from charlm.text.tokenizers import Tokenizer
from charlm.training.resume import Arrays

# How long Ctrl-C, pressed twice, waits for a file that is being written.
PATIENCE = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A version of the model: its weights, and what `training.json` tells of it."""

    weights: Mapping[str, Any]
    report: dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A training state: all that the next step depends on."""

    step: int
    tensors: Arrays
    values: dict[str, Any]


class Saver:
    """Writes versions of one run's model and state, in a thread or at once.

    Args:
        lock: the folder's, held; None where nothing is saved.
        form: of the model.
        tokenizer: of the model, which never changes.
        storage: the type of the weights in the model's file.
        name: that users know the model by; None takes the folder's.
    """

    def __init__(
        self,
        folder: Path,
        lock: FolderLock | None,
        form: LanguageModelConfig,
        tokenizer: Tokenizer,
        storage: str,
        name: str | None = None,
    ) -> None:
        self.folder, self.form, self.tokenizer, self.storage = folder, form, tokenizer, storage
        self.name = name or folder.name
        self._lock = lock
        self._job = BackgroundJob()
        self._tokenizer_files = dict(tokenizer.to_files())
        self._step = 0
        self._clears = False

    @property
    def busy(self) -> bool:
        """Return whether a save is under way."""
        return self._job.busy

    def clear_first(self) -> None:
        """Let the next save remove the training states of the run that this one replaces."""
        self._clears = True

    def start(self, model: Model | None, state: State | None, log: MetricsLog | None) -> None:
        """Begin to write, the model first; the arrays must not change before the end.

        Records of the log that the state stands on reach the disk before it does.

        Raises:
            CheckpointError: if the folder is gone.
        """
        self._require_folder()
        clears, self._clears = self._clears, False
        self._step = state.step if state else self._step

        def write() -> None:
            if clears:
                clear_resume(self.folder)
                if not (self.folder / BACKWARD).is_symlink():
                    clear_resume(self.folder / BACKWARD)
            if log is not None:
                log.sync()
            if model is not None:
                self._write_model(model)
            if clears:  # the other half of the model that has just been replaced
                _remove(self.folder / BACKWARD)
            if state is not None:
                save_resume(self.folder, state.step, state.tensors, state.values)

        def write_or_tell() -> None:
            try:
                write()
            except CheckpointError as error:
                if not has_resume(self.folder):
                    raise
                way = f"then go on with: charlm train --resume --name {self.name}"
                told = str(error).removesuffix(" and try again")
                raise CheckpointError(f"{told}; {way}") from error

        self._job.start(write_or_tell)

    def _require_folder(self) -> None:
        if self._lock is not None:
            self._lock.check()

    def _write_model(self, model: Model) -> None:
        storage = np.dtype(self.storage)
        weights = {name: _stored(array, storage) for name, array in model.weights.items()}
        save_model(
            self.folder,
            kind="lm",
            model_config=to_json(self.form),
            tokenizer_config=self.tokenizer.config(),
            tokenizer_files=self._tokenizer_files,
            tensors=weights,
            training=model.report,
            card=model_card(self.name, self.form, self.tokenizer.name, model.report),
        )

    def finished(self) -> int | None:
        """Return the step of a save that has ended since the last look, if one has.

        Raises:
            CheckpointError: if it failed; the version before is intact.
        """
        return self._step if self._job.check() else None

    def wait(self) -> None:
        """Wait until all is written.

        Raises:
            CheckpointError: if it failed; the version before is intact.
        """
        self._job.wait()

    def abandon(self, *, hastily: bool) -> None:
        """End with what is being written, or, hastily, leave it to the end of the process."""
        done = self._job.abandon(PATIENCE if hastily else None)
        if not done and self._lock is not None:
            self._lock.keep()


def _remove(folder: Path) -> None:
    """Remove a folder of a model if it is there; a link to one is left alone."""
    if folder.is_dir() and not folder.is_symlink():
        with disk_errors(folder, "the new model is whole"):
            shutil.rmtree(folder)


def _stored(array: Any, storage: np.dtype[Any]) -> Any:
    return np.asarray(array, dtype=storage)
