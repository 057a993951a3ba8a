"""The indexes of all folders of a workspace, one datastore each, as if they were one.

Documents of the first folder are named relative to it, all others absolutely: a name says which file it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rest_lsp.cancellation import CancelToken
from rest_lsp.datastore.datastore import Datastore, IndexProgress, Origin
from rest_lsp.datastore.occurrence import CountNewlines, Prefixed, Rows
from rest_lsp.datastore.reports import ProgressCallback
from rest_lsp.datastore.search import merged
from rest_lsp.datastore.shared import SharedStore

log = logging.getLogger(__name__)

_SUMMED = ("tokens", "files", "segments", "buffers")
_ANY = ("indexing", "in_memory")


class Folder(NamedTuple):
    """A root and its index.  Its documents are named as `prefix` says, "" for the first folder."""

    root: Path
    datastore: Datastore
    prefix: str

    def name_of(self, path: str) -> str:
        """The workspace's name of a document of this folder."""
        return f"{self.prefix}{path}"


class Folders:
    """Thread-safe: the folders are replaced as a whole.  Queries take no lock and never wait for indexing."""

    def __init__(self, open_datastore: Callable[[Path], Datastore]) -> None:
        self._open_datastore = open_datastore
        self._folders: tuple[Folder, ...] = ()
        self._prefixed: dict[str, tuple[Sequence[str], Prefixed]] = {}

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(folder.root for folder in self._folders)

    def set_roots(self, roots: Sequence[Path]) -> None:
        """Index these from now on; those that were there keep their datastores.  One thread at a time may call this.

        Raises DatastoreError when a folder cannot be indexed; the others are.
        """
        known = {folder.root: folder.datastore for folder in self._folders}
        opened: list[Folder] = []
        failure: Exception | None = None
        for root in dict.fromkeys(roots):
            try:
                datastore = known.pop(root, None) or self._open_datastore(root)
            except Exception as error:  # noqa: BLE001 - the other folders must be indexed all the same
                failure = error
                continue
            opened.append(Folder(root, datastore, f"{root.as_posix()}/" if opened else ""))
        self._folders = tuple(opened)
        for datastore in known.values():
            datastore.close()
        if failure is not None:
            raise failure

    def refresh(self, progress: ProgressCallback | None = None, cancel: CancelToken | None = None) -> None:
        """Make each agree with its folder, one after the other; counts of files go on over all of them.

        Raises DatastoreError or Cancelled; what was indexed until then stays.
        """
        done = 0
        for folder in self._folders:
            highest = 0

            def report(event: IndexProgress, *, before: int = done) -> None:
                nonlocal highest
                highest = max(highest, event.total, event.done)
                if progress is not None:
                    progress(IndexProgress(event.stage, before + event.done, event.total and before + event.total))

            folder.datastore.refresh(report, cancel)
            done += highest

    def watch(self) -> None:
        """Follow changes on disk in all folders."""
        for folder in self._folders:
            folder.datastore.watch()

    def compare_soon(self) -> None:
        """Compare with all folders now, since changes may have been missed; returns at once."""
        for folder in self._folders:
            folder.datastore.compare_soon()

    def set_buffer(self, path: str, ids: Sequence[int]) -> None:
        """Take the text of an open buffer; see `Datastore.set_buffer`."""
        for folder, name in self._homes(path):
            folder.datastore.set_buffer(name, ids)

    def drop_buffer(self, path: str) -> None:
        for folder, name in self._homes(path):
            folder.datastore.drop_buffer(name)

    def admits(self, path: str) -> bool:
        """Whether some folder's rules let the file be indexed.  Blocks, since git is asked."""
        return any(folder.datastore.admits(name) for folder, name in self._homes(path))

    @property
    def open_paths(self) -> frozenset[str]:
        """Documents that are taken from open buffers."""
        return frozenset(folder.name_of(path) for folder in self._folders for path in folder.datastore.open_paths)

    @property
    def tiers(self) -> tuple[SharedStore, ...]:
        """The shared stores of the first folder: settings, and so stores, are those of the workspace."""
        return self._folders[0].datastore.tiers if self._folders else ()

    def find(
        self,
        context: Sequence[int],
        *,
        depth: int,
        max_length: int = 16,
        limit: int = 64,
        exclude: str | None = None,
    ) -> Rows:
        """See `Datastore.find`; longest matches first, whichever folder they are in."""
        found = [
            self._find(folder, name, context, depth=depth, max_length=max_length, limit=limit)
            for folder, name in self._named(exclude)
        ]
        return merged(found, limit)

    def documents_named(self, name: str) -> list[str]:
        """See `Datastore.documents_named`."""
        return [folder.name_of(path) for folder in self._folders for path in folder.datastore.documents_named(name)]

    def document_ids(self, path: str) -> npt.NDArray[np.uint32] | None:
        """See `Datastore.document_ids`."""
        homes = (folder.datastore.document_ids(name) for folder, name in self._homes(path))
        return next((ids for ids in homes if ids is not None), None)

    def line_of(self, origin: Origin, count_newlines: CountNewlines) -> int | None:
        """The zero-based line of a place; None when that version of the document has gone."""
        for folder in self._folders:
            if origin.path.startswith(folder.prefix):
                inside = origin._replace(path=origin.path[len(folder.prefix) :])
                line = folder.datastore.line_of(inside, count_newlines)
                if line is not None:
                    return line
        return None

    def status(self) -> dict[str, Any] | None:
        """Plain data: all folders together as if they were one, and each by itself; None without a folder."""
        if not self._folders:
            return None
        each = [asdict(folder.datastore.status()) for folder in self._folders]
        together = dict(each[0])
        together |= {name: sum(status[name] for status in each) for name in _SUMMED}
        together |= {name: any(status[name] for status in each) for name in _ANY}
        together["watching"] = all(status["watching"] for status in each)
        together["notices"] = [notice for status in each for notice in status["notices"]]
        together["folders"] = [
            {"root": str(folder.root), **status} for folder, status in zip(self._folders, each, strict=True)
        ]
        return together

    def close(self) -> None:
        """End all workers.  What is open can still be asked."""
        for folder in self._folders:
            folder.datastore.close()

    def _find(self, folder: Folder, exclude: str | None, context: Sequence[int], **limits: int) -> Rows:
        found = folder.datastore.find(context, exclude=exclude, **limits)
        return found._replace(paths=self._with_prefix(folder.prefix, found.paths)) if folder.prefix else found

    def _with_prefix(self, prefix: str, paths: Sequence[str]) -> Prefixed:
        """The same object as long as the paths are."""
        known = self._prefixed.get(prefix)
        if known is None or known[0] is not paths:
            known = self._prefixed[prefix] = (paths, Prefixed(prefix, paths))
        return known[1]

    def _homes(self, path: str) -> Iterator[tuple[Folder, str]]:
        """The folders that a document belongs to; one without a file belongs to the first."""
        for folder, name in self._named(path):
            if name is not None and (not folder.prefix or Path(name).is_absolute()):
                yield folder, name

    def _named(self, path: str | None) -> Iterator[tuple[Folder, str | None]]:
        """Each folder with the name by which it knows a document: relative names mean nothing to any but the first."""
        for folder in self._folders:
            is_relative = path is not None and folder.prefix and not _is_elsewhere(path)
            yield folder, str(self._folders[0].root / path) if is_relative and path is not None else path


def _is_elsewhere(name: str) -> bool:
    return Path(name).is_absolute() or is_uri(name)


def is_uri(name: str) -> bool:
    """Whether a document's name is its URI, as it has no file.  A scheme of one character is a drive."""
    scheme, colon, _ = name.partition(":")
    return bool(colon) and len(scheme) > 1 and "/" not in scheme
