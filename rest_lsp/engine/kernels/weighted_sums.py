"""The inner loop of attention, as LLVM code: a tile of weighted sums of vectors, each sum in one fixed order.

Scores are such sums (a query's elements weigh the rows of a block of keys), and so is what attention gives (shares
weigh the values).  A tile keeps its sums in registers, and what it reads of `vectors` serves several weights at once;
as loops over arrays, with every addition going through memory, attention of six rows took four thirds of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba import types

from rest_lsp.engine.kernels.lanes import choose, declare, intrinsic, number, sum_up

WIDTH = 16
"""Neighbouring floats that a tile works on."""

MOST_WEIGHTS = 4
"""Rows of weights of a tile: eight sums are what hides the time of an addition, and leave room for the operands."""

_F32 = ir.FloatType()
_VECTOR = ir.VectorType(_F32, 8)
_BYTES = 4


def make_weighted_sums(*, continues: bool) -> Callable[..., None]:
    """A function (n_weights, weights, weight_stride, vectors, vector_stride, n, out, out_stride).

    out[q, :WIDTH] = sum over k < n, ascending, of weights[q, k] * vectors[k, :WIDTH], each step rounded once, for
    `n_weights` rows q, MOST_WEIGHTS at most.  The sum begins with what stands in `out` when it `continues`, else with
    0.  `weights`, `vectors` and `out` are addresses of float32; strides are in elements; `n` is at least 1.
    """

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        n_weights, *others = arguments
        tiles = [_Tile(builder, each, continues) for each in range(1, MOST_WEIGHTS + 1)]
        choose(builder, n_weights, [partial(tile.generate, *others) for tile in tiles])
        return context.get_dummy_value()

    def weighted_sums(_context: Any, _q: Any, _w: Any, _ws: Any, _v: Any, _vs: Any, _n: Any, _o: Any, _os: Any) -> Any:
        return types.void(*[types.intp] * 8), generate

    return intrinsic(weighted_sums)  # type: ignore[no-any-return]


class _Tile:
    """Writes the loop; sums are vector registers that live through all of it."""

    def __init__(self, builder: Any, n_weights: int, continues: bool) -> None:
        self._builder, self._n_weights, self._continues = builder, n_weights, continues
        self._halves = range(WIDTH // _VECTOR.count)

    def generate(
        self, weights: Any, weight_stride: Any, vectors: Any, vector_stride: Any, n: Any, out: Any, out_stride: Any
    ) -> None:
        b = self._builder
        targets = [
            self._pointer(out, b.add(b.mul(out_stride, number(q)), number(half * _VECTOR.count)), _VECTOR)
            for q in range(self._n_weights)
            for half in self._halves
        ]
        zero = ir.Constant(_VECTOR, [0.0] * _VECTOR.count)
        begun = [b.load(target, align=_BYTES) if self._continues else zero for target in targets]

        def grow(k: Any, sums: list[Any]) -> list[Any]:
            return self._grow(
                sums, weights, weight_stride, b.add(vectors, b.mul(number(_BYTES), b.mul(k, vector_stride))), k
            )

        grown = sum_up(b, n, 1, begun, grow)
        for total, target in zip(grown, targets, strict=True):
            b.store(total, target, align=_BYTES)

    def _grow(self, sums: list[Any], weights: Any, weight_stride: Any, vector: Any, k: Any) -> list[Any]:
        """`sums` with the k-th vector added to each, times its weight."""
        b = self._builder
        halves = [
            b.load(self._pointer(vector, number(half * _VECTOR.count), _VECTOR), align=_BYTES) for half in self._halves
        ]
        fma = declare(b.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{_VECTOR.count}f32")
        grown = []
        for q in range(self._n_weights):
            weight = b.load(self._pointer(weights, b.add(b.mul(weight_stride, number(q)), k), _F32), align=_BYTES)
            everywhere = self._everywhere(weight)
            for half, each in enumerate(halves):
                grown.append(b.call(fma, [everywhere, each, sums[q * len(halves) + half]]))
        return grown

    def _everywhere(self, value: Any) -> Any:
        b, undefined = self._builder, ir.Constant(_VECTOR, ir.Undefined)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), _VECTOR.count), [0] * _VECTOR.count)
        return b.shuffle_vector(b.insert_element(undefined, value, number(0)), undefined, lanes)

    def _pointer(self, address: Any, index: Any, kind: Any) -> Any:
        b = self._builder
        return b.inttoptr(b.add(address, b.mul(number(_BYTES), index)), kind.as_pointer())
