"""From a packed model to a decoder in torch: the right linear class, copying little."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rest_lsp.engine.decoder import Decoder, DecoderLayer
from rest_lsp.engine.int8_linear import Int8Linear, choose_product, dequantised
from rest_lsp.engine.linear import DenseLinear, Linear, RowLinear
from rest_lsp.engine.rope import RotaryTable
from rest_lsp.models.packed import PackedModel


def build_decoder(packed: PackedModel, *, device: torch.device, dtype: torch.dtype, n_positions: int) -> Decoder:
    """The decoder of `packed` with activations in `dtype`, for positions below `n_positions`."""
    reader = _Reader(packed, device, dtype)
    embedding = reader.tensor("embed.weight")
    tied = packed.config.tied_head and not reader.has("head.weight")
    decoder = Decoder(
        packed.config,
        embedding=embedding,
        layers=[reader.layer(index) for index in range(packed.config.n_layers)],
        norm=reader.vector("norm.weight"),
        head=reader.dense(embedding, None) if tied else reader.linear("head"),
        rotary=RotaryTable.build(packed.config, n_positions, dtype, device),
        dtype=dtype,
    )
    packed.forget_pages()
    return decoder


class _Reader:
    def __init__(self, packed: PackedModel, device: torch.device, dtype: torch.dtype) -> None:
        self._packed, self._device, self._dtype = packed, device, dtype
        self._product = choose_product(device, dtype) if packed.form == "int8" else dequantised

    def has(self, name: str) -> bool:
        return name in self._packed.tensors

    def tensor(self, name: str) -> Tensor:
        """As stored; on the CPU it stays in the mapped file, so only rows that are read cost memory."""
        data = self._packed.tensors[name]
        stored = torch.from_numpy(data.array)
        return (stored.view(torch.bfloat16) if data.dtype == "bf16" else stored).to(self._device)

    def vector(self, name: str) -> Tensor:
        return self.tensor(name).to(self._dtype, copy=True)

    def optional(self, name: str) -> Tensor | None:
        return self.vector(name) if self.has(name) else None

    def dense(self, weight: Tensor, bias: Tensor | None) -> Linear:
        build: Callable[[Tensor, Tensor | None], Linear] = RowLinear if self._device.type == "cpu" else DenseLinear
        return build(weight.to(self._dtype), bias)

    def linear(self, name: str) -> Linear:
        bias = self.optional(f"{name}.bias")
        if self.has(f"{name}.weight.scale"):
            return Int8Linear(self.tensor(f"{name}.weight"), self.tensor(f"{name}.weight.scale"), bias, self._product)
        return self.dense(self.tensor(f"{name}.weight"), bias)

    def layer(self, index: int) -> DecoderLayer:
        prefix = f"layers.{index}"
        layer = DecoderLayer(
            attention_norm=self.vector(f"{prefix}.attn_norm.weight"),
            qkv=self.linear(f"{prefix}.qkv"),
            query_norm=self.optional(f"{prefix}.q_norm.weight"),
            key_norm=self.optional(f"{prefix}.k_norm.weight"),
            output=self.linear(f"{prefix}.o"),
            ffn_norm=self.vector(f"{prefix}.ffn_norm.weight"),
            gate_up=self.linear(f"{prefix}.gate_up"),
            down=self.linear(f"{prefix}.down"),
        )
        self._packed.forget_pages()
        return layer
