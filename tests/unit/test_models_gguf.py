"""GGUF files give back the weights, the configuration and the vocabulary that were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tokenizers import Tokenizer as Backend

from rest_lsp.errors import ModelError
from rest_lsp.models.decoder_config import RopeScaling
from rest_lsp.models.gguf_source import GgufSource
from rest_lsp.models.rope import llama3_divisors
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_models import CONTROL, SAMPLE, RandomSource, byte_level_description, tiny_config
from tests.files_models import Vocabulary, write_gguf

PLAIN: dict[str, Any] = {"qkv_bias": False, "o_bias": False, "mlp_bias": False, "qk_norm": False}
SHAPES: dict[str, dict[str, Any]] = {
    "llama": PLAIN,
    "qwen2": {**PLAIN, "qkv_bias": True},
    "qwen3": {**PLAIN, "qk_norm": True, "tied_head": True},
    "granite": {**PLAIN, "tied_head": True},
    "seed_oss": {**PLAIN, "qkv_bias": True, "o_bias": True},
}


def whole(source: GgufSource, name: str, max_rows: int = 7) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.concatenate(list(source.blocks(name, max_rows)))


@pytest.mark.parametrize("architecture", SHAPES)
def test_each_architecture_gives_its_weights_and_shape(tmp_path: Path, architecture: str) -> None:
    written = RandomSource(tiny_config(architecture=architecture, **SHAPES[architecture]))
    write_gguf(tmp_path / "m.gguf", written, architecture=architecture)
    source = GgufSource(tmp_path / "m.gguf")
    assert source.config.norm_eps == pytest.approx(written.config.norm_eps)
    assert source.config == tiny_config(
        architecture=architecture, norm_eps=source.config.norm_eps, **SHAPES[architecture]
    )
    for name, tensor in written.tensors.items():
        assert source.shape(name) == tensor.shape
        assert (whole(source, name) == tensor).all(), name


def test_absent_tensors_have_no_shape(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", RandomSource(tiny_config(**PLAIN, tied_head=True)))
    source = GgufSource(tmp_path / "m.gguf")
    assert source.shape("head.weight") is None
    assert source.shape("layers.0.q.bias") is None


def rotated(heads: np.ndarray[Any, Any], position: int, pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Turn each pair of components of [n_heads, head_dim] by its angle; `pairs` [head_dim / 2, 2] lists them."""
    angles = position / 10000.0 ** (np.arange(len(pairs)) / len(pairs))
    first, second = heads[:, pairs[:, 0]], heads[:, pairs[:, 1]]
    turned = np.empty_like(heads)
    turned[:, pairs[:, 0]] = first * np.cos(angles) - second * np.sin(angles)
    turned[:, pairs[:, 1]] = first * np.sin(angles) + second * np.cos(angles)
    return turned


