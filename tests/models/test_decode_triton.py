"""The kernels for decoding, run by Triton's interpreter on the CPU: they equal the NumPy engine.

In a process of its own, since Triton decides at its import whether to interpret.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton comes with PyTorch for CUDA only"
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
