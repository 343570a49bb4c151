"""Work on a GPU recorded once and asked for as a whole: CUDA graphs.

A small model's update is hundreds of short pieces of work; asking for each from Python takes
longer than doing it.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable

import torch

from charlm.models.memory import is_lack_of_memory

logger = logging.getLogger(__name__)
# Libraries set themselves up when they are first used, which cannot be recorded.
WARM_UP = 3


class Recorded:
    """Work that is the same at every call: on a GPU recorded at the fourth, and then replayed.

    On a CPU, or where the recording fails, it is simply called.

    Args:
        work: reads and writes tensors that stay where they are, and waits for nothing.
        device: where it happens.
        generator: that it draws from; recorded, too. `renewed` is told another one in its place
            where a failed recording has spoilt it.
        records: let it be False for work that other processes take part in.
    """

    def __init__(
        self,
        work: Callable[[], None],
        device: torch.device,
        generator: torch.Generator | None = None,
        renewed: Callable[[torch.Generator], None] | None = None,
        *,
        records: bool = True,
    ) -> None:
        self._work, self._device, self._renewed = work, device, renewed
        self._generator = generator
        self._records = records and device.type == "cuda"
        self._side = torch.cuda.Stream(device) if self._records else None
        self._warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether the next call is a replay."""
        return self._graph is not None

    def __call__(self) -> None:
        """Do the work once, or on a GPU ask for it."""
        if self._graph is None and self._records and self._warm >= WARM_UP:
            self._graph = self._recorded()
        if self._graph is not None:
            self._graph.replay()
        elif self._side is not None:
            self._warm += 1
            here = torch.cuda.current_stream(self._device)
            self._side.wait_stream(here)
            with torch.cuda.stream(self._side):
                self._work()
            here.wait_stream(self._side)
        else:
            self._work()

    def _recorded(self) -> torch.cuda.CUDAGraph | None:
        """Return the work as a graph; None, and never tried again, where that fails."""
        here = torch.cuda.current_stream(self._device)
        kept = None if self._generator is None else self._generator.get_state()
        gc.collect()  # what is destroyed while recording could spoil it
        try:
            return self._record()
        except RuntimeError as error:
            self._records = False
            torch.cuda.set_stream(here)
            if is_lack_of_memory(error):
                raise
            logger.info("no CUDA graph (%s); updates are asked for piece by piece", error)
            if kept is not None and self._renewed is not None:
                self._generator = torch.Generator(self._device)
                self._generator.set_state(kept)
                self._renewed(self._generator)
            return None

    def _record(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        if self._generator is not None:
            graph.register_generator_state(self._generator)
        # Other threads may go on using the device: a save in the background, say.
        with torch.cuda.graph(graph, stream=self._side, capture_error_mode="thread_local"):
            self._work()
        return graph
