import pytest
import torch

from charlm.base.errors import TaskError
from charlm.engine.config import LanguageModelConfig
from charlm.models import language_model, runtime, stack
from charlm.models.arithmetic import Arithmetic
from charlm.models.language_model import Dropouts, LanguageModel
from charlm.models.runtime import choose_arithmetic
from charlm.models.timing import agrees, seconds_per_window

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def build(**form):
    form = {"vocab_size": 9, "hidden_size": 8, "embedding_dim": 4} | form
    model = LanguageModel(LanguageModelConfig(**form))
    model.initialise(torch.Generator().manual_seed(0))
    return model


def names(model, precision, batch_size):
    found = runtime._candidates(model, precision, batch_size, cuda=True)
    return [(one.precision, one.backend) for one in found]


def test_a_gpu_tries_the_kernel_that_stays_in_its_own_sizes_only_where_it_fits():
    fitting = build(hidden_size=512, embedding_dim=128, num_layers=2)
    assert names(fitting, "float16", 64) == [("float16", "cudnn"), ("float16", "native")]
    assert names(fitting, "float16", 50)[0] == ("float16", "padded")
    assert names(build(hidden_size=1150), "float16", 64)[0] == ("float16", "cudnn")
    assert [name for name, _ in names(build(), "auto", 8)] == [
        *("float16", "float16", "bfloat16", "tf32"),
        *("float16", "bfloat16", "tf32"),
    ]
    assert names(build(cell="gru"), "auto", 8) == [
        ("float16", "native"),
        ("bfloat16", "native"),
        ("tf32", "native"),
    ]


@pytest.mark.parametrize("backend", ["cudnn", "padded"])
def test_layers_agree_with_those_of_pytorch_or_are_left_out(backend, monkeypatch):
    model = build(num_layers=2)
    assert agrees(model, Arithmetic("float32", backend), 8, 16)
    assert agrees(model, Arithmetic("bfloat16", backend), 8, 16)
    laid_out = type(model.layers[0])._laid_out

    def wrong(layer, *args, **settings):
        outputs, state = laid_out(layer, *args, **settings)
        return outputs.flip(2), state

    monkeypatch.setattr(type(model.layers[0]), "_laid_out", wrong)
    assert not agrees(model, Arithmetic("float32", backend), 8, 16)


@pytest.mark.parametrize("name", ["_descend", "summed_by_id", "_read", "_of_weights"])
def test_layers_side_by_side_are_compared_in_all_that_they_do(name, monkeypatch):
    """Several pieces of a window, rows looked up, dropouts between the layers."""
    model = build(num_layers=2)
    model.dropouts = Dropouts(layer=0.3, output=0.2)
    arithmetic = Arithmetic("float32", "stacked")
    assert agrees(model, arithmetic, 64, 64)
    sound, calls = getattr(stack, name), []

    def wrong(*args):
        calls.append(args)
        found = sound(*args)
        if name == "summed_by_id":
            return 2.0 * found
        if name == "_of_weights":
            return [None if part is None else 1.1 * part for part in found]
        if len(calls) > 1:  # of the first piece it is right
            args[1][args[-2] : args[-1]].mul_(2.0)
            if name == "_read":
                args[2][args[-2] : args[-1]].mul_(2.0)
        return found

    monkeypatch.setattr(stack, name, wrong)
    assert not agrees(model, arithmetic, 64, 64)
    assert calls


def test_evaluation_is_compared_too(monkeypatch):
    model = build(num_layers=2)
    laid_out = type(model.layers[0])._laid_out

    def wrong(layer, *args, **settings):
        outputs, state = laid_out(layer, *args, **settings)
        return outputs + 1.0, state

    monkeypatch.setattr(type(model.layers[0]), "_laid_out", wrong)
    model.output.weight.data.normal_()
    assert not agrees(model, Arithmetic("float32", "stacked"), 8, 16)


def test_arithmetic_of_a_gpu_does_not_suit_a_cpu_and_the_other_way_round():
    for precision, backend, on_cpu, on_gpu in (
        ("float32", "native", True, True),
        ("bfloat16", "rows", True, False),
        ("float16", "native", False, True),
        ("float32", "padded", False, True),
        ("tf32", "native", False, True),
    ):
        one = Arithmetic(precision, backend)
        assert (one.suits(CPU), one.suits(CUDA)) == (on_cpu, on_gpu)


def test_what_a_cpu_cannot_is_refused():
    for precision in ("float16", "tf32"):
        with pytest.raises(TaskError) as raised:
            choose_arithmetic(build(), precision, batch_size=2, bptt=3)
        assert str(raised.value) == (
            f"{precision} needs CUDA; use --precision float32, bfloat16 or auto"
        )


def test_a_lack_of_memory_everywhere_is_told_as_such(monkeypatch):
    def lacking(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(runtime, "seconds_per_window", lacking)
    with pytest.raises(torch.OutOfMemoryError):
        choose_arithmetic(build(), "auto", batch_size=2, bptt=3)


def test_a_lack_of_memory_of_a_cpu_is_told_as_such(monkeypatch):
    def lacking(*args):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1")

    monkeypatch.setattr(LanguageModel, "loss", lacking)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        choose_arithmetic(build(), "float32", batch_size=2, bptt=3)


def test_outputs_that_training_draws_are_drawn_when_it_is_timed(monkeypatch):
    calls, sampled = [], language_model.sampled_cross_entropy

    def counted(*args):
        calls.append(args)
        return sampled(*args)

    monkeypatch.setattr(language_model, "sampled_cross_entropy", counted)
    model, plain = build(), Arithmetic("float32", "native")
    assert seconds_per_window(model, plain, 2, 3, 1.0) > 0.0
    assert calls == []
    model.sample_outputs(torch.full((9,), 1 / 9).log(), 4)
    assert seconds_per_window(model, plain, 2, 3, 1.0) > 0.0
    assert len(calls) > 1