def test_attention_scores_are_those_of_the_stored_layout(tmp_path: Path) -> None:
    """Stored rows rotate as neighbours, ours as halves; queries and keys must meet in the same scores."""
    path = tmp_path / "m.gguf"
    write_gguf(path, RandomSource(tiny_config(**PLAIN, n_kv_heads=4)), architecture="llama")
    stored = {tensor.name: np.asarray(tensor.data) for tensor in gguf.GGUFReader(path).tensors}
    source, activations = GgufSource(path), np.random.default_rng(1).standard_normal((2, 32))
    neighbours, halves = np.arange(8).reshape(4, 2), np.arange(8).reshape(2, 4).T

    def scores(q: np.ndarray[Any, Any], k: np.ndarray[Any, Any], pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        queries = rotated((q @ activations[0]).reshape(4, 8), 5, pairs)
        keys = rotated((k @ activations[1]).reshape(4, 8), 2, pairs)
        return np.asarray((queries * keys).sum(axis=1))

    ours = scores(whole(source, "layers.0.q.weight"), whole(source, "layers.0.k.weight"), halves)
    theirs = scores(stored["blk.0.attn_q.weight"], stored["blk.0.attn_k.weight"], neighbours)
    assert np.allclose(ours, theirs)


@pytest.mark.parametrize("kind", [gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.BF16])
def test_quantised_matrices_are_dequantised_in_blocks(tmp_path: Path, kind: gguf.GGMLQuantizationType) -> None:
    written = RandomSource(tiny_config(**PLAIN, ffn_size=64))
    write_gguf(tmp_path / "m.gguf", written, kind=kind)
    source = GgufSource(tmp_path / "m.gguf")
    blocks = list(source.blocks("layers.0.gate.weight", 10))
    assert [len(block) for block in blocks] == [10, 10, 10, 10, 10, 10, 4]
    difference = np.abs(np.concatenate(blocks) - written.tensors["layers.0.gate.weight"])
    assert 0 < difference.max() < 0.05


def test_granite_multipliers_are_read(tmp_path: Path) -> None:
    entries = {"embedding_scale": 12.0, "attention.scale": 0.0078125, "residual_scale": 0.25, "logit_scale": 8.0}
    written = RandomSource(tiny_config(**PLAIN))
    write_gguf(tmp_path / "m.gguf", written, architecture="granite", entries=entries)
    config = GgufSource(tmp_path / "m.gguf").config
    assert (config.embedding_multiplier, config.attention_multiplier) == (12.0, 0.0078125)
    assert (config.residual_multiplier, config.logits_divisor) == (0.25, 8.0)


def test_rope_divisors_are_recognised_as_llama3_scaling(tmp_path: Path) -> None:
    written = RandomSource(tiny_config(**PLAIN, rope_theta=500000.0))
    scaling = RopeScaling("llama3", factor=32.0)
    divisors = llama3_divisors(scaling, 500000.0, 8).astype(np.float32)
    write_gguf(tmp_path / "m.gguf", written, architecture="llama", rope_freqs=divisors)
    found = GgufSource(tmp_path / "m.gguf").config.rope_scaling
    assert found is not None
    assert (found.kind, round(found.factor, 3)) == ("llama3", 32.0)


def test_rope_divisors_of_another_kind_are_refused(tmp_path: Path) -> None:
    written = RandomSource(tiny_config(**PLAIN))
    divisors = np.array([1.0, 3.0, 5.0, 7.0], np.float32)
    write_gguf(tmp_path / "m.gguf", written, architecture="llama", rope_freqs=divisors)
    with pytest.raises(ModelError, match="rotary scaling"):
        GgufSource(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, RopeScaling("linear", 4.0)),
        ({"rope.scaling.type": "none"}, None),
        ({"rope.scaling.type": "linear", "rope.scaling.factor": 1.0}, None),
    ],
)
def test_linear_scaling_is_read(tmp_path: Path, entries: dict[str, Any], expected: RopeScaling | None) -> None:
    write_gguf(tmp_path / "m.gguf", RandomSource(tiny_config(**PLAIN)), entries=entries)
    assert GgufSource(tmp_path / "m.gguf").config.rope_scaling == expected


