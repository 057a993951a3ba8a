"""transformers as the judge: the decoder computes the same logits, for each architecture that is supported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.tree import EMPTY_TREE
from rest_lsp.engine.engine import Engine
from rest_lsp.models.convert import convert
from rest_lsp.models.safetensors_source import SafetensorsSource
from tests.engines import load_tiny
from tests.fakes_models import write_tokenizer

SIZES: dict[str, Any] = {
    "vocab_size": 448,
    "hidden_size": 64,
    "intermediate_size": 176,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
LLAMA3: dict[str, Any] = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
GRANITE: dict[str, Any] = {
    "embedding_multiplier": 6.0,
    "attention_multiplier": 0.2,
    "residual_multiplier": 0.5,
    "logits_scaling": 4.0,
}
ARCHITECTURES: dict[str, Any] = {
    "llama": transformers.LlamaConfig(**SIZES),
    "llama-biased": transformers.LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
    "llama-3": transformers.LlamaConfig(**SIZES, rope_parameters=LLAMA3),
    "llama-linear": transformers.LlamaConfig(
        **SIZES, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
    ),
    "mistral": transformers.MistralConfig(**SIZES, head_dim=32, sliding_window=None),
    "qwen2": transformers.Qwen2Config(**SIZES, tie_word_embeddings=True),
    "qwen3": transformers.Qwen3Config(**SIZES, head_dim=32),
    "granite": transformers.GraniteConfig(**SIZES, **GRANITE),
    "seed_oss": transformers.SeedOssConfig(**SIZES, head_dim=32, attention_out_bias=True),
}
TOKENS = [(91 * i * i + 17 * i + 5) % 448 for i in range(200)]


@pytest.fixture(params=ARCHITECTURES)
def judged(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Engine]:
    """A random model of one architecture, as transformers runs it and as we do."""
    torch.manual_seed(11)
    auto: Any = transformers.AutoModelForCausalLM
    model = auto.from_config(ARCHITECTURES[request.param]).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.2 if parameter.ndim == 1 else 0.0, std=0.2)
    model.save_pretrained(tmp_path / "saved")
    write_tokenizer(tmp_path / "saved")
    convert(SafetensorsSource(tmp_path / "saved"), tmp_path / "fp32", form="fp32", name="tiny")
    return model, load_tiny(tmp_path / "fp32", "fp32")


def test_logits_equal_those_of_transformers(judged: tuple[Any, Engine]) -> None:
    model, engine = judged
    with torch.inference_mode():
        expected = model(torch.tensor([TOKENS])).logits[0]
    verifier = engine.verifier
    for length in (1, 60, 128, 129, 200):
        engine.forget()
        verifier.prefill(TOKENS[: length - 1], CancelToken())
        logits = verifier.verify(TOKENS[length - 1], EMPTY_TREE)[0]
        scale = expected[length - 1].abs().max()
        assert torch.allclose(logits, expected[length - 1], atol=float(2e-5 * scale), rtol=1e-4), length


def test_greedy_text_equals_that_of_transformers(judged: tuple[Any, Engine]) -> None:
    model, engine = judged
    written: list[int] = list(TOKENS[:50])
    verifier = engine.verifier
    verifier.prefill(written[:-1], CancelToken())
    for _ in range(12):
        with torch.inference_mode():
            expected = int(model(torch.tensor([written])).logits[0, -1].argmax())
        token = int(verifier.verify(written[-1], EMPTY_TREE)[0].argmax())
        verifier.keep([])
        assert token == expected
        written.append(token)
