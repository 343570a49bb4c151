"""A quick look at held-out text while training: fast, and always the same question.

The figure that is reported at the end does not come from here: it is exact, over the whole text
with its state carried, by `engine.scoring`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from charlm.models.language_model import LanguageModel

SEGMENTS = 32
WARM_UP = 64


class Validation:
    """Held-out text cut into segments that are read side by side.

    Each segment's first `WARM_UP` tokens are read before it and not counted, so that its state
    is close to what it would be in one long reading. At most `limit` tokens are looked at.
    """

    def __init__(self, ids: npt.NDArray[np.integer[Any]], bos_id: int, limit: int) -> None:
        count = min(len(ids), limit)
        segments = max(1, min(SEGMENTS, count // (2 * WARM_UP)))
        self.length = count // segments
        starts = np.linspace(0, len(ids) - self.length, segments).astype(np.int64)
        places = starts[:, None] + np.arange(-WARM_UP - 1, self.length, dtype=np.int64)
        tokens = np.where(places < 0, bos_id, ids[np.maximum(places, 0)].astype(np.int64))
        self.inputs, self.targets = (
            torch.from_numpy(tokens[:, :-1]),
            torch.from_numpy(tokens[:, 1:]),
        )
        self.tokens = segments * self.length

    @torch.no_grad()
    def nats_per_token(self, model: LanguageModel, *, chunk: int = 64) -> float:
        """Return the mean loss over all segments, without dropout."""
        was_training = model.training
        model.train(False)
        device = model.output.bias.device
        inputs, targets = self.inputs.to(device), self.targets.to(device)
        state = model.initial_state(len(inputs))
        _, state = model.features(inputs[:, :WARM_UP], state)
        found: list[tuple[torch.Tensor, int]] = []  # read at the end: a GPU need not stop for it
        for start in range(WARM_UP, inputs.shape[1], chunk):
            wanted = targets[:, start : start + chunk]
            loss, state = model.loss(inputs[:, start : start + chunk], wanted, state)
            found.append((loss, wanted.numel()))
        model.train(was_training)
        total = 0.0
        for loss, count in found:
            total += float(loss) * count
        return total / self.tokens
