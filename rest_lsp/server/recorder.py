"""Writes down for the dashboard what happens here.  Nothing waits for it, and without it all goes on as before.

Belongs to the event loop; what takes time is done in the writer's thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rest_lsp.completion.request import CompletionResult, Outcome
from rest_lsp.config import Settings
from rest_lsp.drafting.cost_model import StepCost
from rest_lsp.history.events import Event, Request, Sample, Shown, Taken
from rest_lsp.history.writer import HistoryWriter
from rest_lsp.memory import resident_memory
from rest_lsp.server.acceptance import Taking
from rest_lsp.server.backend import Session
from rest_lsp.server.plain_data import plain
from rest_lsp.server.recorded import completion_of

SAMPLED_EVERY_S = 15.0
"""While something happens; a server that nobody uses writes nothing."""


class _Loaded(NamedTuple):
    """The model that the last sample found."""

    name: str = ""
    cost: StepCost | None = None


class Recorder:
    """`find_session` is asked in the writer's thread, for a moment at a time: nothing here keeps a model in memory."""

    def __init__(self, find_session: Callable[[], Session | None]) -> None:
        self._find_session = find_session
        self._writer: HistoryWriter | None = None
        self._opened_with: tuple[object, ...] = ()
        self._workspace = ""
        self._next_sample = 0.0
        self._loaded = _Loaded()

    def configure(self, settings: Settings, root: Path | None) -> None:
        """Begin, go on, or stop writing, as the options say."""
        self._workspace = str(root) if root is not None else ""
        options = settings.history
        wanted = (settings.history_file, options.max_mb) if options.enabled else ()
        if wanted != self._opened_with:
            self.close(0.0)
            self._opened_with = wanted
            self._writer = HistoryWriter(settings.history_file, options.max_mb << 20) if options.enabled else None

    def close(self, timeout_s: float) -> None:
        """Write what waits; what takes longer than `timeout_s` may be lost when the process ends."""
        writer, self._writer = self._writer, None
        self._opened_with = ()
        if writer is not None:
            writer.close(timeout_s)

    def request(
        self,
        outcome: Outcome,
        wait_ms: float,
        result: CompletionResult | None,
        *,
        suggestion: str | None,
        from_cache: bool,
        path: str,
    ) -> None:
        """One request and how it ended."""
        if self._writer is None:
            return
        if time.monotonic() >= self._next_sample:
            self.sample()
        request = Request(time.time(), self._workspace, path, outcome.value, wait_ms, from_cache, suggestion)
        asked = None if from_cache else result

        def with_completion() -> Event:
            completion = completion_of(asked, self._loaded.name, self._loaded.cost) if asked is not None else None
            return replace(request, completion=completion)

        self._writer.put(with_completion)

    def shown(self, times: int) -> None:
        """A suggestion was shown, or not after all."""
        self._put(Shown(time.time(), self._workspace, times))

    def taken(self, suggestion: str, taking: Taking, times: int) -> None:
        """It was taken, or not after all."""
        self._put(Taken(time.time(), self._workspace, suggestion, taking.characters, times))

    def sample(self) -> None:
        """Look at what this process is and holds now."""
        self._next_sample = time.monotonic() + SAMPLED_EVERY_S
        workspace, at = self._workspace, time.time()
        if self._writer is not None:
            self._writer.put(lambda: self._sampled(at, workspace))

    def _put(self, event: Event) -> None:
        if self._writer is not None:
            self._writer.put(lambda: event)

    def _sampled(self, at: float, workspace: str) -> Event | None:
        session = self._find_session()
        if session is None:
            return None
        state: dict[str, Any] = plain(session.status())
        state["datastore"] = plain(session.datastore.status()) if session.datastore is not None else None
        self._loaded = _Loaded(str(state.get("model", "")), _cost_of(state))
        store = (state["datastore"] or {}).get("disk_bytes")
        return Sample(at, workspace, resident_memory(), state.get("kv_bytes"), store, state)


def _cost_of(state: dict[str, Any]) -> StepCost | None:
    measured = state.get("step_cost")
    return StepCost({int(context): points for context, points in measured.items()}) if measured else None
