"""One decoder for the Llama family.  Layers are data; how rows attend is passed in, so it knows no tree and no cache.

What differs between architectures (biases, q/k norm, multipliers) is in the configuration, never in a subclass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from rest_lsp.engine.linear import Linear
from rest_lsp.engine.rope import RotaryTable, rotate
from rest_lsp.models.packed import DecoderConfig

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, queries [n, n_kv_heads, group, head_dim], keys and values [n_kv_heads, n, head_dim]) -> like queries."""

_SERIAL_ELEMENTS = 32768
"""torch splits larger element-wise work between threads, anywhere inside a row."""


@dataclass(frozen=True)
class DecoderLayer:
    """The weights of one layer; norms are vectors."""

    attention_norm: Tensor
    qkv: Linear
    query_norm: Tensor | None
    key_norm: Tensor | None
    output: Linear
    ffn_norm: Tensor
    gate_up: Linear
    down: Linear

    @property
    def n_bytes(self) -> int:
        return sum(linear.n_bytes for linear in (self.qkv, self.output, self.gate_up, self.down))


class Decoder:
    """Token ids in, logits out.  Stateless: keys and values go to `attend`."""

    def __init__(
        self,
        config: DecoderConfig,
        *,
        embedding: Tensor,
        layers: Sequence[DecoderLayer],
        norm: Tensor,
        head: Linear,
        rotary: RotaryTable,
        dtype: torch.dtype,
    ) -> None:
        self.config, self.layers, self.head, self.dtype = config, layers, head, dtype
        self._embedding, self._norm, self._rotary = embedding, norm, rotary
        self.attention_scale = config.attention_multiplier or config.head_dim**-0.5

    @property
    def n_bytes_per_token(self) -> int:
        """Weight bytes that one forward pass must read."""
        return sum(layer.n_bytes for layer in self.layers) + self.head.n_bytes

    def forward(self, tokens: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Hidden states `[n, hidden_size]` after the last layer of `tokens` `[n]` at `positions` `[n]`."""
        x = self._embedding[tokens].to(self.dtype)
        if self.config.embedding_multiplier != 1.0:
            x = x * self.config.embedding_multiplier
        rotary = self._rotary.at(positions)
        for index, layer in enumerate(self.layers):
            x = self._add(x, self._attention(index, layer, x, rotary, attend))
            x = self._add(x, self._feed_forward(layer, x))
        return x

    def logits(self, hidden: Tensor) -> Tensor:
        """`[n, vocab_size]`, float32 on every device."""
        logits = self.head(self._normalise(hidden, self._norm)).float()
        return logits if self.config.logits_divisor == 1.0 else logits / self.config.logits_divisor

    def _attention(self, index: int, layer: DecoderLayer, x: Tensor, rotary: RotaryTable, attend: Attend) -> Tensor:
        c, n = self.config, len(x)
        heads = layer.qkv(self._normalise(x, layer.attention_norm)).view(n, c.n_heads + 2 * c.n_kv_heads, c.head_dim)
        rotated, values = heads[:, : c.n_heads + c.n_kv_heads], heads[:, c.n_heads + c.n_kv_heads :]
        if layer.query_norm is not None and layer.key_norm is not None:
            rotated = torch.cat(
                [
                    self._normalise(rotated[:, : c.n_heads], layer.query_norm),
                    self._normalise(rotated[:, c.n_heads :], layer.key_norm),
                ],
                dim=1,
            )
        rotated = rotate(rotated, rotary)
        queries, keys = rotated[:, : c.n_heads], rotated[:, c.n_heads :]
        grouped = queries.reshape(n, c.n_kv_heads, -1, c.head_dim)
        out = attend(index, grouped, keys.transpose(0, 1), values.transpose(0, 1))
        return layer.output(out.reshape(n, c.n_heads * c.head_dim))

    def _feed_forward(self, layer: DecoderLayer, x: Tensor) -> Tensor:
        gate_up = layer.gate_up(self._normalise(x, layer.ffn_norm))
        size = self.config.ffn_size
        return layer.down(silu_by_rows(gate_up[:, :size]).mul_(gate_up[:, size:]))

    def _normalise(self, x: Tensor, weight: Tensor) -> Tensor:
        """RMSNorm (arXiv 1910.07467); in half the calls that torch's own makes on a CPU when x is float32."""
        if x.dtype != torch.float32 or x.device.type != "cpu":
            return F.rms_norm(x, weight.shape, weight, self.config.norm_eps)
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        mean_square = norm.square_().mul_(1.0 / x.shape[-1])
        scaled: Tensor = x * mean_square.add_(self.config.norm_eps).rsqrt_()
        return scaled.mul_(weight)

    def _add(self, x: Tensor, branch: Tensor) -> Tensor:
        factor = self.config.residual_multiplier
        return x + branch if factor == 1.0 else x + branch * factor


def silu_by_rows(gate: Tensor) -> Tensor:
    """SiLU of `[n, width]`, the same for a row in any company.

    The vector form of exp and its scalar form, used for what is left over at the end of a stretch, differ in the last
    bit.  torch hands out stretches by element count, so big inputs go in groups of rows that one thread takes whole.
    """
    rows = max(1, _SERIAL_ELEMENTS // gate.shape[1])
    if gate.device.type != "cpu" or len(gate) <= rows:
        return F.silu(gate)
    return torch.cat([F.silu(group) for group in torch.split(gate, rows)])
