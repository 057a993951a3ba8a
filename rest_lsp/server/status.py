"""One answer to "does it work?": loading, indexing, ready, busy, paused, or error with a reason and a fix.

Everything that changes the answer is told to the board; the board tells the client.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from rest_lsp.server.feedback import Client, Messages, Progress, ProgressEvent
from rest_lsp.server.plain_data import plain
from rest_lsp.server.stalls import Patience, StallWatch
from rest_lsp.server.switches import Switches
from rest_lsp.server.turns import TurnThread

if TYPE_CHECKING:
    from rest_lsp.server.backend import Session

log = logging.getLogger(__name__)

STATUS_REQUEST = "rest/status"
STATUS_NOTIFICATION = "rest/didChangeStatus"
_LOAD, _FETCH, _INDEX = "load", "fetch", "index"


class State(str, Enum):
    LOADING = "loading"
    INDEXING = "indexing"
    READY = "ready"
    BUSY = "busy"
    PAUSED = "paused"
    ERROR = "error"


class StatusBoard:
    """Belongs to the event loop."""

    def __init__(self, client: Client, messages: Messages) -> None:
        self.shows_progress_bars = False
        self.switches = Switches(self.tell)
        self._client = client
        self._messages = messages
        self._session: Session | None = None
        self._known: dict[str, Any] = {}
        self._busy = False
        self._indexing = False
        self._reason = ""
        self._fix = ""
        self._stall = ("", "")
        self._is_lost = False
        self._ongoing: dict[str, Progress] = {}
        self._told: dict[str, Any] = {}

    @property
    def state(self) -> State:
        if self._is_lost or (self._session is None and self._reason):
            return State.ERROR
        if self.switches.is_paused:
            return State.PAUSED
        if self._session is None:
            return State.LOADING
        if self._indexing:
            return State.INDEXING
        return State.BUSY if self._busy else State.READY

    def brief(self) -> dict[str, Any]:
        """What a status item shows."""
        newest = next(reversed(self._ongoing.values()), None)
        reason, fix = self._stall if self._stall[0] else (self._reason, self._fix)
        return {
            "state": self.state.value,
            "reason": reason or None,
            "fix": fix or None,
            "progress": (newest.text or None) if newest is not None else None,
            "percent": newest.percent if newest is not None else None,
            "enabled": self.switches.enabled,
            "disabledLanguages": self.switches.disabled_languages,
            "snoozedUntil": self.switches.snoozed_until_ms,
            "model": self._known.get("model"),
            "device": self._known.get("device"),
        }

    def full(self) -> dict[str, Any]:
        """`brief` and what the session knows about model, device and datastore."""
        known: dict[str, Any] = {"dtype": None, "datastore": None}
        if self._session is not None:
            known |= self._session.status()
            if known["datastore"] is None and self._session.datastore is not None:
                known["datastore"] = self._session.datastore.status()
        return {**plain(known), **self.brief()}

    def loading(self) -> None:
        self._session = None
        self._known = {}
        self._indexing = False
        self._reason = self._fix = ""
        self._end(_INDEX)
        self._begin(_LOAD, "Loading the model")

    def loading_progress(self, event: ProgressEvent) -> None:
        self._advance(_LOAD, event)

    def loaded(self, session: Session) -> None:
        """Completions work; what is indexed follows when the session has a datastore."""
        log.info("Ready to complete.")
        self._session = session
        self._known = plain(session.status())
        self._indexing = session.datastore is not None
        self._end(_LOAD, "ready")

    def failed(self, reason: str, fix: str) -> None:
        """There is no model: one message, then only the status says so."""
        log.error("%s %s", reason, fix)
        self._reason, self._fix = reason, fix
        self._end(_LOAD, "failed")
        self._messages.show_once(f"{reason} {fix}".rstrip())

    def fetching(self, model: str) -> None:
        """Another model is made ready, while the one that is loaded goes on working."""
        if self._session is None:
            self._reason = self._fix = ""
        self._begin(_FETCH, f"Fetching {model}")

    def fetching_progress(self, event: ProgressEvent) -> None:
        self._advance(_FETCH, event)

    def fetched(self) -> None:
        self._end(_FETCH, "ready")

    def fetching_failed(self, reason: str, fix: str) -> None:
        """What was loaded before goes on working; where nothing was, this is why."""
        self._end(_FETCH, "failed")
        if self._session is None and _LOAD not in self._ongoing:
            self._reason, self._fix = reason, fix
            self.tell()
        log.error("%s %s", reason, fix)
        self._messages.show(f"{reason} {fix}".rstrip(), types.MessageType.Error)

    def indexing(self) -> None:
        self._indexing = True
        self._begin(_INDEX, "Indexing the workspace")

    def indexing_progress(self, event: ProgressEvent) -> None:
        self._advance(_INDEX, event)

    def indexed(self) -> None:
        log.info("The index of the workspace is up to date.")
        self._reason = ""
        self._indexing = False
        self._end(_INDEX, "up to date")

    def indexing_failed(self, reason: str) -> None:
        """Completions go on, without drafts from other files."""
        log.error("%s", reason)
        self._reason = reason
        self._indexing = False
        self._end(_INDEX, "failed")
        self._messages.show_once(reason)

    def stalled(self, still_s: float | None, fix: str) -> None:
        """The model has not moved for so long; None: it moves again."""
        self._stall = ("", "") if still_s is None else (f"The model has not moved for {still_s:.0f} s.", fix)
        self._is_lost = False
        log.log(logging.INFO if still_s is None else logging.WARNING, "%s", self._stall[0] or "The model moves again.")
        self.tell()

    def lost(self, fix: str) -> None:
        """Nothing will come of the model any more: one message, then only the status says so."""
        self._stall, self._is_lost = ("The model is stuck in one of its passes.", fix), True
        log.error("%s %s", *self._stall)
        self._messages.show_once(" ".join(self._stall))
        self.tell()

    def busy(self, is_busy: bool) -> None:
        self._busy = is_busy
        self.tell()

    def tell(self) -> None:
        """Notify the client when something has changed since it was told."""
        brief = self.brief()
        if brief != self._told:
            self._told = brief
            self._client.notify(STATUS_NOTIFICATION, brief)

    def _begin(self, name: str, title: str) -> None:
        self._end(name)
        self._ongoing[name] = Progress(self._client, title, shows_bar=self.shows_progress_bars)
        self.tell()

    def _advance(self, name: str, event: ProgressEvent) -> None:
        if name in self._ongoing:
            self._ongoing[name].report(event)
            self.tell()

    def _end(self, name: str, message: str = "") -> None:
        progress = self._ongoing.pop(name, None)
        if progress is not None:
            progress.end(message)
        self.tell()


def watch_stalls(
    thread: TurnThread, patience: Patience, status: StatusBoard, on_lost: Callable[[], None] | None
) -> StallWatch:
    """Tell a board when the model's thread does not move; where `on_lost` ends the process, there will be another."""
    fix = "Restart the server; `rest-lsp doctor` says whether the model works."
    if on_lost is not None:
        fix = f"It is restarted after {patience.lost_after_s:.0f} s; `rest-lsp daemon restart` does so now."
    watch = StallWatch(
        thread, patience, lambda still_s: status.stalled(still_s, fix), on_lost or (lambda: status.lost(fix))
    )
    watch.start()
    return watch
