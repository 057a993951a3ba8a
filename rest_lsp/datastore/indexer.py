"""The parent's end of the worker process: starts it, asks it, passes on its messages, starts it again when it dies.

Knows nothing about segments; what messages mean is the handler's business.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rest_lsp.background import BACKGROUND
from rest_lsp.cancellation import CancelToken
from rest_lsp.datastore.protocol import Message, WorkerSetup, decode_message, encode_message
from rest_lsp.datastore.reports import IndexProgress, ProgressCallback, RefreshReport
from rest_lsp.errors import DatastoreError

MAX_CRASHES = 3
HEALTHY_S = 60.0
"""A worker that has lived this long ends a row of crashes."""

CANCEL_LOOK_S = 0.05
GOODBYE_S = 2.0

_log = logging.getLogger(__name__)


@dataclass
class _Request:
    """A refresh that somebody waits for."""

    number: int
    progress: ProgressCallback | None
    done: threading.Event = field(default_factory=threading.Event)
    report: RefreshReport | None = None
    error: Exception | None = None
    """What refresh raises: a DatastoreError, or what the progress callback raised."""


class Indexer:
    """Thread-safe.  `handler` gets the messages that answer no request, on the reading thread, in order."""

    def __init__(self, setup: WorkerSetup, handler: Callable[[Message], None]) -> None:
        self._setup = setup
        self._handler = handler
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._requests: dict[int, _Request] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._wants_watching = False
        self._crashes = 0
        self._started_at = 0.0
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a refresh is under way."""
        return bool(self._requests)

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker, while there is one."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def refresh(self, progress: ProgressCallback | None = None, cancel: CancelToken | None = None) -> RefreshReport:
        """Ask for a comparison and wait.  Raises DatastoreError, or Cancelled (what was committed stays).

        What `progress` raises ends the refresh and is raised here.
        """
        request = _Request(next(self._numbers), progress)
        with self._lock:
            self._requests[request.number] = request
            try:
                self._send({"op": "refresh", "id": request.number})
            except BaseException:
                del self._requests[request.number]
                raise
        while not request.done.wait(CANCEL_LOOK_S if cancel else None):
            if cancel and cancel.is_cancelled:
                self._give_up(request)
                cancel.raise_if_cancelled()
        if request.error:
            raise request.error
        assert request.report is not None, "a finished request has a report or an error"
        return request.report

    def watch(self) -> None:
        """Ask for events; they go on through restarts of the worker."""
        with self._lock:
            self._wants_watching = True
            self._send({"op": "watch"})

    def compare(self) -> None:
        """Ask for a comparison that nobody waits for; without a worker there is nothing to keep current."""
        with self._lock:
            if self._process is not None and not self._is_closed:
                _write(self._process, {"op": "compare"})

    def close(self) -> None:
        """End the worker.  Whoever still waits gets a DatastoreError."""
        with self._lock:
            self._is_closed = True
            process, self._process = self._process, None
        if process:
            _end(process)
        self._fail_all(DatastoreError("The index was closed while it was being refreshed."))
        if self._reader and self._reader is not threading.current_thread():
            self._reader.join(GOODBYE_S)

    def _send(self, message: Message) -> None:
        """With the lock held.  Raises DatastoreError when closed, OSError when no worker can be started."""
        if self._is_closed:
            raise DatastoreError("The index is closed.")
        if self._process is None:
            self._start()
        else:
            _write(self._process, message)

    def _give_up(self, request: _Request) -> None:
        """Nobody waits for this one any more.  A worker is told, but none is started to be told."""
        with self._lock:
            self._requests.pop(request.number, None)
            if self._process is not None:
                _write(self._process, {"op": "cancel", "id": request.number})

    def _start(self) -> None:
        """With the lock held: start a worker and tell it all that is wanted."""
        setup = replace(self._setup, crashes=self._crashes)
        process = subprocess.Popen(
            [sys.executable, "-m", "rest_lsp.datastore.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )
        self._process = process
        self._started_at = time.monotonic()
        messages = [setup.to_json(), *({"op": "refresh", "id": number} for number in self._requests)]
        if self._wants_watching:
            messages.append({"op": "watch"})
        _write(process, *messages)
        self._reader = threading.Thread(target=self._read, args=(process,), name="datastore", daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None, "the worker has a pipe"
        try:
            for line in process.stdout:
                try:
                    message = decode_message(line)
                except ValueError:
                    continue
                if message["event"] == "can pause":
                    BACKGROUND.add(process.pid)
                else:
                    self._take(message)
        except Exception:  # noqa: BLE001 - whoever waits must not wait for ever
            _log.exception("The indexing process said something unexpected and is started again.")
            process.kill()
        finally:
            BACKGROUND.remove(process.pid)
            self._lost(process)

    def _take(self, message: Message) -> None:
        request = self._requests.get(message.get("id", 0))
        event = message["event"]
        if event == "progress":
            if request and request.progress:
                fields = (message[name] for name in IndexProgress._fields)
                self._tell_progress(request, IndexProgress(*fields))
            return
        if event not in ("report", "failed"):
            self._pass_on(message)
            return
        self._crashes = 0
        if request is None:
            return
        if event == "report":
            request.report = RefreshReport(**message["report"])
        else:
            request.error = DatastoreError(message["message"], message["hint"])
        self._requests.pop(request.number, None)
        request.done.set()

    def _tell_progress(self, request: _Request, progress: IndexProgress) -> None:
        assert request.progress is not None, "the caller has looked"
        try:
            request.progress(progress)
        except Exception as error:  # noqa: BLE001 - raised again on the thread that waits
            self._give_up(request)
            request.error = error
            request.done.set()

    def _pass_on(self, message: Message) -> None:
        """A handler that fails must not take the reader with it: others wait for what it reads next."""
        try:
            self._handler(message)
        except Exception:  # noqa: BLE001 - the handler is somebody else's code
            _log.exception("A message of the indexing process (%s) could not be handled.", message["event"])

    def _lost(self, process: subprocess.Popen[bytes]) -> None:
        """The worker has ended without being told to: start another, unless that keeps happening."""
        code = process.wait()
        with self._lock:
            if self._is_closed or self._process is not process:
                return
            self._process = None
            self._crashes = 1 if time.monotonic() - self._started_at > HEALTHY_S else self._crashes + 1
            if self._crashes < MAX_CRASHES:
                _log.warning("The indexing process ended (exit code %s) and is started again.", code)
                if self._start_again():
                    return
        error = DatastoreError(
            f"The indexing process ended {self._crashes} times in a row (exit code {code}).",
            "Completions work with what is indexed so far; the log has the details.",
        )
        self._pass_on({"event": "notice", "message": str(error)})
        self._pass_on({"event": "watching", "value": False})
        self._fail_all(error)

    def _start_again(self) -> bool:
        """With the lock held: False when the system gives no process for what is wanted."""
        if not self._requests and not self._wants_watching:
            return True
        try:
            self._start()
        except OSError as error:
            _log.warning("The indexing process cannot be started: %s", error)
            return False
        return True

    def _fail_all(self, error: DatastoreError) -> None:
        while self._requests:
            _, request = self._requests.popitem()
            request.error = error
            request.done.set()


def _environment() -> dict[str, str]:
    """One thread each for the libraries: the worker must leave the cores to the person at the keyboard."""
    threads = str(max(1, (os.cpu_count() or 1) // 2))
    return {**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"}


def _write(process: subprocess.Popen[bytes], *messages: Message) -> None:
    """A process that has just died is noticed by its reader, so that a broken pipe needs no answer here."""
    assert process.stdin is not None, "the worker has a pipe"
    with contextlib.suppress(OSError):
        process.stdin.write(b"".join(map(encode_message, messages)))
        process.stdin.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(GOODBYE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
