"""Completion services on tiny engines with random weights: real prompts, drafts, stop rules and KV caches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rest_lsp.assembly import LoadedModel, build_service
from rest_lsp.assembly_drafting import Drafting
from rest_lsp.assembly_experience import new_experience
from rest_lsp.completion.service import CompletionService
from rest_lsp.config import Settings
from rest_lsp.drafting.cost_model import FixedBudget
from rest_lsp.engine.engine import Engine
from rest_lsp.models.packed import PackedModel
from rest_lsp.tokenizer import Tokenizer

NODES = 12
SHOWN_HOWEVER_DOUBTFUL = {f"min_confidence_{kind}": 0.0 for kind in ("code", "word", "block", "text")}
COMPLETION: dict[str, Any] = {
    **SHOWN_HOWEVER_DOUBTFUL,
    "prompt_tokens": 256,
    "max_tokens_single": 24,
    "max_tokens_multi": 32,
    "time_budget_automatic_ms": 0,
    "time_budget_invoked_ms": 0,
}


@dataclass(frozen=True)
class Served:
    """A service, and what makes its drafts."""

    service: CompletionService
    drafting: Drafting
    engine: Engine


def serve(engine: Engine, folder: Path, drafting: dict[str, Any] | None = None, **completion: Any) -> Served:
    """A service on `engine`, whose packed model is in `folder`; without an index."""
    settings = Settings.model_validate(
        {"completion": {**COMPLETION, **completion}, "drafting": {"fixed_nodes": NODES, **(drafting or {})}}
    )
    path = PackedModel.open(folder).tokenizer_path
    model = LoadedModel(engine, Tokenizer.from_file(path), path, {})
    options = settings.drafting
    made = Drafting(options, model.tokenizer, None, FixedBudget(options.fixed_nodes), new_experience(options))
    return Served(build_service(settings, model, made, recent=made.recent), made, engine)
