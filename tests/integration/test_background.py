"""Processes that pause: real ones, looked at through the system; what paused them may die at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from select import select
from subprocess import PIPE

import pytest

from rest_lsp.background import LONGEST_PAUSE_S, REST_S, Background
from tests.waiting import await_pause, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing pauses elsewhere")

WORKER = """
import sys
from rest_lsp.background import outlive_pauses
print(outlive_pauses(), flush=True)
sys.stdin.read()
"""
MASTER = f"""
import os, signal, subprocess, sys
process = subprocess.Popen([sys.executable, "-c", {WORKER!r}], stdin=subprocess.PIPE, start_new_session=True)
os.waitid(os.P_PID, process.pid, os.WSTOPPED)
print(process.pid, flush=True)
signal.pause()
"""


def is_paused(pid: int) -> bool:
    """By its state, as proc(5) has it."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"


def await_going_on(pid: int) -> None:
    wait_until(lambda: not is_paused(pid), "the process to go on")


@pytest.fixture
def worker() -> Iterator[int]:
    """Leads a group of its own."""
    command = [sys.executable, "-c", WORKER]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        yield process.pid
        process.kill()


def test_a_process_pauses_while_anybody_waits(worker: int) -> None:
    background = Background()
    background.add(worker)
    with background.paused():
        await_pause(worker)
    await_going_on(worker)


def test_of_two_who_wait_the_last_one_ends_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda _, number: sent.append(number))
    background = Background()
    background.add(1)
    with background.paused():
        with background.paused():
            pass
        assert sent == [signal.SIGSTOP]
    assert sent == [signal.SIGSTOP, signal.SIGCONT]


def test_a_pause_ends_while_somebody_still_waits(worker: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rest_lsp.background.LONGEST_PAUSE_S", 0.05)
    background = Background()
    background.add(worker)
    with background.paused():
        await_pause(worker, is_over=True)


@pytest.mark.parametrize(("gap_s", "share"), [(0.0, LONGEST_PAUSE_S / (LONGEST_PAUSE_S + REST_S)), (0.1, 0.5)])
def test_pauses_without_end_leave_some_time(gap_s: float, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that leave enough are not cut."""
    clock, sent = [0.0], list[int]()
    monkeypatch.setattr(os, "killpg", lambda _, number: sent.append(number))
    monkeypatch.setattr("rest_lsp.background.time.monotonic", lambda: clock[0])
    background = Background()
    background.add(1)
    paused_s = 0.0
    while clock[0] < 100.0:
        with background.paused():
            paused_s += 0.1 * (sent[-1:] == [signal.SIGSTOP])
            clock[0] += 0.1
        clock[0] += gap_s
    assert paused_s == pytest.approx(100.0 * share, rel=0.1)


def test_a_pause_ends_when_who_began_it_is_killed() -> None:
    """The worker goes on, finds that nobody is there any more, and ends; only then does its output."""
    with subprocess.Popen([sys.executable, "-c", MASTER], stdout=PIPE) as master:
        assert master.stdout is not None
        assert master.stdout.readline() == b"True\n"
        worker = int(Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text(encoding="ascii"))
        os.kill(worker, signal.SIGSTOP)
        assert master.stdout.readline() == f"{worker}\n".encode()
        assert is_paused(worker)
        master.kill()
        try:
            assert select([master.stdout], (), (), 60.0)[0], "the worker has ended"
            assert master.stdout.read() == b""
        finally:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def test_who_is_removed_goes_on_and_is_not_paused_again(worker: int) -> None:
    background = Background()
    background.add(worker)
    with background.paused():
        await_pause(worker)
        background.remove(worker)
        await_going_on(worker)
    with background.paused():
        assert not is_paused(worker)


def test_a_group_that_has_gone_hurts_nobody(worker: int) -> None:
    background = Background()
    background.add(worker)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    with background.paused():
        pass
    background.remove(worker)
