"""The engine: one loaded model with one KV cache.  Token ids in, steps of token ids out; used from one thread."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import torch

from rest_lsp.cancellation import CancelToken
from rest_lsp.drafting.drafter import Drafter
from rest_lsp.engine.choice import Choice, activation_type, free_gpu_bytes, require_gpu_room
from rest_lsp.engine.cuda_graphs import GraphCapture
from rest_lsp.engine.decode import Step, decode
from rest_lsp.engine.huge_pages import use_huge_pages
from rest_lsp.engine.int8_model import Int8Model
from rest_lsp.engine.kv_pool import KVPool
from rest_lsp.engine.model import Model
from rest_lsp.engine.room import needing_room
from rest_lsp.engine.sampling import Sampling, picker
from rest_lsp.engine.static_model import StaticModel
from rest_lsp.engine.torch_model import PathwiseModel
from rest_lsp.engine.verifier import ModelVerifier, PrefillReport
from rest_lsp.engine.weights import build_decoder
from rest_lsp.errors import RequestError
from rest_lsp.healing import Healing
from rest_lsp.memory import available_memory
from rest_lsp.models.packed import DecoderConfig, PackedModel
from rest_lsp.stats import PassTimes

MAX_TREE = 64
"""Nodes of the largest draft tree, REST's own choice (arXiv 2311.08252 §4.1)."""

_GPU_WORKSPACE_BYTES = 512 << 20
"""What more caches, buffers of the graphs and the libraries' workspaces take on a GPU."""

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

    def __init__(
        self, verifier: ModelVerifier, info: EngineInfo, build: Callable[[int], ModelVerifier] | None = None
    ) -> None:
        """`build(capacity)` loads the model again when it is needed after a rest, or wider; without it the engine can
        do neither.
        """
        self._verifier: ModelVerifier | None = verifier
        self._build = build
        self.info = info
        self.capacity = verifier.cache.capacity
        self._n_seen = _n_seen(verifier.model.config)
        self.passes = verifier.passes
        self.last_prefill = PrefillReport(0, 0, 0.0)
        self.last_used_s = time.monotonic()

    @classmethod
    def load(
        cls,
        packed: PackedModel,
        *,
        name: str,
        device: Choice,
        dtype: Choice,
        threads: int,
        capacity: int,
        fixed_width: bool = False,
    ) -> Engine:
        """Load `packed` for `device` (cpu, cuda, mps) with `dtype` (int8, fp32, bf16, fp16).

        `capacity` is what prompt, generated tokens and one draft tree need together; a model that sees less gets less.
        `fixed_width` is for accelerators, see `StaticModel`; a CPU is exact without.  Raises ModelError where memory
        runs out.
        """
        torch.set_num_threads(threads)
        passes = PassTimes()

        def build(capacity: int) -> ModelVerifier:
            with needing_room(name, device.value):
                seen = min(capacity, _n_seen(packed.config))
                model = _load(packed, device, dtype, threads, seen, fixed_width=fixed_width)
                caches = KVPool(model, free_bytes=_free_bytes(device.value))
                verifier = ModelVerifier(model, caches, passes)
            if device.value == "cpu":
                # It takes a second or two, and whoever waits for the first completion need not.
                threading.Thread(target=use_huge_pages, name="huge pages", daemon=True).start()
            return verifier

        verifier = build(capacity)
        n_bytes, n_kv_bytes = verifier.model.n_bytes_per_token, verifier.n_kv_bytes
        return cls(verifier, EngineInfo(name, device.value, dtype.value, threads, n_bytes, n_kv_bytes), build)

    @property
    def config(self) -> DecoderConfig:
        return self.verifier.model.config

    @property
    def is_loaded(self) -> bool:
        """False while it rests."""
        return self._verifier is not None

    @property
    def verifier(self) -> ModelVerifier:
        """For measurements of single passes; completions go through `generate`.  Ends a rest, which takes seconds."""
        verifier = self.wake()
        self.last_used_s = time.monotonic()
        return verifier

    def wake(self) -> ModelVerifier:
        """End a rest, which takes seconds.  The time that may pass until the next begins anew then."""
        if self._verifier is None:
            assert self._build is not None, "only an engine that can be built again rests"
            self._verifier = self._build(self.capacity)
            self.last_used_s = time.monotonic()
        return self._verifier

    def widen(self, capacity: int) -> None:
        """Have room for `capacity` tokens from now on, or for as many as the model sees; where it had less, the model
        is built again, and its KV caches are empty.

        Raises RestLspError where memory has no room for them; what it had is built again when it is needed.
        """
        capacity = min(capacity, self._n_seen)
        if capacity <= self.capacity or self._build is None:
            return
        self.rest()
        self._verifier = self._build(capacity)
        self.capacity = self._verifier.cache.capacity
        self.info = replace(self.info, kv_bytes=self._verifier.n_kv_bytes)

    def rest(self) -> None:
        """Free the weights and the KV caches until they are needed again."""
        if self._build is None:
            return
        self._verifier = None
        gc.collect()
        if self.info.device == "cuda":
            torch.cuda.empty_cache()

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
        n_chances: int = 0,
    ) -> Generator[Step, None, None]:
        """Prefill what the KV cache does not know of `prompt`, then yield one step per forward pass.

        `context` is the text before the cursor as ids, for drafting; steps tell of the `n_chances` likeliest tokens.
        The caller stops by closing the iterator.  Raises `Cancelled` between passes, and `RequestError` when the prompt
        does not fit.
        """
        if not prompt or len(prompt) + max_tokens + MAX_TREE > self.capacity:
            raise RequestError(
                f"A prompt of {len(prompt)} tokens and {max_tokens} new ones exceed the {self.capacity} of the model.",
                "Lower completion.prompt_tokens or completion.max_tokens.",
            )
        with cancel.unhurried():
            verifier = self.verifier
        self.last_prefill = verifier.prefill(prompt[:-1], cancel)
        try:
            yield from decode(
                verifier,
                prompt,
                context=context,
                drafter=drafter,
                pick=picker(sampling),
                healing=healing,
                cancel=cancel,
                max_tokens=max_tokens,
                n_chances=n_chances,
            )
        finally:
            self.last_used_s = time.monotonic()
            if not verifier.model.settles:
                # What is kept must not depend on how far a draft ran past the place where the caller stopped, or the
                # next prompt would find other bits in the cache with drafts than without.
                cache = verifier.cache
                cache.roll_back(min(cache.length, len(prompt) - 1))

    def prefill(self, prompt: Sequence[int], cancel: CancelToken) -> None:
        """Take a prompt into the KV cache without continuing it.  Raises `Cancelled` between chunks, which stay."""
        with cancel.unhurried():
            verifier = self.verifier
        verifier.prefill(prompt[:-1][: self.capacity], cancel)

    def forget(self) -> None:
        """Empty the KV caches."""
        if self._verifier is not None:
            self._verifier.forget()


