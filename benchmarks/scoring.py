"""Characters a second of exact scoring: charlm's engine beside PyTorch, in one run.

Both score the same text with the same weights: an embedding, one LSTM of 256 units, 65 characters,
float32. Two peers, both plain `nn.LSTM` in eager mode with PyTorch's own choice of threads:

    sequence    the whole text as one row, 1,024 characters a call, the state carried: the exact
                figure, as one writes it
    batch       the text cut into 64 rows that begin at the zero state: what people do for speed;
                another figure, since the state is lost 63 times

charlm's figure is that of the sequence: the last column says how far the two are apart. With
`--lines`, the text as lines of some 40 characters: `score_batch` beside PyTorch's padded batches.

NumPy's OpenBLAS chooses its kernels by the processor, unless OPENBLAS_CORETYPE names older ones, as
some test environments do; what is set is said.

    python benchmarks/scoring.py [--chars 1000000] [--repeats 3] [--lines]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel
from charlm.engine.scoring import evaluate_ids, score_batch

VOCAB_SIZE, EMBEDDING_DIM, HIDDEN_SIZE, CHUNK, ROWS = 65, 128, 256, 1024, 64


class PlainModel(nn.Module):
    """An embedding, `nn.LSTM` and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB_SIZE + 1, EMBEDDING_DIM)
        self.lstm = nn.LSTM(EMBEDDING_DIM, HIDDEN_SIZE, batch_first=True)
        self.output = nn.Linear(HIDDEN_SIZE, VOCAB_SIZE)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the weights under charlm's names; PyTorch's two biases are summed."""
        named = {
            "embedding.weight": self.embedding.weight,
            "layers.0.weight_ih": self.lstm.weight_ih_l0,
            "layers.0.weight_hh": self.lstm.weight_hh_l0,
            "layers.0.bias": self.lstm.bias_ih_l0 + self.lstm.bias_hh_l0,
            "output.weight": self.output.weight,
            "output.bias": self.output.bias,
        }
        return {name: tensor.detach().numpy() for name, tensor in named.items()}

    @torch.inference_mode()
    def nll(self, rows: torch.Tensor, lengths: torch.Tensor | None = None) -> float:
        """Return the nll of rows (batch, time), state carried over chunks, padding not counted."""
        before = torch.full((len(rows), 1), VOCAB_SIZE)
        inputs, state, total = torch.cat([before, rows[:, :-1]], dim=1), None, 0.0
        for start in range(0, rows.shape[1], CHUNK):
            part = slice(start, start + CHUNK)
            features, state = self.lstm(self.embedding(inputs[:, part]), state)
            logits = self.output(features).flatten(0, 1)
            losses = nn.functional.cross_entropy(logits, rows[:, part].flatten(), reduction="none")
            if lengths is not None:
                places = torch.arange(start, start + rows[:, part].shape[1])
                losses = losses * (places < lengths[:, None]).flatten()
            total += float(losses.double().sum())
        return total

    def nll_of_lines(self, lines: list[np.ndarray]) -> float:
        """Return the nll of lines as padded batches of like lengths."""
        lines, total = sorted(lines, key=len), 0.0
        for start in range(0, len(lines), ROWS):
            batch = lines[start : start + ROWS]
            rows = torch.zeros(len(batch), len(batch[-1]), dtype=torch.long)
            for row, line in zip(rows, batch, strict=True):
                row[: len(line)] = torch.from_numpy(line)
            total += self.nll(rows, torch.tensor([len(line) for line in batch]))
        return total


def measure(ways: dict[str, Callable[[], float]], chars: int, repeats: int) -> None:
    """Print the median speed of each way, the ratio to charlm's, and its nats a character."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    nats: dict[str, float] = {}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            nats[name] = way() / chars
            times[name].append(time.perf_counter() - start)
    ours, *_ = (statistics.median(column) for column in times.values())
    base = next(iter(nats.values()))
    for name, column in times.items():
        seconds = statistics.median(column)
        apart = abs(nats[name] - base) / base
        print(
            f"{name:<22} {chars / seconds:>10,.0f} characters a second   charlm is "
            f"{seconds / ours:5.2f} times as fast   {nats[name]:.6f} nats, {apart:.1e} apart"
        )


def main() -> None:
    """Print one line a way of scoring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chars", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--lines", action="store_true", help="many short texts, not a long one")
    options = parser.parse_args()
    torch.manual_seed(0)
    kernels = os.environ.get("OPENBLAS_CORETYPE", "OpenBLAS's own choice")
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"NumPy {np.__version__}, kernels: {kernels}")
    plain = PlainModel().eval()
    config = LanguageModelConfig(
        vocab_size=VOCAB_SIZE, embedding_dim=EMBEDDING_DIM, hidden_size=HIDDEN_SIZE
    )
    model = LanguageModel(config, plain.tensors())
    rng = np.random.default_rng(0)
    ids = rng.integers(0, VOCAB_SIZE, options.chars)
    if options.lines:
        ends = np.cumsum(rng.integers(10, 70, options.chars // 40))
        lines = np.split(ids, ends[ends < len(ids)])[:-1]
        chars = sum(map(len, lines))
        ways = {
            "charlm": lambda: -sum(float(s.sum()) for s in score_batch(model, lines)),
            "PyTorch, padded": lambda: plain.nll_of_lines(lines),
        }
    else:
        chars = len(ids)
        text = torch.from_numpy(ids)
        rows = text[: len(ids) // ROWS * ROWS].reshape(ROWS, -1)
        ways = {
            "charlm": lambda: evaluate_ids(model, ids)[0],
            "PyTorch, sequence": lambda: plain.nll(text[None]),
            "PyTorch, batch (other)": lambda: plain.nll(rows),
        }
    measure(ways, chars, options.repeats)


if __name__ == "__main__":
    main()
