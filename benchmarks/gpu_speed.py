"""Parts of `gpu.py` that measure speed beside plain PyTorch: training, and decoding."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu_report import Bench, steady_rate, train
from torch import nn
from torch.nn import functional as F

from charlm.engine.config import LanguageModelConfig
from charlm.generation.sampling import SamplingConfig
from charlm.models.arithmetic import Arithmetic
from charlm.models.cuda_decode import Decoder
from charlm.models.language_model import LanguageModel
from charlm.models.runtime import choose_arithmetic

VOCAB, EMBEDDING, ROWS, BPTT = 65, 128, 64, 128
SHAPES = ((2, 512), (3, 1024))
PRECISIONS = ("float32", "tf32", "float16")
TEMPERATURE = 0.8


class Plain(nn.Module):
    """What one writes first: an embedding, `nn.LSTM` and a linear layer."""

    def __init__(self, num_layers: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB + 1, EMBEDDING)
        self.lstm = nn.LSTM(EMBEDDING, hidden, num_layers)
        self.output = nn.Linear(hidden, VOCAB)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the weights under charlm's names; PyTorch's two biases are summed."""
        named = {"embedding.weight": self.embedding.weight}
        for layer in range(self.lstm.num_layers):
            parts = {n: getattr(self.lstm, f"{n}_l{layer}") for n in ("weight_ih", "weight_hh")}
            named |= {f"layers.{layer}.{name}": part for name, part in parts.items()}
            biases = (getattr(self.lstm, f"bias_{n}_l{layer}") for n in ("ih", "hh"))
            named[f"layers.{layer}.bias"] = sum(biases)
        named |= {"output.weight": self.output.weight, "output.bias": self.output.bias}
        return {name: tensor.detach().cpu().numpy() for name, tensor in named.items()}


def finish(device: str) -> None:
    """Wait until the device has done all that it was asked."""
    if device == "cuda":
        torch.cuda.synchronize()


