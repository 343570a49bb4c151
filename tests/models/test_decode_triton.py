"""The kernels for decoding, run on the CPU: they equal the NumPy engine.

A stand-in in NumPy runs them everywhere; where Triton is, its own interpreter does too, in a
process of its own, since Triton decides at its import whether to interpret.
"""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import kernel_stand_in as stand_in
import numpy as np
import pytest
import torch

from charlm.base.errors import TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel as Engine
from charlm.generation.generate import generate
from charlm.generation.sampling import SamplingConfig
from charlm.models import decode_kernels
from charlm.models.cuda_decode import Decoder

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import ast
import sys
import numpy as np
import torch
from charlm.engine.config import LanguageModelConfig
from charlm.engine.language_model import LanguageModel as Engine
from charlm.generation.generate import generate
from charlm.generation.sampling import SamplingConfig
from charlm.models import decode_kernels
from charlm.models.cuda_decode import Decoder

torch.set_num_threads(1)
form, rows, settings, way = ast.literal_eval(sys.argv[1])
config = LanguageModelConfig(vocab_size=17, embedding_dim=12, hidden_size=20, **form)
rng = np.random.default_rng(0)
tensors = {
    name: (0.5 * rng.standard_normal(shape)).astype(np.float32)
    for name, shape in config.tensor_shapes().items()
}
decode_kernels.UNITS = 8
decode_kernels.CELL_UNITS = 16
engine, decoder = Engine(config, tensors), Decoder(config, tensors, torch.device("cpu"))
sampling = SamplingConfig(max_new_tokens=5, seed=5, num_samples=rows, **settings)
found = list(decoder.generate([1, 2], sampling, masked_ids=[4]))
wanted = list(generate(engine, [1, 2], sampling, masked_ids=[4]))
assert [(t.sample, t.id) for t in found] == [(t.sample, t.id) for t in wanted], (found, wanted)
log_probs = [t.log_prob for t in wanted]
np.testing.assert_allclose([t.log_prob for t in found], log_probs, atol=1e-5)
assert decoder.way(rows) == way, decoder.way(rows)
"""
FEW, MANY = "one operation at a time, a kernel a layer", "one operation at a time"


def triton_version():
    """Return the version of Triton as numbers; (0,) where there is none."""
    try:
        return tuple(map(int, importlib.metadata.version("triton").split(".")[:2]))
    except importlib.metadata.PackageNotFoundError:
        return (0,)


@pytest.mark.skipif(
    triton_version() < (3, 7),
    reason="needs Triton, whose interpreter cannot work with NumPy 2.4 before 3.7",
)
@pytest.mark.parametrize(
    ("form", "rows", "settings", "way"),
    [
        ({"num_layers": 2}, 1, {"temperature": 0.8}, FEW),
        ({"num_layers": 2, "skip": True}, 2, {"min_p": 0.1, "temperature": 0.5}, FEW),
        ({"num_layers": 2, "tie_weights": True}, 1, {"temperature": 0.0}, FEW),
        ({"num_layers": 2}, 9, {"temperature": 1.0}, MANY),
    ],
    ids=str,
)
def test_kernels_draw_what_the_engine_draws(form, rows, settings, way):
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, repr((form, rows, settings, way))],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


COMPILE = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from charlm.models import decode_triton
NUMBERS = ("hidden_stride", "cell_stride", "size", "state_stride", "source_stride", "width", "rows",
           "ring", "vocab")
TYPES = {"ids": "*i64", "cell": "*fp32", "given": "*fp32", "bias": "*fp32", "log_probs": "*fp32",
         "mask": "*u8", **dict.fromkeys(("settings", "uniforms"), "*fp64"),
         **dict.fromkeys(("fed", "slots"), "*i64"), **dict.fromkeys(NUMBERS, "i32")}
FORMS = [
    ("lstm_cell", {"by_id": True, "block": 256}, 4),
    ("lstm_few", {"has_below": True, "by_id": False, "units": 4, "step": 512}, 8),
    ("linear_few", {"has_bias": True, "units": 4, "step": 512}, 4),
    ("draw", {"has_mask": True, "greedy": False, "block": 128}, 1),
    ("draw", {"has_mask": False, "greedy": True, "block": 8192}, 8),
]
for name, sizes, warps in FORMS:
    kernel = getattr(decode_triton, name)
    for dtype in ("*fp32", "*fp16"):
        kinds = TYPES | ({"ids": "*i32", "logits": "*fp32"} if name == "draw" else {})
        signature = {one: "constexpr" if one in sizes else kinds.get(one, dtype)
                     for one in kernel.arg_names}
        aligned = {(place,): [["tt.divisibility", 16]] for place, one in enumerate(kernel.arg_names)
                   if signature[one][0] == "*" or one in NUMBERS}
        source = ASTSource(kernel, signature, sizes, aligned)
        target = GPUTarget("cuda", int(sys.argv[1]), 32)
        print(name, triton.compile(source, target, {"num_warps": warps}).metadata.shared)
"""


