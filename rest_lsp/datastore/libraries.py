"""The libraries of a workspace as tiers: built once per package version, and shared by all workspaces.

Each version is one file in `libraries/`.  The versions that a workspace imports are joined into one more in its own
folder, since a query costs per segment.  Tokenising, which is what takes long, is done once per version.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rest_lsp.datastore.encoders import Ids
from rest_lsp.datastore.environment import (
    Library,
    find_environment,
    imported_names,
    imported_packages,
    standard_library,
)
from rest_lsp.datastore.filesystem import FileSystem, write_atomically
from rest_lsp.datastore.format import DamagedFile
from rest_lsp.datastore.generation import LiveSegment
from rest_lsp.datastore.merge import merge_segments
from rest_lsp.datastore.pace import CHUNK_CHARACTERS, chunks
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.shared import SharedStore
from rest_lsp.datastore.source_file import Unreadable, indexable_text, read_content, text_of

PACKAGES, STANDARD = "packages", "standard library"
FOLDER, SUFFIX, LIST_NAME = "libraries", ".seg", "tiers.json"
_JOINED = "packages-{}.tier"

MAX_LIBRARY_BYTES = 16 << 20
"""Text of one package; of larger ones the outer modules are taken."""

MAX_PACKAGES_TOKENS = 8_000_000
"""Of all packages together; those that few files import come last."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LibraryOptions:
    """Which tiers are wanted; `python` is the interpreter whose packages are meant, None to look for one.

    They are built while watching, or with each refresh where they are wanted `at_once`.
    """

    packages: bool = False
    standard: bool = False
    python: str | None = None
    at_once: bool = False


class Libraries:
    """The worker's side.  `between` is called every few hundred milliseconds of work, for what is more urgent."""

    def __init__(
        self,
        root: Path,
        directory: Path,
        fingerprint: str,
        options: LibraryOptions,
        encode: Callable[[Sequence[str]], Sequence[Ids]],
    ) -> None:
        self._root, self._directory, self._options, self._encode = root, directory, options, encode
        self._folder = directory.parent / FOLDER / fingerprint[:16]
        self._fingerprint = bytes.fromhex(fingerprint)
        self._rules = IndexRules()
        self._files = FileSystem()

    def refresh(self, paths: Iterable[str], between: Callable[[], None]) -> bool:
        """Build what is missing for a workspace of these files; whether its tiers are others than before."""
        sources = [path for path in paths if path.endswith(".py")]
        environment = find_environment(self._root, Path(self._options.python) if self._options.python else None)
        tiers: dict[str, str] = {}
        if environment and sources:
            standard = standard_library(environment) if self._options.standard else None
            if standard and self._obtain(standard, between):
                tiers[STANDARD] = str(self._path(standard))
            if self._options.packages:
                names = imported_names(self._texts(sources))
                joined = self._join(imported_packages(environment, self._root, names), between)
                tiers |= {PACKAGES: str(joined)} if joined else {}
        return self._note(tiers)

    def _texts(self, paths: Sequence[str]) -> Iterator[str]:
        for path in paths:
            content = read_content(self._root, path, self._rules)
            if not isinstance(content, Unreadable):
                yield text_of(content.data)

    def _obtain(self, library: Library, between: Callable[[], None]) -> Segment | None:
        path = self._path(library)
        try:
            return Segment.open(path, self._fingerprint)
        except FileNotFoundError:
            pass
        except (DamagedFile, OSError) as error:
            _log.warning("%s is built anew: %s.", path.name, error)
        documents = self._documents(library, between)
        if not documents:
            return None
        segment = Segment.build(path.name, documents, self._fingerprint)
        self._write(path, segment)
        return segment

    def _documents(self, library: Library, between: Callable[[], None]) -> list[NewDocument]:
        left, texts, names = MAX_LIBRARY_BYTES, [], []
        for file in library.files:
            content = read_content(library.root.resolve(), file, self._rules)
            text = Unreadable("") if isinstance(content, Unreadable) else indexable_text(content.data)
            if isinstance(content, Unreadable) or isinstance(text, Unreadable):
                continue
            left -= len(content.data)
            if left < 0:
                break
            texts.append(text)
            names.append((file, content.content_hash))
        documents: list[NewDocument] = []
        for chunk in chunks([len(text) for text in texts], CHUNK_CHARACTERS):
            encoded = self._encode(texts[chunk])
            documents += [NewDocument(*name, ids) for name, ids in zip(names[chunk], encoded, strict=True)]
            between()
        return documents

    def _join(self, libraries: Sequence[Library], between: Callable[[], None]) -> Path | None:
        segments: list[Segment] = []
        room = MAX_PACKAGES_TOKENS
        for library in libraries:
            segment = self._obtain(library, between)
            if segment and segment.n_tokens <= room:
                segments.append(segment)
                room -= segment.n_tokens
        if not segments:
            return None
        digest = hashlib.blake2b("\0".join(segment.name for segment in segments).encode(), digest_size=8).hexdigest()
        path = self._directory / _JOINED.format(digest)
        if not path.exists():
            merged = merge_segments(path.name, [LiveSegment(segment) for segment in segments], self._fingerprint)
            assert merged is not None, "there are documents"
            self._write(path, merged.segment)
        for other in self._directory.glob(_JOINED.format("*")):
            if other != path:
                self._files.remove(other)
        return path

    def _write(self, path: Path, segment: Segment) -> None:
        self._files.make_directory(path.parent)
        write_atomically(self._files, path, segment.data)
        self._files.sync_directory(path.parent)

    def _note(self, tiers: dict[str, str]) -> bool:
        path = self._directory / LIST_NAME
        text = json.dumps(tiers).encode()
        if path.is_file() and path.read_bytes() == text:
            return False
        write_atomically(self._files, path, text)
        return True

    def _path(self, library: Library) -> Path:
        return self._folder / (re.sub(r"[^A-Za-z0-9._+-]+", "_", library.name) + SUFFIX)


def library_tiers(directory: Path, fingerprint: str, options: LibraryOptions) -> Iterator[SharedStore]:
    """The tiers of the workspace whose datastore is in `directory`, as the worker left them, if they are wanted."""
    wanted = {PACKAGES: options.packages, STANDARD: options.standard}
    try:
        tiers = json.loads((directory / LIST_NAME).read_bytes())
    except (OSError, ValueError):
        return
    for name in wanted if isinstance(tiers, dict) else ():
        if not wanted[name] or name not in tiers:
            continue
        try:
            yield SharedStore(name, Segment.open(Path(tiers[name]), bytes.fromhex(fingerprint)))
        except (DamagedFile, OSError, TypeError) as error:
            _log.warning("The libraries in %s are not used: %s.", tiers[name], error)
