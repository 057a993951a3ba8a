"""A language client of a few lines: starts a server and speaks to it over its standard streams, as editors do."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from rest_lsp.errors import RestLspError

if TYPE_CHECKING:
    from typing_extensions import Self

READY_S = 600.0
ANSWER_S = 60.0


class Answer(NamedTuple):
    """What came back for a request, and when, by `time.perf_counter`."""

    at_s: float
    result: Any
    error: dict[str, Any] | None


class LspProcess:
    """One server.  Requests of the server's own are answered with null; its log goes nowhere."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._ids = itertools.count(1)
        self._writing = threading.Lock()
        self._arrived = threading.Condition()
        self._answers: dict[int, Answer] = {}
        self._has_ended = False
        threading.Thread(target=self._read, name="bench-client", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def notify(self, method: str, params: object) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def post(self, method: str, params: object) -> int:
        """Send a request and return its id."""
        number = next(self._ids)
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def answer(self, number: int) -> Answer | None:
        """The answer to a request, if it has come."""
        with self._arrived:
            return self._answers.get(number)

    def wait_for(self, number: int, timeout_s: float = ANSWER_S) -> Answer:
        """Raises RestLspError when the server ends or says nothing for that long."""
        with self._arrived:
            self._arrived.wait_for(lambda: number in self._answers or self._has_ended, timeout_s)
            found = self._answers.get(number)
        if found is None:
            what = "ended" if self._has_ended else f"did not answer within {timeout_s:g} s"
            raise RestLspError(f"The server {what}.", "Run `rest-lsp doctor` to see what is wrong.")
        return found

    def ask(self, method: str, params: object = None) -> Any:
        """The result of a request.  Raises RestLspError for an error."""
        answer = self.wait_for(self.post(method, params))
        if answer.error is not None:
            raise RestLspError(f"The server refused {method}: {answer.error.get('message')}.", "See its log.")
        return answer.result

    def wait_until_ready(self) -> dict[str, Any]:
        """Until the model is loaded and the index is built; returns the status.  Raises RestLspError."""
        give_up_s = time.monotonic() + READY_S
        while time.monotonic() < give_up_s:
            status: dict[str, Any] = self.ask("rest/status")
            if status["state"] == "ready":
                return status
            if status["state"] == "error":
                raise RestLspError(str(status["reason"]), str(status["fix"]))
            time.sleep(0.2)
        raise RestLspError(f"The server was not ready within {READY_S:g} s.", "Run `rest-lsp doctor`.")

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        stream = self._process.stdin
        assert stream is not None
        with self._writing:
            try:
                stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                stream.flush()
            except OSError as error:
                raise RestLspError("The server has ended.", "Run `rest-lsp doctor` to see what is wrong.") from error

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            while stream.readline().strip():
                pass
            self._take(json.loads(stream.read(int(header.partition(b":")[2]))))
        with self._arrived:
            self._has_ended = True
            self._arrived.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        at_s = time.perf_counter()
        if "method" in message:
            if "id" in message:
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": None})
            return
        with self._arrived:
            self._answers[message["id"]] = Answer(at_s, message.get("result"), message.get("error"))
            self._arrived.notify_all()
