"""Parts of `gpu.py` that learn a text for some minutes and are judged on its held-out part."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_report import Bench, train

from charlm.engine.dynamic import DynamicSettings
from charlm.models.cuda_decode import Decoder
from charlm.tasks.evaluate import evaluate_model
from charlm.tasks.load import OpenModel, model_config
from charlm.tasks.mixture import open_models
from charlm.tasks.scoring import score_batch
from charlm.tasks.train_events import TrainResult

DROPOUTS = ("dropout", "input_dropout", "layer_dropout", "embedding_dropout", "weight_drop")
SHAKESPEARE: dict[str, Any] = {
    "seconds": 180.0,
    "num_layers": 3,
    "hidden_size": 512,
    "embedding_dim": 128,
    "skip": True,
    "dropout": 0.4,
    "input_dropout": 0.1,
    "layer_dropout": 0.3,
    "weight_drop": 0.3,
    "learning_rate": 2e-3,
    "weight_decay": 0.03,
    "max_grad_norm": 1.0,
    "batch_size": 64,
    "bptt": 128,
    "valid_fraction": 0.1,
}
PTB: dict[str, Any] = {
    "seconds": 600.0,
    "tokenizer": "whitespace",
    "num_layers": 3,
    "hidden_size": 1024,
    "embedding_dim": 512,
    "tie_weights": True,
    "dropout": 0.4,
    "input_dropout": 0.4,
    "layer_dropout": 0.25,
    "embedding_dropout": 0.1,
    "weight_drop": 0.5,
    "learning_rate": 2e-3,
    "max_grad_norm": 0.25,
    "batch_size": 64,
    "bptt": 70,
}
WIKI8: dict[str, Any] = {
    "seconds": 600.0,
    "num_layers": 3,
    "hidden_size": 1024,
    "embedding_dim": 128,
    "skip": True,
    "dropout": 0.1,
    "layer_dropout": 0.05,
    "learning_rate": 2e-3,
    "max_grad_norm": 0.5,
    "batch_size": 128,
    "bptt": 200,
}
WIKI8_PARTS = (90_000_000, 95_000_000, 100_000_000)  # ends of train, valid, test
LOOK = 500_000  # characters of wiki8's valid part that a run looks at
DYNAMIC_CHARS = 1_000_000  # of wiki8's test part, where learning goes on
COLD = 256  # nanoGPT's windows, each read from nothing


def shakespeare(bench: Bench) -> None:
    """Three minutes of tiny-shakespeare, on nanoGPT's split: the last tenth is held out."""
    text = bench.text("tinyshakespeare/input.txt")
    if text is None:
        return
    result = _learn(bench, [text], SHAKESPEARE)
    if result is None:
        return
    part = result.valid
    assert part is not None
    about = _about(result)
    bench.figure("static", part.nats_per_token, "nats a character", bar=1.39, **about)
    whole = text.read_text(encoding="utf-8")
    held_out = bench.home / "shakespeare.valid.txt"
    held_out.write_text(whole[-part.chars :], encoding="utf-8")
    opened = _open(bench, result.name)
    cold = _cold(opened, whole[-part.chars :])
    bench.figure("static, windows of 256 read from nothing", cold, "nats a character")
    begin = bench.home / "shakespeare.begin.txt"
    begin.write_text(whole[: min(part.chars, 60_000)], encoding="utf-8")
    _dynamic(bench, opened, held_out, begin, "nats_per_token", "nats a character")


def ptb(bench: Bench) -> None:
    """Ten minutes of the Penn Treebank's words."""
    files = [bench.text(f"ptb/ptb.{name}.txt") for name in ("train", "valid", "test")]
    there = [file for file in files if file is not None]
    if len(there) < len(files):
        return
    train_text, valid, test = there
    held_out = {"valid": str(valid), "test": str(test)}
    result = _learn(bench, [train_text], PTB | held_out)
    if result is None:
        return
    assert result.valid is not None
    assert result.test is not None
    about = _about(result)
    bench.figure("static, valid", result.valid.perplexity, "perplexity", **about)
    bench.figure("static, test", result.test.perplexity, "perplexity", bar=59.0, **about)
    opened = _open(bench, result.name)
    _dynamic(bench, opened, test, valid, "perplexity", "perplexity", bar=52.0)


