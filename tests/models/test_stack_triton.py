"""The kernels of `stack`, run on the CPU: they do what PyTorch's operations do.

A stand-in in NumPy runs them everywhere; where Triton is, its own interpreter does too, and its
compiler makes them for GPUs that need not be there.
"""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import kernel_stand_in as stand_in
import pytest
import torch

from charlm.models import stack_steps

ROOT = Path(__file__).resolve().parents[2]
IS_THERE = importlib.util.find_spec("triton") is not None
VERSION = importlib.metadata.version("triton") if IS_THERE else "0.0"
SIZES = [(3, 20, True), (17, 24, False), (1, 16, True), (40, 5, False)]
PROGRAM = """
from test_stack_triton import SIZES, compare
from charlm.models import stack_steps
stack_steps.STEP = 16
for sizes in SIZES:
    compare(*sizes)
"""
COMPILE = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from charlm.models import stack_triton
from charlm.models.stack_steps import STAGES, STEP, tile
held = {"ids": "*i64", "cells": "*fp32", "carried": "*fp32",
        **dict.fromkeys(("t", "rows", "size"), "i32")}
for kernel, gates in ((stack_triton.forward, 4), (stack_triton.backward, 1)):
    for rows, size in ((64, 512), (64, 1024), (512, 1024)):
        num_rows, num_units = tile(rows, size, gates, 132)
        sizes = {"num_rows": num_rows, "num_units": num_units, "step": STEP}
        if gates == 4:
            sizes["by_id"] = True
        signature = {name: "constexpr" if name in sizes else held.get(name, "*fp16")
                     for name in kernel.arg_names}
        whole = [place for place, name in enumerate(kernel.arg_names)
                 if signature[name][0] == "*" or name == "size"]
        aligned = {(place,): [["tt.divisibility", 16]] for place in whole}
        source = ASTSource(kernel, signature, sizes, aligned)
        target = GPUTarget("cuda", int(sys.argv[1]), 32)
        built = triton.compile(source, target, {"num_warps": 4, "num_stages": STAGES})
        code = built.asm["ptx"]
        products = code.count("mma.sync") + code.count("wgmma.mma")
        print(built.metadata.shared, products, code.count("cp.async.cg"))
"""


def tensors(rows, size, dtype, steps=2):
    draw = torch.Generator().manual_seed(1)

    def normal(*shape):
        return torch.randn(*shape, generator=draw)

    states, cells = normal(steps + 1, rows, size).to(dtype), normal(steps + 1, rows, size)
    return normal, states, cells, torch.zeros(steps, rows, 4 * size, dtype=dtype)


def compare(rows, size, by_id):
    """Do two steps forwards and back by kernels and by PyTorch's operations."""
    for dtype, near in ((torch.float16, 2e-3), (torch.float32, 1e-5)):
        normal, *_ = tensors(rows, size, dtype)
        weight = 0.3 * normal(4 * size, size).to(dtype)
        given = normal(*((5,) if by_id else (2, rows)), 4 * size).to(dtype)
        ids = torch.arange(2 * rows).view(2, rows) % 5 if by_id else None
        ways = stack_steps._Kernels(4), stack_steps._Plain()
        found = []
        for way in ways:
            _, states, cells, gates = tensors(rows, size, dtype)
            for t in (0, 1):
                way.forward(weight, given, ids, states, cells, gates, t)
            found.append((states, cells, gates))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, rtol=near, atol=near)
        above, turned = normal(2, rows, size).to(dtype), weight.t().contiguous()
        _, cells, gates = found[1]
        gradients = []
        for way in ways:
            changes = 0.1 * torch.ones(3, rows, 4 * size, dtype=dtype)
            carried = 0.1 * torch.ones(rows, size)
            for t in (1, 0):
                way.backward(turned, above, cells, gates, changes, carried, t)
            gradients.append((changes, carried))
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=near, atol=near)


@pytest.mark.parametrize(("rows", "size", "by_id"), SIZES)
def test_steps_by_kernels_are_those_by_operations(monkeypatch, rows, size, by_id):
    stand_in.put_in(monkeypatch, "stack_triton")
    monkeypatch.setattr(stack_steps, "STEP", 16)
    compare(rows, size, by_id)


def run(program, *arguments, **environment):
    paths = [str(ROOT), str(Path(__file__).parent), *filter(None, sys.path)]
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(
    tuple(map(int, VERSION.split(".")[:2])) < (3, 7),
    reason="needs Triton, whose interpreter cannot work with NumPy 2.4 before 3.7",
)
def test_triton_interprets_them_so():
    done = run(PROGRAM, TRITON_INTERPRET="1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not IS_THERE, reason="Triton comes with PyTorch for CUDA")
@pytest.mark.parametrize(("architecture", "memory"), [(86, 99 * 1024), (90, 227 * 1024)])
def test_triton_makes_them_with_tensor_cores_and_copies_ahead(architecture, memory):
    done = run(COMPILE, architecture)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        shared, products, copies = map(int, line.split())
        assert shared <= memory  # that a program of such a GPU can have
        assert products
        assert copies