def _n_seen(config: DecoderConfig) -> int:
    """Tokens that a model sees at once.  A window that slides is never reached: attention here looks at everything."""
    return min(config.max_context, config.sliding_window or config.max_context)


def gpu_bytes(packed: PackedModel, capacity: int) -> int:
    """Memory that a model and `capacity` tokens in at least two KV caches take on a GPU: one at work, one kept."""
    c = packed.config
    kv_bytes = 2 * 2 * c.n_layers * c.n_kv_heads * c.head_dim * capacity * 2
    return sum(tensor.array.nbytes for tensor in packed.tensors.values()) + kv_bytes + _GPU_WORKSPACE_BYTES


def _free_bytes(device: str) -> int:
    """Memory that is left on the device; 0 where the system does not say."""
    return (available_memory() if device == "cpu" else free_gpu_bytes()) or 0


def _load(
    packed: PackedModel, device: Choice, dtype: Choice, threads: int, capacity: int, *, fixed_width: bool
) -> Model:
    where = torch.device(device.value)
    if where.type == "cpu" and dtype.value == "int8":
        return Int8Model(packed, capacity=capacity, threads=threads)
    if where.type != "cpu":
        require_gpu_room(gpu_bytes(packed, capacity), free_gpu_bytes())
    activations = activation_type(dtype.value, device.value)
    decoder = build_decoder(packed, device=where, dtype=activations, n_positions=capacity)
    if where.type == "cpu":
        return PathwiseModel(decoder, capacity=capacity, device=where)
    capture = GraphCapture() if where.type == "cuda" else None
    return StaticModel(decoder, capacity=capacity, device=where, capture=capture, fixed_width=fixed_width)
