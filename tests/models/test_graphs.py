"""Recording, with a stand-in for a GPU: what is asked for when, what a failure leaves behind."""

import contextlib
import logging

import pytest
import torch

from charlm.models import graphs
from charlm.models.graphs import Recorded
from charlm.models.memory import is_lack_of_memory, largest_that_fits, let_go


class Pretend:
    """A GPU that notes what it is told; its generators are the CPU's."""

    def __init__(self, error=None):
        self.error, self.log, self.stream = error, [], "default"

    def install(self, monkeypatch):
        cuda, pretend = torch.cuda, self

        class Graph:
            def register_generator_state(self, generator):
                pretend.log.append("generator")

            def replay(self):
                pretend.log.append("replay")

        class Stream:
            def __init__(self, name):
                self.name = name

            def wait_stream(self, other):
                pretend.log.append(f"{self.name} waits for {other.name}")

        @contextlib.contextmanager
        def graph(made, stream, capture_error_mode):
            pretend.log.append(f"record on {stream.name}, {capture_error_mode}")
            yield
            if pretend.error is not None:
                raise pretend.error

        here = Stream("default")
        monkeypatch.setattr(cuda, "CUDAGraph", Graph)
        monkeypatch.setattr(cuda, "Stream", lambda device: Stream("side"))
        monkeypatch.setattr(cuda, "current_stream", lambda device: here)
        monkeypatch.setattr(cuda, "set_stream", lambda to: pretend.log.append(f"to {to.name}"))
        monkeypatch.setattr(cuda, "stream", lambda stream: contextlib.nullcontext())
        monkeypatch.setattr(cuda, "graph", graph)
        monkeypatch.setattr(graphs.torch, "Generator", lambda device: made())
        return self


def made():
    return torch.random.default_generator.clone_state()


GPU = torch.device("cuda")
ASIDE = ["side waits for default", "work", "default waits for side"]


def test_on_a_cpu_work_is_called():
    calls = []
    run = Recorded(lambda: calls.append(1), torch.device("cpu"))
    for _ in range(6):
        run()
    assert calls == [1] * 6
    assert not run.is_recorded


def test_work_is_done_aside_three_times_then_recorded_and_replayed(monkeypatch):
    gpu = Pretend().install(monkeypatch)
    run = Recorded(lambda: gpu.log.append("work"), GPU, made())
    for _ in range(5):
        run()
    recording = ["generator", "record on side, thread_local", "work"]
    assert gpu.log == [*ASIDE * 3, *recording, "replay", "replay"]
    assert run.is_recorded


def test_what_cannot_be_recorded_goes_on_piece_by_piece_with_a_generator_of_its_own(
    monkeypatch, caplog
):
    gpu = Pretend(RuntimeError("operation not permitted")).install(monkeypatch)
    generator, renewed = made(), []
    generator.manual_seed(5)
    run = Recorded(lambda: gpu.log.append("work"), GPU, generator, renewed.append)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            run()
    tail = ["generator", "record on side, thread_local", "work", "to default", *ASIDE, *ASIDE]
    assert gpu.log == [*ASIDE * 3, *tail]
    assert not run.is_recorded
    [other] = renewed
    assert other is not generator
    assert torch.equal(other.get_state(), generator.get_state())
    assert caplog.messages == [
        "no CUDA graph (operation not permitted); updates are asked for piece by piece"
    ]


def test_a_lack_of_memory_while_recording_is_none_of_its_business(monkeypatch):
    gpu = Pretend(torch.OutOfMemoryError("CUDA out of memory")).install(monkeypatch)
    run = Recorded(lambda: gpu.log.append("work"), GPU)
    for _ in range(3):
        run()
    with pytest.raises(torch.OutOfMemoryError):
        run()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("…"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error, expected):
    assert is_lack_of_memory(error) is expected


@pytest.mark.parametrize(("limit", "expected"), [(40, 24), (7, 6), (1, 1), (0, None)])
def test_the_largest_batch_that_fits_is_looked_for_from_above(limit, expected):
    tried = []
    found = largest_that_fits(100, lambda rows: tried.append(rows) or rows <= limit)
    assert found == expected
    assert tried == [48, 24, 8, 6, 3, 1][: len(tried)]
    let_go(torch.device("cpu"))
