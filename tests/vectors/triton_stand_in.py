"""As much of Triton as the kernels of word vectors use, in NumPy: programs run one after the other.

Triton's own interpreter does the same, but is a hundred times as slow and not there without CUDA.
"""

import sys
import types

import numpy as np
import torch


class Block(np.ndarray):
    """Numbers as Triton has them: never changed in place, a single one is a block without axes."""

    def __iadd__(self, other):
        return self + other

    def to(self, dtype, bitcast=False):
        return self.view(dtype) if bitcast else self.astype(dtype)


def block(value):
    return np.asarray(value).view(Block)


class Pointer:
    """Places in an array that are not read yet."""

    def __init__(self, numbers, places=0):
        self.numbers, self.places = numbers, places

    def __add__(self, places):
        return Pointer(self.numbers, self.places + places)


def load(pointer, mask=None, other=None, cache_modifier=""):
    if mask is None:
        return block(pointer.numbers[pointer.places])
    places = np.broadcast_to(pointer.places, mask.shape)
    found = np.full(mask.shape, other, pointer.numbers.dtype)
    found[mask] = pointer.numbers[places[mask]]
    return block(found)


def store(pointer, value):
    pointer.numbers[pointer.places] = value


def atomic_add(pointer, value, mask, sem):
    places = np.broadcast_to(pointer.places, mask.shape)
    np.add.at(pointer.numbers, places[mask], np.broadcast_to(value, mask.shape)[mask])


def umulhi(a, b):
    return ((a.astype(np.uint64) * b.astype(np.uint64)) >> np.uint64(32)).astype(np.uint32)


def randint4x(seed, counter):
    """Return Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")."""
    low, high = np.uint64(0xFFFFFFFF), np.uint64(32)
    a = np.asarray(counter).astype(np.uint64) & low
    b = c = d = np.zeros_like(a)
    key = [int(seed) & 0xFFFFFFFF, int(seed) >> 32]
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a = (second >> high) ^ b ^ np.uint64(key[0])
        c = (first >> high) ^ d ^ np.uint64(key[1])
        b, d = second & low, first & low
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return tuple(block(bits.astype(np.uint32)) for bits in (a, b, c, d))


def sigmoid(x):
    return (1 / (1 + np.exp(-x))).astype(x.dtype)


class Kernel:
    """A function called for each program: `kernel[(programs,)](arguments)`."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *args, **settings):
        return self.function(*args, **settings)

    def __getitem__(self, grid):
        def launch(*args, num_warps, **settings):
            given = [_argument(value) for value in args]
            LANGUAGE.num_programs = lambda axis: block(np.int32(grid[0]))
            for program in range(grid[0]):
                LANGUAGE.program_id = lambda axis, number=program: block(np.int32(number))
                with np.errstate(over="ignore"):
                    self.function(*given, **settings)

        return launch


def _argument(value):
    if isinstance(value, torch.Tensor):
        return Pointer(value.view(-1).numpy())  # shared, so that what is stored arrives
    if isinstance(value, int):
        return block(np.int32(value) if abs(value) < 2**31 else np.int64(value))
    return block(np.float32(value))


def jit(function=None, **settings):
    return Kernel if function is None else Kernel(function)


LANGUAGE = types.ModuleType("triton.language")
LANGUAGE.__dict__.update(
    {"load": load, "store": store, "atomic_add": atomic_add, "umulhi": umulhi},
    randint4x=randint4x,
    sigmoid=sigmoid,
    constexpr=lambda value: value,
    arange=lambda start, stop: block(np.arange(start, stop, dtype=np.int32)),
    zeros=lambda shape, dtype: block(np.zeros(shape, dtype)),
    cdiv=lambda a, b: -(-a // b),
    sum=lambda x, axis: block(x.sum(axis, dtype=x.dtype)),
    where=lambda condition, a, b: block(_where(condition, a, b)),
    abs=np.abs,
    exp=np.exp,
    log=np.log,
    maximum=np.maximum,
    minimum=np.minimum,
    int32=np.int32,
    int64=np.int64,
    uint32=np.uint32,
    float32=np.float32,
)
TRITON = types.ModuleType("triton")
TRITON.jit, TRITON.language = jit, LANGUAGE


def _where(condition, a, b):
    found = np.where(condition, a, b)
    return found.astype(np.float32) if found.dtype == np.float64 else found


def put_in(monkeypatch):
    """Have `import triton` find this for a test; return the kernels, as this runs them."""
    monkeypatch.setitem(sys.modules, "triton", TRITON)
    monkeypatch.setitem(sys.modules, "triton.language", LANGUAGE)
    monkeypatch.delitem(sys.modules, "charlm.vectors.cuda_kernels", raising=False)
    import importlib

    import charlm.vectors

    kernels = importlib.import_module("charlm.vectors.cuda_kernels")
    monkeypatch.setattr(charlm.vectors, "cuda_kernels", kernels)
    monkeypatch.setitem(sys.modules, "charlm.vectors.cuda_kernels", kernels)
    return kernels
