"""What a measurement runs on: one engine, one index, and the completion service twice, without and with drafts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rest_lsp.assembly import (
    LoadedModel,
    build_service,
    fitted,
    load_model,
)
from rest_lsp.assembly_costs import choose_budget, known_step_cost
from rest_lsp.assembly_drafting import Drafting
from rest_lsp.assembly_experience import new_experience
from rest_lsp.bench.decode import Complete
from rest_lsp.bench.near_ties import Judge
from rest_lsp.bench.results import CostPoint, Mode
from rest_lsp.cancellation import CancelToken
from rest_lsp.cli_options import settings_for
from rest_lsp.cli_terminal import progress_bars
from rest_lsp.completion.request import CompletionRequest, CompletionResult
from rest_lsp.completion.service import CompletionService
from rest_lsp.config import Settings
from rest_lsp.datastore.datastore import Datastore, DatastoreStatus
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.engine.engine import Engine
from rest_lsp.models.progress import Progress, ProgressEvent
from rest_lsp.workspace import open_datastore

MAX_TOKENS_SINGLE = 48
MAX_TOKENS_MULTI = 96
"""Most outputs end by themselves long before."""

CURVE_CONTEXT = 400
CURVE_NODES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass(frozen=True)
class Setup:
    """A loaded model and a refreshed index, ready to complete in both modes.

    warm_up   drafts as well, and leaves nothing that is drafted from later
    judge     says of outputs that differ whether rounding explains it
    """

    model: LoadedModel
    datastore: Datastore
    cost_curve: list[CostPoint]
    complete: Mapping[Mode, Complete]
    warm_up: Complete
    judge: Judge

    @property
    def engine(self) -> Engine:
        return self.model.engine

    @property
    def index(self) -> DatastoreStatus:
        return self.datastore.status()


def bench_settings(
    workspace: Path | None,
    overrides: Mapping[str, object],
    *,
    nodes: int | None,
    temperature: float = 0.0,
    libraries: bool = False,
) -> Settings:
    """The user's settings, less what would make outputs depend on the machine's speed, or cut them before they end.

    Prompts are of the document alone: what other files add is an arm of `bench quality`.  Drafts are of the workspace
    alone unless `libraries` are asked for: those of the environment that the options name, or else of this program's.
    """
    forced: dict[str, object] = {
        "completion.max_tokens_single": MAX_TOKENS_SINGLE,
        "completion.max_tokens_multi": MAX_TOKENS_MULTI,
        "completion.time_budget_automatic_ms": 0,
        "completion.time_budget_invoked_ms": 0,
        "completion.temperature": temperature,
        "completion.context_tokens": 0,
        "datastore.enabled": True,
        "datastore.packages": libraries,
        "datastore.standard_library": libraries,
        "drafting.enabled": True,
        "drafting.fixed_nodes": nodes or 0,
    }
    settings = settings_for(workspace, {**overrides, **forced})
    if not libraries or settings.datastore.python is not None:
        return settings
    own = settings.datastore.model_copy(update={"python": Path(sys.executable)})
    return settings.model_copy(update={"datastore": own})


@contextmanager
def open_setup(
    root: Path, settings: Settings, loaded: LoadedModel | None = None, *, warm: bool = False
) -> Iterator[Setup]:
    """Load, index, and in the end close.  Raises ModelError, DatastoreError or ConfigError, each with a remedy.

    `loaded` is the model of an earlier setup with the same settings; `warm` keeps what requests teach the next ones.
    """
    with progress_bars() as progress:
        model = loaded or load_model(settings, progress)
        with_libraries = settings.datastore.packages
        datastore = open_datastore(settings, root, model.tokenizer_path, libraries_at_once=with_libraries)
        try:
            datastore.refresh(lambda event: progress(ProgressEvent(event.stage, event.done, event.total, "files")))
            setup = wire(settings, model, datastore, progress, warm=warm)
        except BaseException:
            datastore.close()
            raise
    try:
        yield setup
    finally:
        datastore.close()


def wire(settings: Settings, model: LoadedModel, datastore: Datastore, progress: Progress, *, warm: bool) -> Setup:
    """Both services share the model and take the same way; only the drafter differs."""
    curve = cost_curve(known_step_cost(settings, model.engine, progress, looks_again=True))
    complete: dict[Mode, Complete] = {
        "plain": drafted(model, datastore, undrafted(settings)),
        "rest": drafted(model, datastore, settings, warm=warm),
    }
    judge = Judge(model.engine, model.tokenizer, fitted(settings, model.engine))
    return Setup(model, datastore, curve, complete, warm_up=drafted(model, datastore, settings), judge=judge)


def undrafted(settings: Settings) -> Settings:
    """The same without drafts."""
    return settings.model_copy(update={"drafting": settings.drafting.model_copy(update={"enabled": False})})


def drafted(
    model: LoadedModel, datastore: Datastore, settings: Settings, *, warm: bool = False, empties: bool = True,
    heals: bool = True,
) -> Complete:  # fmt: skip
    """A service of its own on the model and the index.

    Unless it `empties` the KV cache, a prompt that another service has read stays there: only decoding is measured.
    """
    options = settings.drafting
    budget = choose_budget(settings, model.engine)
    drafting = Drafting(options, model.tokenizer, datastore, budget, new_experience(options))
    service = build_service(settings, model, drafting, recent=drafting.recent if warm else None, heals=heals)
    return from_nothing(service, model.engine if empties else None, drafting, warm=warm)


def from_nothing(service: CompletionService, engine: Engine | None, drafting: Drafting, *, warm: bool) -> Complete:
    """`service.complete` on a document that is open and therefore encoded; an `engine` gets an empty KV cache first.

    There is no history either, unless `warm`.

    When a request is repeated, the prompt stays in the cache: it was read by the same routine, and only decoding is
    measured again.
    """
    last: CompletionRequest | None = None

    def complete(request: CompletionRequest) -> CompletionResult:
        nonlocal last
        if request is not last:
            if engine is not None:
                engine.forget()
            drafting.encoder.encode(request.text)
        if not warm:
            drafting.forget()
        last = request
        return service.complete(request, CancelToken())

    return complete


def cost_curve(cost: StepCost) -> list[CostPoint]:
    """What the cost model believes of a pass behind a prompt of usual length."""
    return [CostPoint(n, cost.ms(1 + n, CURVE_CONTEXT)) for n in CURVE_NODES if n < cost.max_tokens]
