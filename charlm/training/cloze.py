"""Train the networks that decide a speller's close calls: see `models.cloze`.

Windows of the text come in random order. Of the words' vectors only those that a batch has are
moved, each batch, as if it had all of them: with tens of thousands of words the rest would cost
more than the networks.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from charlm.models.cloze import Cloze, choice_loss, word_vectors
from charlm.models.registers import has_bfloat16
from charlm.training.optim import (
    BETAS,
    EPSILON,
    AdamW,
    AveragedWeights,
    clip_gradients,
    schedule,
    set_learning_rate,
)

Ids = npt.NDArray[np.int32]

UNKNOWN = 0
_EXPONENT = 0.75  # of the frequencies that others are drawn by
_FLOOR, _MAX_NORM, _AVERAGED = 0.02, 1.0, 0.1
_SMOOTHING = 0.02


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClozeSettings:
    """Sizes of the networks, and how they are trained."""

    words: int = 40_000
    dim: int = 192
    hidden: int = 256
    inner: int = 256
    others: int = 512
    window: int = 64
    rows: int = 64
    learning_rate: float = 2e-3
    seed: int = 0


class ClozeProgress(NamedTuple):
    """What is known after an update; `share` says how much of the training is done."""

    step: int
    share: float
    passes: float
    loss: float
    learning_rate: float
    words: int
    seconds: float


def train_cloze(
    ids: Ids, vocab_size: int, settings: ClozeSettings, *, seconds: float, passes: float
) -> Generator[ClozeProgress, bool | None, dict[str, npt.NDArray[Any]]]:
    """Train on a text, yielding after each update; return the arrays that `spelling.cloze` names.

    Args:
        ids: (time,), words by how frequent they are; those beyond the networks' are unknown.
        vocab_size: of the ids.
        settings: what is trained.
        seconds: ends the training; so do `passes` over the text, whichever comes first. What is
            sent into the generator after a step ends it too, if it is true.

    Raises:
        ValueError: if the text has no window.
    """
    words = min(settings.words, vocab_size)
    generator = torch.Generator().manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    text = np.where(ids < words, ids, UNKNOWN).astype(np.int32)
    counts = np.bincount(text, minlength=words) + 1.0
    drawn = counts**_EXPONENT / (counts**_EXPONENT).sum()
    bounds = np.cumsum(drawn)
    expected = torch.from_numpy(np.log(drawn * settings.others).astype(np.float32))
    model = Cloze(settings.dim, settings.hidden, settings.inner)
    model.initialise(generator)
    model.dtype = torch.bfloat16 if has_bfloat16() else torch.float32
    rows = _Rows(word_vectors(words, settings.dim, generator), counts / counts.sum())
    parameters = list(model.parameters())
    optimizer = AdamW([{"params": parameters, "weight_decay": 0.0}], lr=settings.learning_rate)
    averages = AveragedWeights(parameters, _AVERAGED)
    begun, step, loss, done = time.monotonic(), 0, 0.0, 0
    for batch in _batches(text, settings, rng):
        elapsed = time.monotonic() - begun
        share = max(elapsed / seconds, done / (passes * len(text)))
        if share >= 1.0 and step:
            break
        rate = settings.learning_rate * schedule(min(share, 1.0), floor=_FLOOR)
        set_learning_rate(optimizer, rate)
        others = np.minimum(np.searchsorted(bounds, rng.random(settings.others)), words - 1)
        found = _update(model, rows, batch, others, expected, optimizer, rate)
        averages.update()
        step, done = step + 1, done + batch.size
        loss += max(_SMOOTHING, 1.0 / step) * (found - loss)
        stop = yield ClozeProgress(
            step, min(share, 1.0), done / len(text), loss, rate, done, elapsed
        )
        if stop:
            break
    averages.swap()
    return _arrays(model, rows)


def _batches(
    text: Ids, settings: ClozeSettings, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int32]]:
    """Yield windows (window, rows) without end; each pass cuts the text elsewhere."""
    width = settings.window
    count = len(text) // width
    if not count:
        raise ValueError(f"{len(text)} words have no window of {width}")
    together = min(settings.rows, count)
    shift, room = 0, len(text) - count * width
    while True:
        order = rng.permutation(count)
        for start in range(0, count - together + 1, together):
            places = order[start : start + together] * width + shift
            yield text[places + np.arange(width)[:, None]]
        shift = int(rng.integers(0, room + 1)) if count < 2 else int(rng.integers(0, width))
        count = (len(text) - shift) // width
        together = min(together, count)


def _update(
    model: Cloze,
    rows: _Rows,
    batch: npt.NDArray[np.int32],
    others: npt.NDArray[np.int64],
    expected: Tensor,
    optimizer: AdamW,
    rate: float,
) -> float:
    """Move all that a batch bears on; return its loss."""
    kinds, inverse = np.unique(np.concatenate([batch.ravel(), others]), return_inverse=True)
    which = torch.from_numpy(kinds.astype(np.int64))
    places = torch.from_numpy(inverse.reshape(-1).astype(np.int64))
    wanted, drawn = places[: batch.size], places[batch.size :]
    own = rows.table[which].requires_grad_()
    vectors, bias = own[:, :-1].contiguous(), own[:, -1]
    gaps = model.contexts(vectors, wanted.view(*batch.shape)).flatten(0, 1)
    loss = choice_loss(gaps, vectors, bias - expected[which], wanted, drawn)
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    clip_gradients(model.parameters(), _MAX_NORM)
    optimizer.step()
    if own.grad is not None:
        rows.move(which, own.detach(), own.grad, rate)
    return float(loss.detach())


class _Rows:
    """The words' vectors and, as the last column, biases; moved by Adam, some rows at a time."""

    def __init__(self, vectors: Tensor, shares: npt.NDArray[np.float64]) -> None:
        bias = torch.from_numpy(np.log(shares).astype(np.float32))
        self.table = torch.cat([vectors, bias[:, None]], dim=1)
        self._first, self._second = torch.zeros_like(self.table), torch.zeros_like(self.table)
        self._steps = 0

    @torch.no_grad()
    def move(self, which: Tensor, values: Tensor, gradient: Tensor, rate: float) -> None:
        """Take one step with the rows that have a gradient."""
        self._steps += 1
        first = self._first[which].lerp_(gradient, 1.0 - BETAS[0])
        second = self._second[which].lerp_(gradient.square(), 1.0 - BETAS[1])
        self._first[which], self._second[which] = first, second
        length = (second / (1.0 - BETAS[1] ** self._steps)).sqrt_().add_(EPSILON)
        self.table[which] = values - rate / (1.0 - BETAS[0] ** self._steps) * first / length


def _arrays(model: Cloze, rows: _Rows) -> dict[str, npt.NDArray[Any]]:
    def half(tensor: Tensor) -> npt.NDArray[np.float16]:
        return np.ascontiguousarray(tensor.detach().numpy().astype(np.float16))

    def whole(tensor: Tensor) -> npt.NDArray[np.float32]:
        return np.array(tensor.detach().numpy(), dtype=np.float32)

    arrays: dict[str, npt.NDArray[Any]] = {
        "cloze.words": half(rows.table[:, :-1]),
        "cloze.bias": whole(rows.table[:, -1]),
    }
    for side, layer in (("ahead", model.ahead), ("back", model.back)):
        arrays[f"cloze.{side}.ih"] = half(layer.weight_ih)
        arrays[f"cloze.{side}.hh"] = half(layer.weight_hh)
        arrays[f"cloze.{side}.b"] = whole(layer.bias)
    for name, linear in (("inner", model.inner), ("outer", model.outer)):
        arrays[f"cloze.{name}.w"] = half(linear.weight)
        arrays[f"cloze.{name}.b"] = whole(linear.bias)
    return arrays
