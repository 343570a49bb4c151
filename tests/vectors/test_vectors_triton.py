"""The kernels for GPUs by Triton itself, where it is installed; none of this needs a GPU."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
IS_THERE = importlib.util.find_spec("triton") is not None
VERSION = importlib.metadata.version("triton") if IS_THERE else "0.0"
pytestmark = pytest.mark.skipif(not IS_THERE, reason="Triton comes with PyTorch for CUDA")
TRAIN = """
import dataclasses, sys
import numpy as np, torch
from vectors.conftest import stream_of, two_topics
from vectors.test_vectors_programs import SETTINGS
if sys.argv[2] == "numpy":
    from vectors import triton_stand_in as stand_in
    sys.modules["triton"] = stand_in.TRITON
    sys.modules["triton.language"] = stand_in.LANGUAGE
from charlm.vectors.cuda_programs import ProgramTrainer
stream, _ = stream_of([line.split() for line in two_topics(5).splitlines()])
settings = dataclasses.replace(SETTINGS, method=sys.argv[1], window=2)
trainer = ProgramTrainer(stream, settings, torch.device("cpu"))
trainer.c[:, :12] = torch.linspace(-1, 1, trainer.c[:, :12].numel()).view(-1, 12)
loss = [progress.loss for progress in trainer.run(1)]
np.savez(sys.argv[3], w=trainer.w.numpy(), c=trainer.c.numpy(), loss=loss)
"""
COMPILE = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from charlm.vectors import cuda_kernels
kinds = {"num_words": "i32", "window": "i32", "first_rate": "fp32", "last_rate": "fp32",
         "seed": "i64", **dict.fromkeys(("vectors", "contexts", "told"), "*fp32")}
sizes = {"stride": 112, "num_columns": 128, "num_outs": 6, "num_slots": 8}
for kernel in (cuda_kernels.skipgram, cuda_kernels.cbow):
    signature = {name: "constexpr" if name in sizes else kinds.get(name, "*i32")
                 for name in kernel.arg_names}
    aligned = {(place,): [["tt.divisibility", 16]] for place, name in enumerate(kernel.arg_names)
               if signature[name][0] == "*"}
    source = ASTSource(kernel, signature, sizes, aligned)
    built = triton.compile(source, GPUTarget("cuda", int(sys.argv[1]), 32), {"num_warps": 1})
    code = built.asm["ptx"]
    print(code.count("ld.global.cg.v4"), code.count("red.global") + code.count("atom.global"))
"""


def run(program, *arguments, **environment):
    paths = [str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(
    tuple(map(int, VERSION.split(".")[:2])) < (3, 7),
    reason="older interpreters cannot work with NumPy 2.4",
)
@pytest.mark.parametrize("method", ["sgns", "cbow"])
def test_what_stands_for_triton_in_other_tests_does_the_same(method, tmp_path):
    run(TRAIN, method, "triton", tmp_path / "a.npz", TRITON_INTERPRET="1")
    run(TRAIN, method, "numpy", tmp_path / "b.npz")
    with np.load(tmp_path / "a.npz") as theirs, np.load(tmp_path / "b.npz") as ours:
        for name in ("w", "c", "loss"):
            np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("architecture", [80, 90])
def test_kernels_compile_for_gpus(architecture, tmp_path):
    """Rows are read past the first cache, four numbers at a time."""
    found = run(COMPILE, architecture, TRITON_CACHE_DIR=str(tmp_path))
    assert len(found.splitlines()) == 2
    for line in found.splitlines():
        reads, additions = map(int, line.split())
        assert reads >= 9
        assert additions >= 9
