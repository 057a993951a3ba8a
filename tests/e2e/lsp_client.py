"""A language client of a few lines that speaks raw JSON-RPC over real pipes, so that it can also send nonsense."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

TIMEOUT_S = 60.0
FAKE_SERVER = Path(__file__).with_name("fake_server.py")
REPOSITORY = Path(__file__).parents[2]


def serve_command(*arguments: str) -> tuple[str, ...]:
    """`rest-lsp serve`, through a daemon where the test is about those."""
    through_daemon = os.environ.get("REST_LSP_TEST_WAY") == "daemon"
    return ("-m", "rest_lsp", "serve", *arguments, *(() if through_daemon else ("--in-process",)))


def frame(message: object) -> bytes:
    """A message as it goes over the wire."""
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class LspClient:
    """Starts a server process.  Answers the server's own requests with null."""

    def __init__(
        self, *arguments: str, server: Sequence[str] = (str(FAKE_SERVER),), cwd: str = str(REPOSITORY), **env: str
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *server, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "XDG_CONFIG_HOME": os.devnull, **env},
        )
        self._ids = itertools.count(1)
        self._arrived = threading.Condition()
        self._ended = False
        self.messages: list[dict[str, Any]] = []
        self.stderr = b""
        for target in (self._read_stdout, self._read_stderr):
            threading.Thread(target=target, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT_S)

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def post(self, method: str, params: object = None, **fields: object) -> int:
        """Send a request and return its id."""
        msg_id = next(self._ids)
        self.send_bytes(frame({"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params, **fields}))
        return msg_id

    def notify(self, method: str, params: object = None) -> None:
        message = {"jsonrpc": "2.0", "method": method}
        self.send_bytes(frame(message if params is None else {**message, "params": params}))

    def answer(self, msg_id: object) -> dict[str, Any]:
        """The response to a request, with `result` or `error`."""
        return self.wait_for(lambda message: "method" not in message and message.get("id") == msg_id)

    def ask(self, method: str, params: object = None) -> Any:
        """The result of a request; fails on an error."""
        answer = self.answer(self.post(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, params: object = None) -> dict[str, Any]:
        """The error of a request; fails on a result."""
        answer = self.answer(self.post(method, params))
        assert "error" in answer, answer
        assert isinstance(answer["error"], dict)
        return answer["error"]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], *, skip: int = 0) -> dict[str, Any]:
        """The first message, after `skip` of all, that is `wanted`."""
        with self._arrived:
            assert self._arrived.wait_for(
                lambda: self._ended or any(wanted(message) for message in self.messages[skip:]), TIMEOUT_S
            ), f"no such message among {self.messages[-5:]}; stderr: {self.stderr.decode()}"
            found = next((message for message in self.messages[skip:] if wanted(message)), None)
        assert found is not None, f"the server ended first; stderr: {self.stderr.decode()}"
        return found

    def notifications(self, method: str) -> list[Any]:
        with self._arrived:
            return [message["params"] for message in self.messages if message.get("method") == method]

    def initialize(
        self,
        root: Path | None = None,
        *,
        options: object = None,
        encodings: Sequence[str] = (),
        process_id: int | None = None,
        name: str = "test",
        progress: bool = True,
    ) -> Any:
        """Open the connection; returns the result of `initialize`."""
        general = {"positionEncodings": list(encodings)} if encodings else {}
        result = self.ask(
            "initialize",
            {
                "processId": process_id,
                "clientInfo": {"name": name},
                "rootUri": root.as_uri() if root else None,
                "capabilities": {"general": general, "window": {"workDoneProgress": progress}},
                **({"initializationOptions": options} if options is not None else {}),
            },
        )
        self.notify("initialized", {})
        return result

    def wait_for_state(self, state: str) -> dict[str, Any]:
        """Until the server says it is in `state`; returns the full status."""
        if (status := self.ask("rest/status"))["state"] != state:
            self.wait_for(
                lambda message: message.get("method") == "rest/didChangeStatus" and message["params"]["state"] == state
            )
            status = self.ask("rest/status")
        assert isinstance(status, dict)
        return status

    def poll_status(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for the status until it is `wanted`."""
        for _ in range(20_000):
            status = self.ask("rest/status")
            if wanted(status):
                assert isinstance(status, dict)
                return status
        raise AssertionError(f"the status never became what was wanted: {status}")

    def open(self, uri: str, text: str, *, version: int = 1, language: str = "python") -> None:
        document = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, uri: str, version: int, *changes: object) -> None:
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})

    def close_document(self, uri: str) -> None:
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def post_completion(self, uri: str, line: int, character: int, **extra: Any) -> int:
        return self.post("textDocument/inlineCompletion", completion_params(uri, line, character, **extra))

    def complete(self, uri: str, line: int, character: int, **extra: Any) -> Any:
        """The answer, its items without the command by which editors report that they were taken."""
        answer = self.ask("textDocument/inlineCompletion", completion_params(uri, line, character, **extra))
        for item in answer or []:
            command = item.pop("command")
            assert command["command"] == "rest.accepted"
            assert command["arguments"][1] == "whole"
        return answer

    def items(self, uri: str, line: int, character: int, **extra: Any) -> list[dict[str, Any]]:
        """The items as they are sent."""
        answer = self.ask("textDocument/inlineCompletion", completion_params(uri, line, character, **extra))
        assert isinstance(answer, list)
        return answer

    def stats(self) -> dict[str, Any]:
        """Counts and times since the server's start."""
        found = self.ask("workspace/executeCommand", {"command": "rest.stats"})
        assert isinstance(found, dict)
        return found

    def shut_down(self) -> int:
        """The whole polite end; returns the exit code."""
        assert self.ask("shutdown") is None
        self.notify("exit")
        return self.process.wait(TIMEOUT_S)

    def _read_stdout(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while header := stream.readline():
            assert header.startswith(b"Content-Length: "), f"stdout is polluted: {header!r}"
            while stream.readline() != b"\r\n":
                pass
            self._take(json.loads(stream.read(int(header[16:]))))
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        if "method" in message and "id" in message:
            with contextlib.suppress(OSError, ValueError):  # the test may have closed the pipe
                self.send_bytes(frame({"jsonrpc": "2.0", "id": message["id"], "result": None}))
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def _read_stderr(self) -> None:
        stream = self.process.stderr
        assert stream is not None
        while chunk := os.read(stream.fileno(), 65536):
            self.stderr += chunk


def completion_params(
    uri: str, line: int, character: int, *, kind: int = 1, version: int | None = None, selected: object = None
) -> dict[str, Any]:
    """Parameters of `textDocument/inlineCompletion`."""
    document = {"uri": uri} if version is None else {"uri": uri, "version": version}
    context = {"triggerKind": kind} if selected is None else {"triggerKind": kind, "selectedCompletionInfo": selected}
    return {"textDocument": document, "position": {"line": line, "character": character}, "context": context}
