"""What the converter asks of a model's original files.  Knows neither GGUF nor safetensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rest_lsp.errors import ModelError
from rest_lsp.models.decoder_config import DecoderConfig

SUPPORTED = "Llama, Mistral, Qwen2, Qwen3, Granite, Seed-OSS"


class WeightSource(Protocol):
    """Plain tensors by the names of `layout`, never held in memory as a whole."""

    @property
    def config(self) -> DecoderConfig: ...

    def shape(self, name: str) -> tuple[int, ...] | None:
        """None when the files hold no such tensor."""

    def blocks(self, name: str, max_rows: int) -> Iterator[npt.NDArray[np.float32]]:
        """The tensor in runs of at most about `max_rows` rows, or in one piece where that is how it must be read."""

    def tokenizer_json(self) -> bytes:
        """A Hugging Face tokenizer.json.  Raises ModelError when the files hold none that can be used."""


def unsupported_architecture(name: str, where: str) -> ModelError:
    """The error for a decoder outside the family."""
    return ModelError(
        f"The model {where} is a {name}, which rest-lsp cannot run.",
        f"Choose a model of one of these families: {SUPPORTED}.",
    )


def unsupported_feature(feature: str, where: str) -> ModelError:
    """The error for a decoder of the family with a setting that the engine lacks."""
    return ModelError(f"The model {where} uses {feature}, which rest-lsp cannot run.", "Choose another model.")
