"""A training by several processes: what the first tells the others, and what those do."""

from __future__ import annotations

import base64
import signal
from collections.abc import Sequence
from typing import Any

import torch

from charlm.base.config import from_json, to_json
from charlm.base.errors import CheckpointError, CorpusError, TaskError
from charlm.base.processes import Place, find_place
from charlm.models.arithmetic import Arithmetic
from charlm.models.runtime import choose_device
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_build import Built, build_as
from charlm.tasks.train_data import TrainData, load_data
from charlm.training.config import TrainConfig
from charlm.training.group import Group, Order
from charlm.training.loop import follow_steps
from charlm.training.resume import pack, unpack


def join_group(device: str) -> Group | None:
    """Find the other processes of this training; None where there are no others.

    Raises:
        TaskError: if they cannot be found, or there is not a device for each.
    """
    place = find_place()
    return None if place is None else _join(place, device)


def _join(place: Place, device: str) -> Group:
    chosen = choose_device(device)
    if chosen.type == "cuda":
        there = torch.cuda.device_count()
        if place.local_size > there:
            raise TaskError(
                f"{place.local_size} processes cannot share {there} GPU{'s' * (there != 1)}; start "
                f"{there} of them, by torchrun --nproc-per-node {there}, or give --device cpu"
            )
        torch.cuda.set_device(place.local_rank)
    return Group(place, chosen)


def require_shareable(corpus_specs: Sequence[str]) -> None:
    """Raise `CorpusError` where only one process could read the text."""
    if "-" in corpus_specs:
        raise CorpusError("standard input cannot be shared by several processes; give a file")


def lead(
    group: Group, built: Built, data: TrainData, config: TrainConfig, specs: list[str]
) -> None:
    """Tell the others all that they need to take part from here on."""
    files = data.tokenizer.to_files()
    group.order(Order.BEGIN)
    group.tell(
        {
            "config": to_json(config),
            "corpus": specs,
            "sha256": data.sha256,
            "plan": built.plan.to_values(),
            "precision": built.arithmetic.precision,
            "backend": built.arithmetic.backend,
            "tokenizer": data.tokenizer.config(),
            "files": {n: base64.b64encode(content).decode() for n, content in files.items()},
        }
    )
    arrays, values = pack(built.trainer)
    group.send(arrays)
    group.tell(values)
    built.trainer.join(group)


def follow_training(device: str) -> int:
    """Take part in a training that another process leads; return the exit status.

    Raises:
        TaskError: if the others are gone.
        CorpusError, CheckpointError: if the text here is not the one that the first process has.
    """
    group = join_group(device)
    if group is None:
        raise ValueError("a process that is alone has nobody to follow")
    try:
        with Interrupts() as interrupts:
            order, status = group.await_order()
            if order is Order.END:
                return int(status)
            told = group.hear()
            built = _build(told)
            arrays = group.receive()
            unpack(built.trainer, arrays, group.hear())
            built.trainer.join(group)

            def note() -> None:
                group.signalled |= bool(interrupts.signal)

            return follow_steps(built.trainer, note)
    finally:
        group.close()


def _build(told: dict[str, Any]) -> Built:
    config = from_json(TrainConfig, told["config"], where="the training")
    files = {name: base64.b64decode(content) for name, content in told["files"].items()}
    data = load_data(told["corpus"], config, (told["tokenizer"], files))
    if data.sha256 != told["sha256"]:
        raise CheckpointError(
            f"{data.description} is another text here than where the first process reads it; "
            "all processes of a training need the same files"
        )
    arithmetic = Arithmetic(told["precision"], told["backend"])
    return build_as(data, config, told["plan"], arithmetic, None)


def status_of(name: str) -> int:
    """Return the exit status after a signal, as shells say it; 0 for no name."""
    return 128 + signal.Signals[name].value if name else 0
