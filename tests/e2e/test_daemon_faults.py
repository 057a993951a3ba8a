"""Windows that share a daemon while it, or one of them, is killed.  Real fronts and daemons, but no model."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.daemon.address import TRANSPORT_VARIABLE, Address
from rest_lsp.daemon.joining import Connection, ask, await_end, hello, join, try_out
from rest_lsp.daemon.wire import Report
from tests.e2e.files_daemon import START
from tests.e2e.lsp_client import LspClient
from tests.e2e.test_lsp_ending import PROMISED_S, is_running, wait_until_gone
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

KILLS = 20
PATIENCE_S = 60.0
FRONT_BYTES = 60_000_000
LET_GO_S = 2.0
LOG_TIME = "2026-01-01 00:00:00,000"
FRONTS = 4
STARTS = 3


@pytest.fixture(autouse=True)
def through_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_LSP_TEST_WAY", "daemon")


@pytest.fixture
def windows(address: Address) -> Iterator[list[LspClient]]:
    """Three editors."""
    transport = {TRANSPORT_VARIABLE: address.transport}
    with ExitStack() as stack:
        clients = [stack.enter_context(LspClient(**transport)) for _ in range(3)]
        for client in clients:
            client.initialize()
            client.wait_for_state("ready")
        yield clients


def report(address: Address) -> Report | None:
    return ask(address, "status")


def wait_for_report(address: Address, wanted: Any) -> Report:
    found: Report | None = None

    def is_wanted() -> bool:
        nonlocal found
        found = report(address)
        return found is not None and bool(wanted(found))

    wait_until(is_wanted, "the daemon comes to what is wanted", PATIENCE_S)
    assert found is not None
    return found


class Typist:
    """Types one character after the other and asks for a completion after each, in a thread of its own."""

    def __init__(self, client: LspClient, number: int) -> None:
        self.client = client
        self.uri = f"file:///nowhere/{number}.py"
        self.text = ""
        self.n_answered = self.n_lost = 0

    def type_until(self, stop: threading.Event) -> None:
        self.client.open(self.uri, "")
        while not stop.is_set():
            self.type_one()

    def type_one(self) -> None:
        """The session answers with the length of the word it sees, so a wrong text cannot go unnoticed."""
        start = {"line": 0, "character": len(self.text)}
        self.text += "x"
        self.client.change(self.uri, len(self.text), {"range": {"start": start, "end": start}, "text": "x"})
        answer = self.client.ask(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self.uri},
                "position": {"line": 0, "character": len(self.text)},
                "context": {"triggerKind": 1},
            },
        )
        self.n_answered += 1
        if not answer:
            self.n_lost += 1
            return
        assert answer[0]["insertText"] == f"<{len(self.text)}>"
        assert answer[0]["range"]["start"] == {"line": 0, "character": len(self.text)}


def test_windows_go_on_when_the_daemon_is_killed_again_and_again(windows: list[LspClient], address: Address) -> None:
    stop, draw = threading.Event(), random.Random(8)
    typists = [Typist(client, number) for number, client in enumerate(windows)]
    with ThreadPoolExecutor(len(windows)) as pool:
        typing = [pool.submit(typist.type_until, stop) for typist in typists]
        try:
            await_answers(typists, typing)
            for _ in range(KILLS):
                killed, n_lost = report_of(address).pid, [typist.n_lost for typist in typists]
                time.sleep(draw.random())
                os.kill(killed, signal.SIGKILL)
                wait_for_report(address, lambda report: len(report.clients) == 3)
                await_answers(typists, typing)
                lost = [typist.n_lost - n for typist, n in zip(typists, n_lost, strict=True)]
                assert max(lost) <= 1, f"one kill took {lost} suggestions"
                assert report_of(address).pid != killed
        finally:
            stop.set()
        for future in typing:
            future.result(PATIENCE_S)
    for typist in typists:
        assert not [m for m in typist.client.messages if "error" in m]
        assert typist.client.shut_down() == 0
    await_single(address)


def await_answers(typists: list[Typist], typing: list[Future[None]]) -> None:
    """Until each has asked for something after now, and been answered."""
    wanted = [typist.n_answered + 2 for typist in typists]

    def is_answered() -> bool:
        for future in typing:
            if future.done():
                future.result()
        return all(typist.n_answered >= n for typist, n in zip(typists, wanted, strict=True))

    wait_until(is_answered, "every window goes on", PATIENCE_S)


def test_a_killed_front_leaves_no_document_and_no_work(windows: list[LspClient], address: Address) -> None:
    windows[0].open("file:///nowhere/a.py", "slow")
    windows[0].post_completion("file:///nowhere/a.py", 0, 4)
    windows[0].poll_status(lambda status: status["datastore"]["running"] == 1)
    windows[1].open("file:///nowhere/b.py", "word")
    killed = windows[0].process.pid
    assert {client.pid: client.open_documents for client in report_of(address).clients}[killed] == 1
    killed_s = time.time()
    windows[0].process.kill()
    assert windows[1].complete("file:///nowhere/b.py", 0, 4), "the thread of the model is free again"
    clients = wait_for_report(address, lambda report: len(report.clients) == 2).clients
    assert killed not in [client.pid for client in clients]
    assert sum(client.open_documents or 0 for client in clients) == 1
    assert gone_s(address, killed) - killed_s <= LET_GO_S


def gone_s(address: Address, process_id: int) -> float:
    """When the daemon let go of a front, by its own word: whoever looks from outside waits longer where much runs."""
    gone = f"Process {process_id} has gone"
    line = next(line for line in address.log.read_text(encoding="utf-8").splitlines() if gone in line)
    return datetime.strptime(line[: len(LOG_TIME)], "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()


class Dozing(LspClient):
    """An editor that reads while it is awake."""

    def __init__(self, **env: str) -> None:
        self.awake = threading.Event()
        self.awake.set()
        super().__init__(**env)

    def _take(self, message: dict[str, Any]) -> None:
        self.awake.wait()
        super()._take(message)


@pytest.mark.skipif(sys.platform != "linux", reason="memory as proc(5) has it")
def test_an_editor_that_does_not_read_costs_no_memory_and_is_served_again(address: Address) -> None:
    with Dozing(**{TRANSPORT_VARIABLE: address.transport}) as client:
        client.initialize()
        client.wait_for_state("ready")
        uri, text = "file:///nowhere/a.py", "say:" + "x" * (1 << 20)
        client.open(uri, text)
        assert client.complete(uri, 0, len(text), kind=2)
        client.awake.clear()
        for _ in range(200):
            client.post_completion(uri, 0, len(text), kind=2)
        wait_for_report(address, lambda report: not report.clients)
        assert resident_bytes(client.process.pid) < FRONT_BYTES
        client.awake.set()
        assert client.complete(uri, 0, len(text), kind=2)
        assert report_of(address).clients


def resident_bytes(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def report_of(address: Address) -> Report:
    found = report(address)
    assert found is not None
    return found


def test_fronts_that_start_together_get_one_daemon(address: Address) -> None:
    """In the same moment, several times."""
    for _ in range(STARTS):
        together = threading.Barrier(FRONTS)
        with ThreadPoolExecutor(FRONTS) as pool:
            joined = [future.result() for future in [pool.submit(join_with, together, address) for _ in range(FRONTS)]]
        assert len(report_of(address).clients) == FRONTS
        await_single(address)
        for connection in joined:
            connection.close()
        ask(address, "stop")
        assert await_end(address, PATIENCE_S)


def join_with(others: threading.Barrier, address: Address) -> Connection:
    others.wait(PATIENCE_S)
    return join(hello([]), address, START)


def await_single(address: Address) -> None:
    """Until nothing runs but the daemon: who came too late to be one ends, and whose daemon was killed."""
    wait_until(lambda: processes_of(address) == [report_of(address).pid], "only the daemon is left", PATIENCE_S)


def processes_of(address: Address) -> list[int]:
    """Daemons, and what they have started: all that write where daemons write."""
    written = {str(address.log), str(address.stray_output)}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            names = {str(entry.readlink()) for entry in (folder / "fd").iterdir()}
        except OSError:
            continue
        if written & names:
            found.append(int(folder.name))
    return found


def test_a_stopped_daemon_comes_back_with_the_next_key(windows: list[LspClient], address: Address) -> None:
    typist = Typist(windows[0], 0)
    typist.client.open(typist.uri, "")
    typist.type_one()
    stopped = report_of(address).pid
    ask(address, "stop")
    wait_until_gone(stopped)
    assert report(address) is None, "nobody needs it yet"
    typist.type_one()
    assert typist.n_lost == 0
    assert report_of(address).pid != stopped


def test_a_trial_is_by_the_model_that_windows_use(windows: list[LspClient], address: Address, tmp_path: Path) -> None:
    found = try_out(address, str(tmp_path))
    assert found is not None
    assert (found.status, found.fix) == ("ok", "")
    assert "2 tokens in 1 forward passes" in found.reason
    for client in windows:
        client.shut_down()
    wait_for_report(address, lambda report: not report.clients)
    assert try_out(address, str(tmp_path)) is None, "nobody has a model"


def test_windows_do_not_wait_for_each_other_for_long(windows: list[LspClient]) -> None:
    """A completion that takes long in one window lets another one have its turn when it is superseded."""
    slow, other = windows[0], Typist(windows[1], 1)
    slow.open("file:///nowhere/slow.py", "slow")
    first = slow.post_completion("file:///nowhere/slow.py", 0, 4)
    slow.poll_status(lambda status: status["datastore"]["running"] == 1)
    slow.change("file:///nowhere/slow.py", 2, {"text": "quick"})
    slow.post_completion("file:///nowhere/slow.py", 0, 5)
    assert slow.answer(first)["result"] is None
    other.client.open(other.uri, "")
    other.type_one()
    assert other.n_lost == 0


def test_a_front_that_is_stopped_by_a_signal_leaves_the_daemon_to_the_others(windows: list[LspClient]) -> None:
    windows[0].process.send_signal(signal.SIGTERM)
    assert windows[0].process.wait(PROMISED_S) == 128 + signal.SIGTERM
    typist = Typist(windows[1], 1)
    typist.client.open(typist.uri, "")
    typist.type_one()
    assert typist.n_lost == 0


def test_the_daemon_survives_the_front_that_started_it(address: Address) -> None:
    with LspClient() as client:
        client.initialize()
        assert client.shut_down() == 0
    assert is_running(report_of(address).pid)
