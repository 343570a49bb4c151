"""Parts of `gpu.py` that check: CPU and GPU agree, processes agree, too little memory is told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_report import Bench, train

from charlm.engine import scoring
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel as Engine
from charlm.engine.language_model import log_softmax
from charlm.generation.generate import generate
from charlm.generation.sampling import SamplingConfig
from charlm.models.arithmetic import Arithmetic
from charlm.models.language_model import Dropouts, LanguageModel
from charlm.models.layers import ON_GPU
from charlm.models.timing import agrees
from charlm.store.checkpoint import read_metrics
from charlm.tasks.mixture import open_models
from charlm.tasks.scoring import score_batch

FORMS: tuple[dict[str, Any], ...] = (
    {"cell": "lstm", "num_layers": 2},
    {"cell": "lstm", "num_layers": 3, "skip": True},
    {"cell": "lstm", "num_layers": 2, "tie_weights": True},
    {"cell": "gru", "num_layers": 2},
    {"cell": "gru", "num_layers": 2, "reset": "before"},
    {"cell": "rnn", "num_layers": 2},
)
SAMPLINGS: tuple[dict[str, Any], ...] = (
    {"temperature": 0.0},
    {"temperature": 0.8},
    {"top_k": 5},
    {"top_p": 0.7},
    {"min_p": 0.1},
    {"repetition_penalty": 1.3, "repetition_window": 16},
)
HELD_BATCH = {"batch_size": 8, "bptt": 16, "hidden_size": 32, "num_layers": 2, "embedding_dim": 16}
SAME = HELD_BATCH | {"precision": "float32", "preset": "plain", "threads": 1, "eval_every": "1h"}


def agreement(bench: Bench) -> None:
    """Losses, gradients, log-probabilities and samples on the device equal those of the CPU."""
    if bench.device == "cuda":
        about = torch.cuda.get_device_properties(0)
        bench.check("device", True, name=about.name, memory_gb=about.total_memory / 1e9)
    bench.check("PyTorch", True, version=torch.__version__, cuda=str(torch.version.cuda))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    hidden = 16 if bench.dry else 128
    for form in FORMS:
        config = LanguageModelConfig(vocab_size=65, embedding_dim=24, hidden_size=hidden, **form)
        model = LanguageModel(config)
        model.initialise(torch.Generator().manual_seed(1))
        name = " ".join(str(value) for value in form.values())
        _same_losses(bench, model, name)
        _same_log_probs(bench, model, name)
        _same_samples(bench, model, name)
    _same_ways(bench, hidden)
    _same_curve(bench)


def _same_ways(bench: Bench, hidden: int) -> None:
    """Each way of our own to train an LSTM has the gradients of PyTorch's layers."""
    precisions = ("float16", "bfloat16") if bench.device == "cuda" else ("float32",)
    for skip in (False, True):
        config = LanguageModelConfig(
            vocab_size=65, embedding_dim=24, hidden_size=hidden, num_layers=2, skip=skip
        )
        model = LanguageModel(config, Dropouts(output=0.2, layer=0.2))
        model.initialise(torch.Generator().manual_seed(1))
        model.to(bench.device)
        for backend in (name for name in ON_GPU if name != "native"):
            for precision in precisions:
                way = Arithmetic(precision, backend)
                holds = agrees(model, way, 64, 70)
                bench.check(f"gradients, {way}{' with skips' if skip else ''}", holds)


def _same_losses(bench: Bench, model: LanguageModel, name: str) -> None:
    ids = torch.randint(65, (8, 33), generator=torch.Generator().manual_seed(2))
    found = []
    for device in ("cpu", bench.device):
        there = LanguageModel(model.config)
        there.load_state_dict(model.state_dict())
        there = there.to(device)
        there.use(torch.float32, backend="native")
        inputs, targets = ids[:, :-1].to(device), ids[:, 1:].to(device)
        loss, _ = there.loss(inputs, targets, there.initial_state(8))
        loss.backward()
        norm = torch.stack([p.grad.norm() for p in there.parameters() if p.grad is not None]).norm()
        found.append((loss.item(), norm.item()))
    error = max(abs(a - b) / abs(a) for a, b in zip(*found, strict=True))
    bench.check(f"loss and gradient, {name}", error < 1e-4, error=error)


def _pair(bench: Bench, model: LanguageModel) -> tuple[Engine, Any]:
    from charlm.models.cuda_decode import Decoder

    tensors = {key: value.numpy() for key, value in model.state_dict().items()}
    device = torch.device(bench.device)
    return Engine(model.config, tensors), Decoder(model.config, tensors, device)


def _same_log_probs(bench: Bench, model: LanguageModel, name: str) -> None:
    engine, decoder = _pair(bench, model)
    ids = np.random.default_rng(3).integers(65, size=300)
    error = float(np.abs(decoder.score_ids(ids) - scoring.text_scores(engine, ids)).max())
    bench.check(f"log-probabilities of a text, {name}", error < 1e-4, error=error)
    state, other, error = engine.initial_state(3), decoder.initial_state(3), 0.0
    for column in ids.reshape(3, 100).T[:20]:
        ours, state = engine.step(column, state)
        theirs, other = decoder.step(column, other)
        error = max(error, float(np.abs(log_softmax(ours) - log_softmax(theirs)).max()))
    bench.check(f"log-probabilities step by step, {name}", error < 1e-4, error=error)


