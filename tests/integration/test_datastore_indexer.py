"""The parent's end of the worker process, with a real worker: what others' code raises must hang nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.background import BACKGROUND
from rest_lsp.cancellation import CancelToken
from rest_lsp.datastore.indexer import Indexer
from rest_lsp.datastore.protocol import Message, WorkerSetup
from rest_lsp.datastore.reports import IndexProgress
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.errors import Cancelled, DatastoreError
from rest_lsp.tokenizer import Tokenizer
from tests.files_datastore import write_files, write_tokenizer
from tests.waiting import await_pause, wait_until

Start = Callable[[Callable[[Message], None]], Indexer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    root = write_files(tmp_path / "work", {"a.py": "def first(argument):\n    return argument\n" * 9})
    tokenizer = write_tokenizer(tmp_path / "tokenizer.json")
    fingerprint = Tokenizer.from_file(tokenizer).fingerprint
    started: list[Indexer] = []

    def start(handler: Callable[[Message], None]) -> Indexer:
        started.append(Indexer(WorkerSetup(root, tmp_path / "index", tokenizer, fingerprint, IndexRules()), handler))
        return started[-1]

    yield start
    for indexer in started:
        indexer.close()


def ignore(_message: Message) -> None:
    return


def test_what_a_progress_callback_raises_is_raised_by_refresh(start: Start) -> None:
    indexer = start(ignore)

    def fail(_progress: IndexProgress) -> None:
        raise RuntimeError("the bar broke")

    with pytest.raises(RuntimeError, match="the bar broke"):
        indexer.refresh(fail)
    assert not indexer.is_busy
    assert indexer.refresh().files == 1, "the worker and its reader live on"


@pytest.mark.skipif(sys.platform != "linux", reason="nothing pauses elsewhere")
def test_the_worker_pauses_while_somebody_waits_for_a_suggestion(start: Start) -> None:
    """And all of its group; the index is built as ever."""
    indexer = start(ignore)
    indexer.refresh()
    pid = indexer.worker_pid
    assert pid is not None
    with BACKGROUND.paused():
        await_pause(pid)
        assert os.getpgid(pid) == pid
        assert indexer.refresh().files == 1, "a pause ends by itself"


def test_a_handler_that_raises_is_logged_and_refresh_ends(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    taken: list[str] = []

    def fail(message: Message) -> None:
        taken.append(message["event"])
        raise KeyError("nobody knows this segment")

    indexer = start(fail)
    assert indexer.refresh().files == 1
    assert "generation" in taken
    assert "could not be handled" in caplog.text


def test_a_message_that_cannot_be_understood_counts_as_a_crash(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    indexer = start(ignore)
    monkeypatch.setattr("rest_lsp.datastore.indexer.decode_message", lambda _line: {"no": "event"})
    with pytest.raises(DatastoreError, match="3 times in a row"):
        indexer.refresh()
    assert indexer.worker_pid is None


def test_a_worker_that_cannot_be_started_leaves_no_request(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    indexer = start(ignore)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/missing/python")
        with pytest.raises(OSError, match="missing"):
            indexer.refresh()
    assert not indexer.is_busy
    indexer.close()
    with pytest.raises(DatastoreError, match="closed"):
        indexer.refresh()
    assert not indexer.is_busy


def test_cancelling_starts_no_worker(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is gone for good when the request that waited for it is cancelled."""
    indexer, cancel, starts = start(ignore), CancelToken(), 0
    real_popen: Any = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> Any:
        nonlocal starts
        starts += 1
        return real_popen(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)

    def lose_worker(_progress: IndexProgress) -> None:
        monkeypatch.setattr(indexer, "_process", None)
        cancel.cancel()
        wait_until(lambda: not indexer.is_busy, "the cancelled request is given up")

    with pytest.raises(Cancelled):
        indexer.refresh(lose_worker, cancel)
    assert starts == 1
