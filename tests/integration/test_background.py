"""Processes that pause: real ones, looked at through the system; what paused them may die at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from rest_lsp.background import BACKGROUND, Background
from rest_lsp.datastore.indexer import Indexer
from rest_lsp.datastore.protocol import WorkerSetup
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.tokenizer import Tokenizer
from tests.files_datastore import write_files, write_tokenizer
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing pauses elsewhere")

PAUSED = "T"
WORKER = """
from rest_lsp.background import go_on_by_itself
print(go_on_by_itself(), flush=True)
while True:
    pass
"""


def state(pid: int) -> str:
    """One letter, as proc(5) has it; nothing when there is no such process."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    return ""


def await_state(pid: int, *, is_paused: bool) -> None:
    wait_until(lambda: (state(pid) == PAUSED) is is_paused, "the process to pause" if is_paused else "it to go on")


@pytest.fixture
def worker() -> Iterator[int]:
    """Leads a group of its own."""
    with subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        yield process.pid
        process.kill()


def test_a_process_pauses_while_anybody_waits(worker: int) -> None:
    background = Background()
    background.add(worker)
    with background.paused():
        await_state(worker, is_paused=True)
    await_state(worker, is_paused=False)


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


def test_a_pause_ends_by_itself(worker: int) -> None:
    """As after the death of who began it."""
    for _ in range(2):
        os.kill(worker, signal.SIGSTOP)
        await_state(worker, is_paused=True)
        await_state(worker, is_paused=False)


def test_who_is_removed_goes_on_and_is_not_paused_again(worker: int) -> None:
    background = Background()
    background.add(worker)
    with background.paused():
        await_state(worker, is_paused=True)
        background.remove(worker)
        await_state(worker, is_paused=False)
    with background.paused():
        assert state(worker) != PAUSED


def test_the_worker_of_an_index_pauses(tmp_path: Path) -> None:
    """And all of its group; the index is built as ever."""
    root = write_files(tmp_path / "work", {"a.py": "def first(argument):\n    return argument\n" * 9})
    tokenizer = write_tokenizer(tmp_path / "tokenizer.json")
    fingerprint = Tokenizer.from_file(tokenizer).fingerprint
    indexer = Indexer(WorkerSetup(root, tmp_path / "index", tokenizer, fingerprint, IndexRules()), lambda _: None)
    with closing(indexer):
        indexer.refresh()
        pid = indexer.worker_pid
        assert pid is not None
        with BACKGROUND.paused():
            await_state(pid, is_paused=True)
            assert os.getpgid(pid) == pid
            assert indexer.refresh().files == 1, "a pause ends by itself"


def test_a_group_that_has_gone_hurts_nobody(worker: int) -> None:
    background = Background()
    background.add(worker)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    with background.paused():
        pass
    background.remove(worker)
