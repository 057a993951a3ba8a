"""Turns a Hugging Face config.json into a DecoderConfig.  Knows nothing about how weights are stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rest_lsp.errors import ModelError
from rest_lsp.models.decoder_config import DecoderConfig, RopeScaling
from rest_lsp.models.source import unsupported_architecture, unsupported_feature

Shape = Callable[[str], "tuple[int, ...] | None"]

_ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "GraniteForCausalLM": "granite",
    "SeedOssForCausalLM": "seed_oss",
}


def read_hub_config(path: Path, shape: Shape) -> DecoderConfig:
    """Read `path`; `shape` tells which of the optional tensors exist (None when absent).  Raises ModelError."""
    try:
        values = json.loads(path.read_bytes())
        return _config(values, shape, str(path.parent))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is missing or damaged ({error!r}).", "Download the model again.") from error


def _config(values: dict[str, Any], shape: Shape, where: str) -> DecoderConfig:
    architecture = (values.get("architectures") or ["model without a named architecture"])[0]
    if architecture not in _ARCHITECTURES:
        raise unsupported_architecture(str(architecture), where)
    _refuse_unknown_features(values, where)
    n_heads, hidden = int(values["num_attention_heads"]), int(values["hidden_size"])
    rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
    attention = values.get("attention_multiplier")
    return DecoderConfig(
        architecture=_ARCHITECTURES[architecture],
        vocab_size=int(values["vocab_size"]),
        hidden_size=hidden,
        n_layers=int(values["num_hidden_layers"]),
        n_heads=n_heads,
        n_kv_heads=int(values.get("num_key_value_heads") or n_heads),
        head_dim=int(values.get("head_dim") or hidden // n_heads),
        ffn_size=int(values["intermediate_size"]),
        norm_eps=float(values["rms_norm_eps"]),
        rope_theta=float(rope.get("rope_theta") or values.get("rope_theta") or 10000.0),
        max_context=int(values["max_position_embeddings"]),
        rope_scaling=_rope_scaling(rope, int(values["max_position_embeddings"]), where),
        qkv_bias=shape("layers.0.q.bias") is not None,
        o_bias=shape("layers.0.o.bias") is not None,
        mlp_bias=shape("layers.0.down.bias") is not None,
        qk_norm=shape("layers.0.q_norm.weight") is not None,
        tied_head=bool(values.get("tie_word_embeddings")) or shape("head.weight") is None,
        sliding_window=_sliding_window(values, where),
        embedding_multiplier=float(values.get("embedding_multiplier", 1.0)),
        attention_multiplier=None if attention is None else float(attention),
        residual_multiplier=float(values.get("residual_multiplier", 1.0)),
        logits_divisor=float(values.get("logits_scaling", 1.0)),
    )


def _refuse_unknown_features(values: dict[str, Any], where: str) -> None:
    if values.get("hidden_act", "silu") not in ("silu", "swish"):
        raise unsupported_feature(f"the activation {values['hidden_act']!r}", where)
    if values.get("quantization_config"):
        raise unsupported_feature("weights quantised for another runtime", where)
    if float(values.get("partial_rotary_factor") or 1.0) != 1.0:
        raise unsupported_feature("partial rotary embeddings", where)


def _rope_scaling(rope: dict[str, Any], max_context: int, where: str) -> RopeScaling | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "default":
        return None
    if kind == "linear":
        return RopeScaling("linear", float(rope["factor"]))
    if kind == "llama3":
        return RopeScaling(
            "llama3",
            factor=float(rope["factor"]),
            low_freq_factor=float(rope["low_freq_factor"]),
            high_freq_factor=float(rope["high_freq_factor"]),
            original_max_context=int(rope.get("original_max_position_embeddings") or max_context),
        )
    raise unsupported_feature(f"rotary scaling of kind {kind!r}", where)


def _sliding_window(values: dict[str, Any], where: str) -> int | None:
    """Qwen lists a window and a switch that is usually off; a window in some layers only is beyond the decoder."""
    window = values.get("sliding_window")
    if not window or values.get("use_sliding_window") is False:
        return None
    kinds = set(values.get("layer_types") or [])
    if kinds == {"full_attention"}:
        return None
    some_layers_full = "use_sliding_window" in values and int(values.get("max_window_layers") or 0) > 0
    if len(kinds) > 1 or (not kinds and some_layers_full):
        raise unsupported_feature("a sliding attention window in some of its layers", where)
    return int(window)
