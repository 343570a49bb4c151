"""Characters a second at batch 1: charlm's engine beside a plain PyTorch loop, in one run.

Both draw from models of the same shape with the same random weights (65 characters, temperature
0.8). The peer is what one writes first: `nn.LSTM` called one step at a time with its state, a
linear layer, softmax, multinomial, PyTorch's own choice of threads. Most of its time goes into
oneDNN, which packs the weights anew at every call; who knows that can switch it off, and that
loop is shown too. Repeats are interleaved, so that what else the machine does falls on all;
figures are medians.

    python benchmarks/decoding.py [--repeats 7] [--seconds 1.0] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from charlm.engine.config import LanguageModelConfig, describe
from charlm.engine.language_model import LanguageModel
from charlm.generation.generate import generate
from charlm.generation.sampling import SamplingConfig

VOCAB_SIZE, EMBEDDING_DIM, TEMPERATURE = 65, 128, 0.8
SHAPES = ((1, 256, 8.0), (2, 512, 5.0))  # layers, units, the bar


class PlainModel(nn.Module):
    """An embedding, `nn.LSTM` and a linear layer."""

    def __init__(self, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB_SIZE + 1, EMBEDDING_DIM)
        self.lstm = nn.LSTM(EMBEDDING_DIM, hidden_size, num_layers, batch_first=True)
        self.output = nn.Linear(hidden_size, VOCAB_SIZE)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the weights under charlm's names; PyTorch's two biases are summed."""
        named = {"embedding.weight": self.embedding.weight}
        for layer in range(self.lstm.num_layers):
            parts = {n: getattr(self.lstm, f"{n}_l{layer}") for n in ("weight_ih", "weight_hh")}
            named |= {f"layers.{layer}.{name}": part for name, part in parts.items()}
            biases = (getattr(self.lstm, f"bias_{n}_l{layer}") for n in ("ih", "hh"))
            named[f"layers.{layer}.bias"] = sum(biases)
        named |= {"output.weight": self.output.weight, "output.bias": self.output.bias}
        return {name: tensor.detach().numpy() for name, tensor in named.items()}


@torch.inference_mode()
def decode_plain(model: PlainModel, count: int) -> None:
    """Draw `count` characters the plain way."""
    ids, state = torch.tensor([[VOCAB_SIZE]]), None
    for _ in range(count):
        features, state = model.lstm(model.embedding(ids), state)
        probs = torch.softmax(model.output(features[:, -1]) / TEMPERATURE, dim=-1)
        ids = torch.multinomial(probs, 1)


def decode_without_onednn(model: PlainModel, count: int) -> None:
    """Draw `count` characters the plain way, with PyTorch's own kernels."""
    torch._C._set_mkldnn_enabled(False)  # the public context manager warns about TF32
    try:
        decode_plain(model, count)
    finally:
        torch._C._set_mkldnn_enabled(True)


def decode_charlm(model: LanguageModel, count: int) -> None:
    """Draw `count` characters through `generate`, as `charlm sample` does."""
    config = SamplingConfig(max_new_tokens=count, temperature=TEMPERATURE, seed=0)
    for _ in generate(model, [], config):
        pass


def speed_of(decode: Callable[[int], None], seconds: float) -> Callable[[], float]:
    """Return a function that measures characters a second over about `seconds`."""
    decode(50)
    start = time.perf_counter()
    decode(200)
    count = max(50, int(200 * seconds / (time.perf_counter() - start)))

    def measure() -> float:
        start = time.perf_counter()
        decode(count)
        return count / (time.perf_counter() - start)

    return measure


def main() -> None:
    """Print one line a shape: the speeds, their ratios and the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--threads", type=int, help="of PyTorch; else its own choice")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads; NumPy {np.__version__}")
    for num_layers, hidden_size, bar in SHAPES:
        plain = PlainModel(hidden_size, num_layers).eval()
        config = LanguageModelConfig(
            vocab_size=VOCAB_SIZE,
            embedding_dim=EMBEDDING_DIM,
            hidden_size=hidden_size,
            num_layers=num_layers,
        )
        model = LanguageModel(config, plain.tensors())
        loops = (
            lambda count, model=model: decode_charlm(model, count),
            lambda count, plain=plain: decode_plain(plain, count),
            lambda count, plain=plain: decode_without_onednn(plain, count),
        )
        measures = [speed_of(loop, options.seconds) for loop in loops]
        runs = [[measure() for measure in measures] for _ in range(options.repeats)]
        ours, peer, tuned = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"{describe(config):<14} charlm {ours:>7,.0f}/s   PyTorch {peer:>6,.0f}/s   "
            f"{ours / peer:5.1f} times (bar: {bar:g})   "
            f"without oneDNN {tuned:>6,.0f}/s   {ours / tuned:4.1f} times"
        )


if __name__ == "__main__":
    main()
