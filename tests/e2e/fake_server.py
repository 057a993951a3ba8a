"""The real server process, or daemon, with a session that needs no model: its answers stand in the document itself.

The word before the cursor decides: `slow` works until it is cancelled, `stuck` does not even notice that, `gate` works
until a buffer `untitled:gate` is open, `fail` and `refuse` raise, `print` writes to stdout, `empty` says nothing;
`say:…` says what follows it, with ~ for a blank, and `write:…/` writes that and is done with it when `untitled:gate` is
open; any other is completed with its length, as in `<4>`.
"""

from __future__ import annotations

import os
import sys

AS_DAEMON = "--as-daemon"

if os.environ.get("REST_LSP_TEST_WAY") == "daemon" and AS_DAEMON not in sys.argv:
    from tests.e2e.fake_front import serve_by_daemon

    serve_by_daemon([sys.executable, *sys.argv, AS_DAEMON])

from rest_lsp.server.stdio import claim_stdio  # noqa: E402

PIPES = claim_stdio()

import argparse  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import weakref  # noqa: E402
from collections.abc import Callable, Collection, Mapping, Sequence  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, NamedTuple, NoReturn  # noqa: E402

from rest_lsp.cancellation import CancelToken  # noqa: E402
from rest_lsp.completion.request import AS_SET, CompletionRequest, CompletionResult, Outcome, SourceUse, Wishes  # noqa: E402
from rest_lsp.config import Settings  # noqa: E402
from rest_lsp.config_sources import Loaded, load_settings  # noqa: E402
from rest_lsp.daemon.address import runtime_address  # noqa: E402
from rest_lsp.daemon.host import Openers, UnusableArguments  # noqa: E402
from rest_lsp.daemon.run import run_daemon  # noqa: E402
from rest_lsp.daemon.wire import Door  # noqa: E402
from rest_lsp.drafting.deleted import DeletedText  # noqa: E402
from rest_lsp.errors import Cancelled, ModelError, RequestError  # noqa: E402
from rest_lsp.server.backend import Backend  # noqa: E402
from rest_lsp.server.run import run_stdio  # noqa: E402
from rest_lsp.server.stalls import PATIENCE, Patience  # noqa: E402
from rest_lsp.server.turns import TurnThread  # noqa: E402
from rest_lsp.stats import StatsLog  # noqa: E402

STEP_S = 0.002
LONGEST_S = 120.0
LINGER_S = 60.0


@dataclass(frozen=True)
class Event:
    """Progress as the real parts report it."""

    stage: str
    done: int
    total: int
    unit: str = "files"


class Check(NamedTuple):
    """What an examination finds."""

    name: str
    status: str
    reason: str
    fix: str


@dataclass
class Counts:
    """What the tests look at, through `rest/status`."""

    started: int = 0
    cancelled: int = 0
    written: int = 0
    others: int = 0
    refreshed: int = 0
    compared: int = 0
    watching: bool = False
    last_path: str | None = None
    last_language: str | None = None
    last_trigger: str | None = None
    last_before: str = ""
    last_length: int = 0
    prewarmed: str | None = None
    buffers: dict[str, int] = field(default_factory=dict)
    opened: int = 0
    applied: int = 0
    roots: list[str] = field(default_factory=list)
    former_was_alive: bool = False
    running: int = 0
    most_running: int = 0
    rested: int = 0


