"""What the parts of `gpu.py` share: where things are, and how a figure is told."""

from __future__ import annotations

import dataclasses
import gc
import json
import lzma
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import torch

from charlm.tasks.train import train_language_model
from charlm.tasks.train_events import HeldOut, StepRecord, TrainResult
from charlm.training.config import TrainConfig

# Models of a dry run: every path, nothing learnt.
TOY = {"hidden_size": 16, "embedding_dim": 8, "batch_size": 4, "bptt": 8, "max_steps": 22}
TOY_WORDS = ("the", "a", "dog", "cat", "sat", "ran", "on", "under", "mat", "and", "saw", "it")
SETTINGS_OF_TIME = ("max_time", "max_steps", "epochs")


@dataclasses.dataclass
class Bench:
    """One call of `gpu.py`.

    Attributes:
        data: the folder of data sets; None in a dry run, which makes up its texts.
        home: where models and unpacked texts go.
        changed: settings of a part from `--set PART.NAME=VALUE`.
        limit: seconds after which a training stops, to go on in a later call; None for never.
        resume: go on with the trainings that were stopped.
    """

    data: Path | None
    home: Path
    dry: bool
    device: str
    as_json: bool = False
    limit: float | None = None
    resume: bool = False
    changed: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    part: str = ""
    failed: list[str] = dataclasses.field(default_factory=list)
    begun: float = 0.0

    def begin(self, part: str) -> None:
        """Say which part comes."""
        self.part, self.begun = part, time.monotonic()
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()  # what the parts before held
        if not self.as_json:
            print(f"\n== {part} ==", flush=True)

    def figure(self, name: str, value: float, unit: str, **about: Any) -> None:
        """Tell one figure."""
        self._tell({"figure": name, "value": value, "unit": unit, **about})

    def check(self, name: str, holds: bool, **about: Any) -> None:
        """Tell whether something is as it must be."""
        if not holds:
            self.failed.append(f"{self.part}: {name}")
        self._tell({"check": name, "holds": bool(holds), **about})

    def skip(self, name: str, why: str) -> None:
        """Tell what was not measured."""
        self._tell({"not measured": name, "why": why})

    def _tell(self, record: dict[str, Any]) -> None:
        if self.as_json:
            print(json.dumps({"part": self.part, **record}), flush=True)
            return
        words = [f"{key} {_shown(value)}" for key, value in record.items() if key != "figure"]
        if "figure" in record:
            words = [str(record["figure"]), _shown(record["value"]), str(record["unit"])]
            rest = {k: v for k, v in record.items() if k not in ("figure", "value", "unit")}
            words.append("  ".join(f"{key} {_shown(value)}" for key, value in rest.items()))
        print("  ".join(words), flush=True)

    def is_late(self) -> bool:
        """Return whether the part has taken all the time that it may."""
        return self.limit is not None and time.monotonic() - self.begun > self.limit

    def settings(self, defaults: dict[str, Any]) -> dict[str, Any]:
        """Return a part's settings, in a dry run those of a toy."""
        merged = defaults | self.changed.get(self.part, {})
        if self.dry:
            merged = {k: v for k, v in merged.items() if k not in SETTINGS_OF_TIME} | TOY
        return merged

    def text(self, name: str) -> Path | None:
        """Return a file of the data folder, unpacked; None, said, if it is not there."""
        if self.data is None:
            return self._toy(name)
        path = self.data / name
        if path.is_file():
            return path.resolve()
        packed = path.with_name(path.name + ".xz")
        if not packed.is_file():
            self.skip(name, f"{path} is not there")
            return None
        unpacked = self.home / name.replace("/", "-")
        if not unpacked.is_file():
            with lzma.open(packed, "rb") as source, unpacked.open("wb") as target:
                while block := source.read(1 << 22):
                    target.write(block)
        return unpacked

    def _toy(self, name: str) -> Path:
        path = self.home / name.replace("/", "-")
        if not path.is_file():
            words = random.Random(name)
            lines = [" ".join(words.choices(TOY_WORDS, k=8)) for _ in range(150)]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def _shown(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return (
            f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
        )
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def train(
    bench: Bench, specs: list[Path], name: str, settings: dict[str, Any], *, anew: bool = False
) -> tuple[list[StepRecord], TrainResult]:
    """Train a language model as `charlm train lm` does, without its command line.

    With `anew` nothing of an earlier call is gone on with, as without `--resume`. Where the part is
    late it is interrupted, as by SIGTERM, and saved.
    """
    os.environ["CHARLM_HOME"] = str(bench.home)
    config = TrainConfig(**{"device": bench.device} | settings)
    records, result, told = [], None, False
    folder = bench.home / "checkpoints" / name
    begun = bench.resume and not anew and (folder / "resume").is_dir()
    report = json.loads((folder / "training.json").read_text()) if begun else {}
    if report.get("finished"):
        return records, _finished(folder, report)
    how = {"resume": True} if begun else {"overwrite": True}
    events = train_language_model([str(spec) for spec in specs], config, name=name, **how)
    for event in events:
        if isinstance(event, StepRecord):
            records.append(event)
            if bench.is_late() and not told:
                told = True
                os.kill(os.getpid(), signal.SIGTERM)
        elif isinstance(event, TrainResult):
            result = event
    if result is None:
        raise RuntimeError("the training ended without a result")
    return records, result


def _finished(folder: Path, report: dict[str, Any]) -> TrainResult:
    """Return the result of a training that an earlier call brought to its end."""
    seconds, tokens = report["duration_seconds"], report["epochs"] * report["tokens"]
    facts = {key: report[key] for key in ("parameters", "steps", "epochs", "device")}
    held_out = {key: report[key] and HeldOut(**report[key]) for key in ("valid", "test")}
    return TrainResult(
        name=folder.name,
        kind="lm",
        folder=str(folder),
        duration_seconds=seconds,
        tokens_per_second=tokens / seconds,
        interrupted=False,
        **facts,
        **held_out,
    )


def steady_rate(records: list[StepRecord], tokens_per_step: int) -> float:
    """Return tokens a second over the later half of a run: no warm-up, no measuring."""
    half = records[len(records) // 2 :] if len(records) > 3 else records
    first, last = half[0], half[-1]
    if last.step == first.step:
        return last.tokens_per_second
    seconds = last.elapsed_seconds - first.elapsed_seconds
    return (last.step - first.step) * tokens_per_step / max(seconds, 1e-9)
