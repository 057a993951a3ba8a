"""Small vocabularies and random weights that the tests of tokenizer, healing and models share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from rest_lsp.models.decoder_config import DecoderConfig
from rest_lsp.models.layout import packed_tensors
from rest_lsp.models.progress import ProgressEvent

SAMPLE = '''def add(self, other: int) -> int:
    """Return the sum of self and other, schöne Grüße."""
    if other is None:
        return self.value
    return self.value + other.value

class Select(Base):
    selector = selected = None
    def __init__(self, select): self.selection = select
'''
CONTROL = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<tool_call>")
INDENTS = ("  ", "    ", "\t\t")


def byte_level_description(*, indents: tuple[str, ...] = INDENTS, nfc: bool = True) -> dict[str, Any]:
    """A trained byte-level BPE, as a tokenizer.json, with control tokens, indentation tokens and lossy extras."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([SAMPLE], trainer)
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens(list(CONTROL[:-1]))
    tokenizer.add_tokens([CONTROL[-1], *indents])
    description: dict[str, Any] = json.loads(tokenizer.to_str())
    return description


def sentencepiece_description() -> dict[str, Any]:
    """A byte-fallback BPE over pieces with U+2581 for a space, as Llama and Mistral ship it."""
    words = ["\u2581", "s", "e", "l", "f", "se", "lf", "self", "\u2581self", "d", "de", "def", "\u2581\u2581", "ö"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    merges = [["s", "e"], ["l", "f"], ["se", "lf"], ["\u2581", "self"], ["d", "e"], ["de", "f"], ["\u2581", "\u2581"]]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": token, "content": pieces[token], **flags} for token in range(3)],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, replace]},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE",
            "vocab": {piece: token for token, piece in enumerate(pieces)},
            "merges": merges,
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
        },
    }


def write_tokenizer(folder: Path, description: dict[str, Any] | None = None) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(description or byte_level_description()), encoding="utf-8")
    return path


def tiny_config(**changes: Any) -> DecoderConfig:
    """Two layers with every optional part, more rows than the tokenizer has tokens, heads that share keys."""
    values: dict[str, Any] = {
        "architecture": "qwen2",
        "vocab_size": 448,
        "hidden_size": 32,
        "n_layers": 2,
        "n_heads": 4,
        "n_kv_heads": 2,
        "head_dim": 8,
        "ffn_size": 48,
        "norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "max_context": 128,
        "qkv_bias": True,
        "o_bias": True,
        "mlp_bias": True,
        "qk_norm": True,
    }
    return DecoderConfig(**{**values, **changes})


class RandomSource:
    """A WeightSource in memory, the same weights for the same configuration."""

    def __init__(self, config: DecoderConfig) -> None:
        self.config = config
        generator = np.random.default_rng(7)
        parts = (part for tensor in packed_tensors(config, "fp32") for part in tensor.parts)
        self.tensors = {part.name: generator.standard_normal(part.shape).astype(np.float32) for part in parts}

    def shape(self, name: str) -> tuple[int, ...] | None:
        return self.tensors[name].shape if name in self.tensors else None

    def blocks(self, name: str, max_rows: int) -> Iterator[npt.NDArray[np.float32]]:
        tensor = self.tensors[name]
        for start in range(0, len(tensor), min(max_rows, 5)):
            yield tensor[start : start + min(max_rows, 5)]

    def tokenizer_json(self) -> bytes:
        return json.dumps(byte_level_description()).encode()


class Recorder:
    """A Progress that remembers what it was told, and raises `error` at the first event of the stage `at`."""

    def __init__(self, *, error: BaseException | None = None, at: str = "convert") -> None:
        self.events: list[ProgressEvent] = []
        self._error, self._at = error, at

    def __call__(self, event: ProgressEvent) -> None:
        self.events.append(event)
        if self._error is not None and event.stage == self._at and event.done > 0:
            raise self._error

    def stages(self) -> set[str]:
        return {event.stage for event in self.events}
