"""What the person sees without asking: a message once, and progress bars.  Does not know what it is about."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from typing import Protocol

from lsprotocol import types

from rest_lsp.errors import Cancelled

log = logging.getLogger(__name__)

_REPORT_INTERVAL_S = 0.1
_OF_FILES = ("list", "index")
_DOING = {
    "wait": "waiting for another process",
    "download": "downloading",
    "verify": "verifying",
    "read": "reading",
    "convert": "converting",
    "load": "loading",
    "measure": "measuring",
}


class ProgressEvent(Protocol):
    """`done` of `total` of one stage; `total` is 0 when it is not known."""

    @property
    def stage(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...


class Client(Protocol):
    """The messages that this module sends.  To be called on the event loop."""

    def notify(self, method: str, params: object) -> None: ...
    def request(self, method: str, params: object, then: Callable[[bool], None]) -> None: ...


class Messages:
    """Shows a sentence at most once, however often it becomes true."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._shown: set[str] = set()

    def show_once(self, text: str, kind: types.MessageType = types.MessageType.Error) -> None:
        """A popup on the first call with this text, nothing on later ones."""
        if text not in self._shown:
            self.show(text, kind)

    def show(self, text: str, kind: types.MessageType) -> None:
        """A popup: for what somebody has just asked for."""
        self._shown.add(text)
        self._client.notify(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(kind, text))


class Progress:
    """One piece of work that goes on: its newest state in words, and its bar."""

    def __init__(self, client: Client, title: str, *, shows_bar: bool) -> None:
        self.text = ""
        self.percent: int | None = None
        self._bar = ProgressBar(client, title, supported=shows_bar)

    def report(self, event: ProgressEvent) -> None:
        self.text, self.percent = describe(event), percentage(event)
        self._bar.report(event)

    def end(self, message: str = "") -> None:
        self._bar.end(message)


class ProgressBar:
    """One `$/progress` from begin to end; silent when the client has no progress bars."""

    def __init__(self, client: Client, title: str, *, supported: bool) -> None:
        self._client = client
        self._title = title
        self._token = f"rest-lsp-{uuid.uuid4().hex[:8]}"
        self._begun = False
        self._ended = False
        if supported:
            create = types.WorkDoneProgressCreateParams(self._token)
            client.request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, create, self._begin)

    def report(self, event: ProgressEvent) -> None:
        """Show the newest state."""
        if self._begun and not self._ended:
            self._send(types.WorkDoneProgressReport(message=describe(event), percentage=percentage(event)))

    def end(self, message: str = "") -> None:
        """Remove the bar; a second call does nothing."""
        if self._begun and not self._ended:
            self._send(types.WorkDoneProgressEnd(message=message or None))
        self._ended = True

    def _begin(self, accepted: bool) -> None:
        if accepted and not self._ended:
            self._begun = True
            self._send(types.WorkDoneProgressBegin(title=self._title, percentage=0))

    def _send(self, value: object) -> None:
        self._client.notify(types.PROGRESS, types.ProgressParams(self._token, value))


class ProgressRelay:
    """What a worker's thread calls with events: passes them to the loop, and stops the work when nobody wants it.

    At most ten a second pass; the first and the last of each stage always do.
    """

    def __init__(
        self,
        show: Callable[[ProgressEvent], None],
        on_loop: Callable[[Callable[[], None]], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._show = show
        self._on_loop = on_loop
        self._is_cancelled = is_cancelled
        self._last_s = 0.0
        self._stage = ""

    def __call__(self, event: ProgressEvent) -> None:
        """Raises Cancelled in the worker when its work is not wanted any more."""
        if self._is_cancelled():
            raise Cancelled
        now_s = time.monotonic()
        is_edge = event.stage != self._stage or event.done >= event.total > 0
        if is_edge or now_s - self._last_s >= _REPORT_INTERVAL_S:
            self._last_s, self._stage = now_s, event.stage
            self._on_loop(lambda: self._show(event))


def percentage(event: ProgressEvent) -> int | None:
    """None when the total is not known."""
    return min(100, 100 * event.done // event.total) if event.total > 0 else None


def describe(event: ProgressEvent) -> str:
    """What follows the state's name in a status item: "1,204 of 3,010 files" when indexing, else "downloading 40 %"."""
    if event.stage in _OF_FILES:
        amount = f"{min(event.done, event.total):,} of {event.total:,}" if event.total > 0 else f"{event.done:,}"
        return f"{amount} files" if event.done or event.total else ""
    doing = _DOING.get(event.stage, event.stage)
    share = percentage(event)
    return doing if share is None else f"{doing} {share} %"
