"""Reads a GGUF file: configuration from its metadata, weights dequantised in blocks.  Knows nothing about packing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from rest_lsp.errors import ModelError
from rest_lsp.models.decoder_config import DecoderConfig, RopeScaling
from rest_lsp.models.gguf_tokenizer import GgufVocabulary, tokenizer_json
from rest_lsp.models.rope import llama3_divisors
from rest_lsp.models.source import unsupported_architecture, unsupported_feature

_TOP_LEVEL = {"embed.weight": "token_embd.weight", "norm.weight": "output_norm.weight", "head.weight": "output.weight"}
_PER_LAYER = {
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
_ARCHITECTURES = frozenset({"llama", "qwen2", "qwen3", "granite", "seed_oss"})
# llama.cpp rotates neighbouring pairs for these, so its converter interleaves the halves of each query and key head.
_INTERLEAVED = frozenset({"llama", "granite"})


class GgufSource:
    """One open GGUF file (memory-mapped).  Raises ModelError from the constructor when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            reader = gguf.GGUFReader(path)
            self._fields: dict[str, Any] = dict(reader.fields)
            self._tensors = {tensor.name: tensor for tensor in reader.tensors}
        except (OSError, ValueError, IndexError, KeyError, OverflowError) as error:
            raise ModelError(
                f"{path} is not a complete GGUF file ({error}).", "Download it again, or choose another model."
            ) from error
        self._architecture = str(self._value("general.architecture"))
        if self._architecture not in _ARCHITECTURES:
            raise unsupported_architecture(self._architecture, str(path))
        self.config = self._read_config()

    def shape(self, name: str) -> tuple[int, ...] | None:
        tensor = self._tensors.get(self._stored_name(name))
        return None if tensor is None else tuple(int(size) for size in reversed(tensor.shape))

    def blocks(self, name: str, max_rows: int) -> Iterator[npt.NDArray[np.float32]]:
        tensor = self._tensors[self._stored_name(name)]
        rows = len(tensor.data)
        heads = self._interleaved_heads(name)
        step = rows if heads else max_rows
        for start in range(0, rows, step):
            block = self._dequantise(tensor, slice(start, start + step))
            yield _halves_apart(block, heads) if heads else block

    def tokenizer_json(self) -> bytes:
        vocabulary = GgufVocabulary(
            model=str(self._value("tokenizer.ggml.model", "")),
            pre=str(self._value("tokenizer.ggml.pre", "default")),
            tokens=self._value("tokenizer.ggml.tokens", []),
            types=self._value("tokenizer.ggml.token_type", []),
            merges=self._value("tokenizer.ggml.merges", []),
            scores=self._value("tokenizer.ggml.scores", []),
        )
        return tokenizer_json(vocabulary, str(self._path))

    def _dequantise(self, tensor: Any, rows: slice) -> npt.NDArray[np.float32]:
        try:
            values = gguf.quants.dequantize(tensor.data[rows], tensor.tensor_type)
        except NotImplementedError as error:
            kind = tensor.tensor_type.name
            raise ModelError(
                f"{self._path} holds weights of kind {kind}, which cannot be read.",
                "Choose a file quantised to Q4_K_M or Q8_0.",
            ) from error
        return np.ascontiguousarray(values, dtype=np.float32)

    def _stored_name(self, name: str) -> str:
        if name in _TOP_LEVEL:
            return _TOP_LEVEL[name]
        _, layer, part, kind = name.split(".")
        stored = "post_attention_norm" if self._is_seed_oss and part == "ffn_norm" else _PER_LAYER[part]
        return f"blk.{layer}.{stored}.{kind}"

    @property
    def _is_seed_oss(self) -> bool:
        return self._architecture == "seed_oss"

    def _interleaved_heads(self, name: str) -> int:
        """How many heads' rows are interleaved in this tensor; 0 when none are."""
        part = name.split(".")[-2]
        if self._architecture not in _INTERLEAVED or part not in ("q", "k"):
            return 0
        return self.config.n_heads if part == "q" else self.config.n_kv_heads

    def _value(self, key: str, default: Any = None) -> Any:
        field = self._fields.get(key)
        if field is None and default is None:
            raise ModelError(f"{self._path} lacks the entry {key}.", "Download it again, or choose another model.")
        return default if field is None else field.contents()

    def _model_value(self, key: str, default: Any = None) -> Any:
        return self._value(f"{self._architecture}.{key}", default)

    def _read_config(self) -> DecoderConfig:
        n_heads = int(self._model_value("attention.head_count"))
        hidden = int(self._model_value("embedding_length"))
        head_dim = int(
            self._model_value("attention.key_length", self._model_value("rope.dimension_count", hidden // n_heads))
        )
        embedding = self.shape("embed.weight")
        if embedding is None:
            raise ModelError(
                f"{self._path} lacks the tensor token_embd.weight.", "Download it again, or choose another model."
            )
        scale = float(self._model_value("attention.scale", 0.0))
        return DecoderConfig(
            architecture=self._architecture,
            vocab_size=embedding[0],
            hidden_size=hidden,
            n_layers=int(self._model_value("block_count")),
            n_heads=n_heads,
            n_kv_heads=int(self._model_value("attention.head_count_kv", n_heads)),
            head_dim=head_dim,
            ffn_size=int(self._model_value("feed_forward_length")),
            norm_eps=float(self._model_value("attention.layer_norm_rms_epsilon")),
            rope_theta=float(self._model_value("rope.freq_base", 10000.0)),
            max_context=int(self._model_value("context_length")),
            rope_scaling=self._rope_scaling(head_dim),
            qkv_bias=self.shape("layers.0.q.bias") is not None,
            o_bias=self.shape("layers.0.o.bias") is not None,
            mlp_bias=self.shape("layers.0.down.bias") is not None,
            qk_norm=self.shape("layers.0.q_norm.weight") is not None,
            tied_head=self.shape("head.weight") is None,
            sliding_window=int(self._model_value("attention.sliding_window", 0)) or None,
            embedding_multiplier=float(self._model_value("embedding_scale", 1.0)),
            attention_multiplier=scale or None,
            residual_multiplier=float(self._model_value("residual_scale", 1.0)),
            logits_divisor=float(self._model_value("logit_scale", 1.0)),
        )

    def _rope_scaling(self, head_dim: int) -> RopeScaling | None:
        if int(self._model_value("rope.dimension_count", head_dim)) != head_dim:
            raise unsupported_feature("partial rotary embeddings", str(self._path))
        if "rope_freqs.weight" in self._tensors:
            return self._llama3_scaling(head_dim)
        kind = str(self._model_value("rope.scaling.type", "none"))
        factor = float(self._model_value("rope.scaling.factor", 1.0))
        if kind == "none" or factor == 1.0:
            return None
        if kind != "linear":
            raise unsupported_feature(f"rotary scaling of kind {kind!r}", str(self._path))
        return RopeScaling("linear", factor)

    def _llama3_scaling(self, head_dim: int) -> RopeScaling:
        """GGUF stores the divisors that Llama 3.1's four parameters give; only the factor varies between its models."""
        tensor = self._tensors["rope_freqs.weight"]
        divisors = self._dequantise(tensor, slice(None))
        scaling = RopeScaling("llama3", factor=float(divisors.max()))
        expected = llama3_divisors(scaling, float(self._model_value("rope.freq_base", 10000.0)), head_dim)
        if not np.allclose(divisors, expected, rtol=1e-3):
            raise unsupported_feature("rotary scaling of an unknown kind", str(self._path))
        return scaling


def _halves_apart(rows: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Undo the interleaving: per head, even rows first, then odd rows.  Takes [heads * head_dim, ...]."""
    half = math.prod(rows.shape[:1]) // heads // 2
    apart = rows.reshape(heads, half, 2, *rows.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(apart.reshape(rows.shape))
