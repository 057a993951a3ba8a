"""Keeps one datastore current: answers requests, follows hints, compares now and then, merges when idle.

One loop on one thread.  Knows no pipes and no processes: things come in through a queue and go out through a function.
"""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import replace
from mmap import mmap
from typing import NamedTuple

from rest_lsp.datastore.catalogue import Catalogue
from rest_lsp.datastore.debounce import Debounce
from rest_lsp.datastore.encoders import Encoders
from rest_lsp.datastore.generation import open_newest
from rest_lsp.datastore.health import WatcherHealth, note_health
from rest_lsp.datastore.index_writer import IndexWriter
from rest_lsp.datastore.libraries import Libraries
from rest_lsp.datastore.manifest import list_generations
from rest_lsp.datastore.merge import MAX_SEGMENT_TOKENS
from rest_lsp.datastore.protocol import Message, WorkerSetup, pack_segments
from rest_lsp.datastore.reports import IndexProgress, RefreshReport
from rest_lsp.datastore.rules import IGNORE_FILE
from rest_lsp.datastore.stat_cache import StatCache
from rest_lsp.datastore.store import Access, Store
from rest_lsp.datastore.suffix_array import doubling_suffix_array, suffix_array
from rest_lsp.datastore.unused import mark_used, remove_unused
from rest_lsp.datastore.watcher import Watcher
from rest_lsp.errors import RestLspError

FOLLOW_S = 0.3
TAKE_OVER_S = 2.0
POLL_S = 3.0
LONGEST_POLL_S = 10.0
"""Between comparisons where events cannot be had; the more they cost, the longer."""

CRASHES_OF_THE_LIBRARY = 2
"""So many in a row, and the native library is no longer trusted."""

GIT_LOOK_S = 0.1
STAT_CACHE_NAME = "files.sqlite3"

_log = logging.getLogger(__name__)


class Hint(NamedTuple):
    """A relative path that may have changed."""

    path: str


class Lost(NamedTuple):
    """Events were lost."""


Inbox = queue.SimpleQueue[Message | Hint | Lost]


