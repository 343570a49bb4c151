"""A trainer whose two matrices lie on a GPU: what the ways of training there have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from charlm.vectors.training import Progress, Settings, Trainer, WordStream

MOST_PINNED = 1 << 24  # bytes of host memory that a copy may lock while it is under way


class CudaTrainer(Trainer):
    """A trainer whose two matrices lie on a device of PyTorch's; see `Trainer`.

    On a GPU sums are made in no fixed order, so that two runs of one seed differ in last digits.
    """

    def __init__(self, stream: WordStream, settings: Settings, device: torch.device) -> None:
        super().__init__(stream, settings)
        self.device = device
        self.w, self.c = self.on(self.vectors), self.on(self.contexts)

    def on(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """Return a copy of an array on the device; for a piece of text nothing waits."""
        there = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "cpu":
            return there.clone()
        if 0 < array.nbytes <= MOST_PINNED:
            return there.pin_memory().to(self.device, non_blocking=True)
        return there.to(self.device)

    def random(self, piece: int) -> torch.Generator:
        """Return a generator whose numbers follow from the seed and the piece."""
        mixed = (self.settings.seed * 1_000_003 + piece) % 2**63
        return torch.Generator(self.device).manual_seed(mixed)

    def run(self, threads: int) -> Iterator[Progress]:
        """Train on the pieces that are left; the number of threads has no meaning here."""
        return super().run(1)

    def _fetch(self) -> None:
        self.vectors[:], self.contexts[:] = self.w.cpu().numpy(), self.c.cpu().numpy()

    def word_vectors(self, *, add_contexts: bool = False) -> npt.NDArray[np.float32]:
        """Return a vector a word: w, or w + c."""
        self._fetch()
        return super().word_vectors(add_contexts=add_contexts)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that a continuation needs."""
        self._fetch()
        return super().state()

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from what `state` returned; see `Trainer`."""
        super().restore(state)
        self.w, self.c = self.on(self.vectors), self.on(self.contexts)


def fetch_later(numbers: torch.Tensor) -> Callable[[], list[float]]:
    """Return what waits for numbers and gives them, but not for what is launched after this."""
    if numbers.device.type != "cuda":
        return numbers.tolist
    on_host = numbers.to("cpu", non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()

    def fetch() -> list[float]:
        arrived.synchronize()
        return list(on_host.tolist())

    return fetch
