"""The protocol's lifecycle and what a server says to nonsense, over real pipes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.daemon.address import Address
from tests.e2e.lsp_client import LspClient, completion_params, frame

URI = "file:///nowhere/a.py"


@pytest.fixture
def client() -> Iterator[LspClient]:
    with LspClient() as started:
        yield started


@pytest.fixture
def ready(client: LspClient) -> LspClient:
    client.initialize()
    client.wait_for_state("ready")
    return client


@pytest.fixture(scope="module")
def shared() -> Iterator[LspClient]:
    """One server that has to get over everything it is told."""
    with LspClient() as started:
        started.initialize()
        started.wait_for_state("ready")
        yield started


def assert_still_works(client: LspClient) -> None:
    client.open("untitled:still", "word")
    assert client.complete("untitled:still", 0, 4)[0]["insertText"] == "<4>"
    assert client.notifications("window/showMessage") == []


def test_capabilities(client: LspClient) -> None:
    result = client.initialize()
    assert result["serverInfo"]["name"] == "rest-lsp"
    capabilities = result["capabilities"]
    assert capabilities["inlineCompletionProvider"] == {}
    assert capabilities["textDocumentSync"]["openClose"] is True
    assert capabilities["textDocumentSync"]["change"] == 2
    assert {"rest.stats", "rest.reindex"} <= set(capabilities["executeCommandProvider"]["commands"])


def test_polite_end(ready: LspClient) -> None:
    assert ready.shut_down() == 0


def test_the_session_is_closed_at_the_end(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    with LspClient("--close-gate", str(closed)) as client:
        client.initialize()
        client.wait_for_state("ready")
        assert client.shut_down() == 0
    assert closed.exists()


def test_exit_without_shutdown(ready: LspClient) -> None:
    ready.notify("exit")
    assert ready.process.wait(20) == 1


def test_exit_before_initialize(client: LspClient) -> None:
    client.notify("exit")
    assert client.process.wait(20) == 1


@pytest.mark.parametrize("method", ["textDocument/inlineCompletion", "rest/status", "shutdown", "no/such/method"])
def test_requests_before_initialize(client: LspClient, method: str) -> None:
    params = completion_params(URI, 0, 0) if method.startswith("text") else None
    assert client.error(method, params)["code"] == -32002


def test_notifications_before_initialize_are_dropped(client: LspClient) -> None:
    client.open(URI, "word")
    client.notify("initialized", {})
    client.initialize()
    client.wait_for_state("ready")
    assert client.complete(URI, 0, 4) == []


def test_second_initialize(shared: LspClient) -> None:
    assert shared.error("initialize", {"processId": None, "rootUri": None, "capabilities": {}})["code"] == -32600
    assert_still_works(shared)


def test_a_failed_initialize_can_be_repeated(client: LspClient) -> None:
    assert client.error("initialize", {"capabilities": 5})["code"] == -32602
    assert client.error("rest/status")["code"] == -32002
    assert client.initialize()["capabilities"]


def test_requests_after_shutdown(ready: LspClient) -> None:
    ready.ask("shutdown")
    for method in ("textDocument/inlineCompletion", "shutdown", "initialize", "rest/status"):
        params = completion_params(URI, 0, 0) if method.startswith("text") else {"capabilities": {}}
        assert ready.error(method, params)["code"] == -32600
    ready.open(URI, "dropped")
    ready.notify("exit")
    assert ready.process.wait(20) == 0


@pytest.mark.parametrize(
    "params",
    [
        None,
        [],
        "text",
        {},
        {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}},
        {"textDocument": {"uri": URI}, "position": {"line": -1, "character": 0}, "context": {"triggerKind": 1}},
        {"textDocument": {"uri": URI}, "position": {"line": "x", "character": 0}, "context": {"triggerKind": 1}},
        {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 9}},
        {"textDocument": None, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 1}},
    ],
)
def test_invalid_params(shared: LspClient, params: object) -> None:
    assert shared.error("textDocument/inlineCompletion", params)["code"] == -32602
    assert_still_works(shared)


def test_unknown_methods(shared: LspClient) -> None:
    assert shared.error("no/such/method", {"a": 1})["code"] == -32601
    assert shared.error("$/no/such/method")["code"] == -32601
    shared.notify("no/such/notification", [1, 2])
    shared.notify("textDocument/didChange", {"textDocument": 5})
    shared.change("file:///never/opened.py", 2, {"text": "x"})
    shared.notify("textDocument/didShowCompletion", {"item": {"insertText": "x"}})
    shared.notify("textDocument/didPartiallyAcceptCompletion", {"item": {"insertText": "x"}, "acceptedLength": 1})
    shared.notify("$/cancelRequest", {"id": 12345})
    shared.notify("$/cancelRequest", {"id": None})
    assert_still_works(shared)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "shutdown"}]', -32600),
        (b"7", -32600),
        (b"null", -32600),
        (b'{"id": 900, "method": "shutdown"}', -32600),
        (b'{"jsonrpc": "1.0", "id": 900, "method": "shutdown"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 900, "method": 5}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "shutdown"}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "shutdown"}', -32600),
    ],
)
def test_messages_that_are_none(shared: LspClient, body: bytes, code: int) -> None:
    seen = len(shared.messages)
    shared.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    answer = shared.wait_for(lambda message: "error" in message, skip=seen)
    assert answer["error"]["code"] == code
    assert answer["id"] == (900 if b"900" in body else None)
    assert_still_works(shared)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"Content-Length: lots\r\n\r\n",
        b"Content-Length: 99999999999999\r\n\r\n",
        b"x" * 100_000,
    ],
)
def test_broken_headers(shared: LspClient, garbage: bytes) -> None:
    seen = len(shared.messages)
    shared.send_bytes(garbage)
    answer = shared.wait_for(lambda message: "error" in message, skip=seen)
    assert answer["error"]["code"] == -32700
    assert answer["id"] is None
    assert_still_works(shared)


def test_answers_to_requests_that_never_were(shared: LspClient) -> None:
    messages: tuple[dict[str, object], ...] = (
        {"jsonrpc": "2.0", "id": "unknown", "result": None},
        {"jsonrpc": "2.0", "id": 7, "error": {"code": 1, "message": "no"}},
        {"jsonrpc": "2.0", "id": [], "result": None},
        {"jsonrpc": "2.0"},
    )
    for message in messages:
        shared.send_bytes(frame(message))
    assert_still_works(shared)


def test_string_ids(shared: LspClient) -> None:
    shared.send_bytes(frame({"jsonrpc": "2.0", "id": "\u00e9-1", "method": "rest/status"}))
    assert shared.answer("\u00e9-1")["result"]["state"] == "ready"


def test_a_failing_request_is_answered_and_says_no_code(ready: LspClient) -> None:
    ready.open(URI, "fail")
    error = ready.error("textDocument/inlineCompletion", completion_params(URI, 0, 4))
    assert error["code"] == -32603
    assert "Traceback" not in str(error)
    assert "hunter2" not in str(error)
    assert_still_works(ready)
    assert "hunter2" not in str(ready.messages)
    assert b"hunter2" not in ready.stderr
    assert any("KeyError at" in log["message"] for log in ready.notifications("window/logMessage"))


def test_an_expected_failure_is_answered_with_its_sentence(shared: LspClient) -> None:
    shared.open(URI, "refuse")
    error = shared.error("textDocument/inlineCompletion", completion_params(URI, 0, 6))
    assert error == {"code": -32803, "message": "The cursor is nowhere. Put it somewhere."}
    assert_still_works(shared)


def test_prints_of_libraries_go_to_stderr(ready: LspClient, way: str, runtime_folder: Path) -> None:
    ready.open(URI, "print")
    assert ready.complete(URI, 0, 5)[0]["insertText"] == "<5>"
    assert ready.shut_down() == 0
    said = ready.stderr if way == "in process" else Address(runtime_folder).stray_output.read_bytes()
    assert b"a library says hello" in said
    assert b"and so does a C library" in said


def test_no_document_text_in_any_log(ready: LspClient) -> None:
    secret = "s3cr3t_identifier"
    ready.open(URI, f"{secret}\nword")
    ready.change(URI, 2, {"text": f"{secret}\nwords"})
    ready.notify("textDocument/didChange", {"textDocument": {"uri": URI}, "contentChanges": secret})
    assert ready.error("textDocument/inlineCompletion", {"textDocument": secret})["code"] == -32602
    assert ready.complete(URI, 1, 5)[0]["insertText"] == "<5>"
    assert ready.shut_down() == 0
    logs: list[Any] = ready.notifications("window/logMessage")
    assert secret.encode() not in ready.stderr
    assert b"<5>" not in ready.stderr, "completions are code, too"
    assert secret not in str(logs)
