"""One forward pass of a Llama-family decoder over the rows of a draft tree or of a stretch of prompt, in one call.

All that Python would do between two products happens here, so a pass costs what its arithmetic and its memory cost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rest_lsp.compiling import kernel
from rest_lsp.engine.kernels.lanes import float_of_bits
from rest_lsp.engine.kernels.phases import (
    attend_rows,
    gate_rows,
    multiply_rows,
    normalise_rows,
    rotate_rows,
    round_rows,
)

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Activations = npt.NDArray[np.int16]


class Matrix(NamedTuple):
    """The same projection of all layers: int8 weights, each layer's laid out as `product.interleave` does; scales and
    bias [n_layers, n_out padded]."""

    weights: npt.NDArray[np.int8]
    scales: Floats
    bias: Floats


class Weights(NamedTuple):
    """A whole model.  Columns and rows beyond the model's own are zeros; `head` has one layer.

    embedding  [vocab_size, hidden_size], the bits of bfloat16
    query_norm, key_norm  [n_layers, head_dim], or [n_layers, 0] in models without
    cos, sin   [capacity, head_dim / 2]
    """

    embedding: npt.NDArray[np.uint16]
    attention_norm: Floats
    qkv: Matrix
    query_norm: Floats
    key_norm: Floats
    output: Matrix
    ffn_norm: Floats
    gate_up: Matrix
    down: Matrix
    norm: Floats
    head: Matrix
    cos: Floats
    sin: Floats


class Shape(NamedTuple):
    """Numbers of a model that its arrays do not tell; `largest_*` bound the activations of the products."""

    n_heads: int
    n_kv_heads: int
    head_dim: int
    norm_eps: np.float32
    embedding_multiplier: np.float32
    attention_scale: np.float32
    residual_multiplier: np.float32
    largest_hidden: np.float32
    largest_attended: np.float32
    largest_gated: np.float32


class Scratch(NamedTuple):
    """Room for the rows of one pass, reused from pass to pass."""

    hidden: Floats
    normal: Floats
    projected: Floats
    attended: Floats
    gated: Floats
    integers: Activations
    attended_integers: Activations
    gated_integers: Activations
    scales: Floats
    scores: Floats


class Rows(NamedTuple):
    """The rows of a pass behind `past` tokens; row i is written to slot past + i.

    tokens, depths  [n]; a row's position is past + depth
    paths           [n, n]: paths[i, : depths[i] + 1] are row i's ancestors and itself, ascending
    """

    tokens: Integers
    depths: Integers
    paths: Integers
    past: int


@kernel
def forward(
    rows: Rows, weights: Weights, shape: Shape, scratch: Scratch, keys: Floats, values: Floats, n_threads: int
) -> None:
    """Write keys and values of all rows, and leave the last layer's output in `scratch.hidden`.

    keys    [n_layers, n_kv_heads, blocks, head_dim, attention.SLOTS]
    values  [n_layers, n_kv_heads, capacity, head_dim]
    """
    for row in range(len(rows.tokens)):
        _embed(weights.embedding[rows.tokens[row]], shape.embedding_multiplier, scratch.hidden[row])
    for layer in range(len(weights.attention_norm)):
        _attention(layer, rows, weights, shape, scratch, keys[layer], values[layer], n_threads)
        _feed_forward(layer, len(rows.tokens), weights, shape, scratch, n_threads)


@kernel
def project(
    first: int, n: int, weights: Weights, shape: Shape, scratch: Scratch, logits: Floats, n_threads: int
) -> None:
    """Logits of `n` rows of `scratch.hidden` from `first` on, before any divisor; logits  [n or more, vocab padded]."""
    for row in range(n):
        scratch.hidden[row] = scratch.hidden[first + row]
    _normalise(n, weights.norm, shape, scratch, n_threads)
    _multiply(scratch.integers, n, weights.head, 0, scratch, logits, n_threads)


@kernel
def _embed(bits: npt.NDArray[np.uint16], multiplier: np.float32, hidden: Floats) -> None:
    for i in range(len(hidden)):
        hidden[i] = float_of_bits(np.int32(bits[i]) << np.int32(16)) * multiplier


@kernel
def _attention(
    layer: int,
    rows: Rows,
    weights: Weights,
    shape: Shape,
    scratch: Scratch,
    keys: Floats,
    values: Floats,
    n_threads: int,
) -> None:
    n = len(rows.tokens)
    _normalise(n, weights.attention_norm[layer], shape, scratch, n_threads)
    _multiply(scratch.integers, n, weights.qkv, layer, scratch, scratch.projected, n_threads)
    rotate_rows(
        scratch.projected, rows.depths, rows.past, shape.n_heads, shape.attention_scale, weights.query_norm[layer],
        weights.key_norm[layer], shape.norm_eps, weights.cos, weights.sin, keys, values, n_threads,
    )  # fmt: skip
    attend_rows(
        scratch.projected, rows.depths, rows.paths, rows.past, shape.n_heads, keys, values, scratch.scores,
        scratch.attended, n_threads,
    )  # fmt: skip
    round_rows(scratch.attended, n, shape.largest_attended, scratch.attended_integers, scratch.scales, n_threads)
    _add_product(scratch.attended_integers, n, weights.output, layer, shape, scratch, n_threads)


@kernel
def _feed_forward(layer: int, n: int, weights: Weights, shape: Shape, scratch: Scratch, n_threads: int) -> None:
    _normalise(n, weights.ffn_norm[layer], shape, scratch, n_threads)
    _multiply(scratch.integers, n, weights.gate_up, layer, scratch, scratch.projected, n_threads)
    gate_rows(
        scratch.projected, scratch.gated, n, shape.largest_gated, scratch.gated_integers, scratch.scales, n_threads
    )
    _add_product(scratch.gated_integers, n, weights.down, layer, shape, scratch, n_threads)


@kernel
def _normalise(n: int, weight: Floats, shape: Shape, scratch: Scratch, n_threads: int) -> None:
    normalise_rows(
        scratch.hidden, scratch.normal, n, weight, shape.norm_eps, shape.largest_hidden, scratch.integers,
        scratch.scales, n_threads,
    )  # fmt: skip


@kernel
def _multiply(
    x: Activations, n: int, matrix: Matrix, layer: int, scratch: Scratch, out: Floats, n_threads: int
) -> None:
    multiply_rows(
        x, scratch.scales, n, matrix.weights[layer], matrix.scales[layer], matrix.bias[layer], out, np.float32(1),
        False, n_threads,
    )  # fmt: skip


@kernel
def _add_product(
    x: Activations, n: int, matrix: Matrix, layer: int, shape: Shape, scratch: Scratch, n_threads: int
) -> None:
    """The residual connection: the product is added to the hidden rows."""
    multiply_rows(
        x, scratch.scales, n, matrix.weights[layer], matrix.scales[layer], matrix.bias[layer], scratch.hidden,
        shape.residual_multiplier, True, n_threads,
    )  # fmt: skip
