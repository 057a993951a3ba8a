"""The inner loop of the integer product, as LLVM code: a tile of dot products.

A tile multiplies int8 weights with int16 activations and adds in 32 bits.  Products of neighbours are added in pairs,
which LLVM turns into one instruction where the processor has it (pmaddwd since SSE2, vpdpwssd with VNNI); the sums are
exact integers on every machine, so the order in which they are added is free.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import codegen

from rest_lsp.engine.kernels.lanes import choose, declare, intrinsic, number, sum_up

get_host_cpu_features: Any = codegen.get_host_cpu_features

LANES = 16
"""Elements that are multiplied by one instruction, on processors with registers of 256 bits."""

PAIR = 2
"""Outputs whose weights lie together, LANES of one and LANES of the other in turns.

Then a whole matrix is read as one stream, which the memory system follows at full speed.  Four rows side by side, each
a stream of its own, took twice as long for one row of activations, and hid no memory behind arithmetic for more.
"""

_config: Any = numba.config
_FEATURES: str = get_host_cpu_features() if _config.CPU_FEATURES is None else _config.CPU_FEATURES

N_REGISTERS = 32 if "+avx512vl" in _FEATURES.split(",") else 16
"""Vector registers of LANES int16, or what comes near it: ARM has 32 of half that width."""

_CHAINS = 8
"""Sums that should grow side by side: an instruction takes about four cycles until another can use its result, and two
begin in each."""

_MOST_STEPS = 4

_STEPS_PER_LINE = 64 // (PAIR * LANES)
"""Steps whose weights share a line of the caches, which is asked for once."""

_PREFETCHED_BYTES = 2048
"""How far ahead weights are asked for; 1 to 16 KiB do about the same."""

STEP = _MOST_STEPS * LANES
"""Columns of a matrix are padded with zeros to a multiple of this."""

_I8, _I16, _I32 = (ir.IntType(bits) for bits in (8, 16, 32))
_WIDE, _SUM = ir.VectorType(_I32, LANES), ir.VectorType(_I32, LANES // 2)


def make_tiles(most_rows: int, sum_stride: int) -> Callable[..., None]:
    """A function (n_rows, x, x_stride, weights, n, sums): one pair of outputs for 1 to `most_rows` rows of activations.

    x        address of int16 [n_rows, x_stride], of which the first `n` columns are read
    weights  address of int8 [n / LANES, PAIR, LANES]
    n        a multiple of STEP
    sums     address of int32 [n_rows, sum_stride]; the products are added to its first PAIR columns
    """

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        n_rows, *others = arguments
        tiles = [_Tile(builder, rows, sum_stride) for rows in range(1, most_rows + 1)]
        choose(builder, n_rows, [partial(tile.generate, *others) for tile in tiles])
        return context.get_dummy_value()

    def tile(_context: Any, _n_rows: Any, _x: Any, _x_stride: Any, _weights: Any, _n: Any, _sums: Any) -> Any:
        return types.void(*[types.intp] * 6), generate

    return intrinsic(tile)  # type: ignore[no-any-return]


class _Tile:
    """Writes the loop of one tile; every sum is a vector register that lives through the whole loop."""

    def __init__(self, builder: Any, n_rows: int, sum_stride: int) -> None:
        self._builder, self._n_rows, self._sum_stride = builder, n_rows, sum_stride
        # With few rows several steps are taken side by side, each with sums of its own.
        self._n_chains = min(_MOST_STEPS, max(1, _CHAINS // (n_rows * PAIR)))
        self._n_steps = max(self._n_chains, _STEPS_PER_LINE)

    def generate(self, x: Any, x_stride: Any, weights: Any, n: Any, sums: Any) -> None:
        b, n_sums = self._builder, self._n_rows * PAIR

        def grow(k: Any, totals: list[Any]) -> list[Any]:
            for step in range(self._n_steps):
                column, at = b.add(k, number(step * LANES)), step % self._n_chains * n_sums
                pair_address = b.add(weights, b.mul(column, number(PAIR)))
                if step % _STEPS_PER_LINE == 0:
                    self._prefetch(b.add(pair_address, number(_PREFETCHED_BYTES)))
                grown = self._grow(totals[at : at + n_sums], x, x_stride, pair_address, column)
                totals = [*totals[:at], *grown, *totals[at + n_sums :]]
            return totals

        zeros = [ir.Constant(_SUM, [0] * _SUM.count)] * (self._n_chains * n_sums)
        grown = sum_up(b, n, self._n_steps * LANES, zeros, grow)
        for chain in range(1, self._n_chains):
            more = grown[chain * n_sums : (chain + 1) * n_sums]
            grown[:n_sums] = [b.add(total, other) for total, other in zip(grown[:n_sums], more, strict=True)]
        self._store(grown[:n_sums], sums)

    def _grow(self, totals: list[Any], x: Any, x_stride: Any, pair_address: Any, k: Any) -> list[Any]:
        """`totals` with the products of columns k … k + LANES - 1 added."""
        b = self._builder
        pair = [self._load(b.add(pair_address, number(out * LANES)), _I8) for out in range(PAIR)]
        grown = []
        for row in range(self._n_rows):
            index = b.add(b.mul(x_stride, number(row)), k)
            activations = self._load(b.add(x, b.mul(index, number(2))), _I16)
            for out, weight in enumerate(pair):
                grown.append(b.add(totals[row * PAIR + out], self._pair_sums(activations, weight)))
        return grown

    def _load(self, address: Any, element: Any) -> Any:
        """LANES elements, widened to 32 bits."""
        b = self._builder
        pointer = b.inttoptr(address, ir.VectorType(element, LANES).as_pointer())
        return b.sext(b.load(pointer, align=element.width // 8), _WIDE)

    def _pair_sums(self, x: Any, w: Any) -> Any:
        b = self._builder
        products, undefined = b.mul(x, w, flags=["nsw"]), ir.Constant(_WIDE, ir.Undefined)
        even, odd = (ir.Constant(_SUM, list(range(start, LANES, 2))) for start in (0, 1))
        return b.add(b.shuffle_vector(products, undefined, even), b.shuffle_vector(products, undefined, odd))

    def _prefetch(self, address: Any) -> None:
        b, pointer = self._builder, _I8.as_pointer()
        prefetch = declare(b.module, ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32]), "llvm.prefetch.p0")
        is_read, keep_near, is_data = ir.Constant(_I32, 0), ir.Constant(_I32, 3), ir.Constant(_I32, 1)
        b.call(prefetch, [b.inttoptr(address, pointer), is_read, keep_near, is_data])

    def _store(self, totals: list[Any], sums: Any) -> None:
        b = self._builder
        reduce = declare(b.module, ir.FunctionType(_I32, [_SUM]), f"llvm.vector.reduce.add.v{LANES // 2}i32")
        for i, total in enumerate(totals):
            row, out = divmod(i, PAIR)
            address = b.add(sums, number(4 * (row * self._sum_stride + out)))
            target = b.inttoptr(address, _I32.as_pointer())
            b.store(b.add(b.load(target), b.call(reduce, [total])), target)
