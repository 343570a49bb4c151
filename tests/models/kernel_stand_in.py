"""As much of Triton as the kernels for decoding use, in NumPy: programs run one after the other."""

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
        def launch(*arguments, num_warps=4, **constants):
            given = [_argument(value) for value in arguments]
            for place in itertools.product(*map(range, grid)):
                LANGUAGE.program_id = lambda axis, place=place: block(np.int32(place[axis]))
                with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                    self.function(*given, **constants)

        return launch


def _argument(value):
    if not isinstance(value, torch.Tensor):
        return value
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
TRITON.jit, TRITON.language = Kernel, LANGUAGE


def put_in(monkeypatch):
    """Have the kernels for decoding run by this for a test."""
    import charlm.models
    from charlm.models import decode_kernels

    monkeypatch.setitem(sys.modules, "triton", TRITON)
    monkeypatch.setitem(sys.modules, "triton.language", LANGUAGE)
    monkeypatch.delitem(sys.modules, "charlm.models.decode_triton", raising=False)
    monkeypatch.setattr(charlm.models, "decode_triton", None, raising=False)
    monkeypatch.delattr(charlm.models, "decode_triton")
    monkeypatch.setattr(decode_kernels, "is_there", lambda device: True)
    from charlm.models import decode_triton

    monkeypatch.setitem(sys.modules, "charlm.models.decode_triton", decode_triton)
    return decode_triton
