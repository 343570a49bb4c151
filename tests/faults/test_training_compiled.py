"""Fault 1 on the first run after an installation: the process that is killed has compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from charlm.store.checkpoint import read_metrics

ROOT = Path(__file__).parent.parent.parent


def test_fault_01_kernels_loaded_from_disk_count_as_those_just_compiled(home_of_cats):
    """Whoever is resumed has compiled its kernels; who resumes it finds them on disk."""
    folders = [home_of_cats / "checkpoints" / name for name in ("compiles", "loads")]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "NUMBA_CACHE_DIR": str(home_of_cats / "compiled"),
    }
    sizes = ("--hidden-size", "64", "--batch-size", "8", "--bptt", "16", "--threads", "1")
    for folder in folders:
        argv = ("train", "cats.txt", "-o", folder.name, *sizes, "--max-steps", "30", "--quiet")
        subprocess.run(
            [sys.executable, "-m", "charlm", *argv, "--precision", "bfloat16", "--json"],
            cwd=home_of_cats,
            env=environment,
            check=True,
            capture_output=True,
        )
    assert any((home_of_cats / "compiled").rglob("*.nbi"))
    compiled, loaded = (
        [
            (r["step"], r["loss"], r["grad_norm"])
            for r in read_metrics(folder)
            if r["kind"] == "step"
        ]
        for folder in folders
    )
    assert len(compiled) == 3
    assert loaded == compiled
