"""transformers' own generation with the weights of the same file: plain, and with its prompt lookup.

The module is built from the source that ours is converted from, so no folder of weights is written.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from rest_lsp.bench.direct import Decoded, Rules, Task
from rest_lsp.errors import RestLspError
from rest_lsp.models.decoder_config import DecoderConfig
from rest_lsp.models.source import WeightSource

Form = Literal["int8", "bf16", "fp32"]
FORMS: tuple[Form, ...] = ("int8", "bf16", "fp32")
ARCHITECTURES = {"qwen2": "Qwen2", "qwen3": "Qwen3", "llama": "Llama"}
LOOKUP_TOKENS, LOOKUP_NGRAM = 10, 2
"""`prompt_lookup_num_tokens` of its documentation, and its default of `max_matching_ngram_size`."""

LOOKUP_SHORT = 3
"""Longer drafts than this seldom pay on a CPU."""

ROWS_AT_ONCE = 4096

_PARTS = {
    "self_attn.q_proj": "q", "self_attn.k_proj": "k", "self_attn.v_proj": "v", "self_attn.o_proj": "o",
    "mlp.gate_proj": "gate", "mlp.up_proj": "up", "mlp.down_proj": "down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "self_attn.q_norm": "q_norm", "self_attn.k_norm": "k_norm",
}  # fmt: skip
_TOP = {"embed_tokens": "embed", "norm": "norm", "lm_head": "head"}


@dataclass(frozen=True)
class TransformersRival:
    """One module, plain or with prompt lookup of `lookup` tokens; one thread count for all, that of torch."""

    module: Any
    form: Form
    lookup: int = 0

    @property
    def name(self) -> str:
        way = f"prompt lookup {self.lookup}" if self.lookup else "generate"
        return f"transformers {self.form}, {way}"

    @property
    def plain_name(self) -> str:
        return TransformersRival(self.module, self.form).name

    @property
    def settings(self) -> str:
        kind = "torch's dynamic int8 of all linear layers" if self.form == "int8" else f"{self.form} weights"
        return f"{kind}, n-grams up to {LOOKUP_NGRAM}" if self.lookup else kind

    def run(self, task: Task) -> Decoded:
        """The clock starts when the first pass behind the prompt is done."""
        watch = Watch(task.new_rules(), len(task.ids))
        prompt = torch.tensor([list(task.ids)])
        options: dict[str, Any] = {"do_sample": False, "use_cache": True, "max_new_tokens": watch.rules.max_tokens}
        if self.lookup:
            options |= {"prompt_lookup_num_tokens": self.lookup, "max_matching_ngram_size": LOOKUP_NGRAM}
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            mask = torch.ones_like(prompt)
            self.module.generate(prompt, attention_mask=mask, stopping_criteria=[watch], **options)
        return watch.decoded(start)


class Watch:
    """A stopping criterion: our rules, and a clock."""

    def __init__(self, rules: Rules, n_prompt: int) -> None:
        self.rules, self._seen = rules, n_prompt
        self._n_first = self._passes = 0
        self._first = self._last = 0.0
        self._done = False

    def __call__(self, ids: Tensor, scores: object, **_: object) -> Tensor:
        """`ids` `[1, n]` with what the last pass brought."""
        self._last = time.perf_counter()
        self._passes += 1
        for token in ids[0, self._seen :].tolist():
            if not self._done:
                self._done = self.rules.feed(token) is not None
        self._seen = ids.shape[1]
        if self._passes == 1:
            self._first, self._n_first = self._last, len(self.rules.token_ids)
        return torch.tensor([self._done], device=ids.device)

    def decoded(self, start: float) -> Decoded:
        """What was written, at the pace of the passes behind the first one."""
        n_tokens = len(self.rules.token_ids)
        n_timed = n_tokens - self._n_first
        decode_ms = 1e3 * (self._last - self._first) * n_tokens / n_timed if n_timed else 0.0
        n_accepted = n_tokens - self._passes
        return Decoded(
            tokens=tuple(self.rules.token_ids),
            decode_ms=decode_ms,
            forwards=self._passes,
            accepted={"prompt": n_accepted} if n_accepted > 0 else {},
            prefill_ms=1e3 * (self._first - start),
        )


def rivals(source: WeightSource, forms: Iterable[Form]) -> Iterator[TransformersRival]:
    """Plain and prompt lookup of each form.  Raises RestLspError when transformers is missing or has no such model."""
    for form in forms:
        module = build_module(source, form)
        yield TransformersRival(module, form)
        yield TransformersRival(module, form, LOOKUP_TOKENS)
        yield TransformersRival(module, form, LOOKUP_SHORT)


def build_module(source: WeightSource, form: Form) -> Any:
    """A causal language model of transformers with the weights of `source`, ready to generate on the CPU."""
    if find_spec("transformers") is None:
        raise RestLspError("This peer needs transformers.", 'Install it: pip install "rest-lsp[peers]".')
    transformers: Any = import_module("transformers")
    family = ARCHITECTURES.get(source.config.architecture)
    if family is None or source.config.rope_scaling is not None:
        raise RestLspError(f"No peer is made of a {source.config.architecture}.", "Choose another model, or --peers.")
    transformers.logging.set_verbosity_error()
    config = getattr(transformers, f"{family}Config")(**_config(source.config))
    module = getattr(transformers, f"{family}ForCausalLM")(config).to(torch.bfloat16 if form == "bf16" else None)
    _copy_weights(source, module)
    # Our own rules end a text, by control tokens too.
    module.generation_config = transformers.GenerationConfig(eos_token_id=None, pad_token_id=0)
    module.eval()
    if form == "int8":
        quantise: Any = torch.ao.quantization.quantize_dynamic
        module = quantise(module, {torch.nn.Linear}, dtype=torch.qint8)
    return module


def _copy_weights(source: WeightSource, module: Any) -> None:
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            at = 0
            for block in source.blocks(_source_name(name), ROWS_AT_ONCE):
                parameter[at : at + len(block)] = torch.from_numpy(np.array(block))
                at += len(block)


def _source_name(name: str) -> str:
    """Ours for a parameter of transformers: model.layers.0.mlp.up_proj.weight is layers.0.up.weight."""
    words = name.removeprefix("model.").split(".")
    if words[0] != "layers":
        return f"{_TOP[words[0]]}.{words[-1]}"
    return ".".join([*words[:2], _PARTS[".".join(words[2:-1])], words[-1]])


def _config(config: DecoderConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.vocab_size, "hidden_size": config.hidden_size, "intermediate_size": config.ffn_size,
        "num_hidden_layers": config.n_layers, "num_attention_heads": config.n_heads, "head_dim": config.head_dim,
        "num_key_value_heads": config.n_kv_heads, "rms_norm_eps": config.norm_eps,
        "max_position_embeddings": config.max_context, "tie_word_embeddings": config.tied_head,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
    }  # fmt: skip
