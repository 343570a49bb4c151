"""How long a window of a training takes in some arithmetic, and whether it is computed rightly."""

from __future__ import annotations

import logging
import time

import torch

from charlm.models.arithmetic import Arithmetic
from charlm.models.graphs import WARM_UP, Recorded
from charlm.models.language_model import LanguageModel
from charlm.models.memory import is_lack_of_memory, let_go

logger = logging.getLogger(__name__)
TRIALS, PATIENCE = 8, 0.6  # updates, and seconds after which four are enough
GIVE_UP = 1.5  # so much slower than the best so far is not tried further
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
            if arithmetic.backend != "native" and not agrees(model, arithmetic):
                return None
            return _seconds_on_gpu(model, ids)
        return _seconds_on_cpu(model, ids, to_beat)
    except Exception as error:  # Triton has kinds of its own
        if is_lack_of_memory(error):
            raise
        if arithmetic.backend != "stacked" and not isinstance(
            error, RuntimeError | NotImplementedError
        ):
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
    """Return what a model needs to draw outputs, if that is how it trains; the run's stays as is.

    Where none are drawn the dropouts are left out, too: they cost the same in any arithmetic.
    """
    if model.proposal is None:
        return None
    return torch.Generator(model.output.bias.device).manual_seed(0)


def agrees(model: LanguageModel, arithmetic: Arithmetic) -> bool:
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
