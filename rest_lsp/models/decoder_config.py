"""What distinguishes one decoder of the Llama family from another.  Knows nothing about files or weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

RopeKind = Literal["linear", "llama3"]


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """Stretched rotary frequencies: all divided by `factor` ("linear"), or only the slow ones ("llama3")."""

    kind: RopeKind
    factor: float
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_max_context: int = 8192


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """Shapes in elements, `max_context` in tokens.  `attention_multiplier` None means 1 / sqrt(head_dim).

    The multipliers are Granite's: embeddings times `embedding_multiplier`, each block's output times
    `residual_multiplier` before it is added, logits divided by `logits_divisor`.
    """

    architecture: str
    vocab_size: int
    hidden_size: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    ffn_size: int
    norm_eps: float
    rope_theta: float
    max_context: int
    rope_scaling: RopeScaling | None = None
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    tied_head: bool = False
    sliding_window: int | None = None
    embedding_multiplier: float = 1.0
    attention_multiplier: float | None = None
    residual_multiplier: float = 1.0
    logits_divisor: float = 1.0

    @property
    def group(self) -> int:
        """Query heads that share keys and values."""
        return self.n_heads // self.n_kv_heads

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> DecoderConfig:
        """The inverse of `to_json`.  Raises ValueError, KeyError or TypeError for anything else."""
        values = json.loads(text)
        scaling = values.pop("rope_scaling")
        return cls(**values, rope_scaling=RopeScaling(**scaling) if scaling else None)
