"""Writes tiny model files, GGUF and safetensors, from a RandomSource."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from rest_lsp.models.decoder_config import DecoderConfig
from tests.fakes_models import RandomSource, byte_level_description

GGUF_PARTS = {
    "attn_norm": "attn_norm",
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "q_norm": "attn_q_norm",
    "k_norm": "attn_k_norm",
    "ffn_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
HUB_PARTS = {
    "attn_norm": "input_layernorm",
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "q_norm": "self_attn.q_norm",
    "k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
Vocabulary = dict[str, Any]


def interleave(rows: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """What llama.cpp's converter does to the queries and keys of Llama models."""
    half = math.prod(rows.shape[:1]) // heads // 2
    return np.ascontiguousarray(rows.reshape(heads, 2, half, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape))


def byte_level_vocabulary() -> Vocabulary:
    """Tokens, types and merges of the trained byte-level vocabulary; control tokens are typed as such."""
    description = byte_level_description(indents=(), nfc=False)
    tokens = dict(description["model"]["vocab"])
    tokens.update({entry["content"]: entry["id"] for entry in description["added_tokens"]})
    control = {entry["content"] for entry in description["added_tokens"]}
    texts = sorted(tokens, key=lambda text: tokens[text])
    merges = [" ".join(pair) for pair in description["model"]["merges"]]
    return {
        "model": "gpt2",
        "tokens": texts,
        "types": [3 if text in control else 1 for text in texts],
        "merges": merges,
    }


def write_gguf(
    path: Path,
    source: RandomSource,
    *,
    architecture: str = "qwen2",
    pre: str = "qwen2",
    vocabulary: Vocabulary | None = None,
    kind: gguf.GGMLQuantizationType | None = None,
    entries: dict[str, Any] | None = None,
    rope_freqs: npt.NDArray[np.float32] | None = None,
) -> None:
    """A whole GGUF file; `entries` adds or replaces metadata of the architecture, `kind` quantises the matrices."""
    config = source.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_context)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.n_layers)
    writer.add_feed_forward_length(config.ffn_size)
    writer.add_head_count(config.n_heads)
    writer.add_head_count_kv(config.n_kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    for key, value in (entries or {}).items():
        add = writer.add_string if isinstance(value, str) else writer.add_float32
        add(f"{architecture}.{key}", value)
    _add_vocabulary(writer, vocabulary or byte_level_vocabulary(), pre, config.vocab_size)
    for name, tensor in source.tensors.items():
        stored = _for_gguf(name, tensor, architecture, config)
        if kind is not None and stored.ndim == 2:
            writer.add_tensor(_gguf_name(name, architecture), gguf.quants.quantize(stored, kind), raw_dtype=kind)
        else:
            writer.add_tensor(_gguf_name(name, architecture), stored)
    if rope_freqs is not None:
        writer.add_tensor("rope_freqs.weight", rope_freqs)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_hub_folder(
    folder: Path, source: RandomSource, *, architecture: str = "Qwen2ForCausalLM", changes: dict[str, Any] | None = None
) -> None:
    """config.json, tokenizer.json and model.safetensors as transformers writes them; `changes` go into the config."""
    folder.mkdir(parents=True, exist_ok=True)
    config = source.config
    values = {
        "architectures": [architecture],
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.ffn_size,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "max_position_embeddings": config.max_context,
        "tie_word_embeddings": config.tied_head,
    }
    (folder / "config.json").write_text(json.dumps({**values, **(changes or {})}))
    (folder / "tokenizer.json").write_bytes(source.tokenizer_json())
    save_file(hub_tensors(source), folder / "model.safetensors")


def hub_tensors(source: RandomSource) -> dict[str, npt.NDArray[np.float32]]:
    return {_hub_name(name): tensor for name, tensor in source.tensors.items()}


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary, pre: str, size: int) -> None:
    padding = [f"[PAD{token}]" for token in range(len(vocabulary["tokens"]), size)]
    writer.add_tokenizer_model(vocabulary["model"])
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([*vocabulary["tokens"], *padding])
    writer.add_token_types([*vocabulary["types"], *[5] * len(padding)])
    if "merges" in vocabulary:
        writer.add_token_merges(vocabulary["merges"])
    if "scores" in vocabulary:
        writer.add_token_scores([*vocabulary["scores"], *[0.0] * len(padding)])


def _for_gguf(
    name: str, tensor: npt.NDArray[np.float32], architecture: str, config: DecoderConfig
) -> npt.NDArray[np.float32]:
    part = name.split(".")[-2]
    if architecture in ("llama", "granite") and part in ("q", "k"):
        return interleave(tensor, config.n_heads if part == "q" else config.n_kv_heads)
    return tensor


def _gguf_name(name: str, architecture: str) -> str:
    top = {"embed.weight": "token_embd.weight", "norm.weight": "output_norm.weight", "head.weight": "output.weight"}
    if name in top:
        return top[name]
    _, layer, part, kind = name.split(".")
    is_seed_oss_norm = architecture == "seed_oss" and part == "ffn_norm"
    return f"blk.{layer}.{'post_attention_norm' if is_seed_oss_norm else GGUF_PARTS[part]}.{kind}"


def _hub_name(name: str) -> str:
    top = {
        "embed.weight": "model.embed_tokens.weight",
        "norm.weight": "model.norm.weight",
        "head.weight": "lm_head.weight",
    }
    if name in top:
        return top[name]
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{HUB_PARTS[part]}.{kind}"
