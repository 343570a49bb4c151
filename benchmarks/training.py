"""Training tokens a second: charlm's step beside a plain `nn.LSTM` float32 loop, in one run.

Both train the same model (65 characters, embedding 64, no dropout) with AdamW and clipping; the
peer is what one writes first: `nn.Embedding`, `nn.LSTM`, `nn.Linear`, `cross_entropy`. Charlm's
arithmetic is what it chooses on this machine. Repeats are interleaved; the figure is the median.

    python benchmarks/training.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import charlm.models  # noqa: F401 (says how PyTorch's threads wait, before torch comes)
from charlm.engine.config import LanguageModelConfig
from charlm.models.language_model import LanguageModel
from charlm.models.runtime import choose_arithmetic
from charlm.training.batches import Streams
from charlm.training.loop import Trainer, train_steps
from charlm.training.optim import build_adamw

VOCAB, EMBEDDING = 65, 64
SHAPES = ((256, 32, 64), (512, 64, 32), (512, 32, 64), (768, 64, 64))  # units, rows, bptt
STEPS = 12


class Plain(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB + 1, EMBEDDING)
        self.lstm = nn.LSTM(EMBEDDING, hidden)
        self.output = nn.Linear(hidden, VOCAB)


def plain_run(hidden: int, rows: int, bptt: int, text: torch.Tensor) -> Callable[[], None]:
    model = Plain(hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    state, at = None, 0

    def run() -> None:
        nonlocal state, at
        for _ in range(STEPS):
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

    return run


def own_run(hidden: int, rows: int, bptt: int, ids: np.ndarray) -> tuple[Callable[[], None], str]:
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
    return lambda: [next(steps) for _ in range(STEPS)] and None, str(chosen)


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    ids = np.random.default_rng(0).integers(VOCAB, size=400_000)
    for hidden, rows, bptt in SHAPES:
        text = torch.from_numpy(ids[: len(ids) // rows * rows].reshape(rows, -1).T.copy())
        peer = plain_run(hidden, rows, bptt, text)
        own, arithmetic = own_run(hidden, rows, bptt, ids)
        peer(), own()
        pairs = [(seconds(own), seconds(peer)) for _ in range(repeats)]
        tokens = STEPS * rows * bptt
        mine, theirs = (tokens / statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(
            f"1 x {hidden}, {rows} rows of {bptt}: charlm {mine:,.0f} tokens a second "
            f"({arithmetic}), plain nn.LSTM float32 {theirs:,.0f}; {ratio:.2f} times"
        )


if __name__ == "__main__":
    main()
