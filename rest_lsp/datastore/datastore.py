"""The datastore as the rest of the program sees it: open, refresh, watch, set buffers, ask for occurrences.

Wires the parts: snapshots to read from, live buffers, and a worker process that keeps the segments on disk current.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rest_lsp.cancellation import CancelToken
from rest_lsp.datastore.audit import AuditEntry, audit
from rest_lsp.datastore.generation import Generation, LiveSegment, open_newest, open_segments, verify
from rest_lsp.datastore.health import read_health
from rest_lsp.datastore.hot import HotBuffers
from rest_lsp.datastore.indexer import Indexer
from rest_lsp.datastore.libraries import LibraryOptions, library_tiers
from rest_lsp.datastore.listing import Listing
from rest_lsp.datastore.manifest import Manifest, generation_age
from rest_lsp.datastore.naming import tokenizer_fingerprint, workspace_directory
from rest_lsp.datastore.occurrence import CountNewlines, Occurrence, Origin, Rows
from rest_lsp.datastore.protocol import Message, WorkerSetup, unpack_segments
from rest_lsp.datastore.reports import DatastoreStatus, IndexProgress, ProgressCallback, RefreshReport
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.segment import Segment
from rest_lsp.datastore.shared import SharedStore, SharedStores
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.errors import DatastoreError
from rest_lsp.memory import folder_bytes

__all__ = [
    "AuditEntry",
    "Datastore",
    "DatastoreStatus",
    "IndexProgress",
    "IndexRules",
    "Occurrence",
    "Origin",
    "RefreshReport",
    "tokenizer_fingerprint",
    "workspace_directory",
]

TIME_LIMIT_MS = 0.8
VERIFY_AFTER_S = 0.1

_log = logging.getLogger(__name__)


class Datastore:
    """Thread-safe.  Queries take no lock and never wait for indexing."""

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        directory: Path,
        tokenizer_path: Path,
        rules: IndexRules | None = None,
        reconcile_s: float = 300.0,
        notice: Callable[[str], None] | None = None,
        stores: Sequence[str] = (),
        libraries: LibraryOptions | None = None,
    ) -> Datastore:
        """Open what earlier sessions indexed, in milliseconds; an empty datastore when there is nothing whole.

        root          the workspace
        directory     folder for all datastores; this one gets its own, by workspace, tokenizer and format
        reconcile_s   while watching, seconds between full comparisons
        notice        called, on any thread, with what a person should know; once per thing
        stores        names of shared stores, which become `tiers`; those that cannot be used are told and left out
        libraries     tiers that come by themselves while watching, when the workspace has a Python environment
        Nothing is written here.  Raises DatastoreError when the workspace or the tokenizer cannot be read.
        """
        try:
            real_root = root.resolve(strict=True)
            fingerprint = tokenizer_fingerprint(tokenizer_path)
        except OSError as error:
            raise DatastoreError(
                f"The datastore cannot be opened: {error.filename} cannot be read ({error.strerror}).",
                "Check the workspace folder, and run `rest-lsp models pull` if the model is missing.",
            ) from error
        place = workspace_directory(directory.absolute(), real_root, fingerprint)
        setup = WorkerSetup(
            real_root,
            place,
            tokenizer_path.resolve(),
            fingerprint,
            rules or IndexRules(),
            reconcile_s=reconcile_s,
            libraries=libraries or LibraryOptions(),
        )
        datastore = cls(setup, notice or _log.warning)
        datastore._stores = tuple(datastore._open_tiers(SharedStores(directory.absolute(), fingerprint), stores))
        return datastore

    def __init__(self, setup: WorkerSetup, notice: Callable[[str], None]) -> None:
        self._setup = setup
        self._notice = notice
        self._notices: list[str] = []
        self._lock = threading.Lock()
        self._key = lru_cache(self._key_of)
        self._buffers = HotBuffers()
        self._generation = open_newest(setup.directory, setup.fingerprint).generation
        self._damaged: frozenset[str] = frozenset()
        self._snapshot = Snapshot(self._generation)
        self._memory: dict[str, Segment] = {}
        self._listing = Listing(setup.root, setup.rules)
        self._indexer = Indexer(setup, self._take)
        self._stores: tuple[SharedStore, ...] = ()
        self._libraries = self._open_libraries()
        self._on_change: Callable[[], None] | None = None
        self._is_watching = self._is_in_memory = self._is_asked_for_names = False
        if self._generation.segments:
            threading.Thread(target=self._verify, args=(self._generation,), name="verify", daemon=True).start()

    def refresh(self, progress: ProgressCallback | None = None, cancel: CancelToken | None = None) -> RefreshReport:
        """Make the datastore agree with the workspace; blocks until it does, while queries go on with what is there.

        Raises DatastoreError, or Cancelled; what was indexed until then stays.
        """
        return self._indexer.refresh(progress, cancel)

    def watch(self, on_change: Callable[[], None] | None = None) -> None:
        """Keep it so: changes on disk are visible within a second.  Returns at once; `on_change` runs on a thread."""
        self._on_change = on_change
        self._indexer.watch()

    def set_buffer(self, path: str, ids: Sequence[int]) -> None:
        """Take the text of an open editor buffer, which supersedes the file on disk until `drop_buffer`.

        `path` is relative to the workspace, or absolute.  Files outside the workspace stay out, and so do those whose
        names say that they must not be indexed or that no file can have; whether one is ignored is what `admits` knows.
        About 1 ms for 5,000 tokens.
        """
        key = self._key(path)
        with self._lock:
            if Path(key).is_absolute() or "\0" in key or self._setup.rules.path_verdict(key):
                self._buffers.drop(key)
            else:
                self._buffers.set(key, ids)
            self._swap()

    def admits(self, path: str) -> bool:
        """Whether the file at `path` belongs to the workspace by the rules for indexing, those of git included.

        Blocks, since git is asked.  A file that is not on disk yet does not belong to it.
        """
        key = self._key(path)
        if Path(key).is_absolute() or self._setup.rules.path_verdict(key):
            return False
        try:
            return (self._setup.root / key).is_file() and key in self._listing.files([key])
        except DatastoreError:
            return False

    @property
    def open_paths(self) -> frozenset[str]:
        """Documents that are taken from open buffers."""
        return self._buffers.paths

    def drop_buffer(self, path: str) -> None:
        """The editor closed it: the file on disk counts again."""
        with self._lock:
            self._buffers.drop(self._key(path))
            self._swap()

    def find(
        self,
        context: Sequence[int],
        *,
        depth: int,
        max_length: int = 16,
        min_length: int = 1,
        limit: int = 64,
        exclude: str | None = None,
        time_limit_ms: float = TIME_LIMIT_MS,
    ) -> Rows:
        """Earlier places where the last tokens of `context` stand, with up to `depth` tokens of what follows there.

        Longest matches first, each place once, under its longest match (min_length … max_length tokens); at most
        `limit` places.  When a length has more, they are sampled evenly and `weight` says how many one stands for.
        Never across documents, never in a deleted or superseded one, nor in that of the path `exclude`.  Places at the
        end of a document, where nothing follows, are left out.  After `time_limit_ms` older segments are left out.
        """
        return self._snapshot.find(
            context,
            depth=depth,
            max_length=max_length,
            min_length=min_length,
            limit=limit,
            exclude=None if exclude is None else self._key(exclude),
            time_limit_ms=time_limit_ms,
        )

    def line_of(self, origin: Origin, count_newlines: CountNewlines) -> int | None:
        """The zero-based line of a place; None when that version of the document has gone."""
        ids = self._snapshot.document_ids(origin)
        if ids is not None:
            return count_newlines(ids[: origin.offset])
        lines = (tier.line_of(origin, count_newlines) for tier in self.tiers)
        return next((line for line in lines if line is not None), None)

    def documents_named(self, name: str) -> list[str]:
        """Paths of documents whose file is called `name` but for its extension, or stands for a folder of that name."""
        self._is_asked_for_names = True
        return self._snapshot.documents_named(name)

    def document_ids(self, path: str) -> npt.NDArray[np.uint32] | None:
        """Token ids [n] of a document as it is now, open buffers first; None when it is not indexed."""
        return self._snapshot.living_ids(self._key(path))

    def status(self) -> DatastoreStatus:
        """The state now; some file system calls."""
        generation, health = self._generation, read_health(self._setup.directory)
        return DatastoreStatus(
            path=str(self._setup.directory),
            tokens=sum(live.live_tokens for live in generation.segments),
            files=sum(live.n_live_documents for live in generation.segments),
            segments=len(generation.segments),
            generation=generation.number,
            buffers=len(self._buffers.paths),
            indexing=self._indexer.is_busy,
            watching=self._is_watching,
            in_memory=self._is_in_memory,
            notices=tuple(self._notices),
            dead_tokens=sum(live.dead_tokens for live in generation.segments),
            disk_bytes=folder_bytes(self._setup.directory),
            age_s=generation_age(self._setup.directory),
            segment_tokens=tuple((live.live_tokens, live.dead_tokens) for live in generation.segments),
            watcher=("events" if health.has_events else "comparing") if health and health.is_current else "none",
            compared_s=max(0.0, time.time() - health.compared_at) if health else None,
            tiers=tuple((tier.name, tier.segment.n_tokens) for tier in self.tiers),
        )

    def living_segments(self) -> Sequence[LiveSegment]:
        """The segments of the newest generation, for whoever copies them."""
        return self._generation.segments

    def audit(self) -> Iterator[AuditEntry]:
        """See `audit`."""
        return audit(self._setup.root, self._setup.rules, self._generation)

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker, while there is one."""
        return self._indexer.worker_pid

    @property
    def tiers(self) -> tuple[SharedStore, ...]:
        """Shared stores to ask besides: those that were named, and the libraries that the workspace imports."""
        return (*self._stores, *self._libraries)

    def compare_soon(self) -> None:
        """Compare with the folder now, since changes may have been missed: returns at once, and costs little."""
        self._indexer.compare()

    def close(self) -> None:
        """End the worker.  The datastore can still be asked, but no longer refreshed."""
        self._indexer.close()
        self._is_watching = False

    def _take(self, message: Message) -> None:
        """A message from the worker, on the indexer's thread."""
        match message["event"]:
            case "generation":
                self._is_in_memory = False
                opened = open_newest(self._setup.directory, self._setup.fingerprint, self._open_segments())
                self._publish(opened.generation)
            case "memory":
                self._is_in_memory = True
                self._publish(self._generation_in_memory(message))
            case "watching":
                self._is_watching = message["value"]
            case "tiers":
                self._libraries = self._open_libraries()
            case "notice":
                self._notices.append(message["message"])
                self._notice(message["message"])

    def _open_tiers(self, shared: SharedStores, names: Sequence[str]) -> Iterator[SharedStore]:
        for name in names:
            try:
                yield shared.open(name)
            except DatastoreError as error:
                self._notices.append(str(error))
                self._notice(str(error))

    def _open_libraries(self) -> tuple[SharedStore, ...]:
        setup = self._setup
        return tuple(library_tiers(setup.directory, setup.fingerprint, setup.libraries))

    def _verify(self, generation: Generation) -> None:
        """Check every byte of what was opened, behind the first queries; the worker sets damaged files aside."""
        time.sleep(VERIFY_AFTER_S)
        for damage in verify(generation):
            _log.warning("%s is damaged and not used: %s.", damage.name, damage.reason)
            self._damaged |= {damage.name}
            self._publish(self._generation)

    def _generation_in_memory(self, message: Message) -> Generation:
        fingerprint = bytes.fromhex(self._setup.fingerprint)
        for name, data in unpack_segments(message["segments"]).items():
            self._memory[name] = Segment.from_bytes(name, data, fingerprint)
        manifest = Manifest.from_bytes(message["manifest"].encode())
        generation = open_segments(self._setup.directory, manifest, self._open_segments()).generation
        names = {live.segment.name for live in generation.segments}
        self._memory = {name: segment for name, segment in self._memory.items() if name in names}
        return generation

    def _open_segments(self) -> dict[str, Segment]:
        return {**self._memory, **{live.segment.name: live.segment for live in self._generation.segments}}

    def _publish(self, generation: Generation) -> None:
        whole = tuple(live for live in generation.segments if live.segment.name not in self._damaged)
        generation = generation._replace(segments=whole)
        if self._is_asked_for_names:  # Whoever asks next need not wait for the tables: 0.1 s for 100,000 documents.
            Snapshot(generation).documents_named("")
        with self._lock:
            changed = generation.number != self._generation.number
            self._generation = generation
            self._swap()
        if changed and self._on_change:
            self._on_change()

    def _swap(self) -> None:
        """With the lock held: queries that start after this see the change as a whole."""
        self._snapshot = Snapshot(self._generation, self._buffers.views, self._buffers.paths)

    def _key_of(self, path: str) -> str:
        """Paths as the datastore has them: relative to the workspace with slashes; absolute when outside."""
        if not Path(path).is_absolute():
            return path.replace(os.sep, "/")
        try:
            return Path(path).relative_to(self._setup.root).as_posix()
        except ValueError:
            pass
        try:
            return Path(path).resolve().relative_to(self._setup.root).as_posix()
        except (OSError, ValueError):
            return path.replace(os.sep, "/")
