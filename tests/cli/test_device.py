"""`--device`: where commands compute, and that a CPU is never kept waiting for PyTorch."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from charlm.cli import mixing
from charlm.tasks import device as devices

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ("sample", "-m", "tiny", "the", "-n", "60", "--seed", "3")


@pytest.fixture
def pretended(monkeypatch):
    """Let the CPU stand for a GPU; return the list of what was asked for."""
    asked = []

    def choose(name):
        asked.append(name)
        return torch.device("cpu")

    monkeypatch.setattr("charlm.models.runtime.choose_device", choose)
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    return asked


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--num-samples", "3"),
        ("--json", "--num-samples", "2", "--stop", "e"),
        ("--temperature", "0"),
        ("--beam-size", "3"),
    ],
)
def test_a_gpu_writes_the_text_of_the_cpu(charlm, tiny, pretended, more):
    wanted = charlm(*SAMPLE, "--device", "cpu", *more)
    assert pretended == []
    found = charlm(*SAMPLE, "--device", "cuda", *more)
    assert pretended == ["cuda"]
    assert found[0] == 0
    if "--json" in more:  # the log-probabilities differ in their last digits
        cut = '"log_prob"'
        assert [line.split(cut)[0] for line in found[1].splitlines()] == [
            line.split(cut)[0] for line in wanted[1].splitlines()
        ]
    else:
        assert found == wanted


def test_auto_asks_a_gpu_only_for_what_takes_a_cpu_long(charlm, tiny, pretended, monkeypatch):
    first = charlm(*SAMPLE)
    assert pretended == []
    monkeypatch.setattr(devices, "WORTH_DRAWING", 60.0)
    assert charlm(*SAMPLE) == first
    assert pretended == ["cuda"]


def test_a_gpu_that_is_not_there_is_told(charlm, tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, out, err = charlm(*SAMPLE, "--device", "cuda")
    message = "charlm: no CUDA device was found; use --device cpu, or auto\n"
    assert (status, out, err) == (1, "", message)


@pytest.mark.parametrize(
    ("weights", "tokens", "gpu", "chosen"),
    [
        (1_000_000, 200, True, "cpu"),
        (1_000_000, 10**9, True, "cuda"),
        (1_000_000, 10**9, False, "cpu"),
    ],
)
def test_auto_weighs_weights_and_tokens(monkeypatch, weights, tokens, gpu, chosen):
    monkeypatch.setattr(devices, "has_gpu", lambda: gpu)
    assert devices.choose_device("auto", weights, tokens / devices.WORTH_DRAWING) == chosen
    assert devices.choose_device("cuda", 1, 0.0) == "cuda"
    assert devices.choose_device("cpu", weights, 1e9) == "cpu"


def test_the_work_of_scoring_is_the_size_of_its_texts(tmp_path, monkeypatch):
    text = tmp_path / "text.txt"
    text.write_text("x" * 1000)
    unit = 1.0 / devices.WORTH_SCORING
    assert mixing.scoring_work(["abc", "de"]) == 5 * unit
    monkeypatch.setattr(devices, "MOST_SCORED", 999)
    assert mixing.scoring_work((), [str(text)]) == 0.0
    monkeypatch.setattr(devices, "MOST_SCORED", 1000)
    assert mixing.scoring_work((), [str(text), "missing", "bad\0name"]) == 1000 * unit
    with text.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert mixing.scoring_work(()) == 1000 * unit
        assert mixing.scoring_work(["abc"]) == 3 * unit


@pytest.mark.parametrize(
    "argv",
    [
        SAMPLE,
        ("score", "-m", "tiny", "the dog"),
        ("rank", "-m", "tiny", "the dog", "a fox"),
        ("evaluate", "-m", "tiny", "text.txt"),
    ],
    ids=lambda argv: argv[0],
)
def test_auto_imports_no_torch_without_a_gpu(tiny, argv):
    (tiny / "text.txt").write_text("the dog\n" * 20)
    code = (
        "import sys; from charlm.tasks import train_vectors_device as d; d._SIGNS = ();"
        "from charlm.tasks import device; device.WORTH_DRAWING = device.WORTH_SCORING = 1e-9;"
        f"from charlm.cli.app import run; status = run({list(argv)!r});"
        "sys.exit(status or ('torch' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tiny, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.replace("charlm: --seed 3\n", "")) == (0, "")
