"""A recurrent model on a GPU: the protocol of `engine/`, and streams that never wait for the host.

It computes on any device that PyTorch has, which is how it is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.base.errors import TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.generation.drawing import Uniforms
from charlm.generation.generate import PROMPT_CHUNK, Row, Token, begin_rows, check_ids, next_token
from charlm.generation.sampling import SamplingConfig
from charlm.generation.stopping import Decoder as TextDecoder
from charlm.generation.stopping import MaxTokens, StopIds
from charlm.models.decode_draw import Draw, require_drawn
from charlm.models.decode_rows import Block, Flow, Steps
from charlm.models.decode_step import StepNetwork, StepState, products
from charlm.models.scoring import TorchModel

IdArray = npt.NDArray[np.integer[Any]]
Ids = Sequence[int] | IdArray
FIRST_STEPS = 2  # asked for at first, then twice as many each time: text appears at once
FEW_GOING = 64  # so few samples stay where they are though others have ended
KEPT_STEPS = 2  # sets of buffers, with their graphs, that stay for the next call


class Decoder(TorchModel):
    """A recurrent model on a device; offers `generation.protocol.CausalModel`, and `generate`.

    `step` and `read` change the state that they are given, and return it.
    """

    def __init__(
        self,
        config: LanguageModelConfig,
        tensors: Mapping[str, npt.NDArray[Any]],
        device: torch.device,
        *,
        precision: str = "float32",
    ) -> None:
        """Move the weights to the device.

        Args:
            config: the shape of the model.
            tensors: as for `engine.language_model.LanguageModel`.
            precision: of matrix products: `float32`, as on the CPU; `tf32`, `float16` or
                `bfloat16` are faster for many rows, and draw other texts now and then.
        """
        super().__init__(config, tensors, device)
        self.network = StepNetwork(self.model, precision)
        self._kept: dict[Any, Steps] = {}

    def initial_state(self, batch_size: int) -> StepState:
        """Return the state before anything was read."""
        return self.network.zero_state(batch_size)

    def select(self, state: StepState, rows: IdArray) -> StepState:
        """Return a new state whose row i is a copy of row `rows[i]` of `state`."""
        return state.select(self._there(rows))

    @torch.inference_mode()
    def step(self, ids: IdArray, state: StepState) -> tuple[npt.NDArray[np.float32], StepState]:
        """Read one id a row: (batch,) -> logits of the next token (batch, vocab), the state."""
        with products(self.network.precision):
            logits = self.network.step(self._there(ids), state)
        return logits.cpu().numpy(), state

    @torch.inference_mode()
    def read(self, ids: IdArray, state: StepState) -> tuple[npt.NDArray[np.float32], StepState]:
        """Read ids (batch, time) -> logits (batch, time, vocab) after each, and the state."""
        return self._read(ids, state).cpu().numpy(), state

    @torch.inference_mode()
    def log_probs(
        self, ids: IdArray, state: StepState
    ) -> tuple[npt.NDArray[np.float32], StepState]:
        """Read ids as `read` does: log p after each (batch, time, vocab), and the state."""
        return F.log_softmax(self._read(ids, state), dim=-1).cpu().numpy(), state

    def _read(self, ids: IdArray, state: StepState) -> Tensor:
        with products("float32"):
            logits, after = self.model(self._there(ids), self.network.to_layers(state))
        state.copy_(self.network.from_layers(after))
        found: Tensor = logits
        return found

    def _there(self, ids: IdArray) -> Tensor:
        return torch.from_numpy(np.array(ids, dtype=np.int64)).to(self.device)

    def generate(
        self,
        prompt_ids: Ids,
        config: SamplingConfig,
        *,
        decoder: Callable[[], TextDecoder] | None = None,
        masked_ids: Sequence[int] = (),
        stop_ids: Sequence[int] = (),
    ) -> Iterator[Token]:
        """Return an iterator over the tokens of all samples; see `generation.generate.generate`.

        The same seed draws the same tokens, but where rounding moved the border between two.
        """
        prompt = check_ids(self, prompt_ids)
        rows = begin_rows(config, prompt, decoder)
        ends = (MaxTokens(config.max_new_tokens), StopIds(frozenset(stop_ids)))
        if ends[0].is_met(0):
            return iter(())
        return self._tokens(prompt, config, tuple(masked_ids), rows, ends)

    def blocks(
        self, prompt_ids: Ids, config: SamplingConfig, masked_ids: Sequence[int] = ()
    ) -> Iterator[Block]:
        """Yield the tokens of all samples as arrays, `config.max_new_tokens` steps in all.

        This is what there is to read when there are more tokens than Python can look at one by
        one. Nothing but their number ends the samples.

        Raises:
            TaskError: if logits are no numbers, or every token is masked.
        """
        flow = self._begin(check_ids(self, prompt_ids), config, tuple(masked_ids))
        try:
            waiting = False
            for size in _sizes(config.max_new_tokens, flow):
                flow.ask(size)
                if waiting:
                    yield _checked(flow.read())
                waiting = True
            if waiting:
                yield _checked(flow.read())
        finally:
            self._give_back(flow.steps)

    def _tokens(
        self,
        prompt: npt.NDArray[np.int64],
        config: SamplingConfig,
        masked_ids: tuple[int, ...],
        rows: list[Row],
        ends: tuple[MaxTokens, StopIds],
    ) -> Iterator[Token]:
        flow = self._begin(prompt, config, masked_ids)
        try:
            sizes = _sizes(config.max_new_tokens, flow)
            flow.ask(next(sizes))
            going = set(range(len(rows)))
            while going:
                if size := next(sizes, 0):
                    flow.ask(size)
                yield from _tokens_of(flow.read(), rows, going, ends)
                if flow.steps.rows > FEW_GOING and 2 * len(going) <= flow.steps.rows and going:
                    self._shrink(flow, going, config, masked_ids)
        finally:
            self._give_back(flow.steps)

    @torch.inference_mode()
    def _shrink(
        self, flow: Flow, going: set[int], config: SamplingConfig, masked_ids: tuple[int, ...]
    ) -> None:
        """Leave out the rows of samples that have ended."""
        columns = np.flatnonzero([sample in going for sample in flow.samples.tolist()])
        old = flow.steps
        flow.keep(columns, self._steps(len(columns), config, masked_ids))
        self._give_back(old)

    def way(self, rows: int) -> str:
        """Return in words how so many rows were moved on last."""
        found = [steps for steps in self._kept.values() if steps.rows == rows]
        return found[-1].way if found else "not yet"

    @torch.inference_mode()
    def _begin(
        self, prompt: npt.NDArray[np.int64], config: SamplingConfig, masked_ids: tuple[int, ...]
    ) -> Flow:
        """Read the prompt once and make its end the beginning of every sample.

        Raises:
            TaskError: if there is too little memory for so many.
        """
        try:
            return self._begin_rows(prompt, config, masked_ids)
        except torch.OutOfMemoryError as error:
            self._kept.clear()
            raise _too_many(config.num_samples, self.device) from error

    def _begin_rows(
        self, prompt: npt.NDArray[np.int64], config: SamplingConfig, masked_ids: tuple[int, ...]
    ) -> Flow:
        ids = np.concatenate([[self.bos_id], prompt])[None]
        state = self.initial_state(1)
        for start in range(0, ids.shape[1], PROMPT_CHUNK):
            logits = self._read(ids[:, start : start + PROMPT_CHUNK], state)
        rows = config.num_samples
        steps = self._steps(rows, config, masked_ids)
        window = steps.recent.shape[1]
        recent = np.full(window, self.vocab_size)
        last = prompt[-window:] if steps.draw.window else prompt[:0]
        recent[: len(last)] = last
        repeats = torch.zeros(rows, dtype=torch.int64, device=self.device)
        steps.begin(
            logits[:, -1].expand(rows, -1),
            state.select(repeats),
            self._there(recent).expand(rows, -1),
            len(last) % window,
        )
        return Flow(steps, [Uniforms(config.seed, sample) for sample in range(rows)])

    def _steps(self, rows: int, config: SamplingConfig, masked_ids: tuple[int, ...]) -> Steps:
        """Return buffers and graphs for so many rows, those of an earlier call if they are free."""
        fields = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
        key: tuple[Any, ...] = (rows, masked_ids, config.repetition_window)
        key += tuple(getattr(config, name) for name in fields)
        steps = self._kept.pop(key, None)
        if steps is None:
            draw = Draw(config, masked_ids, self.vocab_size, self.device)
            steps = Steps(self.network, draw, rows, key)
        return steps

    def _give_back(self, steps: Steps) -> None:
        self._kept[steps.key] = steps
        while len(self._kept) > KEPT_STEPS:
            del self._kept[next(iter(self._kept))]


def _too_many(rows: int, device: torch.device) -> TaskError:
    """Return the error that tells how many samples were tried, and fewer to try."""
    if rows == 1:
        return TaskError(f"out of memory on {device.type}; use --device cpu")
    return TaskError(
        f"out of memory with {rows:,} samples side by side on {device.type}; "
        f"try --num-samples {rows // 2}"
    )


def _sizes(count: int, flow: Flow) -> Iterator[int]:
    """Yield how many steps to ask for each time, `count` in all: few at first."""
    size = FIRST_STEPS
    while count > 0:
        yield min(size, count)
        count -= size
        size = min(2 * size, flow.steps.length)


def _checked(block: Block) -> Block:
    """Return a block whose tokens were all drawn.

    Raises:
        TaskError: if one was not.
    """
    if block.ids.min() < 0:
        require_drawn(block.ids.ravel().tolist())
    return block


def _tokens_of(
    block: Block, rows: list[Row], going: set[int], ends: tuple[MaxTokens, StopIds]
) -> Iterator[Token]:
    """Yield the tokens of a block step by step, of the samples that are `going`; ends are noted."""
    samples = block.samples.tolist()
    for ids, log_probs in zip(block.ids.tolist(), block.log_probs.tolist(), strict=True):
        here = [column for column, sample in enumerate(samples) if sample in going]
        if not here:
            return
        if min(ids) < 0:
            require_drawn([ids[column] for column in here])
        for column in here:
            token = next_token(rows[samples[column]], ids[column], log_probs[column], ends)
            if token.stop_reason is not None:
                going.discard(token.sample)
            yield token
