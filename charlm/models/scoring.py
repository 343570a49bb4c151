"""Exact scores by torch, for devices that NumPy cannot use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import to_float32
from charlm.engine.scoring import LONG
from charlm.models.arithmetic import allow_tf32
from charlm.models.language_model import LanguageModel
from charlm.models.long_texts import LongText

IdArray = npt.NDArray[np.integer[Any]]
ROWS = 256
TABLE_BYTES = 1 << 28


class TorchModel:
    """A recurrent model on a device, in float32; it scores as `engine` does, and returns NumPy."""

    def __init__(
        self,
        config: LanguageModelConfig,
        tensors: Mapping[str, npt.NDArray[Any]],
        device: torch.device,
    ) -> None:
        self.config = config
        self.vocab_size = config.vocab_size
        self.bos_id = config.bos_id
        self.device = device
        model = LanguageModel(config)
        weights = to_float32(config, tensors)
        model.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in weights.items()})
        if device.type == "cuda":
            allow_tf32(False)  # the same figures as on a CPU
        model.use(torch.float32, backend="native")
        self.model = model.to(device).train(False)

    def score_ids(self, ids: IdArray) -> npt.NDArray[np.float64]:
        """Return log p(token | all before it) for each token of a text (time,), in nats."""
        return self.score_batch([ids])[0]

    def score_batch(self, texts: Sequence[IdArray]) -> list[npt.NDArray[np.float64]]:
        """Return `score_ids` of every text, in order; like lengths are read side by side.

        A long text is read alone, its segments side by side.
        """
        results: list[npt.NDArray[np.float64]] = [np.empty(0)] * len(texts)
        order = sorted((i for i in range(len(texts)) if len(texts[i])), key=lambda i: len(texts[i]))
        while order and len(texts[order[-1]]) >= LONG:
            index = order.pop()
            results[index] = LongText(self.model, texts[index]).score()
        for start in range(0, len(order), ROWS):
            rows = order[start : start + ROWS]
            targets = np.zeros((len(rows), len(texts[rows[-1]])), dtype=np.int64)
            for row, index in enumerate(rows):
                targets[row, : len(texts[index])] = texts[index]
            scores = self._score(targets)
            for row, index in enumerate(rows):
                results[index] = scores[row, : len(texts[index])].copy()
        return results

    @torch.inference_mode()
    def _score(self, targets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        rows, time = targets.shape
        first = np.full((rows, 1), self.bos_id)
        inputs = torch.from_numpy(np.concatenate([first, targets[:, :-1]], axis=1)).to(self.device)
        wanted = torch.from_numpy(targets).to(self.device)
        scores = torch.empty((rows, time), dtype=torch.float64, device=self.device)
        state: Any = self.model.initial_state(rows)
        size = max(1, min(1024, TABLE_BYTES // (4 * rows * self.vocab_size)))
        for start in range(0, time, size):
            part = slice(start, start + size)
            logits, state = self.model(inputs[:, part], state)
            losses = F.cross_entropy(
                logits.flatten(0, 1), wanted[:, part].flatten(), reduction="none"
            )
            scores[:, part] = -losses.view(rows, -1).double()
        return np.asarray(scores.cpu().numpy())

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before anything was read."""
        return self.model.initial_state(batch_size)

    @torch.inference_mode()
    def log_probs(self, ids: IdArray, state: Any) -> tuple[npt.NDArray[np.float32], Any]:
        """Read ids (batch, time): log p after each (batch, time, vocab), and the state."""
        logits, state = self.model(torch.from_numpy(np.asarray(ids)).to(self.device), state)
        table: Tensor = F.log_softmax(logits, dim=-1)
        return table.cpu().numpy(), state
