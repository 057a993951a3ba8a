"""Appends to the record from a thread of its own, so that nobody who completes ever waits for a disk.

Several processes may write to one record: each batch is one short transaction.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sqlite3
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from rest_lsp.history.events import Completion, Event, Request, Sample, Taken
from rest_lsp.history.limits import forget_fine_grain, keep_within
from rest_lsp.history.rollup import Rollup
from rest_lsp.history.schema import open_to_write

log = logging.getLogger(__name__)

Job = Callable[[], "Event | None"]
"""Makes an event in the writer's thread, where nobody waits; None when there is nothing to write."""

_WAITING = 4096
_BATCH = 256
_TIDY_EVERY = 512
_KNOWN_SUGGESTIONS = 512
_STARTED = time.time()
"""Tells this process from others that had its number."""


class Appender:
    """Appends events in batches; belongs to one thread."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Raises sqlite3.Error or OSError."""
        self._connection = open_to_write(path)
        self._max_bytes = max_bytes
        self._workspaces: dict[str, int] = {}
        self._suggestions: OrderedDict[str, int] = OrderedDict()
        self._session: int | None = None
        self._until_tidy = 1

    def append(self, events: Sequence[Event]) -> None:
        """All of them, one at least, or none.  Raises sqlite3.Error."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            rollup = Rollup(self._workspace_id)
            for event in events:
                if isinstance(event, Sample):
                    self._sample(event)
                    continue
                rollup.add(event)
                if isinstance(event, Request):
                    self._request(event)
                elif isinstance(event, Taken) and event.suggestion in self._suggestions:
                    self._taken(self._suggestions[event.suggestion], event)
            rollup.write(self._connection)
            self._connection.execute("UPDATE revision SET number = number + 1")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            self._workspaces.clear()
            raise
        self._tidy(len(events), events[-1].at)

    def close(self) -> None:
        self._connection.close()

    def _request(self, request: Request) -> None:
        completion = request.completion
        row = self._connection.execute(
            "INSERT INTO requests(at, workspace, path, outcome, wait_ms, from_cache, tokens, passes, drafted, accepted,"
            " saved_ms) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                request.at,
                self._workspace_id(request.workspace),
                request.path,
                request.outcome,
                request.wait_ms,
                request.from_cache,
                *_costs(completion),
            ),
        ).lastrowid
        assert row is not None
        if request.suggestion is not None:
            self._suggestions.setdefault(request.suggestion, row)
            if len(self._suggestions) > _KNOWN_SUGGESTIONS:
                self._suggestions.popitem(last=False)
        if completion is not None and completion.passes:
            body = zlib.compress(json.dumps(completion.to_json()).encode(), 1)
            self._connection.execute("INSERT INTO details(request, body) VALUES(?, ?)", (row, body))

    def _taken(self, row: int, event: Taken) -> None:
        change = event.times * event.characters
        self._connection.execute("UPDATE requests SET taken = taken + ? WHERE id = ?", (change, row))

    def _sample(self, sample: Sample) -> None:
        workspace = self._workspace_id(sample.workspace)
        if self._session is None:
            self._session = self._connection.execute(
                "INSERT INTO sessions(pid, started) VALUES(?, ?)", (os.getpid(), _STARTED)
            ).lastrowid
        self._connection.execute(
            "UPDATE sessions SET seen = ?, workspace = ?, state = ? WHERE id = ?",
            (sample.at, workspace, json.dumps(sample.state), self._session),
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO samples VALUES(?, ?, ?, ?, ?, ?)",
            (sample.at, self._session, workspace, sample.memory_bytes, sample.kv_bytes, sample.store_bytes),
        )

    def _workspace_id(self, root: str) -> int:
        if root not in self._workspaces:
            self._connection.execute("INSERT OR IGNORE INTO workspaces(root) VALUES(?)", (root,))
            found = self._connection.execute("SELECT id FROM workspaces WHERE root = ?", (root,)).fetchone()
            self._workspaces[root] = int(found[0])
        return self._workspaces[root]

    def _tidy(self, n_events: int, now: float) -> None:
        self._until_tidy -= n_events
        if self._until_tidy <= 0:
            self._until_tidy = _TIDY_EVERY
            self._connection.execute("BEGIN IMMEDIATE")
            forget_fine_grain(self._connection, now)
            self._connection.execute("COMMIT")
        keep_within(self._connection, self._max_bytes)


class HistoryWriter:
    """The thread.  `put` never blocks and never raises; what cannot be written costs one message."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._jobs: queue.Queue[Job | None] = queue.Queue(_WAITING)
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="rest-lsp-history", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """From any thread; what comes faster than it can be written is left out."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            log.debug("The record of completions is behind; an event is left out.")

    def close(self, timeout_s: float) -> bool:
        """Write what is waiting and end; False when that takes longer."""
        try:
            self._jobs.put(None, timeout=timeout_s)
        except queue.Full:
            self._is_over = True
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            appender = Appender(self._path, self._max_bytes)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            return
        try:
            while not self._is_over:
                if events := self._next_batch():
                    appender.append(events)
        except sqlite3.Error as error:
            self._give_up(error)
        finally:
            appender.close()

    def _next_batch(self) -> list[Event]:
        """All that waits, or what comes next."""
        events: list[Event] = []
        while not self._is_over and len(events) < _BATCH and not (events and self._jobs.empty()):
            job = self._jobs.get()
            event = _made(job) if job is not None else None
            self._is_over = job is None
            if event is not None:
                events.append(event)
        return events

    def _give_up(self, error: Exception) -> None:
        log.warning(
            "Completions cannot be recorded in %s (%s); the dashboard will not show them. Check the folder, or set "
            "history.enabled to false.",
            self._path,
            error,
        )
        while not self._is_over:
            self._is_over = self._jobs.get() is None


def _costs(completion: Completion | None) -> tuple[float | None, ...]:
    if completion is None:
        return (None,) * 5
    c = completion
    return c.tokens, c.forwards, c.drafted, c.accepted, c.saved_ms


def _made(job: Job) -> Event | None:
    try:
        return job()
    except Exception as error:  # noqa: BLE001 - what cannot be told must not end the record
        log.debug("An event was left out of the record: %s", type(error).__name__)
        return None
