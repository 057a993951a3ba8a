"""Turns file system events into hints: relative paths that may have changed.  Knows nothing about the index.

Every watcher loses events, so a hint is never the truth, and its absence proves nothing: whoever uses this compares the
whole workspace now and then, at once after `on_lost`, and often while `is_complete` is False.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
"""Not opened, and not closed without writing: indexing itself reads files and would flood the queue."""

GIT, HEAD = ".git", ".git/HEAD"
"""Of git's own files only HEAD matters: when another commit is checked out, everything is compared."""

_log = logging.getLogger(__name__)


class Watcher:
    """Watches the top of the workspace, and each chosen top-level directory with all below.

    A recursive watch cannot leave out a subdirectory, so what is worth leaving out (node_modules, .git) must lie at the
    top.  `on_hint` and `on_lost` are called on other threads.
    """

    def __init__(self, root: Path, on_hint: Callable[[str], None], on_lost: Callable[[], None]) -> None:
        self._root = root
        self._on_hint = on_hint
        self._on_lost = on_lost
        self._overflow = _OverflowHandler(on_lost)
        self._handler = _Handler(self)
        self._observer: BaseObserver | None = None
        self._watches: dict[str, ObservedWatch] = {}
        self._changed: set[str] = set()
        self._failed = False
        self.layout_changed = Event()

    def start(self) -> None:
        """Begin with the top level; call `cover` for the rest.  Failures show in `is_complete`."""
        warnings.filterwarnings("ignore", module="watchdog")
        logging.getLogger("watchdog").addHandler(self._overflow)
        try:
            self._observer = Observer()
            self._observer.start()
        except OSError as error:
            _log.info("nothing can be watched: %s", error)
            self._observer = None
            self._failed = True
        self._watch("", recursive=False)
        if (self._root / GIT).is_dir():
            self._watch(GIT, recursive=False)

    def cover(self, directories: Iterable[str]) -> list[str]:
        """Watch exactly these top-level directories; returns those that were not watched before.

        A directory that came or went since the last time is watched anew: its old watch may belong to a deleted one.
        """
        self.layout_changed.clear()
        changed, self._changed = self._changed, set()
        wanted = set(directories)
        for name in (set(self._watches) - wanted - {"", GIT}) | (changed & set(self._watches)):
            self._unwatch(name)
        added = sorted(wanted - set(self._watches))
        for name in added:
            self._watch(name, recursive=True)
        return added

    def stop(self) -> None:
        """End all threads."""
        logging.getLogger("watchdog").removeHandler(self._overflow)
        if self._observer and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
        self._observer = None
        self._watches.clear()

    @property
    def is_alive(self) -> bool:
        """False after the workspace's folder itself was replaced, or a thread died: make a new watcher."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and all(emitter.is_alive() for emitter in observer.emitters)
            and self._root.is_dir()
        )

    def is_complete(self) -> bool:
        """Whether the system really watches every directory; it stops silently where its limit is reached."""
        if self._failed:
            return False
        held = _inotify_watches()
        return held is None or held >= sum(1 for _ in self._directories())

    def take(self, event: FileSystemEvent) -> None:
        """Called by the handler for every event."""
        for path in (event.src_path, event.dest_path):
            if not path:
                continue
            try:
                relative = Path(os.fsdecode(path)).relative_to(self._root).as_posix()
            except ValueError:
                continue
            if relative == HEAD:
                self._on_lost()
            if relative == "." or relative == GIT or relative.startswith(GIT + "/"):
                continue
            if event.is_directory and "/" not in relative:
                self._changed.add(relative)
                self.layout_changed.set()
            self._on_hint(relative)

    def _watch(self, name: str, *, recursive: bool) -> None:
        if self._observer is None:
            return
        try:
            self._watches[name] = self._observer.schedule(
                self._handler, str(self._root / name), recursive=recursive, event_filter=EVENTS
            )
        except OSError as error:
            _log.info("%s cannot be watched: %s", self._root / name, error)
            self._failed = self._failed or (self._root / name).is_dir()

    def _unwatch(self, name: str) -> None:
        watch = self._watches.pop(name)
        try:
            if self._observer:
                self._observer.unschedule(watch)
        except (KeyError, OSError) as error:
            _log.debug("the watch of %s had gone already: %s", name, error)

    def _directories(self) -> Iterable[str]:
        yield from (str(self._root / name) for name in ("", GIT) if name in self._watches)
        for name in self._watches:
            if name not in ("", GIT):
                yield from (directory for directory, _, _ in os.walk(self._root / name))


class _Handler(FileSystemEventHandler):
    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._watcher.take(event)


class _OverflowHandler(logging.Handler):
    """watchdog only logs that events were lost; this makes it known."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_lost = on_lost

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._on_lost()


def _inotify_watches() -> int | None:
    """How many directories this process watches; None where that cannot be told."""
    if not sys.platform.startswith("linux"):
        return None
    count = 0
    try:
        for entry in Path("/proc/self/fdinfo").iterdir():
            try:
                count += entry.read_text().count("inotify wd:")
            except OSError:
                continue
    except OSError:
        return None
    return count
