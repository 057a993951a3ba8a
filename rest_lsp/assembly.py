"""The composition root below the server: from settings to a running completion service, and what belongs to it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from rest_lsp.assembly_costs import kept_pass_ms
from rest_lsp.assembly_drafting import Drafting, Store
from rest_lsp.assembly_model import choose_model
from rest_lsp.completion.context import ContextLimits, ExtraContext
from rest_lsp.completion.fim import Fim, find_family
from rest_lsp.completion.service import CompletionService
from rest_lsp.completion.trace import Tracing
from rest_lsp.config import CompletionOptions, Settings
from rest_lsp.drafting.recent import RecentCompletions
from rest_lsp.engine.choice import (
    Choice,
    choose_device,
    choose_dtype,
    choose_form,
    choose_threads,
    fitted_dtype,
    free_gpu_bytes,
)
from rest_lsp.engine.engine import MAX_TREE, Engine, gpu_bytes
from rest_lsp.engine.sampling import Sampling
from rest_lsp.errors import ConfigError
from rest_lsp.models.packed import PackedModel
from rest_lsp.models.progress import Progress, ProgressEvent, silent
from rest_lsp.stats import StatsLog
from rest_lsp.tokenizer import Tokenizer
from rest_lsp.workspace import model_store

log = logging.getLogger(__name__)

SHORTEST_PROMPT = 64
"""Tokens without which there is nothing to go by."""


@dataclass(frozen=True)
class LoadedModel:
    """An engine and the tokenizer that belongs to it; `reasons` say why this device and these numbers."""

    engine: Engine
    tokenizer: Tokenizer
    tokenizer_path: Path
    reasons: dict[str, str]


def fetch_model(settings: Settings, progress: Progress = silent) -> None:
    """Download and convert what is missing of the configured model, so that it loads in seconds.

    Raises ModelError with a remedy, and whatever `progress` raises.
    """
    device = choose_device(settings.device.name).value
    dtype = choose_dtype(settings.device.dtype, device).value
    name = choose_model(settings, device, kept_pass_ms(settings, device, dtype)).value
    model_store(settings, progress).open(name, choose_form(dtype))


def load_model(settings: Settings, progress: Progress = silent) -> LoadedModel:
    """Choose device and number format, fetch and convert what is missing, and load."""
    device = choose_device(settings.device.name)
    dtype = choose_dtype(settings.device.dtype, device.value)
    threads = choose_threads(settings.device.threads)
    chosen = choose_model(settings, device.value, kept_pass_ms(settings, device.value, dtype.value))
    name = chosen.value
    packed, dtype = _opened(settings, progress, name, device, dtype)
    progress(ProgressEvent("load", 0, 1, "models"))
    tokenizer = Tokenizer.from_file(packed.tokenizer_path)
    engine = Engine.load(
        packed,
        name=name,
        device=device,
        dtype=dtype,
        threads=int(threads.value),
        capacity=wanted_capacity(settings),
        fixed_width=settings.device.fixed_width,
    )
    progress(ProgressEvent("load", 1, 1, "models"))
    reasons = {"model": chosen.reason, "device": device.reason, "dtype": dtype.reason, "threads": threads.reason}
    return LoadedModel(engine, tokenizer, packed.tokenizer_path, reasons)


def _opened(
    settings: Settings, progress: Progress, name: str, device: Choice, dtype: Choice
) -> tuple[PackedModel, Choice]:
    """The model in the form of `dtype`, or of what fits the card instead, unless the options insist."""
    store = model_store(settings, progress)
    packed = store.open(name, choose_form(dtype.value))
    if device.value == "cuda":
        needed = gpu_bytes(packed, wanted_capacity(settings))
        fitting = fitted_dtype(dtype, settings.device.dtype, needed, free_gpu_bytes())
        if fitting is not dtype:
            return store.open(name, choose_form(fitting.value)), fitting
    return packed, dtype


def wanted_capacity(settings: Settings) -> int:
    """Tokens of the longest prompt, the longest completion and the largest draft tree together."""
    options = settings.completion
    return (
        options.prompt_tokens
        + options.context_tokens
        + max(options.max_tokens_single, options.max_tokens_multi)
        + MAX_TREE
    )


def fitted(settings: Settings, engine: Engine) -> CompletionOptions:
    """The completion options with a shorter prompt where the model sees less than they ask for.

    Parts of other files are left out first.
    """
    options, missing = settings.completion, wanted_capacity(settings) - engine.capacity
    if missing <= 0:
        return options
    context = max(0, options.context_tokens - missing)
    shorter = options.prompt_tokens - (missing - (options.context_tokens - context))
    if shorter < SHORTEST_PROMPT:
        raise ConfigError(
            f"The model has room for only {engine.capacity} tokens, too few for completion.max_tokens_multi.",
            "Lower completion.max_tokens_multi, or choose another model.",
        )
    log.warning("The model has room for %d tokens; prompts are cut to %d.", engine.capacity, shorter + context)
    return options.model_copy(update={"prompt_tokens": shorter, "context_tokens": context})


def build_service(
    settings: Settings,
    model: LoadedModel,
    drafting: Drafting,
    stats: StatsLog | None = None,
    recent: RecentCompletions | None = None,
    *,
    traced: bool = False,
    heals: bool = True,
) -> CompletionService:
    """A service on a loaded model; several may share one, taking turns.  It adds what it completes to `recent`.

    Results that are `traced` carry their passes, with the text of tokens only where `history.with_code` says so.
    """
    options = fitted(settings, model.engine)
    text_of = (lambda token: model.tokenizer.decode([token])) if settings.history.with_code else None
    fim = find_family(model.tokenizer, model.engine.info.model)
    return CompletionService(
        model.engine,
        model.tokenizer,
        fim,
        drafting,
        options,
        sampling=Sampling(options.temperature, options.top_p, options.top_k, options.seed),
        line_of=drafting.line_of,
        stats=stats or StatsLog(),
        recent=recent,
        tracing=Tracing(drafting.places, text_of) if traced else None,
        context=extra_context(options, model.tokenizer, fim, drafting.datastore),
        heals=heals,
    )


def extra_context(
    options: CompletionOptions, tokenizer: Tokenizer, fim: Fim, datastore: Store | None
) -> ExtraContext | None:
    """None where it is switched off, nothing is indexed, or the model knows no form for other files."""
    if not options.context_tokens or datastore is None or fim.separator is None:
        return None
    return ExtraContext(tokenizer, datastore, ContextLimits(options.context_tokens, options.context_kinds))
