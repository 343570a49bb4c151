"""Run README.md: its `console` blocks in a shell, its `python` blocks as doctests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parent
# Triton comes with PyTorch for CUDA; the files that are written in it have no examples.
collect_ignore = [
    "charlm/models/decode_triton.py",
    "charlm/models/stack_triton.py",
    "charlm/vectors/cuda_kernels.py",
]


def run_console(example: Example) -> None:
    """Run each `$ command` of a block and compare what it prints; `...` stands for any text."""
    for command, expected in _commands(example.parsed):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=_folder(example),
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            check=False,
            timeout=300,
        )
        pattern = ".*".join(re.escape(part) for part in expected.rstrip().split("..."))
        assert re.fullmatch(pattern, done.stdout.rstrip(), re.DOTALL), (
            f"$ {command}\nprinted:\n{done.stdout}\nexpected:\n{expected}"
        )


def _commands(block: str) -> list[tuple[str, str]]:
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def _folder(example: Example) -> str:
    """Return an empty folder that all blocks of a document share."""
    if "folder" not in example.namespace:
        import tempfile

        example.namespace["folder"] = tempfile.mkdtemp(prefix="readme-")
    return str(example.namespace["folder"])


def _environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    plain = {"NO_COLOR": "1", "COLUMNS": "80", "PYTHONPATH": str(ROOT), "PATH": path}
    return {k: v for k, v in os.environ.items() if k != "CHARLM_HOME"} | plain


pytest_collect_file = Sybil(
    parsers=[CodeBlockParser("console", run_console), PythonCodeBlockParser()],
    patterns=["README.md"],
    exclude="charlm/bundled/*/README.md",  # the cards of bundled models
).pytest()
