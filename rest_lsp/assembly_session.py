"""A session: one loaded model, the indexes of a workspace's folders, and what completes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

from rest_lsp.assembly import (
    LoadedModel,
    build_service,
    load_model,
    wanted_capacity,
)
from rest_lsp.assembly_costs import choose_budget, keep_costs
from rest_lsp.assembly_drafting import Drafting
from rest_lsp.assembly_experience import keep_experience, kept_experience
from rest_lsp.completion.service import CompletionService
from rest_lsp.config import Settings
from rest_lsp.datastore.datastore import Datastore
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.drafting.deleted import DeletedText
from rest_lsp.drafting.document_encoder import DocumentEncoder
from rest_lsp.drafting.measured_budget import MeasuredBudget
from rest_lsp.folders import Folders
from rest_lsp.models.progress import Progress, silent
from rest_lsp.stats import StatsLog
from rest_lsp.workspace import open_datastore

LoadModel = Callable[[Settings, Progress], LoadedModel]


def open_session(
    settings: Settings, roots: Sequence[Path], progress: Progress = silent, *, load: LoadModel = load_model
) -> Session:
    """Load the model, measure the machine the first time, open the datastores; seconds.

    Raises ModelError, ConfigError or DatastoreError, each with a remedy, and whatever `progress` raises.
    """
    return Session(load(settings, progress), settings, roots, progress)


class Session:
    """Ready to complete.

    tokenizer   encodes open documents, for the datastores and so that the next request finds them encoded
    deleted     is told what edits remove
    """

    service: CompletionService
    tokenizer: DocumentEncoder
    deleted: DeletedText

    def __init__(
        self, model: LoadedModel, settings: Settings, roots: Sequence[Path], progress: Progress = silent
    ) -> None:
        """Measures the machine when that has not been done.  Raises ConfigError, DatastoreError."""
        self.model = model
        self.stats = StatsLog(passes=model.engine.passes)
        self.datastore: Folders | None = None
        self._settings = settings
        self._keep: Callable[[], None] = lambda: None
        self._step_cost: StepCost | None = None
        try:
            self._set_folders(settings, roots)
            self._build(settings, next(iter(roots), None), progress, looks_again=True)
        except BaseException:
            self.close()
            raise

    def apply(self, settings: Settings, roots: Sequence[Path]) -> bool:
        """Take over other options and other folders, between two completions.

        False, and nothing has changed, when that takes a newly loaded model.  Raises what the constructor raises.
        """
        if not _can_keep_model(self._settings, settings):
            return False
        before, self._settings = self._settings, settings
        is_indexed_alike = _of_index(before) == _of_index(settings)
        if self.datastore is not None and not is_indexed_alike:
            self.datastore.close()
            self.datastore = None
        self._set_folders(settings, roots)
        if settings != before:
            self._build(settings, next(iter(roots), None), silent)
        return True

    def status(self) -> dict[str, Any]:
        """Plain data about what runs, for people."""
        engine = self.model.engine
        cost = self._step_cost.measured if self._step_cost else None
        known = {"loaded": engine.is_loaded, "reasons": self.model.reasons, "step_cost": cost}
        return {**asdict(engine.info), **known}

    @property
    def is_resting(self) -> bool:
        """Whether the model's memory is free, and the next request has to load it."""
        return not self.model.engine.is_loaded

    def rest(self, idle_s: float) -> None:
        """Free the model's memory when nobody has used it for so long; the next request loads it again."""
        engine = self.model.engine
        if engine.is_loaded and monotonic() - engine.last_used_s >= idle_s:
            engine.rest()

    def wake(self) -> None:
        """End a rest before somebody asks; seconds."""
        self.model.engine.wake()

    def close(self) -> None:
        try:
            self._keep()
        finally:
            if self.datastore is not None:
                self.datastore.close()

    def _set_folders(self, settings: Settings, roots: Sequence[Path]) -> None:
        if not settings.datastore.enabled or not settings.drafting.enabled:
            return
        if self.datastore is None:

            def open_folder(root: Path) -> Datastore:
                return open_datastore(settings, root, self.model.tokenizer_path)

            self.datastore = Folders(open_folder)
        self.datastore.set_roots(roots)

    def _build(
        self, settings: Settings, workspace: Path | None, progress: Progress, *, looks_again: bool = False
    ) -> None:
        """What drafters learnt belongs to the first folder, and is read again when options change."""
        self._keep()
        engine, model = self.model.engine, self.model.engine.info.model
        budget = choose_budget(settings, engine, progress, goes_on=True, looks_again=looks_again)
        self._step_cost = budget.measured if isinstance(budget, MeasuredBudget) else None
        experience = kept_experience(settings, workspace, model)
        drafting = Drafting(settings.drafting, self.model.tokenizer, self.datastore, budget, experience)
        traced = settings.history.enabled
        self.service = build_service(settings, self.model, drafting, self.stats, drafting.recent, traced=traced)
        self.tokenizer, self.deleted = drafting.encoder, drafting.deleted

        def keep() -> None:
            keep_experience(experience, settings, workspace, model)
            keep_costs(budget, settings, engine)

        self._keep = keep


def _can_keep_model(before: Settings, after: Settings) -> bool:
    """The KV cache is as large as the options asked for when the model was loaded."""
    is_same = (before.model, before.device) == (after.model, after.device)
    return is_same and wanted_capacity(after) <= wanted_capacity(before)


def _of_index(settings: Settings) -> tuple[object, ...]:
    return settings.datastore, settings.drafting.enabled
