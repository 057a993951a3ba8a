"""One conversation over several servers: what is told again, what is asked again, and what is answered instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rest_lsp.daemon.continuity import Continuity, Out, Phase
from rest_lsp.daemon.lsp import CONTENT_MODIFIED, REQUEST_CANCELLED

URI = "file:///a.py"
READY = {"state": "ready", "enabled": True, "disabledLanguages": [], "snoozedUntil": None}


class Talk:
    """An editor and servers around a `Continuity`, in plain JSON."""

    def __init__(self) -> None:
        self.continuity = Continuity()
        self.to_server: list[dict[str, Any]] = []
        self.to_editor: list[dict[str, Any]] = []

    def opened(self, **initialize: Any) -> Talk:
        self.join()
        self.editor("initialize", {"processId": 1, **initialize}, msg_id=1)
        self.server({"id": 1, "result": {"capabilities": {"positionEncoding": "utf-16"}}})
        self.editor("initialized", {})
        self.editor("textDocument/didOpen", {"textDocument": document("ab", 1)})
        self.status(**READY)
        self.forget()
        return self

    def editor(self, method: str, params: object, msg_id: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self._take(self.continuity.from_editor(json.dumps(message | ({"id": msg_id} if msg_id else {})).encode()))

    def server(self, message: dict[str, Any]) -> None:
        self._take(self.continuity.from_server(json.dumps({"jsonrpc": "2.0", **message}).encode()))

    def status(self, **params: Any) -> None:
        self.server({"method": "rest/didChangeStatus", "params": {**READY, **params}})

    def complete(self, msg_id: int, uri: str = URI) -> None:
        self.editor("textDocument/inlineCompletion", {"textDocument": {"uri": uri}, "position": {}}, msg_id)

    def type(self, version: int, text: str) -> None:
        start = {"line": 0, "character": 99}
        changes = [{"range": {"start": start, "end": start}, "text": text}]
        self.editor(
            "textDocument/didChange", {"textDocument": {"uri": URI, "version": version}, "contentChanges": changes}
        )

    def lose(self) -> None:
        self._take(self.continuity.lost())

    def join(self) -> None:
        self._take(self.continuity.joined())

    def forget(self) -> None:
        self.to_server.clear()
        self.to_editor.clear()

    def asked(self) -> list[Any]:
        """Ids of the requests that reached the server, but for those of the front's own."""
        return [message["id"] for message in self.to_server if isinstance(message.get("id"), int)]

    def answers(self) -> dict[Any, Any]:
        return {
            message["id"]: message.get("result", message.get("error", {}).get("code"))
            for message in self.to_editor
            if "method" not in message
        }

    def _take(self, out: Out) -> None:
        self.to_server += map(json.loads, out.to_server)
        self.to_editor += map(json.loads, out.to_editor)


def document(text: str, version: int) -> dict[str, Any]:
    return {"uri": URI, "languageId": "python", "version": version, "text": text}


def test_a_new_server_is_told_everything_and_its_answer_is_for_nobody() -> None:
    talk = Talk().opened(workspaceFolders=[{"uri": "file:///one", "name": "one"}])
    talk.type(2, "c")
    talk.editor("workspace/didChangeConfiguration", {"settings": {"a": 1}})
    event = {"added": [{"uri": "file:///two", "name": "two"}], "removed": [{"uri": "file:///one", "name": "one"}]}
    talk.editor("workspace/didChangeWorkspaceFolders", {"event": event})
    talk.lose()
    talk.forget()
    talk.join()
    methods = ["initialize", "initialized", "workspace/didChangeConfiguration", "textDocument/didOpen"]
    assert [message["method"] for message in talk.to_server] == methods
    assert talk.to_server[0]["params"] == {"processId": 1, "workspaceFolders": event["added"]}
    assert talk.to_server[2]["params"] == {"settings": {"a": 1}}
    assert talk.to_server[3]["params"] == {"textDocument": document("abc", 2)}
    talk.server({"id": talk.to_server[0]["id"], "result": {"capabilities": {}}})
    assert talk.to_editor == []


def cell(number: int, text: str, version: int = 1) -> dict[str, Any]:
    return {"uri": f"vscode-notebook-cell:/n.ipynb#W{number}", "languageId": "python", "version": version, "text": text}


def test_a_notebook_is_told_again_as_it_is_now() -> None:
    talk = Talk().opened()
    identifier, cells = {"uri": "file:///n.ipynb"}, [{"kind": 2, "document": cell(n, "")["uri"]} for n in range(4)]
    notebook = {**identifier, "notebookType": "jupyter-notebook", "version": 1, "cells": cells[:3]}
    talk.editor(
        "notebookDocument/didOpen",
        {"notebookDocument": notebook, "cellTextDocuments": [cell(0, "a"), cell(1, "b"), cell(2, "c")]},
    )
    talk.complete(7, cell(2, "")["uri"])
    talk.lose()
    moved = {"array": {"start": 0, "deleteCount": 3, "cells": [cells[2], cells[3], cells[0]]}}
    structure = {**moved, "didOpen": [cell(3, "d")], "didClose": [{"uri": cells[1]["document"]}]}
    end = {"line": 0, "character": 1}
    edit = {
        "document": {"uri": cells[2]["document"], "version": 2},
        "changes": [{"range": {"start": end, "end": end}, "text": "!"}],
    }
    talk.editor(
        "notebookDocument/didChange",
        {
            "notebookDocument": {**identifier, "version": 2},
            "change": {"cells": {"structure": structure, "textContent": [edit]}},
        },
    )
    assert talk.answers() == {7: None}
    talk.forget()
    talk.join()
    told = {message["method"]: message["params"] for message in talk.to_server}
    assert told["textDocument/didOpen"] == {"textDocument": document("ab", 1)}
    assert told["notebookDocument/didOpen"] == {
        "notebookDocument": {**notebook, "version": 2, "cells": [cells[2], cells[3], cells[0]]},
        "cellTextDocuments": [cell(2, "c!", 2), cell(3, "d"), cell(0, "a")],
    }
    talk.editor(
        "notebookDocument/didClose",
        {
            "notebookDocument": identifier,
            "cellTextDocuments": [
                {"uri": each["document"]} for each in told["notebookDocument/didOpen"]["notebookDocument"]["cells"]
            ],
        },
    )
    talk.lose()
    talk.forget()
    talk.join()
    assert "notebookDocument/didOpen" not in {message["method"] for message in talk.to_server}
    assert sum(message["method"] == "textDocument/didOpen" for message in talk.to_server) == 1