class FakeService:
    owner: object = None
    """What stands for the model: whoever holds the service holds it."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def complete(
        self,
        request: CompletionRequest,
        cancel: CancelToken,
        wishes: Wishes = AS_SET,
        watch: Callable[[str], None] = lambda _: None,
    ) -> CompletionResult:
        counts = self._counts
        counts.started += 1
        counts.running += 1
        counts.most_running = max(counts.most_running, counts.running)
        counts.last_path, counts.last_language = request.path, request.language
        counts.last_trigger, counts.last_length = request.trigger.value, len(request.text)
        counts.last_before = request.text[: request.offset][-20:]
        try:
            return self._answer(request, cancel, watch)
        except Cancelled:
            counts.cancelled += 1
            return self._result(request, "", Outcome.CANCELLED)
        finally:
            counts.running -= 1

    def alternatives(
        self, request: CompletionRequest, known: Collection[str], cancel: CancelToken
    ) -> list[CompletionResult]:
        """None, but behind a word that begins with "say:some": the known text twice and three times."""
        self._counts.others += 1
        (text,) = known
        if "say:some" not in request.text[: request.offset]:
            return []
        return [self._result(request, f"{n}{text}") for n in (2, 3)]

    def prewarm(self, request: CompletionRequest, cancel: CancelToken) -> None:
        self._counts.prewarmed = request.text[: request.offset][-20:]
        if request.text.endswith("long"):
            work_until(lambda: cancel.is_cancelled)
            cancel.raise_if_cancelled()

    def _answer(
        self, request: CompletionRequest, cancel: CancelToken, watch: Callable[[str], None]
    ) -> CompletionResult:
        word = (request.text[: request.offset].split() or [""])[-1]
        if word == "slow":
            work_until(lambda: cancel.is_cancelled)
            cancel.raise_if_cancelled()
        elif word == "gate":
            work_until(lambda: "untitled:gate" in self._counts.buffers)
        elif word.startswith("write:"):
            text = word.removeprefix("write:").partition("/")[0].replace("~", " ")
            watch(text)
            self._counts.written += 1
            work_until(lambda: cancel.is_cancelled or "untitled:gate" in self._counts.buffers)
            cancel.raise_if_cancelled()
            return self._result(request, text)
        elif word == "stuck":
            time.sleep(LONGEST_S)
        elif word == "fail":
            raise KeyError("password = 'hunter2'")
        elif word == "refuse":
            raise RequestError("The cursor is nowhere.", "Put it somewhere.")
        elif word == "print":
            print("a library says hello")
            os.write(1, b"and so does a C library\n")
        elif word == "empty":
            return self._result(request, "", Outcome.EMPTY)
        elif word.startswith("say:"):
            return self._result(request, word.removeprefix("say:").replace("\\n", "\n").replace("~", " "))
        elif word == "lines":
            return self._result(request, "one\r\ntwo")
        return self._result(request, f"<{len(word)}>")

    def _result(self, request: CompletionRequest, text: str, outcome: Outcome = Outcome.RETURNED) -> CompletionResult:
        start = request.offset if request.selected_start is None else request.selected_start
        shown = (request.selected_text or "") + text
        use = SourceUse("other.py", 3, 2)
        return CompletionResult(shown, start, request.offset, outcome, sources=(use,), token_ids=(1, 2), forwards=1)


class FakeTokenizer:
    def encode(self, text: str) -> list[int]:
        return [ord(char) for char in text]


class FakeDatastore:
    def __init__(self, counts: Counts, gate: Path | None) -> None:
        self._counts = counts
        self._gate = gate

    def refresh(self, progress: Callable[[Any], None] | None = None, cancel: CancelToken | None = None) -> None:
        gate = self._gate
        if gate is not None:
            assert progress is not None
            assert cancel is not None
            work_until(lambda: cancel.is_cancelled or gate.exists(), lambda: progress(Event("index", 1, 4)))
            cancel.raise_if_cancelled()
        self._counts.refreshed += 1

    def watch(self) -> None:
        self._counts.watching = True

    def compare_soon(self) -> None:
        self._counts.compared += 1

    def set_buffer(self, path: str, ids: Sequence[int]) -> None:
        self._counts.buffers[path] = len(ids)

    def admits(self, path: str) -> bool:
        return not path.startswith("/elsewhere/")

    def drop_buffer(self, path: str) -> None:
        self._counts.buffers.pop(path, None)

    def status(self) -> Counts:
        return self._counts


class FakeSession:
    def __init__(self, settings: Settings, datastore: FakeDatastore, counts: Counts, close_gate: Path | None) -> None:
        self.service = FakeService(counts)
        self.datastore = datastore
        self.tokenizer = FakeTokenizer()
        self.stats = StatsLog()
        self.deleted = DeletedText()
        self._settings = settings
        self._close_gate = close_gate

    def apply(self, settings: Settings, roots: Sequence[Path]) -> bool:
        if (settings.model, settings.device) != (self._settings.model, self._settings.device):
            return False
        counts = self.datastore.status()
        counts.applied += 1
        counts.roots = [str(root) for root in roots]
        return True

    def status(self) -> dict[str, Any]:
        return {"model": self._settings.model.name, "device": "cpu", "thread": threading.current_thread().name}

    def rest(self, idle_s: float) -> None:
        self.datastore.status().rested += 1

    is_resting = False

    def wake(self) -> None:
        pass

    def close(self) -> None:
        if self._close_gate is not None:
            self._close_gate.touch()


def work_until(done: Callable[[], bool], report: Callable[[], None] | None = None) -> None:
    """What stands for forward passes: short steps with a test between them."""
    deadline = time.monotonic() + LONGEST_S
    while not done() and time.monotonic() < deadline:
        if report is not None:
            report()
        time.sleep(STEP_S)


def no_door(door: Door, _: TurnThread) -> Callable[[], NoReturn]:
    """Serves no HTTP: says so at once, or later for the folder `late`."""
    if door.folder != "late":
        raise UnusableArguments("There is no HTTP here.")

    def make() -> NoReturn:
        raise ImportError("uvicorn")

    return make


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--open-gate", type=Path, help="opening waits until this file exists")
    parser.add_argument("--index-gate", type=Path, help="indexing waits until this file exists")
    parser.add_argument("--close-gate", type=Path, help="this file is made when the session is closed")
    parser.add_argument("--fetch-gate", type=Path, help="fetching a chosen model waits until this file exists")
    parser.add_argument("--no-model", action="store_true")
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--impatient", action="store_true", help="a pass that does not end is given up after 2 s")
    parser.add_argument(AS_DAEMON, action="store_true")
    given = parser.parse_args()

    opened: list[weakref.ref[FakeSession]] = []

    def open_session(settings: Settings, roots: Sequence[Path], progress: Callable[[Any], None]) -> FakeSession:
        is_former_alive = bool(opened) and opened[-1]() is not None
        print("torch says something on import")
        if given.open_gate is not None:
            work_until(given.open_gate.exists, lambda: progress(Event("read", 1, 2)))
        if given.no_model or settings.model.name == "broken":
            raise ModelError("The model nowhere/none is not on this machine.", "Run `rest-lsp models pull`.")
        if given.broken:
            raise ValueError("password = 'hunter2'")
        counts = Counts(opened=len(opened) + 1, former_was_alive=is_former_alive, roots=[str(root) for root in roots])
        session = FakeSession(settings, FakeDatastore(counts, given.index_gate), counts, given.close_gate)
        opened.append(weakref.ref(session))
        session.service.owner = session
        return session

    def fetch_model(settings: Settings, progress: Callable[[Any], None]) -> None:
        name = settings.model.name
        if name == "unreachable":
            raise ModelError("The model unreachable could not be downloaded.", "Check the network.")
        if given.fetch_gate is not None:
            work_until(given.fetch_gate.exists, lambda: progress(Event("download", 2, 5)))

    def load(workspace: Path | None, editor: Mapping[str, Any]) -> Loaded:
        return load_settings(workspace, editor=editor, environment={})

    def examine(_: Loaded, root: Path | None) -> list[Check]:
        return [
            Check("python", "ok", "It runs.", "Nothing."),
            Check("git", "warn", f"No git in {root}.", "Install git."),
            Check("torch", "fail", "It is not here.", "Install it."),
        ]

    backend = Backend(load, open_session, fetch_model, examine)
    patience = Patience(0.05, 0.5, 2.0) if given.impatient else PATIENCE
    if given.as_daemon:
        run_daemon(runtime_address(), Openers(lambda _: backend, no_door), lambda: LINGER_S, patience)
    run_stdio(backend, pipes=PIPES, patience=patience)


if __name__ == "__main__":
    main()
