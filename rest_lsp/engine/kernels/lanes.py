"""Words that Python lacks, as LLVM code: sums that live in registers, a choice by a number, fused multiply-add."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba.extending
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

intrinsic: Any = numba.extending.intrinsic
declare: Any = cgutils.get_or_insert_function

I64 = ir.IntType(64)


def number(value: int) -> Any:
    """A constant of 64 bits."""
    return ir.Constant(I64, value)


def sum_up(
    builder: Any, n: Any, step: int, begun: Sequence[Any], grow: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """Writes `for k in range(0, n, step): sums = grow(k, sums)`, once at least; gives the sums behind it.

    They begin as `begun`, and each stays in a register through the whole loop.
    """
    before, loop, after = builder.block, builder.append_basic_block("sums"), builder.append_basic_block("sums.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(I64)
    sums = [builder.phi(first.type) for first in begun]
    grown = grow(k, sums)
    next_k = builder.add(k, number(step))
    k.add_incoming(number(0), before)
    k.add_incoming(next_k, loop)
    for total, first, larger in zip(sums, begun, grown, strict=True):
        total.add_incoming(first, before)
        total.add_incoming(larger, loop)
    builder.cbranch(builder.icmp_signed("<", next_k, n), loop, after)
    builder.position_at_end(after)
    return grown


def choose(builder: Any, number_of_case: Any, cases: Sequence[Callable[[], None]]) -> None:
    """Writes all `cases`, of which the one with this number runs, counted from 1; the last for larger numbers.

    So what has to be a constant of the code may be known as late as when it runs.
    """
    after = builder.append_basic_block("chosen")
    blocks = [builder.append_basic_block(f"case.{at}") for at in range(1, len(cases) + 1)]
    ways = builder.switch(number_of_case, blocks[-1])
    for at, (block, case) in enumerate(zip(blocks, cases, strict=True), start=1):
        ways.add_case(number(at), block)
        builder.position_at_end(block)
        case()
        builder.branch(after)
    builder.position_at_end(after)


def _fma(_context: Any, _a: Any, _b: Any, _c: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


def _float_of_bits(_context: Any, _bits: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


fma: Callable[[np.float32, np.float32, np.float32], np.float32] = intrinsic(_fma)
"""a * b + c, rounded once: the same in a vector register and in what is left over at its end."""

float_of_bits: Callable[[np.int32], np.float32] = intrinsic(_float_of_bits)
"""The float32 with these 32 bits."""
