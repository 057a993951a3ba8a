"""transformers as the judge: weights, configuration, vocabularies and rotary scaling are what it sees in the files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from rest_lsp.models.convert import convert
from rest_lsp.models.decoder_config import RopeScaling
from rest_lsp.models.gguf_source import GgufSource
from rest_lsp.models.packed import PackedModel
from rest_lsp.models.quantise import from_bfloat16
from rest_lsp.models.rope import llama3_divisors
from rest_lsp.models.safetensors_source import SafetensorsSource
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_models import SAMPLE, RandomSource, tiny_config, write_tokenizer
from tests.files_models import write_gguf

SIZES: dict[str, Any] = {
    "vocab_size": 448,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
GRANITE: dict[str, Any] = {
    "embedding_multiplier": 6.0,
    "attention_multiplier": 0.2,
    "residual_multiplier": 0.5,
    "logits_scaling": 4.0,
}
FAMILIES: dict[str, Any] = {
    "llama": transformers.LlamaConfig(**SIZES),
    "llama-biased": transformers.LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
    "llama-3": transformers.LlamaConfig(
        **SIZES,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    "mistral": transformers.MistralConfig(**SIZES, head_dim=16, sliding_window=None),
    "qwen2": transformers.Qwen2Config(**SIZES, tie_word_embeddings=True),
    "qwen3": transformers.Qwen3Config(**SIZES, head_dim=16),
    "granite": transformers.GraniteConfig(**SIZES, **GRANITE),
    "seed_oss": transformers.SeedOssConfig(**SIZES, head_dim=16, attention_out_bias=True),
}


@pytest.fixture(params=FAMILIES)
def judged(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A random model of one family, saved as two shards, with its folder."""
    torch.manual_seed(3)
    auto: Any = transformers.AutoModelForCausalLM
    model = auto.from_config(FAMILIES[request.param])
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(tmp_path, max_shard_size="60KB")
    write_tokenizer(tmp_path)
    return model


def stacked(model: Any, *names: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    state = model.state_dict()
    return np.concatenate([state[name].numpy() for name in names])


def test_packed_weights_are_those_of_the_model(judged: Any, tmp_path: Path) -> None:
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    source = SafetensorsSource(tmp_path)
    convert(source, tmp_path / "fp32", form="fp32", name="tiny")
    convert(source, tmp_path / "bf16", form="bf16", name="tiny")
    packed, rounded = PackedModel.open(tmp_path / "fp32"), PackedModel.open(tmp_path / "bf16")
    attention, mlp = "model.layers.1.self_attn", "model.layers.1.mlp"
    expected = {
        "embed.weight": ["model.embed_tokens.weight"],
        "layers.1.qkv.weight": [f"{attention}.{part}_proj.weight" for part in "qkv"],
        "layers.1.qkv.bias": [f"{attention}.{part}_proj.bias" for part in "qkv"],
        "layers.1.o.weight": [f"{attention}.o_proj.weight"],
        "layers.1.o.bias": [f"{attention}.o_proj.bias"],
        "layers.1.q_norm.weight": [f"{attention}.q_norm.weight"],
        "layers.1.k_norm.weight": [f"{attention}.k_norm.weight"],
        "layers.1.attn_norm.weight": ["model.layers.1.input_layernorm.weight"],
        "layers.1.ffn_norm.weight": ["model.layers.1.post_attention_layernorm.weight"],
        "layers.1.gate_up.weight": [f"{mlp}.gate_proj.weight", f"{mlp}.up_proj.weight"],
        "layers.1.gate_up.bias": [f"{mlp}.gate_proj.bias", f"{mlp}.up_proj.bias"],
        "layers.1.down.weight": [f"{mlp}.down_proj.weight"],
        "layers.1.down.bias": [f"{mlp}.down_proj.bias"],
        "norm.weight": ["model.norm.weight"],
        "head.weight": ["lm_head.weight"],
    }
    state = judged.state_dict()
    present = {name for name, stored in expected.items() if stored[0] in state}
    if judged.config.tie_word_embeddings:
        present.discard("head.weight")
    assert {name for name in packed.tensors if not name.startswith("layers.0.")} == present
    for name in present:
        weights = stacked(judged, *expected[name])
        assert (packed.tensors[name].array == weights).all(), name
        stored = rounded.tensors[name]
        values = stored.array if stored.dtype == "fp32" else from_bfloat16(stored.array)
        by_torch = torch.from_numpy(weights)
        assert (values == (by_torch if weights.ndim == 1 else by_torch.bfloat16().float()).numpy()).all(), name


def test_configuration_says_what_the_model_computes_with(judged: Any, tmp_path: Path) -> None:
    config, theirs = SafetensorsSource(tmp_path).config, judged.config
    attention = judged.model.layers[0].self_attn
    assert config.head_dim == attention.head_dim
    assert (config.attention_multiplier or 1 / math.sqrt(config.head_dim)) == pytest.approx(attention.scaling)
    assert config.norm_eps == theirs.rms_norm_eps
    assert config.rope_theta == theirs.rope_parameters["rope_theta"]
    assert config.tied_head == theirs.tie_word_embeddings
    assert config.embedding_multiplier == getattr(theirs, "embedding_multiplier", 1.0)
    assert config.residual_multiplier == getattr(theirs, "residual_multiplier", 1.0)
    assert config.logits_divisor == getattr(theirs, "logits_scaling", 1.0)
    frequencies = 1 / config.rope_theta ** (np.arange(0, config.head_dim, 2) / config.head_dim)
    if config.rope_scaling is not None:
        frequencies = frequencies / llama3_divisors(config.rope_scaling, config.rope_theta, config.head_dim)
    assert np.allclose(judged.model.rotary_emb.inv_freq.numpy(), frequencies, rtol=1e-5)


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama3_divisors_of_a_real_size(factor: float) -> None:
    scaling = RopeScaling("llama3", factor)
    parameters = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": factor, "low_freq_factor": 1.0}
    parameters |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    config = transformers.LlamaConfig(hidden_size=2048, num_attention_heads=32, rope_parameters=parameters)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 1 / 500000.0 ** (np.arange(0, 64, 2) / 64)
    assert np.allclose(plain / llama3_divisors(scaling, 500000.0, 64), scaled.numpy(), rtol=1e-5)


PLAIN: dict[str, Any] = {"qkv_bias": False, "o_bias": False, "mlp_bias": False, "qk_norm": False}


@pytest.mark.parametrize("pre", ["qwen2", "llama-bpe", "gpt-2"])
def test_gguf_vocabulary_gives_the_same_ids(tmp_path: Path, pre: str) -> None:
    write_gguf(tmp_path / "m.gguf", RandomSource(tiny_config(**PLAIN)), pre=pre)
    (tmp_path / "tokenizer.json").write_bytes(GgufSource(tmp_path / "m.gguf").tokenizer_json())
    ours = Tokenizer.from_file(tmp_path / "tokenizer.json")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file="m.gguf")
    for text in (SAMPLE, "x = 1234;\r\n\r\n\t\ty  \n", "we're 'S é🎉 naïve", "   \n\n  a"):
        assert ours.encode(text) == theirs(text, add_special_tokens=False)["input_ids"]
