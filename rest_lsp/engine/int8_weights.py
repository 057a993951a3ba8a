"""From a packed int8 model to the arrays that the kernels read: matrices interleaved, vectors stacked by layer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from rest_lsp.engine.kernels.forward import Matrix, Shape, Weights
from rest_lsp.engine.kernels.product import interleave, interleaved_shape, largest_activation, padded_outputs
from rest_lsp.engine.rope import RotaryTable
from rest_lsp.models.packed import DecoderConfig, PackedModel

Floats = npt.NDArray[np.float32]


def read_weights(packed: PackedModel, n_positions: int) -> Weights:
    """Copy the weights of an int8 `packed` for positions below `n_positions`; the embedding stays in its file."""
    reader = _Reader(packed)
    rotary = RotaryTable.build(packed.config, n_positions, torch.float32, torch.device("cpu"))
    half = packed.config.head_dim // 2
    weights = Weights(
        embedding=packed.tensors["embed.weight"].array,
        attention_norm=reader.vectors("attn_norm"),
        qkv=reader.matrix("qkv"),
        query_norm=reader.vectors("q_norm"),
        key_norm=reader.vectors("k_norm"),
        output=reader.matrix("o"),
        ffn_norm=reader.vectors("ffn_norm"),
        gate_up=reader.matrix("gate_up"),
        down=reader.matrix("down"),
        norm=packed.tensors["norm.weight"].array.astype(np.float32),
        head=reader.head(),
        cos=np.ascontiguousarray(rotary.cos[:, :half].numpy()),
        sin=np.ascontiguousarray(rotary.sin[:, half:].numpy()),
    )
    packed.forget_pages()
    return weights


def shape_of(config: DecoderConfig) -> Shape:
    return Shape(
        n_heads=config.n_heads,
        n_kv_heads=config.n_kv_heads,
        head_dim=config.head_dim,
        norm_eps=np.float32(config.norm_eps),
        embedding_multiplier=np.float32(config.embedding_multiplier),
        attention_scale=np.float32(config.attention_multiplier or config.head_dim**-0.5),
        residual_multiplier=np.float32(config.residual_multiplier),
        largest_hidden=np.float32(largest_activation(config.hidden_size)),
        largest_attended=np.float32(largest_activation(config.n_heads * config.head_dim)),
        largest_gated=np.float32(largest_activation(config.ffn_size)),
    )


class _Reader:
    def __init__(self, packed: PackedModel) -> None:
        self._packed = packed
        self._layers = [f"layers.{index}." for index in range(packed.config.n_layers)]

    def vectors(self, name: str) -> Floats:
        """`[n_layers, size]`; `[n_layers, 0]` where the model has none."""
        none = np.empty(0, np.float32)
        tensors = self._packed.tensors
        names = [f"{layer}{name}.weight" for layer in self._layers]
        return np.stack([tensors[each].array.astype(np.float32) if each in tensors else none for each in names])

    def matrix(self, name: str) -> Matrix:
        return self._stack([f"{layer}{name}" for layer in self._layers])

    def head(self) -> Matrix:
        return self._stack(["head"])

    def _stack(self, names: list[str]) -> Matrix:
        tensors = self._packed.tensors
        n_out, n_in = tensors[f"{names[0]}.weight"].array.shape
        weights = np.empty((len(names), *interleaved_shape(n_out, n_in)), np.int8)
        n_padded = padded_outputs(n_out)
        scales, bias = np.zeros((len(names), n_padded), np.float32), np.zeros((len(names), n_padded), np.float32)
        for index, name in enumerate(names):
            interleave(tensors[f"{name}.weight"].array, weights[index])
            scales[index, :n_out] = tensors[f"{name}.weight.scale"].array
            if f"{name}.bias" in tensors:
                bias[index, :n_out] = tensors[f"{name}.bias"].array
            self._packed.forget_pages()
        return Matrix(weights, scales, bias)
