"""Where word vectors are trained: what is chosen, what is refused, and that PyTorch stays out."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from charlm.base.errors import ConfigError, TaskError
from charlm.tasks import train_vectors, train_vectors_device
from charlm.tasks.interrupt import Interrupts
from charlm.tasks.train_vectors_config import VectorsTrainConfig
from charlm.tasks.train_vectors_device import choose_device, has_gpu
from charlm.vectors import cuda
from charlm.vectors.cuda_batches import BatchTrainer

from .conftest import stream_of, two_topics
from .test_vectors_programs import SETTINGS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("asked", "gpu", "chosen"),
    [
        ({}, True, "cuda"),
        ({}, False, "cpu"),
        ({"method": "cbow"}, True, "cuda"),
        ({"method": "glove"}, True, "cpu"),
        ({"method": "pmi-svd"}, True, "cpu"),
        ({"threads": 1}, True, "cpu"),
        ({"device": "cpu"}, True, "cpu"),
        ({"device": "cuda", "threads": 1}, False, "cuda"),
    ],
)
def test_a_gpu_is_used_where_there_is_one_and_nothing_speaks_against_it(
    monkeypatch, asked, gpu, chosen
):
    monkeypatch.setattr(train_vectors_device, "has_gpu", lambda: gpu)
    assert choose_device(VectorsTrainConfig(**asked)) == chosen


def test_methods_without_a_form_for_gpus_are_refused_there():
    with pytest.raises(ConfigError) as caught:
        choose_device(VectorsTrainConfig(method="glove", device="cuda"))
    assert str(caught.value) == "glove is trained on the CPU only; leave --device cuda out"


@pytest.mark.parametrize("answer", [True, False])
def test_pytorch_is_asked_only_where_a_driver_is(monkeypatch, tmp_path, answer):
    asked = []
    monkeypatch.setattr(train_vectors_device, "computes", lambda module: asked.append(1) or answer)
    monkeypatch.setattr(train_vectors_device, "_SIGNS", (str(tmp_path / "none"),))
    assert not has_gpu()
    assert not asked
    monkeypatch.setattr(train_vectors_device, "_SIGNS", (str(tmp_path / "none"), str(tmp_path)))
    assert has_gpu() is answer


@pytest.mark.skipif(
    any(Path(sign).exists() for sign in train_vectors_device._SIGNS), reason="a GPU may be here"
)
def test_training_without_a_gpu_does_not_import_pytorch(home):
    (home / "t.txt").write_text(two_topics(100))
    program = (
        "import sys; from charlm.cli.app import run; "
        "status = run(['train', 'vectors', 't.txt', '-q', '--epochs', '1', '--dim', '4']); "
        "sys.exit(status or ('torch' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


class _Trains:
    """Stands for a way of training that is there, or is not."""

    problem: Exception | None = None

    def __init__(self, stream, settings, device):
        self.device = device

    def prepare(self):
        if self.problem is not None:
            raise self.problem

    @staticmethod
    def has_room_for(settings):
        return settings.dim < 1000


class _Programs(_Trains):
    pass


class _Batches(_Trains):
    pass


@pytest.fixture
def ways(monkeypatch):
    """A machine with a GPU on which both ways of training run."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "has_triton", lambda: True)
    monkeypatch.setattr(cuda, "ProgramTrainer", _Programs)
    monkeypatch.setattr(cuda, "BatchTrainer", _Batches)
    monkeypatch.setattr(_Programs, "problem", None)


def built(**changed):
    stream, _ = stream_of([["a", "b"]])
    return cuda.build_cuda_trainer(stream, dataclasses.replace(SETTINGS, **changed))


def test_kernels_of_our_own_train_where_they_run(ways):
    assert type(built()) is _Programs
    assert built().device == torch.device("cuda")


def test_batches_train_where_the_kernels_cannot_run(ways, monkeypatch, caplog):
    assert type(built(dim=1000)) is _Batches
    monkeypatch.setattr(_Programs, "problem", RuntimeError("no C compiler"))
    assert type(built()) is _Batches
    assert caplog.messages == ["kernels of our own cannot run on this GPU (no C compiler)"]
    monkeypatch.setattr(cuda, "has_triton", lambda: False)
    caplog.clear()
    assert type(built()) is _Batches
    assert not caplog.messages


def test_too_little_memory_on_the_gpu_is_one_line(ways, monkeypatch):
    monkeypatch.setattr(_Programs, "problem", torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(TaskError) as caught:
        built()
    assert str(caught.value) == (
        "2 words x 12 do not fit into the GPU's memory; use a smaller --dim or --vocab-size, "
        "or --device cpu"
    )


class _InterruptedAtOnce(Interrupts):
    def __enter__(self):
        self.signal = "SIGINT"
        return self

    def __exit__(self, *_):
        return


def test_a_continuation_may_be_elsewhere(charlm, home, monkeypatch):
    """Begun where a GPU was and stopped at once, it goes on without one, and on the GPU again."""
    begun_on = []

    def build_cuda_trainer(stream, settings):
        begun_on.append("cuda")
        return BatchTrainer(stream, settings, torch.device("cpu"))

    monkeypatch.setattr(cuda, "build_cuda_trainer", build_cuda_trainer)
    (home / "t.txt").write_text(two_topics(100))
    train = ("train", "vectors", "-q", "--json", "--dim", "4", "--epochs", "1", "-o", "t")
    with monkeypatch.context() as patched:
        patched.setattr(train_vectors, "Interrupts", _InterruptedAtOnce)
        assert charlm(*train, "t.txt", "--device", "cuda")[0] == 130
        status, out, _ = charlm(*train[:3], "--json", "--resume", "-o", "t", "--device", "cpu")
        assert (status, json.loads(out)["device"]) == (130, "cpu")
    status, out, _ = charlm(*train[:3], "--json", "--resume", "-o", "t", "--device", "cuda")
    assert (status, json.loads(out)["device"]) == (0, "cuda")
    assert len(begun_on) == 2
