"""A long text scored on a device as a batch of segments: `engine.scoring`'s fixed point, in torch.

Every segment starts from where the one before it ended in the last pass, until the starts no longer
move; see `engine.scoring` for why that is the sequential result, and for the constants.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.engine.scoring import LONGEST_IN_TURN, MOST_PASSES, TOLERANCE, WARM_UP
from charlm.models.language_model import LanguageModel
from charlm.models.layers import State

IdArray = npt.NDArray[np.integer[Any]]
MOST_SEGMENTS = 256
TABLE_BYTES = 1 << 28


class LongText:
    """A text cut into segments of one length, and a rest behind them.

    Args:
        model: on the device, in evaluation mode.
        ids: the text, (time,).
        segments: how many; none chooses by the length.
    """

    def __init__(self, model: LanguageModel, ids: IdArray, segments: int | None = None) -> None:
        self._model = model
        device = model.output.bias.device
        count = segments or max(1, min(MOST_SEGMENTS, len(ids) // (4 * WARM_UP)))
        self._length = len(ids) // count
        inputs = np.concatenate([[model.config.bos_id], ids[:-1]]).astype(np.int64)
        self._inputs = torch.from_numpy(inputs).to(device)
        self._targets = torch.from_numpy(np.array(ids, dtype=np.int64)).to(device)
        self._scores = torch.zeros(len(ids), dtype=torch.float64, device=device)
        self._firsts = torch.arange(count, device=device) * self._length

    @torch.inference_mode()
    def score(self) -> npt.NDArray[np.float64]:
        """Return log p of every token given all before it, (time,), in nats."""
        last = self._settle()
        end = len(self._firsts) * self._length
        if end < len(self._targets):
            rest = self._firsts.new_tensor([end])
            self._read(rest, len(self._targets) - end, last[None])
        return np.asarray(self._scores.cpu().numpy())

    def _settle(self) -> Tensor:
        """Read all segments to the fixed point; return the state after the last."""
        count = len(self._firsts)
        starts = self._first_starts()
        ends = torch.full_like(starts, float("inf"))
        stale = np.ones(count, dtype=bool)
        for passes in itertools.count():
            rows = np.flatnonzero(stale)
            if not len(rows):
                break
            is_long = len(rows) * self._length > LONGEST_IN_TURN
            if passes >= MOST_PASSES and not is_long:
                rows = rows[:1]  # the start of the first is right: the sequential way
            index = torch.from_numpy(rows).to(starts.device)
            before = self._totals(rows)
            ends[index] = self._read(self._firsts[index], self._length, starts[index])
            stale[rows] = False
            wanted = torch.cat([starts[:1], ends[:-1]])
            moved = _differ(wanted, starts)
            starts = torch.where(moved[:, None], wanted, starts)
            follow = moved.cpu().numpy()
            if passes and is_long:  # those after what another start changed nothing in
                same = np.abs(self._totals(rows) - before) <= TOLERANCE * np.abs(before)
                after = rows[same] + 1
                follow[after[after < count]] = False
            stale |= follow
        return ends[-1]

    def _totals(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        whole = self._scores[: len(self._firsts) * self._length]
        return np.asarray(whole.view(-1, self._length).sum(dim=1).cpu().numpy()[rows])

    def _first_starts(self) -> Tensor:
        """Return a guess of the state at the start of each segment: zero, then warmed up."""
        count, warm = len(self._firsts), min(WARM_UP, self._length)
        starts = _packed(self._model.initial_state(count))
        if count > 1:
            places = self._firsts[1:, None] + torch.arange(-warm, 0, device=starts.device)
            state = self._model.initial_state(count - 1)
            _, state = self._model.features(self._inputs[places], state)
            starts[1:] = _packed(state)
        return starts

    def _read(self, firsts: Tensor, length: int, starts: Tensor) -> Tensor:
        """Read `length` tokens from each of `firsts`, note their scores, return the states."""
        state = _unpacked(starts, self._model.initial_state(1))
        width = max(self._model.config.vocab_size, 8 * self._model.config.hidden_size)
        size = max(1, min(1024, TABLE_BYTES // (4 * len(firsts) * width)))
        for start in range(0, length, size):
            steps = torch.arange(start, min(start + size, length), device=firsts.device)
            places = firsts[:, None] + steps
            logits, state = self._model(self._inputs[places], state)
            wanted = self._targets[places].flatten()
            losses = F.cross_entropy(logits.flatten(0, 1), wanted, reduction="none")
            self._scores[places] = -losses.view(len(firsts), -1).double()
        return _packed(state)


def _packed(state: list[State]) -> Tensor:
    """Return all that a state carries, (rows, numbers)."""
    return torch.cat([part for layer in state for part in layer], dim=1)


def _unpacked(rows: Tensor, like: list[State]) -> list[State]:
    """Return the state that `_packed` was made of."""
    parts = iter(rows.split([part.shape[1] for layer in like for part in layer], dim=1))
    return [tuple(next(parts).contiguous() for _ in layer) for layer in like]


def _differ(states: Tensor, others: Tensor) -> Tensor:
    """Return which rows of two packed states are not the same."""
    scale = states.abs().clamp(min=1.0)
    return ((states - others).abs() / scale).amax(dim=1) > TOLERANCE
