"""Hugging Face folders: weights of each type, shards, and configurations old and new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from rest_lsp.errors import ModelError
from rest_lsp.models.convert import convert
from rest_lsp.models.decoder_config import RopeScaling
from rest_lsp.models.safetensors_source import SafetensorsSource
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import hub_tensors, write_hub_folder

PLAIN: dict[str, Any] = {"o_bias": False, "mlp_bias": False, "qk_norm": False}
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}


def source_with(tmp_path: Path, changes: dict[str, Any], architecture: str = "Qwen2ForCausalLM") -> SafetensorsSource:
    write_hub_folder(tmp_path / "m", RandomSource(tiny_config(**PLAIN)), architecture=architecture, changes=changes)
    return SafetensorsSource(tmp_path / "m")


def whole(source: SafetensorsSource, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.concatenate(list(source.blocks(name, 7)))


@pytest.mark.parametrize("optional", [True, False])
def test_weights_and_configuration_are_those_written(tmp_path: Path, optional: bool) -> None:
    config = tiny_config(o_bias=optional, mlp_bias=optional, qk_norm=optional, tied_head=optional)
    written = RandomSource(config)
    write_hub_folder(tmp_path, written)
    source = SafetensorsSource(tmp_path)
    assert source.config == config
    assert all((whole(source, name) == tensor).all() for name, tensor in written.tensors.items())
    assert source.tokenizer_json() == written.tokenizer_json()


def test_several_shards_are_one_model(tmp_path: Path) -> None:
    written = RandomSource(tiny_config(**PLAIN))
    write_hub_folder(tmp_path, written)
    (tmp_path / "model.safetensors").unlink()
    tensors = hub_tensors(written)
    first = dict(list(tensors.items())[::2])
    second = {name: tensor for name, tensor in tensors.items() if name not in first}
    for number, shard in enumerate((first, second), start=1):
        save_file(shard, tmp_path / f"model-{number:05}-of-00002.safetensors")
    places = {name: f"model-{2 - (name in first):05}-of-00002.safetensors" for name in tensors}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    source = SafetensorsSource(tmp_path)
    assert all((whole(source, name) == tensor).all() for name, tensor in written.tensors.items())
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match="model-00002-of-00002"):
        SafetensorsSource(tmp_path)


def test_half_precision_is_widened(tmp_path: Path) -> None:
    written = RandomSource(tiny_config(**PLAIN))
    write_hub_folder(tmp_path, written)
    save_file({name: t.astype(np.float16) for name, t in hub_tensors(written).items()}, tmp_path / "model.safetensors")
    read = whole(SafetensorsSource(tmp_path), "layers.1.down.weight")
    assert read.dtype == np.float32
    assert (read == written.tensors["layers.1.down.weight"].astype(np.float16)).all()


def test_integer_weights_are_refused(tmp_path: Path) -> None:
    written = RandomSource(tiny_config(**PLAIN))
    write_hub_folder(tmp_path / "m", written)
    tensors: dict[str, np.ndarray[Any, np.dtype[Any]]] = dict(hub_tensors(written))
    tensors["model.layers.0.mlp.up_proj.weight"] = np.zeros((48, 32), np.int32)
    save_file(tensors, tmp_path / "m" / "model.safetensors")
    with pytest.raises(ModelError, match="type I32"):
        convert(SafetensorsSource(tmp_path / "m"), tmp_path / "out" / "int8", form="int8", name="m")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"rope_scaling": None}, None),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, RopeScaling("linear", 2.0)),
        ({"rope_scaling": {"rope_type": "llama3", **LLAMA3}}, RopeScaling("llama3", 8.0, 1.0, 4.0, 64)),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, None),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e6, **LLAMA3}}, RopeScaling("llama3", 8, 1, 4, 64)),
    ],
)
def test_rope_is_read_from_old_and_new_keys(
    tmp_path: Path, changes: dict[str, Any], expected: RopeScaling | None
) -> None:
    config = source_with(tmp_path, changes).config
    assert config.rope_scaling == expected
    assert config.rope_theta == (1e6 if "rope_parameters" in changes else 10000.0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sliding_window": 64}, 64),
        ({"sliding_window": None}, None),
        ({"sliding_window": 64, "use_sliding_window": False, "max_window_layers": 2}, None),
        ({"sliding_window": 64, "layer_types": ["full_attention", "full_attention"]}, None),
        ({"sliding_window": 64, "layer_types": ["sliding_attention", "sliding_attention"]}, 64),
    ],
)
def test_sliding_windows(tmp_path: Path, changes: dict[str, Any], expected: int | None) -> None:
    assert source_with(tmp_path, changes).config.sliding_window == expected


@pytest.mark.parametrize(
    ("changes", "feature"),
    [
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "'yarn'"),
        ({"hidden_act": "gelu"}, "'gelu'"),
        ({"quantization_config": {"quant_method": "awq"}}, "another runtime"),
        ({"partial_rotary_factor": 0.5}, "partial rotary"),
        ({"sliding_window": 64, "layer_types": ["full_attention", "sliding_attention"]}, "some of its layers"),
        ({"sliding_window": 64, "use_sliding_window": True, "max_window_layers": 1}, "some of its layers"),
    ],
)
def test_features_that_cannot_run_are_named(tmp_path: Path, changes: dict[str, Any], feature: str) -> None:
    with pytest.raises(ModelError, match=feature):
        source_with(tmp_path, changes)


def test_granite_multipliers_are_read(tmp_path: Path) -> None:
    scales = {
        "embedding_multiplier": 12.0,
        "attention_multiplier": 0.1,
        "residual_multiplier": 0.2,
        "logits_scaling": 8,
    }
    config = source_with(tmp_path, scales, "GraniteForCausalLM").config
    assert (config.embedding_multiplier, config.attention_multiplier) == (12.0, 0.1)
    assert (config.residual_multiplier, config.logits_divisor) == (0.2, 8.0)


def test_head_size_follows_from_the_heads(tmp_path: Path) -> None:
    assert source_with(tmp_path, {"head_dim": None}).config.head_dim == 8


def test_another_architecture_is_named_with_those_supported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="MambaForCausalLM") as caught:
        source_with(tmp_path, {}, "MambaForCausalLM")
    assert "Mistral" in caught.value.hint


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="no safetensors"):
        SafetensorsSource(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"architectures": ["LlamaForCausalLM"]}'])
def test_a_damaged_configuration_is_named(tmp_path: Path, content: str) -> None:
    write_hub_folder(tmp_path, RandomSource(tiny_config(**PLAIN)))
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json is missing or damaged"):
        SafetensorsSource(tmp_path)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_cut_shard_is_named(tmp_path: Path, length: int) -> None:
    write_hub_folder(tmp_path, RandomSource(tiny_config(**PLAIN)))
    shard = tmp_path / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"model\.safetensors is not a complete"):
        SafetensorsSource(tmp_path)


def test_a_missing_tokenizer_is_named(tmp_path: Path) -> None:
    write_hub_folder(tmp_path, RandomSource(tiny_config(**PLAIN)))
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"no readable tokenizer\.json"):
        SafetensorsSource(tmp_path).tokenizer_json()
