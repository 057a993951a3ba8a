"""The writer's side of a datastore folder: lock, commit, quarantine, clearing away.  Knows no files of the workspace.

LOCK                        held by the one process that writes
manifest.<generation>.json  the last two
seg-<id>.seg                named by one of them
files.sqlite3               see `stat_cache`
quarantine/                 the last damaged files, for whoever wants to look
"""

from __future__ import annotations

import enum
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from mmap import mmap
from pathlib import Path

from filelock import FileLock, Timeout

from rest_lsp.datastore.filesystem import TEMPORARY_PREFIX, FileSystem, write_atomically
from rest_lsp.datastore.format import DamagedFile
from rest_lsp.datastore.generation import NOTHING, Generation, LiveSegment, open_newest
from rest_lsp.datastore.manifest import list_generations, manifest_name, read_manifest, write_manifest
from rest_lsp.datastore.segment import Segment

LOCK_NAME = "LOCK"
QUARANTINE = "quarantine"
RETRY_S = 30.0
MARKERS = {".gitignore": b"*\n", "CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55\n"}
"""Files that keep the folder out of repositories and backups."""

_SEGMENT_SUFFIX = ".seg"

_log = logging.getLogger(__name__)


class Access(enum.Enum):
    """What this process may do with the folder."""

    WRITER = "writer"
    BUSY = "another process writes"
    MEMORY = "the folder cannot be written"


def new_segment_name() -> str:
    """A name that no segment ever had."""
    return f"seg-{uuid.uuid4().hex}{_SEGMENT_SUFFIX}"