def wiki8(bench: Bench) -> None:
    """Ten minutes of wiki8's characters: 90 million to train on, five million to test."""
    text = bench.text("wiki8/wiki8")
    if text is None:
        return
    parts = _parts_of(bench, text)
    held_out = {"valid": str(parts["look"]), "test": str(parts["test"])}
    result = _learn(bench, [parts["train"]], WIKI8 | held_out)
    if result is None:
        return
    assert result.test is not None
    bench.figure("static, test", result.test.bits_per_char, "bits a character", **_about(result))
    opened = _open(bench, result.name)
    _dynamic(bench, opened, parts["test_begin"], parts["look"], "bits_per_char", "bits a character")


def _learn(bench: Bench, specs: list[Path], defaults: dict[str, Any]) -> TrainResult | None:
    """Train for the stated time; None, said, where the limit came before."""
    settings = bench.settings(defaults)
    seconds = float(settings.pop("seconds"))
    if bench.dry:
        settings |= {name: min(0.1, settings.get(name) or 0.0) for name in DROPOUTS}
    else:
        settings["max_time"] = f"{seconds:.0f}s"
    _, result = train(bench, specs, bench.part, settings)
    if result.interrupted:
        done = f"{result.duration_seconds:.0f} of {seconds:.0f} s are trained"
        bench.skip(bench.part, f"{done}; --resume with the same --home goes on")
        return None
    return result


def _open(bench: Bench, name: str) -> OpenModel:
    """Open a model on the device; a dry run goes the device's ways on the CPU."""
    opened = open_models([name], device=bench.device)
    if bench.device == "cuda":
        return opened
    config = model_config(opened.stored)
    tensors = opened.stored.tensors(config.tensor_shapes())
    return dataclasses.replace(opened, model=Decoder(config, tensors, torch.device("cpu")))


def _about(result: TrainResult) -> dict[str, Any]:
    return {
        "seconds": result.duration_seconds,
        "epochs": result.epochs,
        "steps": result.steps,
        "tokens a second": result.tokens_per_second,
        "parameters": result.parameters,
        "device": result.device,
    }


def _dynamic(
    bench: Bench,
    opened: OpenModel,
    text: Path,
    tune: Path,
    key: str,
    unit: str,
    **about: Any,
) -> None:
    """Tell the figure of a model that goes on learning; its settings are found on `tune`."""
    start = time.perf_counter()
    found = evaluate_model(opened, [str(text)], dynamic=DynamicSettings(), tune=str(tune))
    assert found.dynamic is not None
    taken = {"seconds": time.perf_counter() - start} | found.dynamic.settings
    static = getattr(found, key)
    about = about | {"static on the same tokens": static, "tokens": found.tokens}
    bench.figure("dynamic", getattr(found.dynamic, key), unit, **about, **taken)


def _cold(opened: OpenModel, text: str) -> float:
    """Return nats a token over windows that are each read from nothing."""
    ids = opened.tokenizer.encode(text)
    windows = [ids[start : start + COLD] for start in range(0, len(ids), COLD)]
    return -float(np.concatenate(score_batch(opened.model, windows)).mean())


def _parts_of(bench: Bench, text: Path) -> dict[str, Path]:
    """Write the parts of wiki8 to files, once."""
    ends = WIKI8_PARTS
    if bench.dry:
        size = text.stat().st_size
        ends = (size * 9 // 10, size * 95 // 100, size)
    look, begin = min(LOOK, ends[1] - ends[0]), min(DYNAMIC_CHARS, ends[2] - ends[1])
    spans = {
        "train": (0, ends[0]),
        "look": (ends[0], ends[0] + look),
        "test": (ends[1], ends[2]),
        "test_begin": (ends[1], ends[1] + begin),
    }
    whole: bytes | None = None
    found = {}
    for name, (start, end) in spans.items():
        found[name] = bench.home / f"wiki8.{name}.txt"
        if not found[name].is_file():
            whole = whole or text.read_bytes()
            found[name].write_bytes(whole[start:end])
    return found
