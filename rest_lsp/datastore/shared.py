"""Shared read-only stores: one segment file each, made once, used by any number of workspaces as a tier of its own.

A library, another repository, or a team's code.  The file is portable between machines of one byte order: it carries
its checksums and the fingerprint of its tokenizer.  Knows no workspaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rest_lsp.datastore.filesystem import FileSystem, write_atomically
from rest_lsp.datastore.format import DamagedFile
from rest_lsp.datastore.generation import Generation, LiveSegment
from rest_lsp.datastore.listing import Listing
from rest_lsp.datastore.merge import merge_segments
from rest_lsp.datastore.occurrence import CountNewlines, Origin, Prefixed, Rows
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.datastore.source_file import Unreadable, indexable_text, read_content
from rest_lsp.errors import DatastoreError

FOLDER, SUFFIX = "shared", ".seg"
TIME_LIMIT_MS = 0.4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Encode = Callable[[Sequence[str]], Sequence[Sequence[int]]]


class SharedStore:
    """Read access, thread-safe.  `name` is that of the tier, and stands before its paths: "name:path"."""

    def __init__(self, name: str, segment: Segment) -> None:
        self.name = name
        self.segment = segment
        self._snapshot = Snapshot(Generation(1, (LiveSegment(segment),)))
        self._paths = Prefixed(f"{name}:", segment.paths)

    def find(
        self, context: Sequence[int], *, depth: int, max_length: int = 16, limit: int = 64, exclude: str | None = None
    ) -> Rows:
        """As `Datastore.find`; paths begin with the name of the store."""
        found = self._snapshot.find(
            context, depth=depth, max_length=max_length, min_length=1, limit=limit, exclude=None,
            time_limit_ms=TIME_LIMIT_MS,
        )  # fmt: skip
        return found._replace(paths=self._paths)

    def line_of(self, origin: Origin, count_newlines: CountNewlines) -> int | None:
        """The zero-based line of a place; None when it lies in another store."""
        name, _, path = origin.path.partition(":")
        ids = self._snapshot.document_ids(origin._replace(path=path)) if name == self.name else None
        return None if ids is None else count_newlines(ids[: origin.offset])


class SharedStores:
    """The stores of one cache folder and one tokenizer.  Raises DatastoreError, which names the store."""

    def __init__(self, datastores: Path, fingerprint: str) -> None:
        self._folder = datastores / FOLDER / fingerprint[:16]
        self._fingerprint = bytes.fromhex(fingerprint)

    def names(self) -> list[str]:
        """All that are here."""
        return sorted(path.stem for path in self._folder.glob(f"*{SUFFIX}"))

    def open(self, name: str) -> SharedStore:
        """Milliseconds; sizes and tables are checked."""
        try:
            return SharedStore(name, Segment.open(self._path(name), self._fingerprint))
        except FileNotFoundError as error:
            raise DatastoreError(
                f"There is no shared store {name} for this model.", "`rest-lsp store list` shows those that there are."
            ) from error
        except (DamagedFile, OSError) as error:
            raise DatastoreError(
                f"The shared store {name} cannot be used: {error}.", f"Remove it with `rest-lsp store remove {name}`."
            ) from error

    def build(self, name: str, folder: Path, encode: Encode, rules: IndexRules | None = None) -> SharedStore:
        """From the files of a folder, under the same rules as a workspace."""
        return self._write(name, build_segment(folder.resolve(), encode, self._fingerprint, rules or IndexRules()))

    def export(self, sources: Sequence[LiveSegment], file: Path) -> int:
        """The living documents of a workspace as one file; returns its number of tokens."""
        merged = merge_segments("export", sources, self._fingerprint)
        if merged is None:
            raise DatastoreError("The workspace has no index to export.", "Run `rest-lsp index` first.")
        write_atomically(FileSystem(), file, merged.segment.data)
        return merged.segment.n_tokens

    def take(self, name: str, file: Path) -> SharedStore:
        """Import a file that `export` wrote; every byte and the tokenizer are checked."""
        try:
            segment = Segment.from_bytes(name, file.read_bytes(), self._fingerprint)
        except DamagedFile as error:
            raise DatastoreError(
                f"{file} is not a store that this model can use: {error}.",
                "Export it again, with the same model on both sides.",
            ) from error
        return self._write(name, segment)

    def remove(self, name: str) -> None:
        """Delete a store; whoever uses it keeps what is mapped."""
        self.open(name)
        self._path(name).unlink(missing_ok=True)

    def _write(self, name: str, segment: Segment) -> SharedStore:
        files = FileSystem()
        path = self._path(name)
        files.make_directory(path.parent)
        write_atomically(files, path, segment.data)
        files.sync_directory(path.parent)
        return self.open(name)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise DatastoreError(
                f"{name!r} is no name for a store.", "Use letters, digits, dots, dashes and underscores."
            )
        return self._folder / (name + SUFFIX)


class _File(NamedTuple):
    path: str
    content_hash: bytes
    text: str


def build_segment(root: Path, encode: Encode, fingerprint: bytes, rules: IndexRules) -> Segment:
    """One segment of all files below `root` that may be indexed.  Raises DatastoreError when there are none."""
    files = list(_files(root, rules))
    if not files:
        raise DatastoreError(f"{root} has no files that may be indexed.", "`rest-lsp index --audit` says why.")
    encoded = encode([file.text for file in files])
    documents = [
        NewDocument(file.path, file.content_hash, ids)
        for file, ids in zip(files, encoded, strict=True)
        if len(ids) <= rules.max_file_tokens
    ]
    return Segment.build("shared", documents, fingerprint)


def _files(root: Path, rules: IndexRules) -> Iterator[_File]:
    for path in Listing(root, rules).files():
        content = read_content(root, path, rules)
        if isinstance(content, Unreadable):
            continue
        text = indexable_text(content.data)
        if not isinstance(text, Unreadable):
            yield _File(path, content.content_hash, text)
