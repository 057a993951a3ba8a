"""The engine: one loaded model with one KV cache.  Token ids in, steps of token ids out; used from one thread."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import Drafter
from rest_lsp.engine.choice import DTYPES, Choice, Dtype, select_int8_engine
from rest_lsp.engine.decode import Step, decode
from rest_lsp.engine.huge_pages import use_huge_pages
from rest_lsp.engine.kv_cache import KVCache
from rest_lsp.engine.sampling import Sampling, pick
from rest_lsp.engine.verifier import DecoderVerifier, PrefillReport
from rest_lsp.engine.weights import build_decoder
from rest_lsp.errors import RequestError
from rest_lsp.healing import Healing
from rest_lsp.models.packed import DecoderConfig, PackedModel

MAX_TREE = 64
"""Nodes of the largest draft tree, REST's own choice (arXiv 2311.08252 §4.1)."""

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

    def __init__(self, verifier: DecoderVerifier, info: EngineInfo) -> None:
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
        number_format: Dtype = dtype.value  # type: ignore[assignment]
        if number_format == "int8":
            select_int8_engine()
        where, kind = torch.device(device.value), DTYPES[number_format]
        # A window that slides is never reached: attention here looks at everything.
        seen = min(packed.config.max_context, packed.config.sliding_window or packed.config.max_context)
        capacity = min(capacity, seen)
        decoder = build_decoder(packed, device=where, dtype=kind, n_positions=capacity)
        cache = KVCache(packed.config, capacity, kind, where)
        if where.type == "cpu":
            # It takes a second or two, and whoever waits for the first completion need not.
            threading.Thread(target=use_huge_pages, name="huge pages", daemon=True).start()
        info = EngineInfo(name, device.value, number_format, threads, decoder.n_bytes_per_token, cache.n_bytes)
        return cls(DecoderVerifier(decoder, cache, exact=where.type == "cpu"), info)

    @property
    def config(self) -> DecoderConfig:
        return self._verifier.decoder.config

    @property
    def capacity(self) -> int:
        return self._verifier.cache.capacity

    @property
    def verifier(self) -> DecoderVerifier:
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
            # What is kept must not depend on how far a draft ran past the place where the caller stopped, or the next
            # prompt would find other bits in the cache with drafts than without.
            self._verifier.cache.roll_back(min(self._verifier.length, len(prompt) - 1))

    def prefill(self, prompt: Sequence[int], cancel: CancelToken) -> None:
        """Take a prompt into the KV cache without continuing it.  Raises `Cancelled` between chunks, which stay."""
        self._verifier.prefill(prompt[:-1][: self.capacity], cancel)

    def forget(self) -> None:
        """Empty the KV cache."""
        self._verifier.cache.clear()


def _pick(sampling: Sampling, logits: torch.Tensor, position: int, healing: Healing | None) -> int:
    return pick(logits, position, sampling, healing)