@pytest.mark.skipif(triton_version() == (0,), reason="Triton comes with PyTorch for CUDA")
@pytest.mark.parametrize("architecture", [75, 90])
def test_triton_makes_the_kernels_for_gpus_that_are_not_here(architecture):
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMPILE, str(architecture)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 10


@pytest.fixture
def kernels(monkeypatch):
    """Run the kernels by the stand-in, in pieces that do not fit the sizes."""
    monkeypatch.setattr(decode_kernels, "UNITS", 8)
    monkeypatch.setattr(decode_kernels, "COLUMNS", 16)
    monkeypatch.setattr(decode_kernels, "CELL_UNITS", 16)
    return stand_in.put_in(monkeypatch)


def made(**form):
    sizes = {"vocab_size": 17, "embedding_dim": 12, "hidden_size": 20}
    config = LanguageModelConfig(**sizes | form)
    rng = np.random.default_rng(0)
    shapes = config.tensor_shapes().items()
    return config, {n: (0.5 * rng.standard_normal(s)).astype(np.float32) for n, s in shapes}


FORMS = [
    {},
    {"num_layers": 2},
    {"num_layers": 3, "skip": True},
    {"num_layers": 2, "tie_weights": True},
    {"skip": True, "num_layers": 2, "tie_weights": True},
]
SETTINGS = [
    {"temperature": 0.0},
    {"temperature": 1.0},
    {"temperature": 0.5, "min_p": 0.1},
    {"top_k": 4},
    {"repetition_penalty": 1.4, "repetition_window": 5},
]


@pytest.mark.parametrize(
    ("form", "settings"),
    [(FORMS[1], settings) for settings in SETTINGS] + [(form, SETTINGS[2]) for form in FORMS],
    ids=str,
)
def test_the_stand_in_draws_what_the_engine_draws(kernels, form, settings):
    config, tensors = made(**form)
    engine, decoder = Engine(config, tensors), Decoder(config, tensors, torch.device("cpu"))
    for rows, way in ((1, FEW), (3, FEW), (9, MANY)):
        sampling = SamplingConfig(max_new_tokens=9, seed=5, num_samples=rows, **settings)
        found = list(decoder.generate([1, 2], sampling, masked_ids=[4]))
        wanted = list(generate(engine, [1, 2], sampling, masked_ids=[4]))
        assert [(t.sample, t.id) for t in found] == [(t.sample, t.id) for t in wanted]
        log_probs = [token.log_prob for token in wanted]
        np.testing.assert_allclose([t.log_prob for t in found], log_probs, atol=1e-5)
        assert decoder.way(rows) == way


def test_half_precision_stays_close(kernels):
    config, tensors = made(num_layers=2)
    decoder = Decoder(config, tensors, torch.device("cpu"), precision="float16")
    engine = Engine(config, tensors)
    sampling = SamplingConfig(max_new_tokens=6, temperature=0.0)
    found = [token.log_prob for token in decoder.generate([1], sampling)]
    wanted = [token.log_prob for token in generate(engine, [1], sampling)]
    np.testing.assert_allclose(found, wanted, atol=0.05)


@pytest.mark.parametrize(
    ("value", "masked", "message"),
    [
        (np.nan, [], "the model gave a probability that is no number; its weights are damaged"),
        (np.inf, [], "the model gave a probability that is no number; its weights are damaged"),
        (0.0, range(17), "every token is masked: nothing is left to draw from"),
    ],
)
def test_what_cannot_be_drawn_is_told(kernels, value, masked, message):
    config, tensors = made()
    tensors["output.bias"][3] = value
    decoder = Decoder(config, tensors, torch.device("cpu"))
    for temperature in (0.0, 1.0):
        sampling = SamplingConfig(max_new_tokens=3, seed=0, temperature=temperature)
        with pytest.raises(TaskError) as told:
            list(decoder.generate([], sampling, masked_ids=list(masked)))
        assert str(told.value) == message


def test_kernels_that_give_something_else_are_not_used(kernels, monkeypatch):
    row = torch.arange(16.0)[None]
    assert decode_kernels._runs(row.device)
    monkeypatch.setattr(decode_kernels, "linear_few", lambda *arguments: None)
    monkeypatch.setattr(torch, "empty_like", torch.zeros_like)
    assert not decode_kernels._runs(row.device)


def test_a_gpu_on_which_triton_fails_goes_on_without(monkeypatch, caplog):
    def fail(device):
        raise RuntimeError("Failed to find C compiler")

    monkeypatch.setattr(decode_kernels, "_runs", fail)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    decode_kernels.is_there.cache_clear()
    try:
        with caplog.at_level("INFO"):
            assert not decode_kernels.is_there(torch.device("cuda"))
    finally:
        decode_kernels.is_there.cache_clear()
    assert caplog.messages == ["decoding without kernels of our own: Failed to find C compiler"]
    assert not decode_kernels.is_there(torch.device("cpu"))
