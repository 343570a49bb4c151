"""What to compute on and in which arithmetic: chosen once, by measuring where it matters."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import torch

from charlm.base.devices import computes
from charlm.base.errors import TaskError
from charlm.base.processes import find_place
from charlm.models.arithmetic import DTYPES as DTYPES
from charlm.models.arithmetic import GPU_ONLY
from charlm.models.arithmetic import Arithmetic as Arithmetic
from charlm.models.cudnn import Sizes, padded, padded_rows
from charlm.models.language_model import LanguageModel
from charlm.models.layers import rows_can
from charlm.models.stack_steps import is_there
from charlm.models.timing import seconds_per_window

_NEEDS_CUDA = "{} needs CUDA; use --precision float32, bfloat16 or auto"
CLEARLY = 1.1  # a later candidate has to be so much faster: own rows suffer least from company


def choose_device(name: str) -> torch.device:
    """Return the device that `auto`, `cpu` or `cuda` means here.

    Raises:
        TaskError: if CUDA was asked for and is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise TaskError("no CUDA device was found; use --device cpu, or auto")
    if name == "auto":
        name = "cuda" if computes(torch) else "cpu"
    return torch.device(name)


def require_machine(device: str, precision: str) -> None:
    """Raise what a training on this machine would raise by its device or its precision alone.

    Raises:
        TaskError: as `choose_device` and `choose_arithmetic`.
    """
    if precision in GPU_ONLY and choose_device(device).type != "cuda":
        raise TaskError(_NEEDS_CUDA.format(precision))
    choose_device(device)


def use_threads(count: int | None) -> int:
    """Set how many CPU threads PyTorch uses; return the number.

    None means one a usable core, of which the processes of one training have each their share.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    place = find_place()
    shared = (usable or 1) // (place.local_size if place else 1)
    count = count or max(1, min(shared, 16))
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
    return count


def choose_arithmetic(
    model: LanguageModel,
    precision: str,
    *,
    batch_size: int,
    bptt: int,
    tried: list[Arithmetic] | None = None,
) -> Arithmetic:
    """Return the fastest way to train this model here, of those that `precision` allows.

    `tried` is filled with all that were measured, the slower ones too.

    Args:
        precision: `float32`, `bfloat16`, on CUDA `float16` and `tf32`, or `auto`, which leaves out
            float16 on a CPU and float32 on CUDA.

    Raises:
        TaskError: if the machine cannot compute in the precision asked for.
        torch.OutOfMemoryError: if a GPU has too little memory for such a batch in any of them.
    """
    cuda = model.output.bias.device.type == "cuda"
    if precision in GPU_ONLY and not cuda:
        raise TaskError(_NEEDS_CUDA.format(precision))
    best: Arithmetic | None = None
    to_beat = float("inf")
    lack: RuntimeError | None = None
    for candidate in _candidates(model, precision, batch_size, cuda):
        if best is not None and candidate.backend == "native" and cuda:
            break  # the plain way, where nothing else works
        try:
            seconds = seconds_per_window(model, candidate, batch_size, bptt, to_beat)
        except RuntimeError as error:
            lack = error.with_traceback(None)  # whose frames would hold the memory
            seconds = None
        if seconds is None:
            continue
        speed = batch_size * bptt / seconds
        to_beat = min(to_beat, seconds)
        measured = dataclasses.replace(candidate, tokens_per_second=speed)
        if tried is not None:
            tried.append(measured)
        if best is None or speed > CLEARLY * (best.tokens_per_second or 0.0):
            best = measured
    if best is not None:
        return best
    if lack is not None:
        raise lack
    raise TaskError(f"this machine cannot train in {precision}; use --precision float32")


def _candidates(
    model: LanguageModel, precision: str, batch_size: int, cuda: bool
) -> Iterator[Arithmetic]:
    """Yield what may be chosen from; a precision that was named leaves no choice on a CPU.

    So two runs of one seed that name it are equal bit for bit on one machine.
    """
    if cuda:
        yield from _candidates_on_gpu(model, precision, batch_size)
        return
    by_rows = [name for name in ("bfloat16", "float32") if _has_rows(model, name)]
    # PyTorch's GRU and RNN for the CPU run step by step: slower than ours at any size.
    has_native = model.config.cell == "lstm"
    if precision == "float32":
        yield Arithmetic(precision, "native" if has_native else "products")
    elif precision == "bfloat16":
        yield Arithmetic(precision, "rows" if precision in by_rows else "products")
    else:
        # Where both can be, bfloat16 does twice as much an instruction: no need to try, or compile.
        yield from (Arithmetic(name, "rows") for name in by_rows[:1])
        for name in ("bfloat16", "float32"):
            if has_native:
                yield Arithmetic(name, "native")
            if name == "bfloat16" or not has_native:
                yield Arithmetic(name, "products")


def _candidates_on_gpu(
    model: LanguageModel, precision: str, batch_size: int
) -> Iterator[Arithmetic]:
    """Yield float16 first: only in it cuDNN keeps an LSTM's weights on the chip.

    Several processes do not record their updates, and kernels by the thousand would cost them more.
    """
    names = ["float16", "bfloat16", "tf32"] if precision == "auto" else [precision]
    if model.config.cell == "lstm":
        for name in names:
            if name == "float16" and pads(model, batch_size):
                yield Arithmetic(name, "padded")
            yield Arithmetic(name, "cudnn")
            if find_place() is None and is_there(model.output.bias.device, DTYPES[name]):
                yield Arithmetic(name, "stacked")
    yield from (Arithmetic(name, "native") for name in names)


def pads(model: LanguageModel, batch_size: int) -> bool:
    """Return whether sizes of a model or batch differ from those that cuDNN is fastest with."""
    config = model.config
    sizes = [Sizes(config.input_size(i), config.hidden_size) for i in range(config.num_layers)]
    whole = [padded(one) for one in sizes]
    return None not in whole and (whole != sizes or padded_rows(batch_size) != batch_size)


def _has_rows(model: LanguageModel, precision: str) -> bool:
    return rows_can(
        model.config.cell, torch.empty(1, model.config.hidden_size, dtype=DTYPES[precision])
    )
