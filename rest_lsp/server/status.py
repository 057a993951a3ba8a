"""One answer to "does it work?": loading, indexing, ready, busy, or error with a reason and a fix.

Everything that changes the answer is told to the board; the board tells the client.
"""

from __future__ import annotations

import dataclasses
import logging
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rest_lsp.server.feedback import Client, Messages, ProgressBar, ProgressEvent, describe

if TYPE_CHECKING:
    from rest_lsp.server.session import Session

log = logging.getLogger(__name__)

STATUS_REQUEST = "rest/status"
STATUS_NOTIFICATION = "rest/didChangeStatus"


class State(str, Enum):
    LOADING = "loading"
    INDEXING = "indexing"
    READY = "ready"
    BUSY = "busy"
    ERROR = "error"


class StatusBoard:
    """Belongs to the event loop."""

    def __init__(self, client: Client, messages: Messages) -> None:
        self.enabled = True
        self.shows_progress_bars = False
        self._client = client
        self._messages = messages
        self._session: Session | None = None
        self._busy = False
        self._indexing = False
        self._reason = ""
        self._fix = ""
        self._progress = ""
        self._bar: ProgressBar | None = None
        self._told: dict[str, Any] = {}

    @property
    def state(self) -> State:
        if self._session is None:
            return State.ERROR if self._reason else State.LOADING
        if self._indexing:
            return State.INDEXING
        return State.BUSY if self._busy else State.READY

    def brief(self) -> dict[str, Any]:
        """What a status item shows."""
        return {
            "state": self.state.value,
            "reason": self._reason or None,
            "fix": self._fix or None,
            "progress": self._progress or None,
            "enabled": self.enabled,
        }

    def full(self) -> dict[str, Any]:
        """`brief` and what the session knows about model, device and datastore."""
        known: dict[str, Any] = {"model": None, "device": None, "dtype": None, "datastore": None}
        if self._session is not None:
            known |= self._session.status()
            if known["datastore"] is None and self._session.datastore is not None:
                known["datastore"] = self._session.datastore.status()
        return {**_plain(known), **self.brief()}

    def loading(self) -> None:
        self._session = None
        self._indexing = False
        self._reason = self._fix = ""
        self._begin("Loading the model")

    def loading_progress(self, event: ProgressEvent) -> None:
        if self.state is State.LOADING:
            self._advance(event)

    def loaded(self, session: Session) -> None:
        """Completions work; what is indexed follows when the session has a datastore."""
        log.info("Ready to complete.")
        self._session = session
        self._indexing = session.datastore is not None
        self._end("ready")

    def failed(self, reason: str, fix: str) -> None:
        """There is no model: one message, then only the status says so."""
        log.error("%s %s", reason, fix)
        self._reason, self._fix = reason, fix
        self._end("failed")
        self._messages.show_once(f"{reason} {fix}".rstrip())

    def indexing(self) -> None:
        self._indexing = True
        self._begin("Indexing the workspace")

    def indexing_progress(self, event: ProgressEvent) -> None:
        if self._indexing:
            self._advance(event)

    def indexed(self) -> None:
        log.info("The index of the workspace is up to date.")
        self._reason = ""
        self._indexing = False
        self._end("up to date")

    def indexing_failed(self, reason: str) -> None:
        """Completions go on, without drafts from other files."""
        log.error("%s", reason)
        self._reason = reason
        self._indexing = False
        self._end("failed")
        self._messages.show_once(reason)

    def busy(self, is_busy: bool) -> None:
        self._busy = is_busy
        self.tell()

    def toggle(self) -> bool:
        """Switch completions off or on; returns whether they are on now."""
        self.enabled = not self.enabled
        self.tell()
        return self.enabled

    def tell(self) -> None:
        """Notify the client when something has changed since it was told."""
        brief = self.brief()
        if brief != self._told:
            self._told = brief
            self._client.notify(STATUS_NOTIFICATION, brief)

    def _begin(self, title: str) -> None:
        if self._bar is not None:
            self._bar.end()
        self._bar = ProgressBar(self._client, title, supported=self.shows_progress_bars)
        self.tell()

    def _advance(self, event: ProgressEvent) -> None:
        self._progress = describe(event)
        if self._bar is not None:
            self._bar.report(event)
        self.tell()

    def _end(self, message: str) -> None:
        self._progress = ""
        if self._bar is not None:
            self._bar.end(message)
            self._bar = None
        self.tell()


def _plain(value: Any) -> Any:
    """`value` as what JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value
