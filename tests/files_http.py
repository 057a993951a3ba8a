"""`rest-lsp serve --http` as a process, with a tiny model and a file to complete in."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.files_cli import SOURCE, Place, clean_environment, make_place
from tests.waiting import wait_until

TOKEN = "a-token-of-the-tests"
FILE = "app.txt"
LINE, COLUMN = 5, 11
PATIENCE_S = 120.0


def make_http_place(folder: Path) -> Place:
    """Where a completion is never cut short because the machine has much to do."""
    place = make_place(folder)
    return place._replace(environment={**place.environment, "REST_LSP_COMPLETION_TIME_BUDGET_INVOKED_MS": "0"})


class Door(NamedTuple):
    """A command that serves, and what it serves."""

    port: int
    place: Place
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, body: object = None, *, token: str = TOKEN) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with urlopen(Request(self.url + path, data, headers), timeout=PATIENCE_S) as answer:
            return json.loads(answer.read())

    def status(self, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
        """Of an answer to a request with these headers, underscores being hyphens, and with none else."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        status = connection.getresponse().status
        connection.close()
        return status

    def fill_in(self, line: int = LINE, column: int = COLUMN) -> Any:
        """What `/infill` says at the place of the tests, or at another one."""
        before, after = around(line, column)
        return self.ask("/infill", {"input_prefix": before, "input_suffix": after, "path": FILE, "return_tokens": True})

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            try:
                return self.status("GET", "/health") == 200
            except (OSError, URLError, http.client.HTTPException):
                return False

        wait_until(is_ready, "the model is loaded", PATIENCE_S)


def start_door(place: Place, *flags: str, port: int = 0, cwd: Path | None = None) -> subprocess.Popen[str]:
    """The command, which says on its first line where it serves."""
    environment = {**clean_environment(place), "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-m", "rest_lsp", "serve", "--http", f"{port}", "-w", str(place.workspace), *flags],
        env={**environment, "REST_LSP_HTTP_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def opened_door(place: Place, *flags: str, cwd: Path | None = None) -> Iterator[Door]:
    """Until it is interrupted."""
    # Nothing that a random model writes would pass a grammar.
    (place.workspace / FILE).write_text(SOURCE, encoding="utf-8")
    process = start_door(place, *flags, cwd=cwd)
    try:
        assert process.stdout is not None
        yield Door(int(process.stdout.readline().split()[0].rpartition(":")[2]), place, process)
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
        # pytest shows it where a test fails.
        print(errors, file=sys.stderr)


def around(line: int = LINE, column: int = COLUMN) -> tuple[str, str]:
    offset = sum(len(text) for text in SOURCE.splitlines(keepends=True)[:line]) + column
    return SOURCE[:offset], SOURCE[offset:]