class Store:
    """Publishes generations, on disk when it can, else in memory.  One thread."""

    def __init__(
        self, directory: Path, fingerprint: str, notice: Callable[[str], None], filesystem: FileSystem | None = None
    ) -> None:
        """`fingerprint` is 32 hex digits that name the tokenizer; `notice` is told, once, what a person should know."""
        self.directory = directory
        self.fingerprint = fingerprint
        self.access = Access.BUSY
        self.generation = NOTHING
        self._files = filesystem or FileSystem()
        self._notice = notice
        self._lock: FileLock | None = None
        self._retry_at = 0.0
        self._newest_number = 0
        self._is_unsettled = False

    def acquire(self) -> Access:
        """Try to become the writer, and open the newest generation if that, or memory, is what it comes to."""
        self.access = self._try_lock()
        if self.access is not Access.BUSY:
            self._open()
        return self.access

    def commit(self, segments: Sequence[LiveSegment], *, purge: bool = False) -> Generation:
        """Publish the next generation: durable when this returns, or held in memory when the disk does not take it.

        A crash at any point leaves this generation or the one before.  `purge` also removes the one before at once.
        """
        assert self.access is not Access.BUSY, "only the writer commits"
        self._newest_number += 1
        following = Generation(self._newest_number, tuple(segments))
        if self._may_write():
            try:
                following = self._write(following)
                self._is_back_on_disk()
            except (OSError, DamagedFile) as error:
                self._cannot_write(error)
        self._is_unsettled = not _names(self.generation) <= _names(following)
        self.generation = following
        if self.access is Access.WRITER:
            self._clear_away(kept_generations=1 if purge else 2)
        return following

    def settle(self) -> None:
        """Write the generation once more when the one before keeps files that this one does not need.

        The newest manifest always has another behind it; after a merge that would cost the space of both.
        """
        if self.access is Access.WRITER and self._is_unsettled:
            self.commit(self.generation.segments)

    def step_down(self) -> None:
        """Let another process write, until `acquire`."""
        self.close()
        self.access = Access.BUSY

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock:
            self._lock.release()

    def _try_lock(self) -> Access:
        try:
            self._files.make_directory(self.directory)
            for name, text in MARKERS.items():
                if not (self.directory / name).exists():
                    write_atomically(self._files, self.directory / name, text)
            self._lock = FileLock(self.directory / LOCK_NAME, timeout=0)
            self._lock.acquire()
        except Timeout:
            return Access.BUSY
        except (OSError, NotImplementedError) as error:
            self._cannot_write(error)
            return Access.MEMORY
        return Access.WRITER

    def _open(self) -> None:
        self._newest_number = max(list_generations(self.directory), default=0)
        opened = open_newest(self.directory, self.fingerprint, verify=True)
        self.generation = opened.generation
        if self.access is not Access.WRITER:
            return
        for damage in opened.damaged:
            _log.warning("%s was set aside and its files are indexed again: %s.", damage.name, damage.reason)
        self._quarantine([damage.name for damage in opened.damaged])
        if opened.damaged:
            self.commit(self.generation.segments)
        else:
            self._clear_away(kept_generations=2)
            n_files = sum(path.suffix == _SEGMENT_SUFFIX for path in self.directory.iterdir())
            self._is_unsettled = n_files > len(self.generation.segments)

    def _may_write(self) -> bool:
        if self.access is Access.MEMORY:
            if time.monotonic() < self._retry_at:
                return False
            self._retry_at = time.monotonic() + RETRY_S
        if self._lock is None or not self._lock.is_locked or not (self.directory / LOCK_NAME).exists():
            # Never locked, or the folder was deleted together with the lock.
            self.close()
            if self._try_lock() is not Access.WRITER:
                return False
            self._newest_number = max([self._newest_number, *list_generations(self.directory)])
        return True

    def _write(self, generation: Generation) -> Generation:
        """Segments first, then the manifest that names them; each is on the disk before the next step."""
        self._files.make_directory(self.directory)
        written = tuple(self._write_segment(live) for live in generation.segments)
        self._files.sync_directory(self.directory)
        durable = Generation(generation.number, written)
        write_manifest(self._files, self.directory, durable.manifest(self.fingerprint))
        return durable

    def _write_segment(self, live: LiveSegment) -> LiveSegment:
        """Returns the segment mapped from the file, so that its bytes leave this process's memory."""
        segment = live.segment
        path = self.directory / segment.name
        if isinstance(segment.data, mmap) and path.exists():
            return live
        write_atomically(self._files, path, segment.data)
        return LiveSegment(Segment.open(path, bytes.fromhex(self.fingerprint)), live.dead)

    def _cannot_write(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        if self._retry_at == 0.0:
            self._notice(f"The index cannot be written to {self.directory} ({reason}); it is kept in memory for now.")
        self.access = Access.MEMORY
        self._retry_at = time.monotonic() + RETRY_S

    def _is_back_on_disk(self) -> None:
        if self.access is Access.MEMORY:
            self._notice(f"The index is written to {self.directory} again.")
        self.access = Access.WRITER
        self._retry_at = 0.0

    def _quarantine(self, names: Iterable[str]) -> None:
        """Keep the damaged files of the last time only."""
        place = self.directory / QUARANTINE
        damaged = [self.directory / name for name in names if (self.directory / name).exists()]
        if not damaged:
            return
        try:
            self._files.make_directory(place)
            for old in place.iterdir():
                self._files.remove(old)
            for path in damaged:
                self._files.replace(path, place / path.name)
        except OSError as error:
            _log.warning("%s cannot be set aside: %s", damaged[0], error)

    def _clear_away(self, kept_generations: int) -> None:
        """Remove what the newest generations do not name.  Readers keep what they have mapped."""
        kept: set[str] = set()
        for number in list_generations(self.directory)[:kept_generations]:
            try:
                kept |= {entry.name for entry in read_manifest(self.directory, number).segments}
            except (OSError, DamagedFile):
                continue
            kept.add(manifest_name(number))
        try:
            for path in self.directory.iterdir():
                is_ours = path.name.startswith((TEMPORARY_PREFIX, "manifest.")) or path.suffix == _SEGMENT_SUFFIX
                if is_ours and path.name not in kept:
                    self._files.remove(path)
        except OSError as error:
            _log.info("%s cannot be tidied: %s", self.directory, error)


def _names(generation: Generation) -> set[str]:
    return {live.segment.name for live in generation.segments}
