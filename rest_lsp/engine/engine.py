"""The engine: one loaded model with one KV cache.  Token ids in, steps of token ids out; used from one thread."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import Drafter
from rest_lsp.engine.choice import DTYPES, Choice, Dtype, free_gpu_bytes, require_gpu_room
from rest_lsp.engine.decode import Step, decode
from rest_lsp.engine.huge_pages import use_huge_pages
from rest_lsp.engine.int8_model import Int8Model
from rest_lsp.engine.kv_pool import KVPool
from rest_lsp.engine.model import Model
from rest_lsp.engine.sampling import Sampling, pick
from rest_lsp.engine.static_model import StaticModel
from rest_lsp.engine.torch_model import PathwiseModel
from rest_lsp.engine.verifier import ModelVerifier, PrefillReport
from rest_lsp.engine.weights import build_decoder
from rest_lsp.errors import RequestError
from rest_lsp.healing import Healing
from rest_lsp.models.packed import DecoderConfig, PackedModel

MAX_TREE = 64
"""Nodes of the largest draft tree, REST's own choice (arXiv 2311.08252 §4.1)."""

_GPU_WORKSPACE_BYTES = 512 << 20
"""What caches, buffers of the graphs and the libraries' workspaces take on a GPU beside the weights."""

GREEDY = Sampling()


@dataclass(frozen=True)
class EngineInfo:
    """What runs where; `bytes_per_token` is what one forward pass must read from memory."""

    model: str
    device: str
    dtype: str
    threads: int
    bytes_per_token: int
    kv_bytes: int


class Engine:
    """Generates token by token, or faster with a drafter; the tokens are the same."""

    def __init__(self, verifier: ModelVerifier, info: EngineInfo) -> None:
        self._verifier = verifier
        self.info = info
        self.last_prefill = PrefillReport(0, 0, 0.0)

    @classmethod
    def load(
        cls, packed: PackedModel, *, name: str, device: Choice, dtype: Choice, threads: int, capacity: int
    ) -> Engine:
        """Load `packed` for `device` (cpu, cuda, mps) with `dtype` (int8, fp32, bf16, fp16).

        `capacity` is what prompt, generated tokens and one draft tree need together; a model that sees less gets less.
        """
        torch.set_num_threads(threads)
        # A window that slides is never reached: attention here looks at everything.
        seen = min(packed.config.max_context, packed.config.sliding_window or packed.config.max_context)
        model = _load(packed, device, dtype, threads, min(capacity, seen))
        caches = KVPool(model)
        if device.value == "cpu":
            # It takes a second or two, and whoever waits for the first completion need not.
            threading.Thread(target=use_huge_pages, name="huge pages", daemon=True).start()
        info = EngineInfo(name, device.value, dtype.value, threads, model.n_bytes_per_token, caches.n_bytes)
        return cls(ModelVerifier(model, caches), info)

    @property
    def config(self) -> DecoderConfig:
        return self._verifier.model.config

    @property
    def capacity(self) -> int:
        return self._verifier.cache.capacity

    @property
    def verifier(self) -> ModelVerifier:
        """For measurements of single passes; completions go through `generate`."""
        return self._verifier

    def generate(
        self,
        prompt: Sequence[int],
        *,
        context: Sequence[int],
        drafter: Drafter,
        sampling: Sampling = GREEDY,
        healing: Healing | None = None,
        cancel: CancelToken,
        max_tokens: int,
    ) -> Generator[Step, None, None]:
        """Prefill what the KV cache does not know of `prompt`, then yield one step per forward pass.

        `context` is the text before the cursor as ids, for drafting.  The caller stops by closing the iterator.
        Raises `Cancelled` between passes, and `RequestError` when the prompt does not fit.
        """
        if not prompt or len(prompt) + max_tokens + MAX_TREE > self.capacity:
            raise RequestError(
                f"A prompt of {len(prompt)} tokens and {max_tokens} new ones exceed the {self.capacity} of the model.",
                "Lower completion.prompt_tokens or completion.max_tokens.",
            )
        self.last_prefill = self._verifier.prefill(prompt[:-1], cancel)
        try:
            yield from decode(
                self._verifier,
                prompt,
                context=context,
                drafter=drafter,
                pick=partial(_pick, sampling),
                healing=healing,
                cancel=cancel,
                max_tokens=max_tokens,
            )
        finally:
            if not self._verifier.model.settles:
                # What is kept must not depend on how far a draft ran past the place where the caller stopped, or the
                # next prompt would find other bits in the cache with drafts than without.
                cache = self._verifier.cache
                cache.roll_back(min(cache.length, len(prompt) - 1))

    def prefill(self, prompt: Sequence[int], cancel: CancelToken) -> None:
        """Take a prompt into the KV cache without continuing it.  Raises `Cancelled` between chunks, which stay."""
        self._verifier.prefill(prompt[:-1][: self.capacity], cancel)

    def forget(self) -> None:
        """Empty the KV caches."""
        self._verifier.forget()


def _pick(sampling: Sampling, logits: torch.Tensor, position: int, healing: Healing | None) -> int:
    return pick(logits, position, sampling, healing)


def _load(packed: PackedModel, device: Choice, dtype: Choice, threads: int, capacity: int) -> Model:
    if dtype.value == "int8":
        return Int8Model(packed, capacity=capacity, threads=threads)
    where = torch.device(device.value)
    number_format: Dtype = dtype.value  # type: ignore[assignment]
    if where.type == "cuda":
        n_bytes = sum(tensor.array.nbytes for tensor in packed.tensors.values())
        require_gpu_room(n_bytes + _GPU_WORKSPACE_BYTES, free_gpu_bytes())
    decoder = build_decoder(packed, device=where, dtype=DTYPES[number_format], n_positions=capacity)
    if where.type == "cpu":
        return PathwiseModel(decoder, capacity=capacity, device=where)
    return StaticModel(decoder, capacity=capacity, device=where, graphs=where.type == "cuda")
