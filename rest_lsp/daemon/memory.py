"""What a language server knows of its editor, kept by the front so that a new server can be told all of it again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from rest_lsp.daemon import lsp
from rest_lsp.daemon.open_documents import OpenDocuments

OWN_ID = "rest-lsp/replay/"
"""Requests of the front's own carry ids that begin like this; their answers are for nobody."""


class EditorMemory:
    """Told of every message that passes; unreadable ones are for the server to judge, and change nothing here."""

    def __init__(self) -> None:
        self._initialize: dict[str, Any] | None = None
        self._is_initialized = False
        self._configuration: msgspec.Raw | None = None
        self._documents = OpenDocuments()
        self._choice: msgspec.Raw | None = None
        self._progress: dict[str, Any] = {}
        self.status: dict[str, Any] | None = None

    def sent(self, message: lsp.Message) -> None:
        """A message from the editor."""
        try:
            self._note(message)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, IndexError):
            return

    def answered_initialize(self, result: msgspec.Raw) -> None:
        """The answer to the editor's own `initialize`."""
        try:
            self._documents.encoding = msgspec.json.decode(result)["capabilities"].get("positionEncoding") or "utf-16"
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            return

    def received(self, message: lsp.Message) -> None:
        """A notification from the server."""
        if message.method == lsp.STATUS:
            self.status = message.read_params()
        elif message.method == lsp.PROGRESS:
            params = message.read_params()
            is_ended = params["value"].get("kind") == "end"
            self._progress.pop(str(params["token"]), None)
            if not is_ended:
                self._progress[str(params["token"])] = params["token"]

    def version_of(self, uri: str) -> object:
        """The version of an open document, None for one that is not open."""
        return self._documents.version_of(uri)

    def to_editor_when_lost(self) -> Iterator[bytes]:
        """Ends what the server had begun to show."""
        for token in self._progress.values():
            yield lsp.notification(lsp.PROGRESS, {"token": token, "value": {"kind": "end"}})
        self._progress.clear()
        if self.status is not None:
            changed = {"state": "loading", "reason": "The completion process is restarted.", "fix": ""}
            yield lsp.notification(lsp.STATUS, {**self.status, **changed})

    def replay(self, *, initialize_id: lsp.MessageId) -> Iterator[bytes]:
        """All that a new server must be told, in order."""
        if self._initialize is None:
            return
        yield lsp.request(initialize_id, lsp.INITIALIZE, self._initialize)
        if not self._is_initialized:
            return
        yield lsp.notification(lsp.INITIALIZED, {})
        if self._configuration is not None:
            yield lsp.notification(lsp.DID_CONFIGURE, self._configuration)
        yield from self._documents.replay()
        for number, params in enumerate(self._commands()):
            yield lsp.request(f"{OWN_ID}{number}", lsp.EXECUTE, params)

    def _commands(self) -> Iterator[object]:
        """What a person has switched."""
        if self._choice is not None:
            yield self._choice
        status = self.status or {}
        if status.get("enabled") is False:
            yield {"command": "rest.toggle", "arguments": [None, False]}
        for language in status.get("disabledLanguages") or ():
            yield {"command": "rest.toggle", "arguments": [language, False]}
        if status.get("snoozedUntil"):
            minutes = (status["snoozedUntil"] / 1000 - time.time()) / 60
            yield {"command": "rest.snooze", "arguments": [max(0.0, minutes)]}

    def _note(self, message: lsp.Message) -> None:
        if message.method == lsp.INITIALIZE and not self._is_initialized:
            self._initialize = message.read_params()
        elif message.method == lsp.INITIALIZED:
            self._is_initialized = True
        elif message.method == lsp.DID_CONFIGURE:
            self._configuration = message.params
        elif message.method == lsp.DID_CHANGE_FOLDERS:
            self._change_folders(message.read_params()["event"])
        elif message.method == lsp.EXECUTE and message.read_params()["command"] == lsp.CHOOSE_MODEL:
            self._choice = message.params
        else:
            self._documents.note(message)

    def _change_folders(self, event: dict[str, Any]) -> None:
        assert self._initialize is not None
        gone = {folder["uri"] for folder in event["removed"]}
        folders = [folder for folder in self._initialize.get("workspaceFolders") or () if folder["uri"] not in gone]
        self._initialize["workspaceFolders"] = [*folders, *event["added"]]
