"""A few rows times packed weights, in the processor's vector registers.

A step of a recurrent network multiplies a few rows by the same weights hundreds of times. A call
into a library for each step wakes threads, arranges its inputs and writes its result to memory
only to be read again. Here the product is an instruction sequence inside the loop over time:
weights are packed once an update, in panels of four vectors, and `ROWS` rows times a panel are
sums held in registers from the first term to the last.

LLVM's vector types make it run anywhere; `VECTOR_BYTES` is what this processor's registers hold.
With 16-bit weights each instruction takes two terms of a sum (AVX-512's `vdpbf16ps`).

Source:
    Goto and van de Geijn (2008), "Anatomy of high-performance matrix multiplication", for panels
    and register blocks.
"""

from __future__ import annotations

import functools
import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import codegen, config
from numba.extending import intrinsic, register_jitable

PANEL = 4  # vectors


@functools.cache
def _features() -> frozenset[str]:
    """Return what numba lets its code use: the processor's features, or those a user named.

    An instruction beyond these does not fail to compile but ends the process.
    """
    named = config.CPU_FEATURES  # type: ignore[attr-defined]
    listed: str = codegen.get_host_cpu_features() if named is None else named
    return frozenset(part[1:] for part in listed.split(",") if part.startswith("+"))


def has_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 numbers in its vector registers."""
    return "avx512bf16" in _features()


def _vector_bytes() -> int:
    if "avx512f" in _features():
        return 64
    return 32 if "avx2" in _features() else 16


def _registers() -> int:
    """Return how many vector registers there are: x86 before AVX-512 has half as many as ARM."""
    x86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
    return 16 if x86 and VECTOR_BYTES < 64 else 32


VECTOR_BYTES = _vector_bytes()
ROWS = _registers() // 8  # so many times `PANEL` sums, and weights and terms beside them


class BFloat(ir.Type):  # type: ignore[misc]
    """LLVM's `bfloat`, which llvmlite has no class for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BFloat)

    def __hash__(self) -> int:
        return hash(BFloat)


class _Block:
    """Writes the instructions for `rows` rows times one panel."""

    def __init__(self, builder: Any, stored: Any, rows: int, adds: bool) -> None:
        self.builder, self.rows, self.adds = builder, rows, adds
        self.number = ir.DoubleType() if stored == types.float64 else ir.FloatType()
        self.size = 8 if stored == types.float64 else 4
        self.lanes = VECTOR_BYTES // self.size
        self.sums = ir.VectorType(self.number, self.lanes)
        self.pairs = stored == types.uint16
        self.term = ir.IntType(32) if self.pairs else self.number
        self.terms = ir.VectorType(self.term, self.lanes)

    def at(self, address: Any, offset: Any) -> Any:
        if isinstance(offset, int):
            offset = ir.Constant(ir.IntType(64), offset)
        return self.builder.add(address, offset)

    def load(self, address: Any, kind: Any, align: int) -> Any:
        value = self.builder.load(self.builder.inttoptr(address, kind.as_pointer()))
        value.align = align
        return value

    def spread(self, term: Any) -> Any:
        """Return a vector that holds one term in every lane."""
        unknown = ir.Constant(self.terms, ir.Undefined)
        first = self.builder.insert_element(unknown, term, ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, unknown, lanes)

    def multiply_add(self, a: Any, b: Any, total: Any) -> Any:
        if self.pairs:
            pairs = ir.VectorType(BFloat(), 2 * self.lanes)
            dot = self._function("llvm.x86.avx512bf16.dpbf16ps.512", self.sums, pairs, pairs)
            terms = (self.builder.bitcast(part, pairs) for part in (a, b))
            return self.builder.call(dot, [total, *terms])
        # `llvm.fma` would be a call into C for each number where there is no such instruction
        name = f"llvm.fmuladd.v{self.lanes}f{8 * self.size}"
        return self.builder.call(
            self._function(name, self.sums, self.sums, self.sums), [a, b, total]
        )

    def _function(self, name: str, *inputs: Any) -> Any:
        module = self.builder.module
        kind = ir.FunctionType(self.sums, inputs)
        return module.globals.get(name) or ir.Function(module, kind, name)

    def emit(
        self, a: Any, a_row: Any, panel: Any, terms: Any, c: Any, c_row: Any, c_part: Any
    ) -> None:
        """Write the whole block; arguments as `multiply_rows`."""
        builder, count = self.builder, ir.IntType(64)
        rows_a, rows_c = [a], [c]
        for _ in range(self.rows - 1):
            rows_a.append(self.at(rows_a[-1], a_row))
            rows_c.append(self.at(rows_c[-1], c_row))
        places = []
        for row in rows_c:
            parts = [row]
            for _ in range(PANEL - 1):
                parts.append(self.at(parts[-1], c_part))
            places += parts
        zero = ir.Constant(self.sums, None)
        starts = [self.load(p, self.sums, 4) if self.adds else zero for p in places]
        before = builder.block
        loop, after = builder.append_basic_block("terms"), builder.append_basic_block("stored")
        builder.branch(loop)
        builder.position_at_end(loop)
        index = builder.phi(count)
        index.add_incoming(ir.Constant(count, 0), before)
        sums = [builder.phi(self.sums) for _ in places]
        for total, start in zip(sums, starts, strict=True):
            total.add_incoming(start, before)
        line = builder.mul(index, ir.Constant(count, PANEL * VECTOR_BYTES))
        weights = [
            self.load(self.at(self.at(panel, line), v * VECTOR_BYTES), self.terms, VECTOR_BYTES)
            for v in range(PANEL)
        ]
        offset = builder.mul(index, ir.Constant(count, self.size))
        results = []
        for m, row in enumerate(rows_a):
            term = self.spread(self.load(self.at(row, offset), self.term, 2))
            for v, weight in enumerate(weights):
                results.append(self.multiply_add(term, weight, sums[m * PANEL + v]))
        following = builder.add(index, ir.Constant(count, 1))
        index.add_incoming(following, loop)
        for total, result in zip(sums, results, strict=True):
            total.add_incoming(result, loop)
        builder.cbranch(builder.icmp_signed("<", following, terms), loop, after)
        builder.position_at_end(after)
        for place, result in zip(places, results, strict=True):
            pointer = builder.inttoptr(place, self.sums.as_pointer())
            builder.store(result, pointer).align = 4


