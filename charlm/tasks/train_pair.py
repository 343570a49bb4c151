"""A bidirectional pair: a forward model, then a backward one of the same form, one after the other.

The backward model is an ordinary run on the text from its end, in the folder `backward/` within
that of the forward model, under a lock of its own while the other's is held too. So each half
saves and resumes as any run does, and the pair goes on with whichever half is not at its end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from charlm.base.errors import CheckpointError
from charlm.store.checkpoint import ResumeState, load_model, load_resume
from charlm.store.lock import FolderLock
from charlm.store.manifest import BACKWARD
from charlm.tasks.train_data import Part, TrainData
from charlm.tasks.train_events import Message, Saved, TrainEvent, TrainResult
from charlm.tasks.train_folder import is_taken
from charlm.tasks.train_merge import changes, limits, said
from charlm.tasks.train_run import Run
from charlm.tasks.train_state import RunState, run_state
from charlm.training.group import Group


def train_pair(run: Run, forward: Iterator[TrainEvent]) -> Iterator[TrainEvent]:
    """Yield the events of a run, and of the backward one after it where its settings want a pair.

    Args:
        run: the forward run, planned before its last event comes.
        forward: its events; a last one without a save tells that there was nothing left to do.
    """
    if not run.config.bidirectional:
        yield from forward
        return
    trained, result = False, None
    for event in forward:
        trained = trained or isinstance(event, Saved)
        if isinstance(event, TrainResult):
            result = event
        else:
            yield event
    if result is None:
        raise RuntimeError("the forward training ended without a result")
    if result.interrupted:
        yield result
        return
    yield Message(text="the forward model is trained; now the backward one, from the text's end")
    for event in _train_backward(run, forward_trained=trained):
        if isinstance(event, TrainResult):
            yield dataclasses.replace(
                result, backward=event, interrupted=event.interrupted, signal=event.signal
            )
        else:
            yield event


def _train_backward(forward: Run, *, forward_trained: bool) -> Iterator[TrainEvent]:
    folder, form, data = forward.folder / BACKWARD, forward.form(), from_the_end(forward.data)
    forward.let_go()
    config = dataclasses.replace(forward.config, sample_every=None)  # they would be read backwards
    specs = forward.corpus_specs
    if folder.is_symlink():
        raise CheckpointError(f"{folder} is a symbolic link; expected a folder")
    with FolderLock(folder) as lock:
        given = forward.given
        run = Run(folder, data, config, specs, lock, direction="backward", given=given)
        found = load_resume(folder)
        saved = None if found is None else run_state(found.state, folder)
        if found is None or saved is None or saved.sha256 != data.sha256:
            yield run.plan_as(form)
            run.prepare(replaces=is_taken(folder))
            yield from run.train()
            return
        if found.warning:
            yield Message(text=found.warning, warning=True)
        yield run.plan(saved)
        training = load_model(folder, weights=False).training
        ended = training if training.get("finished") is True else None
        yield from go_on(run, None, found, saved, ended, may_be_over=forward_trained)


def go_on(
    run: Run,
    group: Group | None,
    found: ResumeState,
    saved: RunState,
    ended: dict[str, Any] | None,
    *,
    may_be_over: bool | None = None,
) -> Iterator[TrainEvent]:
    """Go on with a planned run where its state was saved.

    Args:
        run: planned from `saved`.
        group: other processes of the training.
        found: the state's arrays.
        saved: the rest of it.
        ended: the report of the run if it came to its end.
        may_be_over: yield the result of a run with nothing left to do, in place of an error; None
            lets the forward half of a pair.

    Raises:
        CheckpointError: if there is nothing left to train.
    """
    changed = changes(saved.config, run.config)
    for name, (before, after) in changed.items():
        text = f"{name.replace('_', ' ')} changed from {said(before)} to {said(after)}"
        yield Message(text=text, warning=True)
    if saved.threads not in (None, run.built.threads):
        now, then = run.built.threads, saved.threads
        text = f"{now} threads instead of {then}: losses may differ in last digits"
        yield Message(text=text, warning=True)
    before, after = saved.arithmetic, run.built.arithmetic
    if str(after) != str(before):
        text = f"computing in {after} instead of {before}: losses will differ a little"
        yield Message(text=text, warning=True)
    run.restore(found.tensors, saved, changed)
    if ended is not None and run.is_over():
        run.metrics.close()
        if run.direction == "forward" if may_be_over is None else may_be_over:
            yield run.finished_result(ended)
            return
        raise CheckpointError(_finished(run, found.step))
    how = "; the learning rate follows the new total" if ended is not None else ""
    yield Message(text=f"going on from step {found.step:,}{how}")
    if group is not None:
        run.share(group)
    yield from run.train()


def _finished(run: Run, step: int) -> str:
    folder: Path = run.folder.parent if run.direction == "backward" else run.folder
    return (
        f"{folder} is finished ({limits(run.config)}, step {step:,}); to extend it, "
        "give a larger --max-time, --epochs or --max-steps"
    )


def from_the_end(data: TrainData) -> TrainData:
    """Return the same text, each part of it read from its end; its checksum stays.

    The ids are copied: readers take windows of them, and a reversed view would be copied each time.
    """
    return dataclasses.replace(
        data,
        train=_reversed(data.train),
        valid=data.valid and _reversed(data.valid),
        test=data.test and _reversed(data.test),
    )


def _reversed(part: Part) -> Part:
    return dataclasses.replace(part, ids=np.ascontiguousarray(part.ids[::-1]))