@contextlib.contextmanager
def arithmetic(precision: str, device: str) -> Any:
    """Have PyTorch compute in float32, TF32 or, by autocast, float16."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    halves = torch.autocast(device, torch.float16, enabled=precision == "float16")
    try:
        with halves if device == "cuda" else contextlib.nullcontext():
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def plain_rate(bench: Bench, shape: tuple[int, int], precision: str, seconds: float) -> float:
    """Return tokens a second of the plain loop; the text lies on the device, no loss is read."""
    device = bench.device
    model = Plain(*shape).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=device == "cuda")
    scaler = torch.amp.GradScaler(device, enabled=precision == "float16" and device == "cuda")
    rows, bptt = (4, 8) if bench.dry else (ROWS, BPTT)
    text = torch.randint(VOCAB, (64 * bptt + 1, rows), device=device)
    state, place = None, 0

    def update() -> None:
        nonlocal state, place
        window = text[place : place + bptt + 1]
        place = (place + bptt) % (len(text) - 1)
        with arithmetic(precision, device):
            outputs, after = model.lstm(model.embedding(window[:-1]), state)
            logits = model.output(outputs).view(-1, VOCAB)
            loss = F.cross_entropy(logits, window[1:].reshape(-1))
        state = tuple(part.detach() for part in after)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

    return rows * bptt * _calls_per_second(update, seconds, device)


def _calls_per_second(call: Callable[[], Any], seconds: float, device: str) -> float:
    """Return how often a second `call` can be called: the median of five stretches."""
    for _ in range(3):
        call()
    finish(device)
    start = time.perf_counter()
    call()
    finish(device)
    each = max(time.perf_counter() - start, 1e-7)
    count = max(1, int(seconds / 5 / each))
    rates = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count):
            call()
        finish(device)
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def ways(bench: Bench, shape: tuple[int, int], label: str) -> None:
    """Tell how fast each way to train is by itself, an update without the optimiser."""
    layers, hidden = shape
    config = LanguageModelConfig(
        vocab_size=VOCAB, embedding_dim=EMBEDDING, hidden_size=hidden, num_layers=layers
    )
    model = LanguageModel(config)
    model.initialise(torch.Generator().manual_seed(0))
    model.to(bench.device)
    tried: list[Arithmetic] = []
    rows, bptt = (4, 8) if bench.dry else (ROWS, BPTT)
    choose_arithmetic(model, "auto", batch_size=rows, bptt=bptt, tried=tried)
    for one in tried:
        bench.figure(f"charlm {one}, {label}", one.tokens_per_second or 0.0, "tokens a second")


def training(bench: Bench) -> None:
    """Training tokens a second, batch 64: this program beside plain `nn.LSTM`, in one run."""
    text = bench.home / "speed.txt"
    letters = np.frombuffer(bytes(range(33, 33 + VOCAB - 1)), dtype=np.uint8)
    drawn = np.random.default_rng(0).choice(letters, size=20_000 if bench.dry else 8_000_000)
    drawn[79::80] = 10
    text.write_bytes(drawn.tobytes())
    seconds = 0.05 if bench.dry else 10.0
    for shape in [(2, 16)] if bench.dry else SHAPES:
        layers, hidden = shape
        label = f"{layers} x {hidden}, batch {ROWS}"
        peers = {}
        for precision in PRECISIONS:
            peers[precision] = plain_rate(bench, shape, precision, seconds)
            bench.figure(f"plain nn.LSTM {precision}, {label}", peers[precision], "tokens a second")
        best = max(peers, key=lambda name: peers[name])
        ways(bench, shape, label)
        sizes = {"num_layers": layers, "hidden_size": hidden, "embedding_dim": EMBEDDING}
        batch = {"batch_size": ROWS, "bptt": BPTT, "preset": "fast", "valid_fraction": 0.02}
        length = {"max_time": f"{2.5 * seconds:.0f}s", "eval_every": "1h", "save_every": "1h"}
        settings = bench.settings(sizes | batch | length)
        records, result = train(bench, [text], f"speed-{layers}-{hidden}", settings, anew=True)
        rate = steady_rate(records, settings["batch_size"] * settings["bptt"])
        bench.figure(
            f"charlm, {label}",
            rate,
            "tokens a second",
            times=rate / peers[best],
            beside=best,
            bar=3.0,
            whole_run=result.tokens_per_second,
        )


@torch.inference_mode()
def eager_rate(plain: Plain, rows: int, seconds: float, device: str) -> float:
    """Return characters a second of the loop that one writes first."""
    ids = torch.full((1, rows), VOCAB, device=device)
    state = None

    def step() -> None:
        nonlocal ids, state
        features, state = plain.lstm(plain.embedding(ids), state)
        probs = torch.softmax(plain.output(features[-1]) / TEMPERATURE, dim=-1)
        ids = torch.multinomial(probs, 1).t()

    return rows * _calls_per_second(step, seconds, device)


# Streams side by side, and the bar in characters a second; those without one are told too.
STREAMS = {1: 40_000.0, 8: None, 1024: 5e6, 16_384: None}


def decoding(bench: Bench) -> None:
    """Characters a second of 2 x 512, one stream and many side by side, beside an eager loop."""
    torch.manual_seed(0)
    layers, hidden = (2, 16) if bench.dry else (2, 512)
    plain = Plain(layers, hidden).to(bench.device).eval()
    config = LanguageModelConfig(
        vocab_size=VOCAB, embedding_dim=EMBEDDING, hidden_size=hidden, num_layers=layers
    )
    seconds = 0.05 if bench.dry else 4.0
    for rows, bar in ({1: 40_000.0, 8: None} if bench.dry else STREAMS).items():
        eager = eager_rate(plain, rows, seconds, bench.device)
        bench.figure(f"eager loop, {rows} streams", eager, "characters a second")
        for precision in ("float32",) if bench.dry else ("float32", "tf32", "float16"):
            _decode(bench, config, plain, rows, precision, seconds, eager=eager, bar=bar)


def _decode(
    bench: Bench,
    config: LanguageModelConfig,
    plain: Plain,
    rows: int,
    precision: str,
    seconds: float,
    *,
    eager: float,
    bar: float | None,
) -> None:
    decoder = Decoder(config, plain.tensors(), torch.device(bench.device), precision=precision)
    rate = _decoder_rate(decoder, rows, seconds, least=64 if bench.dry else 1024)
    about = {"times": rate / eager, "way": decoder.way(rows)} | ({"bar": bar} if bar else {})
    label = f"charlm {precision}, {rows} streams"
    bench.figure(label, rate, "characters a second", **about)
    if precision == "float32":
        count = min(4096, max(64, int(seconds * min(rate, 3e5) / rows / 4)))
        told = _token_rate(decoder, rows, count)
        bench.figure(f"{label}, as tokens", told, "characters a second")


def _token_rate(decoder: Any, rows: int, count: int) -> float:
    """Return characters a second where Python looks at every token, as `charlm sample` does."""
    config = SamplingConfig(max_new_tokens=count, temperature=TEMPERATURE, seed=0, num_samples=rows)
    start = time.perf_counter()
    drawn = sum(1 for _ in decoder.generate([], config))
    return drawn / (time.perf_counter() - start)


def _decoder_rate(decoder: Any, rows: int, seconds: float, *, least: int) -> float:
    """Return characters a second over whole blocks of ids, each copied to the host."""

    def run(tokens: int) -> float:
        config = SamplingConfig(
            max_new_tokens=tokens, temperature=TEMPERATURE, seed=0, num_samples=rows
        )
        start = time.perf_counter()
        drawn = sum(block.ids.size for block in decoder.blocks([], config))
        return drawn / (time.perf_counter() - start)

    run(least // 2)  # makes the graphs
    rate = run(least)
    return statistics.median(run(max(least, int(rate * seconds / 3 / rows))) for _ in range(3))
