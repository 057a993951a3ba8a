"""Choosing another model while the server runs: what there is, fetching it, and exchanging the session."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from rest_lsp.errors import Cancelled, RestLspError
from rest_lsp.memory import available_memory
from rest_lsp.models.store import ModelListing
from rest_lsp.server.backend import Backend, Session
from rest_lsp.server.configuration import Configuration, with_model
from rest_lsp.server.feedback import ProgressRelay
from rest_lsp.server.logs import where
from rest_lsp.server.session import SessionKeeper
from rest_lsp.server.status import StatusBoard
from rest_lsp.server.worker import Worker
from rest_lsp.workspace import model_store

log = logging.getLogger(__name__)

_MEMORY_BESIDE_WEIGHTS = 600_000_000
_MEMORY_PER_FILE_BYTE = 2


class ModelChoice:
    """Belongs to the event loop.  The model that is loaded works until the other one is ready to be opened."""

    def __init__(
        self,
        backend: Backend,
        keeper: SessionKeeper,
        configuration: Configuration,
        status: StatusBoard,
        errands: Worker,
        fetcher: Worker,
    ) -> None:
        self._backend = backend
        self._keeper = keeper
        self._configuration = configuration
        self._status = status
        self._errands = errands
        self._fetcher = fetcher
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._newest: asyncio.Future[None] | None = None

    async def listed(self, session: Session | None) -> list[dict[str, Any]]:
        """Every model of the catalogue, and the loaded one where it comes from elsewhere."""
        running = session.status() if session is not None else {}
        name, is_on_cpu = running.get("model"), running.get("device", "cpu") == "cpu"
        settings = self._configuration.settings
        found = await self._errands.post("models", lambda _: model_store(settings).list())
        free = available_memory() if is_on_cpu else None
        rows = [_row(listing, current=name, free_bytes=free) for listing in found]
        if name is not None and not any(row["current"] for row in rows):
            rows.append({**_NOTHING, "name": name, "description": "Named in the settings.", "current": True})
        return rows

    def choose(self, name: str) -> None:
        """Fetch it, then load it; a choice that is still being fetched is given up for the new one."""
        settings = with_model(self._configuration.settings, name)
        # Posted at once: whoever has the answer to this choice has the older ones behind.
        fetched = self._fetcher.post(
            "fetch",
            lambda cancel: self._backend.fetch_model(
                settings,
                ProgressRelay(self._status.fetching_progress, self._on_loop, lambda: cancel.is_cancelled),
            ),
        )
        self._newest = fetched
        self._status.fetching(name)
        task = self._loop.create_task(self._follow(name, fetched))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, name: str, fetched: asyncio.Future[None]) -> None:
        try:
            await fetched
        except Cancelled:
            return
        except RestLspError as error:
            self._status.fetching_failed(error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - the model that is loaded goes on working
            log.error("The model could not be fetched: %s", where(error))
            reason = f"The model {name} could not be made ready ({type(error).__name__})."
            self._status.fetching_failed(reason, "Run `rest-lsp doctor`; the log says where it failed.")
        else:
            if fetched is self._newest:
                self._status.fetched()
                await self._exchange(name)

    async def _exchange(self, name: str) -> None:
        """Two models may not fit the memory, so the old one goes first; it comes back when the new one fails."""
        had_model, former = self._keeper.session is not None, self._configuration.chosen_model
        self._configuration.choose_model(name)
        is_open = await self._keeper.open(self._configuration.settings, self._configuration.roots)
        if is_open is False and had_model and self._configuration.chosen_model == name:
            self._configuration.choose_model(former)
            await self._keeper.open(self._configuration.settings, self._configuration.roots)

    def _on_loop(self, call: Any) -> None:
        self._loop.call_soon_threadsafe(call)


_NOTHING: dict[str, Any] = {"bytes": None, "present": True, "fits": None, "note": None}


def _row(listing: ModelListing, *, current: str | None, free_bytes: int | None) -> dict[str, Any]:
    entry = listing.entry
    is_current, is_present = entry.name == current, bool(listing.original_bytes or listing.forms)
    needed = _MEMORY_PER_FILE_BYTE * entry.bytes + _MEMORY_BESIDE_WEIGHTS
    fits = True if is_current else None if free_bytes is None else free_bytes >= needed
    notes = [] if is_present else [f"Downloads {entry.bytes / 1e9:.1f} GB."]
    if is_present and not listing.forms:
        notes.append("The first start converts it, which takes about a minute.")
    if fits is False and free_bytes is not None:
        notes.append(f"Takes about {needed / 1e9:.1f} GB of memory; {free_bytes / 1e9:.1f} GB are free.")
    return {
        "name": entry.name,
        "description": entry.description,
        "bytes": entry.bytes,
        "present": is_present,
        "fits": fits,
        "note": " ".join(notes) or None,
        "current": is_current,
    }
