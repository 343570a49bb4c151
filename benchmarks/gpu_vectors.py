"""The part of `gpu.py` that trains word vectors: words a second, and quality beside the CPU's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gpu_report import Bench

from charlm.tasks.train_events import TrainResult, VectorStep
from charlm.tasks.train_vectors import train_vectors
from charlm.tasks.train_vectors_config import VectorsTrainConfig
from charlm.tasks.vectors_evaluate import evaluate_vectors
from charlm.tasks.vectors_open import open_space

QUESTIONS = (
    "analogy-en/questions-words.txt",
    "similarity-en/EN-WS-353-ALL.txt",
    "similarity-en/EN-SIMLEX-999.txt",
    "similarity-en/EN-RW-STANFORD.txt",
)


def vectors(bench: Bench) -> None:
    """SGNS of 100 numbers on wiki8: the device beside the CPU, same settings, same questions."""
    text = bench.text("wiki8/wiki8")
    if text is None:
        return
    settings: dict[str, Any] = {"dim": 100, "epochs": 5, "min_count": 5}
    settings |= bench.changed.get("vectors", {})
    if bench.dry:
        settings |= {"dim": 8, "epochs": 1, "min_count": 1}
    rates = {}
    for device in dict.fromkeys((bench.device, "cpu")):
        rates[device] = _train(bench, text, device, settings)
        if not bench.dry:
            _judge(bench, device)
    if len(rates) == 2:
        times = rates["cuda"] / rates["cpu"]
        bench.figure("SGNS, times the CPU", times, "times", threads=os.cpu_count())


def _train(bench: Bench, text: Path, device: str, settings: dict[str, Any]) -> float:
    os.environ["CHARLM_HOME"] = str(bench.home)
    config = VectorsTrainConfig(**settings | {"device": device})
    steps, result = [], None
    for event in train_vectors([str(text)], config, name=f"vectors-{device}", overwrite=True):
        if isinstance(event, VectorStep):
            steps.append(event)
        elif isinstance(event, TrainResult):
            result = event
    assert result is not None
    rate = result.tokens_per_second
    steady = max((step.words_per_second for step in steps), default=rate)
    bench.figure(
        f"SGNS on {device}",
        rate,
        "words a second",
        **({"bar": 20e6} if device == "cuda" else {}),
        best_seen=steady,
        seconds=result.duration_seconds,
        **settings,
    )
    return rate


def _judge(bench: Bench, device: str) -> None:
    opened = open_space(f"vectors-{device}")
    for name in QUESTIONS:
        path = bench.text(name)
        if path is None:
            continue
        found = evaluate_vectors(opened, str(path))
        unit = "of analogies" if found.similarity_spearman is None else "Spearman"
        value = found.similarity_spearman
        value = found.analogy_accuracy if value is None else value
        about = {"covered": found.covered, "of": found.total}
        bench.figure(f"{Path(name).name} on {device}", float(value or 0.0), unit, **about)
