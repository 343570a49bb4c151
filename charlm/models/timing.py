"""How long a window of a training takes in some arithmetic, and whether it is computed rightly."""

from __future__ import annotations

import logging
import time

import torch

from charlm.models.arithmetic import Arithmetic
from charlm.models.graphs import WARM_UP, Recorded
from charlm.models.language_model import LanguageModel
from charlm.models.lookup import SMALL
from charlm.models.memory import is_lack_of_memory, let_go
from charlm.models.stack import PIECE

logger = logging.getLogger(__name__)
TRIALS, PATIENCE = 8, 0.6  # updates, and seconds after which four are enough
GIVE_UP = 1.5  # so much slower than the best so far is not tried further
_IMPOSSIBLE = (RuntimeError, NotImplementedError)
LEAST_STEPS = 3 * PIECE  # of a window that is compared
AGREES = 0.05  # relative, of a gradient's norm; rounding to 8 bits makes a hundredth


def seconds_per_window(
    model: LanguageModel, arithmetic: Arithmetic, batch_size: int, bptt: int, to_beat: float
) -> float | None:
    """Return the best of a few timed updates, or None where the machine refuses.

    Raises:
        RuntimeError: if there is too little memory.
    """
    device = model.output.bias.device
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(model.config.vocab_size, (batch_size, bptt), generator=generator)
    ids = ids.to(device)
    arithmetic.apply(model)
    try:
        if device.type == "cuda":
            checked = arithmetic.backend == "native"
            if not checked and not agrees(model, arithmetic, batch_size, bptt):
                return None
            return _seconds_on_gpu(model, ids)
        return _seconds_on_cpu(model, ids, to_beat)
    except Exception as error:
        # Triton has errors of its own kinds, and starts compilers, which may lack memory, too
        if arithmetic.backend == "stacked":
            if isinstance(error, torch.OutOfMemoryError):
                raise
        elif is_lack_of_memory(error) or not isinstance(error, _IMPOSSIBLE):
            raise
        logger.info("%s is not possible here: %s", arithmetic, error)
        return None
    finally:
        model.zero_grad(set_to_none=True)
        let_go(device)


def _seconds_on_cpu(model: LanguageModel, ids: torch.Tensor, to_beat: float) -> float:
    generator = _generator(model)
    best = float("inf")
    begun = time.perf_counter()
    for trial in range(TRIALS):
        start = time.perf_counter()
        loss, _ = model.loss(ids, ids, model.initial_state(len(ids)), generator)
        loss.backward()
        seconds = time.perf_counter() - start
        best = min(best, seconds)
        enough = trial > 2 and time.perf_counter() - begun > PATIENCE
        if seconds > 4.0 or enough or (trial and best > GIVE_UP * to_beat):
            break
    return best


def _seconds_on_gpu(model: LanguageModel, ids: torch.Tensor) -> float:
    """Return the time of one window as training asks for it: recorded, and many in a row."""
    state, generator = model.initial_state(len(ids)), _generator(model)

    def work() -> None:
        model.zero_grad(set_to_none=True)
        loss, _ = model.loss(ids, ids, state, generator)
        loss.backward()

    def renew(other: torch.Generator) -> None:
        nonlocal generator
        generator = other

    run = Recorded(work, ids.device, generator, renew)
    for _ in range(WARM_UP + 2):
        run()
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(TRIALS):
        run()
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) / 1e3 / TRIALS


def _generator(model: LanguageModel) -> torch.Generator | None:
    """Return what a model draws from for a trial; the run's own generator stays as it is.

    On a CPU dropouts are left out where no outputs are drawn: they cost the same in any arithmetic.
    On a GPU they decide about the first layer's lookup, too.
    """
    device = model.output.bias.device
    if model.proposal is None and device.type == "cpu":
        return None
    return torch.Generator(device).manual_seed(0)


def agrees(model: LanguageModel, arithmetic: Arithmetic, batch_size: int, bptt: int) -> bool:
    """Return whether losses and gradients are those of PyTorch's own layers in float32.

    How weights lie in memory is a matter between the library and the GPU: better asked than taken
    on trust. It is asked with the rows that are trained, in several pieces of a window, with the
    dropouts, and in evaluation, too.
    """
    rows, steps = batch_size, min(bptt, max(LEAST_STEPS, -(-2 * SMALL // batch_size)))
    while True:
        try:
            expected = _numbers(model, Arithmetic("float32", "native"), rows, steps)
            other = _numbers(model, arithmetic, rows, steps)
            break
        except torch.OutOfMemoryError:  # of the check, which takes more than a trial
            rows //= 2
            if not rows:
                raise
    agrees = bool(((other - expected).abs() <= AGREES * expected + 1e-6).all())
    if not agrees:
        logger.info("%s gives another gradient than PyTorch's own layers: left out", arithmetic)
    return agrees


def _numbers(model: LanguageModel, arithmetic: Arithmetic, rows: int, steps: int) -> torch.Tensor:
    """Return losses in training and in evaluation, and the norm of each gradient."""
    device = model.output.bias.device
    places = torch.arange(rows * steps, device=device)
    ids = (places * 7 + places // 5).remainder_(model.config.vocab_size).view(rows, steps)
    arithmetic.apply(model)
    model.zero_grad(set_to_none=True)
    draw = torch.Generator(device).manual_seed(0)
    loss, _ = model.loss(ids, ids.flip(1), model.initial_state(rows), draw)
    (1024.0 * loss).backward()  # small numbers are coarse in float16
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    was_training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            seen, _ = model.loss(ids, ids.flip(1), model.initial_state(rows))
    finally:
        model.train(was_training)
    return torch.cat([loss.detach().view(1), seen.view(1), norms]).cpu()
