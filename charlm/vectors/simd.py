"""Vector instructions for training word vectors: some input rows against some output rows.

A centre word and its negatives stay in the nearest cache while the words around it pass by, four,
two or one at a time. Every pair of rows gives a dot product, all of which are summed in registers;
then each row gets its gradient in one pass. LLVM's vector types make it run anywhere.

Places are addresses. Rows are padded to whole vectors of `LANES` float32 numbers, or half as many
float64 ones.

Source:
    Ji et al. (2016), arXiv:1604.04661, for negatives shared by the words around a centre.
"""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_INT, _INT32 = ir.IntType(64), ir.IntType(32)


@functools.cache
def _features() -> dict[str, bool]:
    try:
        return dict(llvmlite.binding.get_host_cpu_features())
    except RuntimeError:  # LLVM cannot tell on every system
        return {}


def _vector_bytes() -> int:
    if _features().get("avx512f", False):
        return 64
    return 32 if _features().get("avx2", False) else 16


VECTOR_BYTES = _vector_bytes()
ROW_BYTES = 64
"""Rows are padded to this, so that a row begins where a line of the cache does."""


class _Rows:
    """Writes instructions over rows of numbers of one type."""

    def __init__(self, builder: Any, stored: Any) -> None:
        self.builder = builder
        self.number = ir.DoubleType() if stored == types.float64 else ir.FloatType()
        self.size = 8 if stored == types.float64 else 4
        self.lanes = VECTOR_BYTES // self.size
        self.vector = ir.VectorType(self.number, self.lanes)
        self.zero = ir.Constant(self.vector, None)

    def at(self, address: Any, offset: Any) -> Any:
        if isinstance(offset, int):
            if not offset:
                return address
            offset = ir.Constant(_INT, offset)
        return self.builder.add(address, offset)

    def load(self, address: Any, kind: Any = None) -> Any:
        kind = kind or self.vector
        value = self.builder.load(self.builder.inttoptr(address, kind.as_pointer()))
        value.align = 4
        return value

    def store(self, value: Any, address: Any) -> None:
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer())).align = 4

    def spread(self, number: Any) -> Any:
        """Return a vector that holds one number in every lane."""
        unknown = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(unknown, number, ir.Constant(_INT32, 0))
        lanes = ir.Constant(ir.VectorType(_INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, unknown, lanes)

    def constant(self, value: float) -> Any:
        return ir.Constant(self.vector, [value] * self.lanes)

    def multiply_add(self, a: Any, b: Any, total: Any) -> Any:
        name = f"llvm.fma.v{self.lanes}f{8 * self.size}"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        module = self.builder.module
        fma = module.globals.get(name) or ir.Function(module, kind, name)
        return self.builder.call(fma, [a, b, total])

    def pointers(self, place: Any, count: int) -> list[Any]:
        """Return addresses that lie in a row at `place`."""
        return [self.load(self.at(place, 8 * k), _INT) for k in range(count)]

    def sums(self, vectors: list[Any]) -> Any:
        """Return one vector that holds the sum of each of `lanes` vectors, in their order."""
        segments = 1
        while len(vectors) > 1:
            half = self.lanes // segments // 2
            both = range(2 * segments)
            low = [s * 2 * half + k for s in both for k in range(half)]
            masks = [
                ir.Constant(ir.VectorType(_INT32, self.lanes), [place + step for place in low])
                for step in (0, half)
            ]
            vectors = [
                self.builder.fadd(*(self.builder.shuffle_vector(a, b, mask) for mask in masks))
                for a, b in zip(vectors[::2], vectors[1::2], strict=True)
            ]
            segments *= 2
        return vectors[0]

    def loop(self, count: Any, starts: list[Any], body: Any) -> list[Any]:
        """Write `body(offset, carried) -> carried` over `count` vectors and return the last."""
        builder = self.builder
        before = builder.block
        inside, after = builder.append_basic_block("row"), builder.append_basic_block("done")
        builder.branch(inside)
        builder.position_at_end(inside)
        index = builder.phi(_INT)
        index.add_incoming(ir.Constant(_INT, 0), before)
        carried = []
        for start in starts:
            phi = builder.phi(self.vector)
            phi.add_incoming(start, before)
            carried.append(phi)
        results = body(builder.mul(index, ir.Constant(_INT, VECTOR_BYTES)), carried)
        following = builder.add(index, ir.Constant(_INT, 1))
        index.add_incoming(following, inside)
        for phi, result in zip(carried, results, strict=True):
            phi.add_incoming(result, inside)
        builder.cbranch(builder.icmp_signed("<", following, count), inside, after)
        builder.position_at_end(after)
        return list(results)


def dots(rows: int, outs: int) -> Any:
    """Return a compiled function that writes the dot products of `rows` rows with `outs` others.

    Its arguments: any array of the type of the rows, the place of the input rows' addresses, that
    of the output rows' addresses, how many vectors a row has, and where to write: output by
    output, a number an input.
    """

    @intrinsic
    def write_dots(
        typing_context: Any, stored: Any, ins: Any, outputs: Any, vectors: Any, place: Any
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = _Rows(builder, signature.args[0].dtype)
            inputs, others = code.pointers(args[1], rows), code.pointers(args[2], outs)

            def body(offset: Any, carried: list[Any]) -> list[Any]:
                xs = [code.load(code.at(row, offset)) for row in inputs]
                results = []
                for j, row in enumerate(others):
                    c = code.load(code.at(row, offset))
                    for i, x in enumerate(xs):
                        results.append(code.multiply_add(x, c, carried[j * rows + i]))
                return results

            totals = code.loop(args[3], [code.zero] * (rows * outs), body)
            totals += [code.zero] * (-len(totals) % code.lanes)
            for k in range(0, len(totals), code.lanes):
                code.store(code.sums(totals[k : k + code.lanes]), code.at(args[4], k * code.size))
            return context.get_dummy_value()

        return types.void(stored, *[types.int64] * 4), codegen

    return write_dots


def updates(rows: int, outs: int, *, apart: bool) -> Any:
    """Return a compiled function that adds `rows` rows to `outs` others and the other way round.

    Each pair has a factor, in the order of `dots`; all that is added is as it was before. With
    `apart` the inputs are read from `rows` rows at a place of their own, and not where they are
    added to.

    Its arguments: any array of the type of the rows, the places of the addresses of the inputs to
    read, of those to add to, and of the outputs; how many vectors a row has; the factors.
    """

    @intrinsic
    def add_rows(
        typing_context: Any,
        stored: Any,
        sources: Any,
        ins: Any,
        outputs: Any,
        vectors: Any,
        factors: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            code = _Rows(builder, signature.args[0].dtype)
            targets, others = code.pointers(args[2], rows), code.pointers(args[3], outs)
            inputs = code.pointers(args[1], rows) if apart else targets

            def factor(k: int) -> Any:
                return code.spread(code.load(code.at(args[5], k * code.size), code.number))

            held = [factor(k) for k in range(rows * outs)] if rows * outs <= 12 else None

            def body(offset: Any, _: list[Any]) -> list[Any]:
                xs = [code.load(code.at(row, offset)) for row in inputs]
                news = [code.load(code.at(row, offset)) for row in targets] if apart else list(xs)
                for j, row in enumerate(others):
                    place = code.at(row, offset)
                    c = new = code.load(place)
                    for i, x in enumerate(xs):
                        g = held[j * rows + i] if held else factor(j * rows + i)
                        new = code.multiply_add(g, x, new)
                        news[i] = code.multiply_add(g, c, news[i])
                    code.store(new, place)
                for row, value in zip(targets, news, strict=True):
                    code.store(value, code.at(row, offset))
                return []

            code.loop(args[4], [], body)
            return context.get_dummy_value()

        return types.void(stored, *[types.int64] * 5), codegen

    return add_rows


@intrinsic
def address_at(typing_context: Any, place: Any, index: Any) -> Any:
    """Return one of the addresses that lie in a row at `place`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        here = builder.add(args[0], builder.mul(args[1], ir.Constant(_INT, 8)))
        return builder.load(builder.inttoptr(here, _INT.as_pointer()))

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def copy_row(typing_context: Any, like: Any, source: Any, target: Any, vectors: Any) -> Any:
    """Copy a row of `vectors` vectors from one address to another."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Rows(builder, signature.args[0].dtype)

        def body(offset: Any, _: list[Any]) -> list[Any]:
            code.store(code.load(code.at(args[1], offset)), code.at(args[2], offset))
            return []

        code.loop(args[3], [], body)
        return context.get_dummy_value()

    return types.void(like, types.int64, types.int64, types.int64), codegen


@intrinsic
def prefetch(typing_context: Any, address: Any, count: Any) -> Any:
    """Ask for the next `count` cache lines of 64 bytes, to be read and written soon."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _INT32, _INT32, _INT32])
        name = "llvm.prefetch.p0i8"
        fetch = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        before = builder.block
        inside, after = builder.append_basic_block("line"), builder.append_basic_block("asked")
        builder.branch(inside)
        builder.position_at_end(inside)
        index = builder.phi(_INT)
        index.add_incoming(ir.Constant(_INT, 0), before)
        place = builder.add(args[0], builder.mul(index, ir.Constant(_INT, 64)))
        flags = [ir.Constant(_INT32, value) for value in (0, 3, 1)]
        builder.call(fetch, [builder.inttoptr(place, ir.IntType(8).as_pointer()), *flags])
        following = builder.add(index, ir.Constant(_INT, 1))
        index.add_incoming(following, inside)
        builder.cbranch(builder.icmp_signed("<", following, args[1]), inside, after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


# 2**f on [0, 1), minimax, relative error 2e-7; from the highest power
_EXP2 = (
    1.877576608e-3,
    8.989340252e-3,
    5.582631792e-2,
    2.401536171e-1,
    6.931530732e-1,
    9.999999251e-1,
)


@intrinsic
def float32_gradients(typing_context: Any, place: Any, out: Any, count: Any, rate: Any) -> Any:
    """Write `-rate * sigmoid(f)` for logits at `place`, whole vectors, `count` of them."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Rows(builder, types.float32)
        whole = ir.VectorType(_INT32, code.lanes)
        rate_vector = code.spread(args[3])

        def limit(name: str, value: Any, bound: float) -> Any:
            full = f"llvm.{name}.v{code.lanes}f32"
            kind = ir.FunctionType(code.vector, [code.vector] * 2)
            module = builder.module
            function = module.globals.get(full) or ir.Function(module, kind, full)
            return builder.call(function, [value, code.constant(bound)])

        def body(offset: Any, _: list[Any]) -> list[Any]:
            f = code.load(code.at(args[0], offset))
            # 2**t, t = -f / ln 2: the whole part goes into the exponent's bits
            t = builder.fmul(f, code.constant(-1.44269504))
            t = limit("maxnum", limit("minnum", t, 126.0), -126.0)
            shifted = builder.fadd(t, code.constant(127.0))
            exponent = builder.fptosi(shifted, whole)
            part = builder.fsub(shifted, builder.sitofp(exponent, code.vector))
            power = code.constant(_EXP2[0])
            for term in _EXP2[1:]:
                power = code.multiply_add(power, part, code.constant(term))
            bits = builder.shl(exponent, ir.Constant(whole, [23] * code.lanes))
            e = builder.fmul(power, builder.bitcast(bits, code.vector))
            down = builder.fdiv(rate_vector, builder.fadd(e, code.constant(1.0)))
            code.store(builder.fneg(down), code.at(args[1], offset))
            return []

        code.loop(args[2], [], body)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.float32), codegen
