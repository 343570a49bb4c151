"""Samples in the making on a device: whole steps in CUDA graphs, tokens read many at a time.

A step draws a token of every row, writes it into a ring and moves the network on; nothing of it is
known to the host. The host asks for some steps, then for the next, and only then reads the tokens
of the first: so the device never waits. Uniform numbers go the other way, as many at a time.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from charlm.generation.drawing import Uniforms
from charlm.models import decode_kernels
from charlm.models.decode_draw import Draw
from charlm.models.decode_step import StepNetwork, StepState, products

logger = logging.getLogger(__name__)

# Steps that are asked for at once, at most; fewer where their numbers would take much memory.
LONGEST, LONG, MANY_ROWS = 256, 64, 16_384
UNROLLED = 16  # steps of the longer of two graphs


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """Tokens of some steps.

    Shapes:
        ids: (steps, B); log_probs: (steps, B), the model's own, in nats.
        samples: (B,), which sample a column belongs to.
    """

    ids: npt.NDArray[np.int32]
    log_probs: npt.NDArray[np.float32]
    samples: npt.NDArray[np.int64]


class Steps:
    """The buffers of a number of rows, and the steps that move them on.

    The two halves of the ring take turns: while the host reads or fills one, the device is at the
    other.
    """

    @torch.inference_mode()
    def __init__(self, network: StepNetwork, draw: Draw, rows: int, key: Hashable = None) -> None:
        """Make the buffers and capture the steps; `key` is for whoever keeps them."""
        self.network, self.draw, self.rows, self.key = network, draw, rows, key
        self.length = LONGEST if rows <= MANY_ROWS else LONG
        device = network.output_bias.device
        self.device = device
        ring = (2 * self.length, rows)
        self.state: StepState = network.zero_state(rows)
        self._other: StepState | None = None
        if network.takes_few(rows):  # which reads one and writes the other
            self._other = dataclasses.replace(
                self.state, hidden=torch.zeros_like(self.state.hidden)
            )
        self._stride = 1 if self._other is None else 2
        self._one_kernel = draw.is_one_kernel
        self._fed = torch.zeros(rows, dtype=torch.int64, device=device)
        self.logits = torch.zeros(rows, network.config.vocab_size, device=device)
        self.ids = torch.zeros(ring, dtype=torch.int32, device=device)
        self.log_probs = torch.zeros(ring, device=device)
        self.uniforms = torch.zeros(ring, dtype=torch.float64, device=device)
        self.slots = torch.zeros(rows, dtype=torch.int64, device=device)  # all the same
        window = max(1, draw.window)
        self.recent = torch.full((rows, window), network.config.vocab_size, device=device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)  # in `recent`
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}
        if device.type == "cuda":
            self._capture()

    @property
    def way(self) -> str:
        """How steps are made, in words."""
        kernels = ", a kernel a layer" if self._other is not None else ""
        return ("a graph of whole steps" if self._graphs else "one operation at a time") + kernels

    def begin(self, logits: Tensor, state: StepState, recent: Tensor, place: int) -> None:
        """Take over what the rows begin with."""
        self.logits.copy_(logits)
        self.state.copy_(state)
        self.recent.copy_(recent)
        self.place.fill_(place)

    def run(self, count: int) -> None:
        """Ask for `count` steps, one more if need be; returns before they are made.

        Only the last call for some rows may be one of an odd number.
        """
        count += count % self._stride
        for length in (UNROLLED, self._stride):
            graph = self._graphs.get(length)
            while graph is not None and count >= length:
                graph.replay()
                count -= length
        for _ in range(count // self._stride):
            self._steps()

    @torch.inference_mode()
    def _steps(self) -> None:
        """Make a step, or two: there and back between two states."""
        network, state, other = self.network, self.state, self._other
        with products(network.precision):
            self._draw()
            if other is None:
                self.logits.copy_(network.step(self._fed, state))
                return
            network.step_few(self._fed, state, other, self.logits)
            self._draw()
            network.step_few(self._fed, other, state, self.logits)

    def _draw(self) -> None:
        draw = self.draw
        if self._one_kernel:
            ring = self.uniforms, self.ids, self.log_probs
            greedy = draw.config.temperature == 0.0
            given = self.logits, draw.mask, draw.settings
            decode_kernels.draw(*given, ring, self._fed, self.slots, greedy=greedy)
            return
        slot = self.slots[:1]
        uniform = self.uniforms.index_select(0, slot)[0]
        token, log_prob = draw(self.logits, uniform, self.recent)
        self.ids.index_copy_(0, slot, token.int()[None])
        self.log_probs.index_copy_(0, slot, log_prob.float()[None])
        self._fed.copy_(token.clamp(min=0))
        if draw.window:
            self.recent.index_copy_(1, self.place, self._fed[:, None])
            self.place.add_(1).remainder_(self.recent.shape[1])
        self.slots.add_(1).remainder_(len(self.ids))

    def _capture(self) -> None:
        """Record steps as graphs; where that fails they are made one operation at a time."""
        here = torch.cuda.current_stream(self.device)
        gc.collect()  # what is destroyed while recording could spoil it
        try:
            side = torch.cuda.Stream(self.device)
            side.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(side):
                for _ in range(3):  # libraries and kernels make themselves ready
                    self._steps()
            torch.cuda.current_stream(self.device).wait_stream(side)
            for length in (self._stride, UNROLLED):
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    for _ in range(length // self._stride):
                        self._steps()
                self._graphs[length] = graph
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            torch.cuda.set_stream(here)
            torch.cuda.synchronize(self.device)
            self._graphs.clear()
            logger.info("decoding without a CUDA graph: %s", error)


class Flow:
    """All samples of one call: which rows they lie in, and what was asked for and not yet read.

    Args:
        steps: for as many rows as there are samples, begun.
        uniforms: a stream a sample.
    """

    def __init__(self, steps: Steps, uniforms: Sequence[Uniforms]) -> None:
        self._uniforms = list(uniforms)
        self._samples = np.arange(len(uniforms))
        self._asked: list[_Asked] = []
        self._turn = 0
        self._move_to(steps)

    @property
    def samples(self) -> npt.NDArray[np.int64]:
        """Which sample each row is of, (B,)."""
        return self._samples

    def _move_to(self, steps: Steps) -> None:
        self.steps = steps
        self._drawn = [_host(steps, torch.float64) for _ in range(2)]
        self._ids = [_host(steps, torch.int32) for _ in range(2)]
        self._log_probs = [_host(steps, torch.float32) for _ in range(2)]

    @torch.inference_mode()
    def ask(self, count: int) -> None:
        """Ask for so many steps, at most `steps.length`; two may be on their way at a time."""
        steps, turn = self.steps, self._turn
        drawn = np.empty((steps.rows, count))
        for room, stream in zip(drawn, self._uniforms, strict=True):
            stream.fill(room)
        self._drawn[turn][:count].numpy()[...] = drawn.T
        begin = turn * steps.length
        part = slice(begin, begin + count)
        steps.uniforms[part].copy_(self._drawn[turn][:count], non_blocking=True)
        steps.slots.fill_(begin)
        steps.run(count)
        ids, log_probs = self._ids[turn][:count], self._log_probs[turn][:count]
        ids.copy_(steps.ids[part], non_blocking=True)
        log_probs.copy_(steps.log_probs[part], non_blocking=True)
        event = None
        if steps.device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
        self._asked.append(_Asked(ids, log_probs, self._samples, event))
        self._turn = 1 - turn

    def read(self) -> Block:
        """Return the tokens that were asked for first, waiting for them."""
        asked = self._asked.pop(0)
        if asked.event is not None:
            asked.event.synchronize()
        return Block(asked.ids.numpy().copy(), asked.log_probs.numpy().copy(), asked.samples)

    @torch.inference_mode()
    def keep(self, columns: npt.NDArray[np.int64], steps: Steps) -> None:
        """Go on with some rows alone, in smaller buffers; what was asked for can still be read."""
        old, rows = self.steps, torch.from_numpy(columns).to(self.steps.device)
        steps.begin(old.logits[rows], old.state.select(rows), old.recent[rows], int(old.place))
        self._uniforms = [self._uniforms[column] for column in columns]
        self._samples = self._samples[columns]
        self._move_to(steps)


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    ids: Tensor
    log_probs: Tensor
    samples: npt.NDArray[np.int64]
    event: torch.cuda.Event | None


def _host(steps: Steps, dtype: torch.dtype) -> Tensor:
    """Return room on the host for half a ring, which the device copies to and from by itself."""
    pinned = steps.device.type == "cuda"
    return torch.empty(steps.length, steps.rows, dtype=dtype, pin_memory=pinned)
