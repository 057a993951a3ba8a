"""Reads a Hugging Face folder: config.json, tokenizer.json and safetensors shards.  Knows nothing about packing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rest_lsp.errors import ModelError
from rest_lsp.models.decoder_config import DecoderConfig
from rest_lsp.models.hub_config import read_hub_config
from rest_lsp.models.packed import header_of
from rest_lsp.models.quantise import from_bfloat16

_TOP_LEVEL = {
    "embed.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
_PER_LAYER = {
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
_STORAGE: dict[str, type[np.generic]] = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}


class SafetensorsSource:
    """One model folder; shards are memory-mapped.  Raises ModelError from the constructor when it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries = _read_shards(folder)
        self.config: DecoderConfig = read_hub_config(folder / "config.json", self.shape)

    def shape(self, name: str) -> tuple[int, ...] | None:
        entry = self._entries.get(_stored_name(name))
        return None if entry is None else entry.shape

    def blocks(self, name: str, max_rows: int) -> Iterator[npt.NDArray[np.float32]]:
        entry = self._entries[_stored_name(name)]
        if entry.dtype not in _STORAGE:
            raise ModelError(
                f"{entry.shard.path} holds weights of type {entry.dtype}, which cannot be read.",
                "Choose a model in F32, F16 or BF16, or a GGUF file.",
            )
        stored = entry.shard.mapped[entry.start : entry.end].view(_STORAGE[entry.dtype]).reshape(entry.shape)
        for start in range(0, len(stored), max_rows):
            rows = stored[start : start + max_rows]
            yield from_bfloat16(rows) if entry.dtype == "BF16" else rows.astype(np.float32)

    def tokenizer_json(self) -> bytes:
        try:
            return (self._folder / "tokenizer.json").read_bytes()
        except OSError as error:
            raise ModelError(
                f"The model folder {self._folder} has no readable tokenizer.json.",
                "Save the fast tokenizer into it, or use a GGUF file of this model.",
            ) from error


@dataclass(frozen=True)
class _Shard:
    path: Path

    @cached_property
    def mapped(self) -> npt.NDArray[np.uint8]:
        return np.memmap(self.path, dtype=np.uint8, mode="r")


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where one tensor lies: absolute byte range in a shard."""

    shard: _Shard
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def _stored_name(name: str) -> str:
    if name in _TOP_LEVEL:
        return _TOP_LEVEL[name]
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{_PER_LAYER[part]}.{kind}"


def _read_shards(folder: Path) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for path in _shard_paths(folder):
        try:
            entries.update(_read_shard(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path} is not a complete safetensors file ({error}).", "Download it again, or choose another model."
            ) from error
    return entries


def _shard_paths(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        try:
            return [folder / name for name in sorted(set(json.loads(index.read_bytes())["weight_map"].values()))]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{index} is damaged ({error}).", "Download it again, or choose another model.") from error
    single = folder / "model.safetensors"
    paths = [single] if single.exists() else sorted(folder.glob("*.safetensors"))
    if not paths:
        raise ModelError(
            f"The model folder {folder} holds no safetensors files.",
            "Name a .gguf file, or a folder with config.json, tokenizer.json and model.safetensors.",
        )
    return paths


def _read_shard(path: Path) -> dict[str, _Entry]:
    header = header_of(path)
    data_start, size = 8 + len(header), path.stat().st_size
    shard = _Shard(path)
    entries: dict[str, _Entry] = {}
    described: dict[str, Any] = json.loads(header)
    described.pop("__metadata__", None)
    for name, tensor in described.items():
        start, end = (data_start + int(offset) for offset in tensor["data_offsets"])
        shape = tuple(int(length) for length in tensor["shape"])
        itemsize = np.dtype(_STORAGE[tensor["dtype"]]).itemsize if tensor["dtype"] in _STORAGE else 0
        if end > size or (itemsize and end - start != itemsize * math.prod(shape)):
            raise ValueError(f"{size} bytes do not hold the tensor {name}")
        entries[name] = _Entry(shard, str(tensor["dtype"]), shape, start, end)
    return entries
