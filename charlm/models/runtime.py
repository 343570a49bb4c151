"""What to compute on and in which arithmetic: chosen once, by measuring where it matters."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
import warnings
from collections.abc import Iterator

import torch

from charlm.base.errors import TaskError
from charlm.base.processes import find_place
from charlm.models.cudnn import Sizes, padded, padded_rows
from charlm.models.graphs import WARM_UP, Recorded
from charlm.models.language_model import LanguageModel
from charlm.models.layers import ON_CPU, ON_GPU, Backend, rows_can
from charlm.models.memory import is_lack_of_memory, let_go

logger = logging.getLogger(__name__)
NAMES: dict[Backend, str] = {
    "rows": "own layers",
    "products": "own layers by steps",
    "native": "PyTorch layers",
    "cudnn": "cuDNN layers",
    "padded": "padded cuDNN layers",
}
TRIALS, PATIENCE = 8, 0.6  # updates, and seconds after which four are enough
GIVE_UP = 1.5  # so much slower than the best so far is not tried further
CLEARLY = 1.1  # a later candidate has to be so much faster: own rows suffer least from company
DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "tf32": torch.float32,  # kept whole, multiplied with 10 bits behind the point
}
GPU_ONLY = ("float16", "tf32")


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
        if model.output.bias.device.type == "cuda":
            allow_tf32(self.precision == "tf32")
        model.use(DTYPES[self.precision], backend=self.backend)

    def suits(self, device: torch.device) -> bool:
        """Whether a device of this kind can compute this way."""
        if device.type == "cuda":
            return self.backend in ON_GPU
        return self.backend in ON_CPU and self.precision not in GPU_ONLY


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


def allow_tf32(allowed: bool) -> None:
    """Let a GPU round what it multiplies in float32 to 10 bits, or not."""
    with warnings.catch_warnings():  # newer names can be asked for no more by the older ones
        warnings.simplefilter("ignore")
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


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
        raise TaskError(f"{precision} needs CUDA; use --precision float32, bfloat16 or auto")
    best: Arithmetic | None = None
    to_beat = float("inf")
    lack: RuntimeError | None = None
    for candidate in _candidates(model, precision, batch_size, cuda):
        if best is not None and candidate.backend == "native" and cuda:
            break  # the plain way, where nothing else works
        try:
            seconds = _seconds_per_window(model, candidate, batch_size, bptt, to_beat)
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
    """Yield float16 first: only in it cuDNN keeps an LSTM's weights on the chip."""
    names = ["float16", "bfloat16", "tf32"] if precision == "auto" else [precision]
    if model.config.cell == "lstm":
        for name in names:
            if name == "float16" and pads(model, batch_size):
                yield Arithmetic(name, "padded")
            yield Arithmetic(name, "cudnn")
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


def _seconds_per_window(
    model: LanguageModel, arithmetic: Arithmetic, batch_size: int, bptt: int, to_beat: float
) -> float | None:
    """Return the best of a few timed updates, or None where the machine refuses.

    Raises:
        torch.OutOfMemoryError: if a GPU has too little memory.
    """
    device = model.output.bias.device
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(model.config.vocab_size, (batch_size, bptt), generator=generator)
    ids = ids.to(device)
    arithmetic.apply(model)
    try:
        if device.type == "cuda":
            if arithmetic.backend != "native" and not _agrees(model, arithmetic):
                return None
            return _seconds_on_gpu(model, ids)
        return _seconds_on_cpu(model, ids, to_beat)
    except (RuntimeError, NotImplementedError) as error:
        if device.type == "cuda" and is_lack_of_memory(error):
            raise
        logger.info("%s is not possible here: %s", arithmetic, error)
        return None
    finally:
        model.zero_grad(set_to_none=True)
        let_go(device)


def _seconds_on_cpu(model: LanguageModel, ids: torch.Tensor, to_beat: float) -> float:
    best = float("inf")
    begun = time.perf_counter()
    for trial in range(TRIALS):
        start = time.perf_counter()
        loss, _ = model.loss(ids, ids, model.initial_state(len(ids)))
        loss.backward()
        seconds = time.perf_counter() - start
        best = min(best, seconds)
        enough = trial > 2 and time.perf_counter() - begun > PATIENCE
        if seconds > 4.0 or enough or (trial and best > GIVE_UP * to_beat):
            break
    return best


def _seconds_on_gpu(model: LanguageModel, ids: torch.Tensor) -> float:
    """Return the time of one window as training asks for it: recorded, and many in a row."""
    state = model.initial_state(len(ids))

    def work() -> None:
        model.zero_grad(set_to_none=True)
        loss, _ = model.loss(ids, ids, state)
        loss.backward()

    run = Recorded(work, ids.device)
    for _ in range(WARM_UP + 2):
        run()
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(TRIALS):
        run()
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) / 1e3 / TRIALS


AGREES = 0.05  # relative, of a gradient's norm; rounding to 8 bits makes a hundredth


def _agrees(model: LanguageModel, arithmetic: Arithmetic) -> bool:
    """Return whether loss and gradient are those of PyTorch's own layers in float32.

    How weights lie in memory is a matter between the library and the GPU: better asked than taken
    on trust.
    """
    device, found = model.output.bias.device, []
    ids = torch.arange(8 * 16, device=device).remainder_(model.config.vocab_size).view(8, 16)
    for one in (Arithmetic("float32", "native"), arithmetic):
        one.apply(model)
        model.zero_grad(set_to_none=True)
        loss, _ = model.loss(ids, ids.flip(1), model.initial_state(8))
        (1024.0 * loss).backward()  # small numbers are coarse in float16
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))
        found.append(torch.cat([loss.detach().view(1), norms]))
    expected, other = (numbers.cpu() for numbers in found)
    agrees = bool(((other - expected).abs() <= AGREES * expected + 1e-6).all())
    if not agrees:
        logger.info("%s gives another gradient than PyTorch's own layers: left out", arithmetic)
    return agrees
