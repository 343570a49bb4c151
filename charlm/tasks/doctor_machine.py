"""Facts of the machine: versions, processors, arithmetic, graphics cards."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import charlm
from charlm.engine.blas import cpu_count
from charlm.tasks.finding import Finding

# What charlm needs, and what only a part of it does.
NEEDED = ("numpy", "torch", "numba", "click", "rich", "sentencepiece", "plotext", "matplotlib")
OPTIONAL = {"jieba": "not installed: only to cut Chinese into words"}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def look_at_machine() -> Iterator[Finding]:
    """Yield what the machine is, and what is installed."""
    torch, torch_finding = _import_torch()
    yield from _versions(torch_finding)
    yield from _processors(torch)
    yield from _graphics(torch)


def _import_torch() -> tuple[ModuleType | None, Finding]:
    """Import torch if that can be done; whatever goes wrong in it is a finding, not an error."""
    begun = time.perf_counter()
    try:
        import torch
    except ModuleNotFoundError:
        remedy = "needed to train, not to use models: pip install torch"
        return None, Finding(topic="versions", name="torch", value="not installed", problem=remedy)
    except Exception as error:
        value = f"does not import: {type(error).__name__}: {error}"[:300]
        remedy = "needed to train, not to use models: install it again"
        return None, Finding(topic="versions", name="torch", value=value, problem=remedy)
    seconds = time.perf_counter() - begun
    value = f"{torch.__version__}, imported in {seconds:.1f} s (no query imports it)"
    return torch, Finding(topic="versions", name="torch", value=value)


def _versions(torch_finding: Finding) -> Iterator[Finding]:
    python = f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}"
    yield _of("versions", "charlm", charlm.__version__)
    yield _of("versions", "python", python)
    yield _of("versions", "system", platform.platform())
    for name in NEEDED:
        yield torch_finding if name == "torch" else _version(name)
    for name, lack in OPTIONAL.items():
        yield _of("versions", name, _installed(name) or lack)


def _version(name: str) -> Finding:
    found = _installed(name)
    if found:
        return _of("versions", name, found)
    remedy = f"charlm needs it: pip install {name}"
    return Finding(topic="versions", name=name, value="not installed", problem=remedy)


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processors(torch: Any) -> Iterator[Finding]:
    usable, there = cpu_count(), os.cpu_count() or 1
    cores = f"{usable}" if usable == there else f"{usable} of {there}"
    yield _of("processor", "name", _processor_name())
    yield _of("processor", "cores", f"{cores} usable")
    chosen = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    threads = f"{torch.get_num_threads()} in torch" if torch else "not asked"
    yield _of("processor", "threads", ", ".join([threads, *chosen]))
    yield _of("processor", "blas", _blas())
    yield _of("processor", "bfloat16", _bfloat16())


def _processor_name() -> str:
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _blas() -> str:
    import numpy as np

    try:
        config: Any = np.show_config(mode="dicts")
        found = config["Build Dependencies"]["blas"]
        return f"{found['name']} {found['version']} in NumPy"
    except (KeyError, TypeError, AttributeError):
        return "unknown"


def _bfloat16() -> str:
    """Return how this processor multiplies bfloat16 numbers."""
    flags = next((line.split() for line in _cpuinfo() if line.startswith("flags")), [])
    found = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags]
    if found:
        return f"in hardware ({', '.join(found)})"
    if platform.machine() in ("arm64", "aarch64"):
        features = next((line.split() for line in _cpuinfo() if line.startswith("Features")), [])
        return "in hardware (bf16)" if "bf16" in features else "unknown; training measures it"
    return "by software; training measures whether it pays"


def _graphics(torch: Any) -> Iterator[Finding]:
    try:
        yield from _cuda(torch)
    except Exception as error:  # a driver that does not fit says so in its own ways
        value = f"fails: {type(error).__name__}: {error}"[:300]
        remedy = "use --device cpu, or mend the driver"
        yield Finding(topic="cuda", name="devices", value=value, problem=remedy)


def _cuda(torch: Any) -> Iterator[Finding]:
    if torch is None or not torch.cuda.is_available():
        why = "torch is built without CUDA" if torch and not torch.version.cuda else "none found"
        yield _of("cuda", "devices", f"{why}; training runs on the CPU")
        return
    yield _of("cuda", "version", str(torch.version.cuda))
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        yield _of("cuda", f"device {number}", f"{about.name}, {about.total_memory / 1e9:.0f} GB")
    bf16 = "yes" if torch.cuda.is_bf16_supported() else "no"
    yield _of("cuda", "bfloat16", bf16)


def _of(topic: str, name: str, value: str) -> Finding:
    return Finding(topic=topic, name=name, value=value)
