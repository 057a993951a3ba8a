"""One conversation for the editor, however many servers take part in it one after the other.  No sockets, no threads.

Every request gets exactly one answer.  One that a server took with it is asked again when it still makes sense, so that
no suggestion is lost; else it is answered in a way that makes an editor show nothing wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto

import msgspec

from rest_lsp.daemon import lsp
from rest_lsp.daemon.memory import OWN_ID, EditorMemory
from rest_lsp.daemon.open_documents import CHANGE_TEXT

_ASKED_AGAIN = "rest/status"
_MOST_HELD = 1000
_RESTARTED = "The completion process was restarted; ask again."
_CANCELLED = "The request was cancelled."


class Phase(Enum):
    """Where the editor believes the connection to be."""

    NEW = auto()
    OPEN = auto()
    SHUT_DOWN = auto()


@dataclass(frozen=True)
class Asked:
    """A request that waits for its answer; `uri` and `version` are of the document of a completion.

    One that `was_lost` has taken a server with it, or was there when one went.
    """

    msg_id: lsp.MessageId
    method: str
    body: bytes
    uri: str | None = None
    version: object = None
    was_lost: bool = False


@dataclass
class Out:
    """What is to be sent now, in order."""

    to_server: list[bytes] = field(default_factory=list)
    to_editor: list[bytes] = field(default_factory=list)


class Continuity:
    """To be called by one thread at a time."""

    def __init__(self) -> None:
        self.phase = Phase.NEW
        self.has_exited = False
        self._memory = EditorMemory()
        self._is_joined = False
        self._is_ready = True
        self._initialize: Asked | None = None
        self._asked: dict[lsp.MessageId, Asked] = {}
        self._held: dict[lsp.MessageId, Asked] = {}

    def from_editor(self, body: bytes) -> Out:
        out, message = Out(), lsp.read(body)
        if message is None:
            self._send(body, out)
            return out
        self._memory.sent(message)
        if message.is_request:
            self._request(self._asked_by(message, body), out)
        else:
            self._notification(message, body, out)
        return out

    def from_server(self, body: bytes) -> Out:
        out, message = Out(), lsp.read(body)
        if message is not None and message.method is None and message.id is not None:
            if isinstance(message.id, str) and message.id.startswith(OWN_ID):
                return out
            self._answered(message)
        elif message is not None and message.id is None:
            self._memory.received(message)
            if message.method == lsp.STATUS and not self._is_ready:
                self._look_at_status(out)
        out.to_editor.append(body)
        return out

    def lost(self) -> Out:
        """The server has gone without a word."""
        out = Out()
        self._is_joined, self._is_ready = False, False
        asked, self._asked = list(self._asked.values()), {}
        for request in asked:
            if request is self._initialize:
                continue
            if request.method == lsp.COMPLETION and not request.was_lost and not self._is_stale(request):
                self._hold_completion(replace(request, was_lost=True), out)
            elif request.method == _ASKED_AGAIN:
                self._held[request.msg_id] = request
            else:
                self._give_up(request, out)
        out.to_editor += self._memory.to_editor_when_lost()
        return out

    def joined(self) -> Out:
        """There is a server, and it knows nothing yet."""
        out = Out()
        self._is_joined = True
        if self._initialize is not None and self.phase is Phase.NEW:
            self._asked[self._initialize.msg_id] = self._initialize
            out.to_server += self._memory.replay(initialize_id=self._initialize.msg_id)
        else:
            out.to_server += self._memory.replay(initialize_id=f"{OWN_ID}initialize")
        for request in [held for held in self._held.values() if held.method != lsp.COMPLETION]:
            self._release(request, out)
        return out

    def _asked_by(self, message: lsp.Message, body: bytes) -> Asked:
        assert message.id is not None
        assert message.method is not None
        uri: str | None = None
        if message.method == lsp.COMPLETION:
            try:
                uri = str(message.read_params()["textDocument"]["uri"])
            except (msgspec.DecodeError, KeyError, TypeError):
                uri = None
        return Asked(message.id, message.method, body, uri, self._memory.version_of(uri) if uri else None)

    def _request(self, request: Asked, out: Out) -> None:
        if request.method == lsp.INITIALIZE and self._initialize is None:
            self._initialize = request
            if not self._is_joined:
                return
        if request.method == lsp.COMPLETION and request.uri and not self._is_ready:
            self._hold_completion(request, out)
        elif not self._is_joined and request.method == lsp.SHUTDOWN:
            self.phase = Phase.SHUT_DOWN
            out.to_editor.append(lsp.null_answer(request.msg_id))
        elif not self._is_joined and len(self._held) >= _MOST_HELD:
            self._give_up(request, out)
        elif not self._is_joined:
            self._held[request.msg_id] = request
        else:
            self._asked[request.msg_id] = request
            out.to_server.append(request.body)

    def _notification(self, message: lsp.Message, body: bytes, out: Out) -> None:
        self.has_exited = self.has_exited or message.method == lsp.EXIT
        if message.method == lsp.CANCEL and self._cancel_held(message, out):
            return
        if message.method in CHANGE_TEXT:
            for request in [held for held in self._held.values() if self._is_stale(held)]:
                self._give_up(request, out)
        self._send(body, out)

    def _send(self, body: bytes, out: Out) -> None:
        """What the memory keeps is told again later; all else has no meaning for another server."""
        if self._is_joined:
            out.to_server.append(body)

    def _answered(self, message: lsp.Message) -> None:
        assert message.id is not None
        request = self._asked.pop(message.id, None)
        if request is None:
            return
        if request is self._initialize and not message.is_error:
            self.phase = Phase.OPEN
            self._memory.answered_initialize(message.result)
        elif request is self._initialize:
            self._initialize = None
        elif request.method == lsp.SHUTDOWN and not message.is_error:
            self.phase = Phase.SHUT_DOWN

    def _look_at_status(self, out: Out) -> None:
        if (self._memory.status or {}).get("state") != "loading":
            self._is_ready = True
            for request in list(self._held.values()):
                self._release(request, out)

    def _hold_completion(self, request: Asked, out: Out) -> None:
        """The newest wins, here as well."""
        for older in [held for held in self._held.values() if held.uri == request.uri and held.uri is not None]:
            self._give_up(older, out)
        self._held[request.msg_id] = request

    def _release(self, request: Asked, out: Out) -> None:
        self._held.pop(request.msg_id, None)
        self._asked[request.msg_id] = request
        out.to_server.append(request.body)

    def _give_up(self, request: Asked, out: Out) -> None:
        self._held.pop(request.msg_id, None)
        if request.method == lsp.SHUTDOWN:
            self.phase = Phase.SHUT_DOWN
        if request.method in (lsp.COMPLETION, lsp.SHUTDOWN):
            out.to_editor.append(lsp.null_answer(request.msg_id))
        else:
            out.to_editor.append(lsp.error_answer(request.msg_id, lsp.CONTENT_MODIFIED, _RESTARTED))

    def _is_stale(self, request: Asked) -> bool:
        """Whether a completion was asked for in a text that is no longer there."""
        return request.uri is not None and self._memory.version_of(request.uri) != request.version

    def _cancel_held(self, message: lsp.Message, out: Out) -> bool:
        try:
            request = self._held.pop(message.read_params()["id"], None)
        except (msgspec.DecodeError, KeyError, TypeError):
            return False
        if request is not None:
            out.to_editor.append(lsp.error_answer(request.msg_id, lsp.REQUEST_CANCELLED, _CANCELLED))
        return request is not None