def _same_samples(bench: Bench, model: LanguageModel, name: str) -> None:
    """Compare all tokens: a draw may differ where rounding moves a border of two tokens."""
    engine, decoder = _pair(bench, model)
    count, most = (12, 3) if bench.dry else (200, 16)
    for rows in (1, most):
        same, differ = 0, []
        for options in SAMPLINGS:
            config = SamplingConfig(
                max_new_tokens=count, seed=5, num_samples=rows, **{"temperature": 1.0} | options
            )
            wanted = _by_sample(generate(engine, [1, 2, 3], config))
            found = _by_sample(decoder.generate([1, 2, 3], config))
            equal = sum(wanted[key] == found[key] for key in wanted)
            same += equal
            if equal < rows:
                differ.append(f"{options}: {equal} of {rows}")
        of = rows * len(SAMPLINGS)
        about = {"same": same, "of": of, "way": decoder.way(rows)}
        bench.check(
            f"samples, {name}, {rows} side by side", same >= 0.9 * of, **about, differ=differ
        )


def _by_sample(tokens: Any) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for token in tokens:
        rows.setdefault(token.sample, []).append(token.id)
    return rows


def _text(bench: Bench) -> Path:
    text = bench.home / "agreement.txt"
    lines = "the quick brown fox jumps over the lazy dog\nand the dog is not amused\n"
    text.write_text(lines * 40, encoding="utf-8")
    return text


def _losses(folder: Path) -> list[float]:
    return [entry["loss"] for entry in read_metrics(folder) if "loss" in entry]


def _same_curve(bench: Bench) -> None:
    """A training on the device has the loss curve of the CPU, and its model opens on both."""
    settings = SAME | {"max_steps": 20 if bench.dry else 60}
    curves, last = [], None
    for device in ("cpu", bench.device):
        name = f"curve-{len(curves)}"
        _, last = train(bench, [_text(bench)], name, settings | {"device": device})
        curves.append(_losses(Path(last.folder)))
    error = max(abs(a - b) for a, b in zip(*curves, strict=True))
    bench.check("loss curve of a training", error < 2e-3, error=error, steps=settings["max_steps"])
    assert last is not None
    ids = np.arange(20) % 10
    both = [open_models([last.name], device=device).model for device in ("cpu", bench.device)]
    scores = [score_batch(model, [ids])[0] for model in both]
    error = float(np.abs(scores[0] - scores[1]).max())
    bench.check("a model folder moves from the device to the CPU", error < 1e-4, error=error)


def processes(bench: Bench) -> None:
    """Two processes train as one does: NCCL on two GPUs, where there are two, else gloo."""
    count = torch.cuda.device_count() if bench.device == "cuda" else 0
    device, backend = ("cuda", "nccl") if count >= 2 else ("cpu", "gloo")
    settings = SAME | {"max_steps": 20 if bench.dry else 60, "device": device}
    text = _text(bench)
    _, alone = train(bench, [text], "alone", settings)
    worker = [str(Path(__file__).with_name("gpu_worker.py")), str(text), "together"]
    words = [f"{key}={value}" for key, value in settings.items()]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    where = ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    own = {"CHARLM_HOME": str(bench.home), "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*start, *where, *worker, *words],
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        bench.check(f"two processes, {backend}", False, said=done.stderr[-2000:])
        return
    folders = [Path(alone.folder), Path(alone.folder).with_name("together")]
    curves = [_losses(folder) for folder in folders]
    error = max(abs(a - b) for a, b in zip(*curves, strict=True))
    bench.check(f"two processes as one, {backend}", error < 1e-4, error=error, device=device)


def memory(bench: Bench) -> None:
    """Too large a batch ends with one line that names what was tried and what to try."""
    from charlm.base.errors import TaskError

    sizes: dict[str, Any] = {"hidden_size": 64, "batch_size": 64, "bptt": 16, "max_steps": 2}
    if bench.device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        # by the plan just within the card, by what is truly needed beyond it
        held = torch.empty(max(0, free - (6 << 30)), dtype=torch.uint8, device="cuda")
        sizes = {"hidden_size": 1024, "batch_size": 8192, "bptt": 256, "max_steps": 2}
    else:
        held = torch.empty(0)
        sizes |= {"hidden_size": 65_536, "num_layers": 64}
    settings = {"precision": "float32", "preset": "fast", "num_layers": 1} | sizes
    text = bench.home / "memory.txt"
    text.write_text("abcdefgh\n" * (400_000 if bench.device == "cuda" else 4_000), encoding="utf-8")
    said = ""
    try:
        train(bench, [text], "memory", settings)
    except TaskError as error:
        said = str(error)
    del held
    told = "--batch-size" in said and "\n" not in said
    bench.check("too little memory is told in one line", told, said=said or "nothing: it fitted")
