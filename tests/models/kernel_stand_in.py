"""As much of Triton as the kernels for decoding use, in NumPy: programs run one after the other."""

import importlib
import itertools
import sys
import types

import numpy as np
import torch


class Dtype:
    """The type of what a pointer points to."""

    def __init__(self, element):
        self.element_ty = element


class Pointer:
    """Places in the memory of a tensor that are not read yet."""

    def __init__(self, memory, places):
        self.memory, self.places = memory, places
        self.dtype = Dtype(memory.dtype)

    def __add__(self, places):
        return Pointer(self.memory, self.places + places)


class Number(np.ndarray):
    """A block of numbers, which Triton converts by `to`."""

    def to(self, dtype):
        return self.astype(dtype)

    def __iadd__(self, other):
        return self + other  # never changed in place


def block(values):
    return np.asarray(values).view(Number)


def load(pointer, mask=True, other=0):
    places, mask = np.broadcast_arrays(pointer.places, mask)
    found = np.full(places.shape, other, pointer.memory.dtype)
    found[mask] = pointer.memory[places[mask]]
    return block(found)


def store(pointer, values, mask=True):
    places, mask, values = np.broadcast_arrays(pointer.places, mask, values)
    pointer.memory[places[mask]] = values[mask]


class Kernel:
    """A function that is called for each program of a grid: `kernel[grid](arguments)`."""

    def __init__(self, function):
        self.function = function
        self.__name__ = function.__name__

    def __call__(self, *arguments, **constants):
        return self.function(*arguments, **constants)

    def __getitem__(self, grid):
        def launch(*arguments, num_warps=4, num_stages=3, **constants):
            given = [_argument(value) for value in arguments]
            for place in itertools.product(*map(range, grid)):
                LANGUAGE.program_id = lambda axis, place=place: block(np.int32(place[axis]))
                with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                    self.function(*given, **constants)

        return launch


def _argument(value):
    if not isinstance(value, torch.Tensor):
        return block(np.int32(value))
    whole = value.untyped_storage()
    memory = torch.empty(0, dtype=value.dtype).set_(whole).numpy()  # what a pointer can reach
    return Pointer(memory, np.int64(value.storage_offset()))


LANGUAGE = types.ModuleType("triton.language")
LANGUAGE.__dict__.update(
    load=load,
    store=store,
    constexpr=object,
    arange=lambda start, stop: block(np.arange(start, stop, dtype=np.int32)),
    zeros=lambda shape, dtype: block(np.zeros(shape, dtype)),
    reshape=lambda values, shape: block(values.reshape(shape)),
    split=lambda values: (block(values[..., 0]), block(values[..., 1])),
    join=lambda a, b: block(np.stack([a, b], axis=-1)),
    dot=lambda a, b, sums: block(sums + a.astype(np.float32) @ b.astype(np.float32)),
    sum=lambda values, axis: block(values.sum(axis=axis, dtype=values.dtype)),
    max=lambda values, axis: block(values.max(axis=axis)),
    argmax=lambda values, axis: block(values.argmax(axis=axis)),
    cumsum=lambda values, axis: block(values.cumsum(axis=axis)),
    where=lambda condition, a, b: block(np.where(condition, a, b)),
    minimum=lambda a, b: block(np.minimum(a, b)),
    maximum=lambda a, b: block(np.maximum(a, b)),
    exp=lambda values: block(np.exp(values)),
    log=lambda values: block(np.log(values)),
    sigmoid=lambda values: block((1 / (1 + np.exp(-values))).astype(values.dtype)),
    int32=np.int32,
    int64=np.int64,
    float32=np.float32,
    float64=np.float64,
)
TRITON = types.ModuleType("triton")
TRITON.language = LANGUAGE
TRITON.jit = lambda function=None, **about: Kernel if function is None else Kernel(function)


def put_in(monkeypatch, name="decode_triton"):
    """Have the kernels for decoding, or others of `models`, run by this for a test."""
    import charlm.models
    from charlm.models import decode_kernels

    full = f"charlm.models.{name}"
    monkeypatch.setitem(sys.modules, "triton", TRITON)
    monkeypatch.setitem(sys.modules, "triton.language", LANGUAGE)
    monkeypatch.delitem(sys.modules, full, raising=False)
    monkeypatch.setattr(charlm.models, name, None, raising=False)
    monkeypatch.delattr(charlm.models, name)
    monkeypatch.setattr(decode_kernels, "is_there", lambda device: True)
    made = importlib.import_module(full)
    monkeypatch.setitem(sys.modules, full, made)
    return made