@pytest.mark.parametrize(
    ("entries", "feature"),
    [
        ({"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}, "'yarn'"),
        ({"rope.dimension_count": 4.0}, "partial rotary"),
    ],
)
def test_features_that_cannot_run_are_named(tmp_path: Path, entries: dict[str, Any], feature: str) -> None:
    write_gguf(tmp_path / "m.gguf", RandomSource(tiny_config(**PLAIN)), entries=entries)
    with pytest.raises(ModelError, match=feature):
        GgufSource(tmp_path / "m.gguf")


def test_another_architecture_is_named_with_those_supported(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", RandomSource(tiny_config(**PLAIN)), architecture="gemma2")
    with pytest.raises(ModelError, match="gemma2") as caught:
        GgufSource(tmp_path / "m.gguf")
    assert "Qwen2" in caught.value.hint


@pytest.mark.parametrize("length", [0, 3, 20, 2000, -4000], ids=str)
def test_a_cut_file_is_named(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, RandomSource(tiny_config(**PLAIN)))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"m\.gguf is not a complete GGUF file"):
        GgufSource(path)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_text("This is not a model. " * 20)
    with pytest.raises(ModelError, match="not a complete GGUF"):
        GgufSource(path)


def tokenizer_of(path: Path) -> Tokenizer:
    json_path = path.with_suffix(".json")
    json_path.write_bytes(GgufSource(path).tokenizer_json())
    return Tokenizer.from_file(json_path)


def test_byte_level_vocabulary_encodes_as_the_one_it_was_made_from(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", RandomSource(tiny_config(**PLAIN)), pre="gpt-2")
    tokenizer = tokenizer_of(tmp_path / "m.gguf")
    original = Tokenizer(byte_level_description(indents=(), nfc=False))
    assert tokenizer.encode(SAMPLE) == original.encode(SAMPLE)
    assert tokenizer.vocab_size == 448
    assert {tokenizer.control_id(name) for name in CONTROL} == original.control_ids
    assert len(tokenizer.control_ids) == len(CONTROL) + 448 - original.vocab_size


@pytest.mark.parametrize(
    ("pre", "pieces"),
    [
        ("qwen2", ["x", " =", " ", "1", "2", "3", "4", ";\n\n", " ", " y"]),
        ("llama-bpe", ["x", " =", " ", "123", "4", ";\n\n", " ", " y"]),
        ("smollm", ["x", " =", " ", "1", "2", "3", "4", ";", "\n\n ", " y"]),
        ("gpt-2", ["x", " =", " 1234", ";", "\n\n ", " y"]),
    ],
)
def test_text_is_split_as_the_vocabulary_says(tmp_path: Path, pre: str, pieces: list[str]) -> None:
    write_gguf(tmp_path / "m.gguf", RandomSource(tiny_config(**PLAIN)), pre=pre)
    backend = Backend.from_str(GgufSource(tmp_path / "m.gguf").tokenizer_json().decode())
    text = "x = 1234;\n\n  y"
    cuts = [text[start:end] for _, (start, end) in backend.pre_tokenizer.pre_tokenize_str(text)]
    assert "".join(cuts) == text
    assert cuts == pieces


def test_an_unknown_rule_or_kind_of_vocabulary_is_named(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", RandomSource(tiny_config(**PLAIN)), pre="martian")
    with pytest.raises(ModelError, match="'martian'"):
        GgufSource(tmp_path / "a.gguf").tokenizer_json()
    vocabulary: Vocabulary = {"model": "bert", "tokens": ["a"], "types": [1]}
    write_gguf(tmp_path / "b.gguf", RandomSource(tiny_config(**PLAIN)), vocabulary=vocabulary)
    with pytest.raises(ModelError, match="'bert'"):
        GgufSource(tmp_path / "b.gguf").tokenizer_json()


def test_sentencepiece_merges_follow_the_scores(tmp_path: Path) -> None:
    words = {"s": -9.0, "e": -9.0, "l": -9.0, "f": -9.0, "el": -1.0, "se": -2.0, "lf": -3.0, "self": -4.0}
    tokens = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *words]
    types = [2, *[6] * 256, 1, *[1] * len(words)]
    scores = [0.0, *[0.0] * 256, -9.0, *words.values()]
    vocabulary: Vocabulary = {"model": "llama", "tokens": tokens, "types": types, "scores": scores}
    source = RandomSource(tiny_config(**PLAIN))
    write_gguf(tmp_path / "m.gguf", source, architecture="llama", vocabulary=vocabulary)
    tokenizer = tokenizer_of(tmp_path / "m.gguf")
    spelled = [tokenizer.token_bytes(token) for token in tokenizer.encode("sel se")]
    assert spelled == [b"s", b"el", b" ", b"se"]
    assert tokenizer.decode(tokenizer.encode("é\tself\n")) == "é\tself\n"
    assert tokenizer.token_bytes(0) == b""