class Upkeep:
    """`send` is called on this thread only; `is_cancelled` is asked with the id of a request between batches."""

    def __init__(
        self,
        setup: WorkerSetup,
        inbox: Inbox,
        send: Callable[[Message], None],
        encode: Encoders,
        is_cancelled: Callable[[int], bool],
    ) -> None:
        self._setup = setup
        self._inbox = inbox
        self._send = send
        self._encode = encode
        self._is_cancelled = is_cancelled
        self._debounce = Debounce()
        self._store = Store(setup.directory, setup.fingerprint, self._notice)
        self._writer: IndexWriter | None = None
        self._watcher: Watcher | None = None
        self._wants_watching = False
        self._compare_at: float | None = None
        self._take_over_at = 0.0
        self._seen_generation = -1
        self._sent_segments: set[str] = set()
        self._requests: list[Message] = []
        self._told_incomplete = False
        self._libraries = Libraries(setup.root, setup.directory, setup.fingerprint, setup.libraries, encode)

    def run(self) -> None:
        """Never returns; the process ends from outside."""
        self._take_role()
        while True:
            self._receive(self._seconds_to_wait())
            self._step()

    def _step(self) -> None:
        if self._writer is None:
            self._follow()
        self._follow_hints()
        while self._requests:
            self._answer(self._requests.pop(0))
        self._step_down()
        if self._writer and self._compare_at is not None and time.monotonic() >= self._compare_at:
            self._compare()
        while self._writer and self._inbox.empty() and not self._debounce.paths and self._writer.merge_once():
            pass

    def _receive(self, seconds: float | None) -> None:
        """Take in what has come; wait for the first up to `seconds`."""
        try:
            self._sort_in(self._inbox.get(timeout=seconds))
            while True:
                self._sort_in(self._inbox.get_nowait())
        except queue.Empty:
            return

    def _sort_in(self, item: Message | Hint | Lost) -> None:
        if isinstance(item, Hint):
            self._debounce.add(item.path, time.monotonic())
        elif isinstance(item, Lost) or item["op"] == "compare":
            self._compare_at = time.monotonic()
        elif item["op"] == "watch":
            self._wants_watching = True
            self._watch()
        else:
            self._requests.append(item)

    def _seconds_to_wait(self) -> float | None:
        if self._requests:
            # It came in between the batches of a comparison.
            return 0.0
        now = time.monotonic()
        times = [at for at in (self._compare_at, self._debounce.due_at(hold=self._git_is_at_work())) if at is not None]
        if self._writer is None:
            times.append(now + FOLLOW_S)
        if self._debounce.paths and self._git_is_at_work():
            times.append(now + GIT_LOOK_S)
        return max(min(times) - now, 0.0) if times else None

    def _take_role(self) -> None:
        self._take_over_at = time.monotonic() + TAKE_OVER_S
        if self._store.acquire() is Access.BUSY:
            return
        on_disk = self._setup.directory / STAT_CACHE_NAME if self._store.access is Access.WRITER else None
        if on_disk:
            mark_used(self._setup.directory)
            remove_unused(self._setup.directory.parent, time.time())
        key = f"{self._setup.fingerprint} {self._setup.rules.max_file_tokens}"
        self._writer = IndexWriter(
            self._setup.root,
            self._store,
            self._setup.rules,
            StatCache(on_disk, key),
            self._encode,
            self._tell_generation,
            sorter=suffix_array if self._setup.crashes < CRASHES_OF_THE_LIBRARY else doubling_suffix_array,
            max_merge_tokens=MAX_SEGMENT_TOKENS >> 2 * self._setup.crashes,
        )
        self._tell_generation()
        if self._wants_watching:
            self._watch()

    def _follow(self) -> None:
        """Another process writes: pass on its generations, and take over when it has gone."""
        newest = next(iter(list_generations(self._setup.directory)), 0)
        if newest != self._seen_generation:
            self._seen_generation = newest
            self._send({"event": "generation"})
        if time.monotonic() >= self._take_over_at and (self._wants_watching or self._requests):
            self._take_role()

    def _step_down(self) -> None:
        """Whoever does not watch lets others write once its requests are answered: they would follow the workspace."""
        if self._wants_watching or self._writer is None or self._store.access is not Access.WRITER:
            return
        self._writer.close()
        self._store.step_down()
        self._writer = None
        self._take_over_at = 0.0
        self._seen_generation = self._store.generation.number

    def _answer(self, request: Message) -> None:
        number = request["id"]

        def progress(progress: IndexProgress) -> None:
            self._send({"event": "progress", "id": number, **progress._asdict()})

        try:
            writer = self._writer
            report = self._refresh(writer, number, progress) if writer else self._followers_report()
            if writer and self._setup.libraries.at_once:
                self._keep_libraries(writer)
        except RestLspError as error:
            self._send({"event": "failed", "id": number, "message": error.message, "hint": error.hint})
            return
        self._send({"event": "report", "id": number, "report": report.to_json()})

    def _refresh(self, writer: IndexWriter, number: int, progress: Callable[[IndexProgress], None]) -> RefreshReport:
        """Compare everything, and leave as few segments as there should be."""
        report = writer.refresh(progress, lambda: self._is_cancelled(number), self._between_batches)
        self._encode.rest()
        while not self._is_cancelled(number) and writer.merge_once():
            self._between_batches()
        now = self._store.generation
        return replace(report, segments=len(now.segments), generation=now.number)

    def _between_batches(self) -> None:
        """A saved file need not wait for the rest of a long refresh."""
        self._receive(0.0)
        self._follow_hints()

    def _follow_hints(self) -> None:
        due_at = self._debounce.due_at(hold=self._git_is_at_work())
        if self._writer is None or due_at is None or time.monotonic() < due_at:
            return
        is_storm = self._debounce.is_storm
        paths = self._debounce.take()
        if is_storm or any(path.rpartition("/")[2] in (".gitignore", IGNORE_FILE) for path in paths):
            self._compare_at = time.monotonic()
            return
        try:
            self._writer.update(paths)
            self._cover()
        except RestLspError as error:
            _log.warning("%s", error)
            self._compare_at = time.monotonic() + POLL_S

    def _compare(self) -> None:
        """Compare the whole workspace, since events are only hints, and see whether they still come."""
        assert self._writer is not None, "only the writer compares"
        self._compare_at = None
        self._revive_watcher()
        started = time.monotonic()
        try:
            self._writer.refresh(between_batches=self._between_batches)
            self._encode.rest()
        except RestLspError as error:
            _log.warning("%s", error)
        self._cover()
        spent = time.monotonic() - started
        is_complete = self._watcher is not None and self._watcher.is_complete()
        self._tell_completeness(is_complete)
        self._keep_libraries(self._writer)
        period_s = self._setup.reconcile_s if is_complete else min(max(POLL_S, 10 * spent), LONGEST_POLL_S)
        if self._store.access is Access.WRITER:
            note_health(self._setup.directory, WatcherHealth(is_complete, time.time(), period_s))
        self._plan_comparison(period_s)

    def _keep_libraries(self, writer: IndexWriter) -> None:
        """After the workspace itself; a saved file need not wait for them either."""
        if self._store.access is not Access.WRITER:
            return
        try:
            if self._libraries.refresh(writer.paths, self._between_batches):
                self._send({"event": "tiers"})
        except OSError as error:
            _log.warning("The libraries of %s are not indexed: %s", self._setup.root, error)
        self._encode.rest()

    def _plan_comparison(self, pause_s: float) -> None:
        """Compare again after the pause, unless something has asked for it sooner."""
        if self._compare_at is None and self._wants_watching:
            self._compare_at = time.monotonic() + pause_s

    def _watch(self) -> None:
        """Events first, then a comparison, so that nothing falls between."""
        if self._writer is None:
            self._send({"event": "watching", "value": True})
            return
        if self._watcher is None:
            self._watcher = Watcher(
                self._setup.root, lambda path: self._inbox.put(Hint(path)), lambda: self._inbox.put(Lost())
            )
            self._watcher.start()
            self._watcher.cover(self._writer.watched_directories())
        self._compare_at = time.monotonic()
        self._send({"event": "watching", "value": True})

    def _cover(self) -> None:
        """Follow changes of the top level; a directory that is new here may have got files before it was watched."""
        if self._watcher is None or self._writer is None or not self._watcher.layout_changed.is_set():
            return
        added = self._watcher.cover(self._writer.watched_directories())
        if added:
            self._writer.update(added)

    def _revive_watcher(self) -> None:
        """Part of a comparison, so none need follow."""
        if self._watcher and not self._watcher.is_alive and self._setup.root.is_dir():
            _log.info("watching %s again", self._setup.root)
            self._watcher.stop()
            self._watcher = None
            self._watch()
            self._compare_at = None

    def _tell_completeness(self, is_complete: bool) -> None:
        if is_complete or self._told_incomplete or self._watcher is None:
            return
        self._told_incomplete = True
        self._notice(
            "The system watches no more folders for this user, so changes on disk are found by comparing every few"
            " seconds. On Linux, raise fs.inotify.max_user_watches."
        )

    def _tell_generation(self) -> None:
        generation = self._store.generation
        if self._store.access is Access.WRITER:
            self._send({"event": "generation"})
            return
        new = {
            live.segment.name: bytes(live.segment.data)
            for live in generation.segments
            if not isinstance(live.segment.data, mmap) and live.segment.name not in self._sent_segments
        }
        self._sent_segments |= set(new)
        manifest = generation.manifest(self._setup.fingerprint).to_bytes().decode()
        self._send({"event": "memory", "manifest": manifest, "segments": pack_segments(new)})

    def _followers_report(self) -> RefreshReport:
        generation = open_newest(self._setup.directory, self._setup.fingerprint).generation
        return RefreshReport(
            files=len(Catalogue(generation).live),
            tokens=sum(live.live_tokens for live in generation.segments),
            segments=len(generation.segments),
            generation=generation.number,
            is_writer=False,
        )

    def _git_is_at_work(self) -> bool:
        return (self._setup.root / ".git" / "index.lock").exists()

    def _notice(self, message: str) -> None:
        self._send({"event": "notice", "message": message})
