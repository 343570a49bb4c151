"""What to compute on and in which arithmetic: chosen once, by measuring where it matters."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator

import torch

from charlm.base.errors import TaskError
from charlm.base.processes import find_place
from charlm.models.language_model import LanguageModel
from charlm.models.layers import Backend, rows_can

NAMES: dict[Backend, str] = {
    "rows": "own layers",
    "products": "own layers by steps",
    "native": "PyTorch layers",
}
TRIALS, PATIENCE = 8, 0.6  # updates, and seconds after which four are enough
GIVE_UP = 1.5  # so much slower than the best so far is not tried further
CLEARLY = 1.1  # a later candidate has to be so much faster: own rows suffer least from company
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclasses.dataclass(frozen=True, slots=True)
class Arithmetic:
    """A type for matrix products, and how the layers run.

    `tokens_per_second` is what was measured for one update without the optimiser, None if nothing
    was.
    """

    precision: str
    backend: Backend
    tokens_per_second: float | None = None

    def __str__(self) -> str:
        return f"{self.precision} in {NAMES[self.backend]}"

    def apply(self, model: LanguageModel) -> None:
        """Make a model compute this way."""
        model.use(DTYPES[self.precision], backend=self.backend)


def choose_device(name: str) -> torch.device:
    """Return the device that `auto`, `cpu` or `cuda` means here.

    Raises:
        TaskError: if CUDA was asked for and is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise TaskError("no CUDA device was found; use --device cpu, or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


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
        precision: `float32`, `bfloat16`, `float16` (CUDA only), or `auto` for any but float16.

    Raises:
        TaskError: if the machine cannot compute in the precision asked for.
    """
    cuda = model.output.bias.device.type == "cuda"
    if precision == "float16" and not cuda:
        raise TaskError("float16 needs CUDA; use --precision float32, bfloat16 or auto")
    best: Arithmetic | None = None
    to_beat = float("inf")
    for candidate in _candidates(model, precision, cuda):
        seconds = _seconds_per_window(model, candidate, batch_size, bptt, to_beat)
        if seconds is None:
            continue
        speed = batch_size * bptt / seconds
        to_beat = min(to_beat, seconds)
        measured = dataclasses.replace(candidate, tokens_per_second=speed)
        if tried is not None:
            tried.append(measured)
        if best is None or speed > CLEARLY * (best.tokens_per_second or 0.0):
            best = measured
    if best is None:
        raise TaskError(f"this machine cannot train in {precision}; use --precision float32")
    return best


def _candidates(model: LanguageModel, precision: str, cuda: bool) -> Iterator[Arithmetic]:
    """Yield what may be chosen from; a precision that was named leaves no choice on a CPU.

    So two runs of one seed that name it are equal bit for bit on one machine.
    """
    if cuda:
        names = ["float32", "bfloat16"] if precision == "auto" else [precision]
        yield from (Arithmetic(name, "native") for name in names)
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


def _has_rows(model: LanguageModel, precision: str) -> bool:
    return rows_can(
        model.config.cell, torch.empty(1, model.config.hidden_size, dtype=DTYPES[precision])
    )


def _seconds_per_window(
    model: LanguageModel, arithmetic: Arithmetic, batch_size: int, bptt: int, to_beat: float
) -> float | None:
    """Return the best of a few timed updates, or None where the machine refuses."""
    device = model.output.bias.device
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(model.config.vocab_size, (batch_size, bptt), generator=generator)
    ids = ids.to(device)
    arithmetic.apply(model)
    best = float("inf")
    try:
        begun = time.perf_counter()
        for trial in range(TRIALS):
            start = time.perf_counter()
            loss, _ = model.loss(ids, ids, model.initial_state(batch_size))
            loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - start
            best = min(best, seconds)
            enough = trial > 2 and time.perf_counter() - begun > PATIENCE
            if seconds > 4.0 or enough or (trial and best > GIVE_UP * to_beat):
                break
    except (RuntimeError, NotImplementedError):
        return None
    finally:
        model.zero_grad(set_to_none=True)
    return best
