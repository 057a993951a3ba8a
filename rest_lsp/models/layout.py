"""Which tensors a packed model holds, and which tensors of a source each is stacked from.  Pure; reads no files.

A source gives plain tensors by these names: embed.weight, norm.weight, head.weight, and per layer layers.{i}. followed
by q, k, v, o, gate, up, down (.weight and maybe .bias), attn_norm, ffn_norm, q_norm, k_norm (.weight).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rest_lsp.models.decoder_config import DecoderConfig
from rest_lsp.models.packed import DTypeName, WeightForm

_INT8_STEPS = 127


@dataclass(frozen=True, slots=True)
class SourceTensor:
    """A plain tensor of the source and the shape that it must have."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PackedTensor:
    """One tensor of the packed file: `parts` stacked along the rows.  `steps` is a quantised one's largest integer.

    A quantised tensor has a companion, NAME.scale, float32 [rows].
    """

    name: str
    parts: tuple[SourceTensor, ...]
    dtype: DTypeName
    steps: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:])


def packed_tensors(config: DecoderConfig, form: WeightForm) -> list[PackedTensor]:
    """All tensors in reading order: embed.weight, layers, norm.weight, and head.weight where it is not the embedding.

    Per layer: attn_norm, qkv (+ bias), q_norm and k_norm where there are any, o (+ bias), ffn_norm, gate_up (+ bias),
    down (+ bias).  Quantised forms always have a head.weight, since an embedding row is looked up in bfloat16 there.
    """
    steps = _INT8_STEPS if form == "int8" else 0
    matrix_dtype: DTypeName = "int8" if steps else "bf16" if form == "bf16" else "fp32"
    embed_dtype: DTypeName = "fp32" if form == "fp32" else "bf16"
    embedding = SourceTensor("embed.weight", (config.vocab_size, config.hidden_size))
    head = embedding if config.tied_head else SourceTensor("head.weight", embedding.shape)
    tensors = [PackedTensor("embed.weight", (embedding,), embed_dtype)]
    for layer in range(config.n_layers):
        for plan in _layer(config, f"layers.{layer}."):
            is_matrix = len(plan.shape) == 2
            tensors.append(PackedTensor(plan.name, plan.parts, *((matrix_dtype, steps) if is_matrix else ("fp32", 0))))
    tensors.append(PackedTensor("norm.weight", (SourceTensor("norm.weight", (config.hidden_size,)),), "fp32"))
    if steps or not config.tied_head:
        tensors.append(PackedTensor("head.weight", (head,), matrix_dtype, steps))
    return tensors


@dataclass(frozen=True, slots=True)
class _Projection:
    name: str
    parts: tuple[tuple[str, int], ...]
    inputs: int
    has_bias: bool


def _layer(config: DecoderConfig, prefix: str) -> Iterator[PackedTensor]:
    hidden, head_dim, ffn = config.hidden_size, config.head_dim, config.ffn_size
    q, kv = config.n_heads * head_dim, config.n_kv_heads * head_dim
    yield _vector(prefix, "attn_norm", hidden)
    yield from _projection(prefix, _Projection("qkv", (("q", q), ("k", kv), ("v", kv)), hidden, config.qkv_bias))
    if config.qk_norm:
        yield _vector(prefix, "q_norm", head_dim)
        yield _vector(prefix, "k_norm", head_dim)
    yield from _projection(prefix, _Projection("o", (("o", hidden),), q, config.o_bias))
    yield _vector(prefix, "ffn_norm", hidden)
    yield from _projection(prefix, _Projection("gate_up", (("gate", ffn), ("up", ffn)), hidden, config.mlp_bias))
    yield from _projection(prefix, _Projection("down", (("down", hidden),), ffn, config.mlp_bias))


def _vector(prefix: str, name: str, size: int) -> PackedTensor:
    return PackedTensor(f"{prefix}{name}.weight", (SourceTensor(f"{prefix}{name}.weight", (size,)),), "fp32")


def _projection(prefix: str, projection: _Projection) -> Iterator[PackedTensor]:
    weights = tuple(
        SourceTensor(f"{prefix}{part}.weight", (rows, projection.inputs)) for part, rows in projection.parts
    )
    yield PackedTensor(f"{prefix}{projection.name}.weight", weights, "fp32")
    if projection.has_bias:
        biases = tuple(SourceTensor(f"{prefix}{part}.bias", (rows,)) for part, rows in projection.parts)
        yield PackedTensor(f"{prefix}{projection.name}.bias", biases, "fp32")
