"""The peer's half of `training.py`: run by it, in a process of its own, without charlm."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

VOCAB, EMBEDDING, UPDATES = 65, 64, 12


class Plain(nn.Module):
    """What one writes first."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB + 1, EMBEDDING)
        self.lstm = nn.LSTM(EMBEDDING, hidden)
        self.output = nn.Linear(hidden, VOCAB)


def build(hidden: int, rows: int, bptt: int, ids: np.ndarray) -> tuple[Callable[[], None], str]:
    """Return a function that trains the plain model for some updates, and its name."""
    text = torch.from_numpy(ids[: len(ids) // rows * rows].reshape(rows, -1).T.copy())
    model = Plain(hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    state, at = None, 0

    def run() -> None:
        nonlocal state, at
        for _ in range(UPDATES):
            window = text[at : at + bptt + 1]
            at = (at + bptt) % (len(text) - bptt - 1)
            outputs, state = model.lstm(model.embedding(window[:-1]), state)
            logits = model.output(outputs).view(-1, VOCAB)
            loss = F.cross_entropy(logits, window[1:].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            state = tuple(part.detach() for part in state)
            loss.item()

    return run, "plain nn.LSTM float32"


def main() -> None:
    """Say what runs; then at every line of input run some updates and print the seconds."""
    hidden, rows, bptt = map(int, sys.argv[1:])
    ids = np.random.default_rng(0).integers(VOCAB, size=400_000)
    run, name = build(hidden, rows, bptt, ids)
    run()
    print(name, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
