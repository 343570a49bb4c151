"""Charlm's half of `training.py`: run by it, in a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

import charlm.models  # noqa: F401 (says how PyTorch's threads wait, before torch comes)

# isort: split
import torch

from charlm.engine.config import LanguageModelConfig
from charlm.models.language_model import LanguageModel
from charlm.models.runtime import choose_arithmetic
from charlm.training.batches import Streams
from charlm.training.loop import Trainer, train_steps
from charlm.training.optim import build_adamw

VOCAB, EMBEDDING, UPDATES = 65, 64, 12


def build(hidden: int, rows: int, bptt: int, ids: np.ndarray) -> tuple[Callable[[], None], str]:
    """Return a function that trains charlm's model for some updates, and its arithmetic."""
    config = LanguageModelConfig(vocab_size=VOCAB, embedding_dim=EMBEDDING, hidden_size=hidden)
    model = LanguageModel(config)
    model.initialise(torch.Generator().manual_seed(0))
    chosen = choose_arithmetic(model, "auto", batch_size=rows, bptt=bptt)
    chosen.apply(model)
    trainer = Trainer(
        model=model,
        optimizer=build_adamw(model, learning_rate=1e-3, weight_decay=0.01),
        streams=Streams(
            ids,
            np.zeros(VOCAB + 1, dtype=bool),
            bos_id=VOCAB,
            batch_size=rows,
            bptt=bptt,
            restart_probability=0.03,
            rng=np.random.default_rng(0),
        ),
        generator=torch.Generator().manual_seed(0),
        learning_rate=1e-3,
        max_grad_norm=1.0,
    )
    steps = train_steps(trainer, lambda: 0.5)
    return lambda: [next(steps) for _ in range(UPDATES)] and None, str(chosen)


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