def _block(rows: int, adds: bool) -> Any:
    """Return a compiled function for `rows` rows; `adds` to what is there already."""

    @intrinsic
    def block(
        typing_context: Any,
        stored: Any,
        a: Any,
        a_row: Any,
        panel: Any,
        terms: Any,
        c: Any,
        c_row: Any,
        c_part: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _Block(builder, signature.args[0].dtype, rows, adds).emit(*args[1:])
            return context.get_dummy_value()

        return types.void(stored, *[types.int64] * 7), codegen

    return block


_many_set, _many_add = _block(ROWS, False), _block(ROWS, True)
_one_set, _one_add = _block(1, False), _block(1, True)


@register_jitable
def multiply_rows(stored, rows, a, a_row, panel, terms, c, c_row, c_part, adds):
    """Multiply rows by one panel of packed weights; all places are addresses, steps are bytes.

    Args:
        stored: any array of the type of the rows and the weights.
        rows: how many; a, a_row: the first and from one to the next.
        panel: the panel; terms: how many vectors of each of its four it has.
        c, c_row, c_part: the results: `PANEL` vectors a row, `c_part` apart.
        adds: whether to add to the results; else they are overwritten.
    """
    whole = rows // ROWS * ROWS
    for row in range(0, whole, ROWS):
        if adds:
            _many_add(stored, a + row * a_row, a_row, panel, terms, c + row * c_row, c_row, c_part)
        else:
            _many_set(stored, a + row * a_row, a_row, panel, terms, c + row * c_row, c_row, c_part)
    for row in range(whole, rows):
        if adds:
            _one_add(stored, a + row * a_row, a_row, panel, terms, c + row * c_row, c_row, c_part)
        else:
            _one_set(stored, a + row * a_row, a_row, panel, terms, c + row * c_row, c_row, c_part)


def panel_shape(stored: np.dtype[Any], outputs: int, inputs: int) -> tuple[int, int, int, int]:
    """Return the shape of packed weights: panels, terms, vectors, lanes; two bfloat16 are a term.

    Args:
        stored: float64, float32, or uint16 for bfloat16.
        outputs: columns of the product that a panel's four vectors share out among them.
        inputs: length of the sums; even for bfloat16.
    """
    pair = 2 if stored == np.uint16 else 1
    lanes = VECTOR_BYTES // (8 if stored == np.float64 else 4)
    return -(-outputs // (PANEL * lanes)), inputs // pair, PANEL, lanes