def test_what_a_person_switched_is_switched_again() -> None:
    talk = Talk().opened()
    talk.editor("workspace/executeCommand", {"command": "rest.chooseModel", "arguments": ["big"]}, msg_id=5)
    talk.status(enabled=False, disabledLanguages=["go"])
    talk.lose()
    talk.forget()
    talk.join()
    commands = [message["params"] for message in talk.to_server if message["method"] == "workspace/executeCommand"]
    assert [(command["command"], command["arguments"]) for command in commands] == [
        ("rest.chooseModel", ["big"]),
        ("rest.toggle", [None, False]),
        ("rest.toggle", ["go", False]),
    ]


def test_a_completion_that_takes_a_second_server_with_it_is_not_asked_a_third_time() -> None:
    talk = Talk().opened()
    talk.complete(7)
    for _ in range(2):
        talk.lose()
        talk.join()
        talk.status()
    assert talk.asked().count(7) == 2
    assert talk.answers() == {7: None}
    talk.complete(8)
    assert talk.asked()[-1] == 8


def test_a_completion_in_flight_is_asked_again_when_the_new_server_is_ready() -> None:
    talk = Talk().opened()
    talk.complete(7)
    talk.lose()
    talk.join()
    talk.forget()
    talk.status(state="loading")
    assert talk.asked() == []
    talk.status(state="ready")
    assert talk.asked() == [7]
    talk.server({"id": 7, "result": []})
    assert talk.answers() == {7: []}


@pytest.mark.parametrize("moment", ["before the loss", "after the loss", "after joining"])
def test_a_completion_of_a_text_that_has_changed_shows_nothing(moment: str) -> None:
    talk = Talk().opened()
    talk.complete(7)
    if moment == "before the loss":
        talk.type(2, "c")
    talk.lose()
    if moment == "after joining":
        talk.join()
    if moment != "before the loss":
        talk.type(2, "c")
    assert talk.answers() == {7: None}
    talk.join()
    talk.status()
    assert talk.asked() == [7], "it is not asked again"


def test_the_newest_completion_wins_while_there_is_no_server() -> None:
    talk = Talk().opened()
    talk.lose()
    talk.complete(7)
    talk.complete(8)
    talk.complete(9, uri="file:///b.py")
    assert talk.answers() == {7: None}
    talk.join()
    talk.status()
    assert talk.asked() == [8, 9]


def test_a_held_completion_can_be_cancelled() -> None:
    talk = Talk().opened()
    talk.lose()
    talk.complete(7)
    talk.editor("$/cancelRequest", {"id": 7})
    assert talk.answers() == {7: REQUEST_CANCELLED}
    talk.join()
    talk.status()
    assert talk.asked() == []


def test_other_requests_are_refused_or_wait() -> None:
    talk = Talk().opened()
    talk.editor("rest/status", None, msg_id=5)
    talk.editor("workspace/executeCommand", {"command": "rest.toggle"}, msg_id=6)
    talk.lose()
    assert talk.answers() == {6: CONTENT_MODIFIED}
    talk.editor("workspace/executeCommand", {"command": "rest.stats"}, msg_id=7)
    talk.forget()
    talk.join()
    assert talk.asked() == [5, 7]


def test_initialize_is_answered_by_whichever_server_comes() -> None:
    talk = Talk()
    talk.editor("initialize", {}, msg_id=1)
    talk.join()
    talk.lose()
    talk.join()
    assert talk.asked() == [1, 1]
    talk.server({"id": 1, "result": {"capabilities": {}}})
    assert talk.answers() == {1: {"capabilities": {}}}
    assert talk.continuity.phase is Phase.OPEN


def test_shutdown_needs_no_server() -> None:
    talk = Talk().opened()
    talk.lose()
    talk.editor("shutdown", None, msg_id=9)
    assert talk.answers() == {9: None}
    assert talk.continuity.phase is Phase.SHUT_DOWN


def test_progress_that_a_lost_server_had_begun_ends() -> None:
    talk = Talk().opened()
    for token, kind in (("a", "begin"), ("b", "begin"), ("b", "end")):
        talk.server({"method": "$/progress", "params": {"token": token, "value": {"kind": kind}}})
    talk.forget()
    talk.lose()
    ended = [message["params"] for message in talk.to_editor if message["method"] == "$/progress"]
    assert ended == [{"token": "a", "value": {"kind": "end"}}]
    states = [m["params"]["state"] for m in talk.to_editor if m["method"] == "rest/didChangeStatus"]
    assert states == ["loading"]


def test_nonsense_is_for_the_server_to_judge() -> None:
    talk = Talk().opened()
    for body in (b"{", b"[1]", b'{"id": true, "method": 7}'):
        assert talk.continuity.from_editor(body).to_server == [body]
    talk.editor("textDocument/didChange", {"textDocument": URI})
    talk.lose()
    talk.forget()
    talk.join()
    assert talk.to_server[-1]["params"] == {"textDocument": document("ab", 1)}
