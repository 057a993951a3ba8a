"""The manifest: which segments make up one generation, and which of their documents are dead.

Knows the manifest file only; segments are opened elsewhere.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rest_lsp.datastore.filesystem import FileSystem, write_atomically
from rest_lsp.datastore.format import DamagedFile

MANIFEST_VERSION = 1
_NAME = re.compile(r"manifest\.(\d{10})\.json")


@dataclass(frozen=True)
class SegmentEntry:
    """A segment file and its tombstones: the numbers of documents that were deleted or replaced."""

    name: str
    file_bytes: int
    dead: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Manifest:
    """One generation.  Segments stand in the order in which they were written, oldest first."""

    generation: int
    fingerprint: str
    segments: tuple[SegmentEntry, ...] = ()

    def to_bytes(self) -> bytes:
        """JSON, then a line with its CRC-32 in hexadecimal digits."""
        fields = {
            "version": MANIFEST_VERSION,
            "generation": self.generation,
            "fingerprint": self.fingerprint,
            "segments": [[entry.name, entry.file_bytes, sorted(entry.dead)] for entry in self.segments],
        }
        body = json.dumps(fields, separators=(",", ":")).encode()
        return body + b"\n%08x\n" % zlib.crc32(body)

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Raises DamagedFile when a byte differs from what was written, or another version wrote it."""
        body, _, trailer = data.rstrip(b"\n").rpartition(b"\n")
        if not body or trailer != b"%08x" % zlib.crc32(body):
            raise DamagedFile("its checksum is wrong")
        fields: dict[str, Any] = json.loads(body)
        if fields.get("version") != MANIFEST_VERSION:
            raise DamagedFile("another version of the program wrote it")
        segments = tuple(SegmentEntry(name, size, frozenset(dead)) for name, size, dead in fields["segments"])
        return cls(fields["generation"], fields["fingerprint"], segments)


def manifest_name(generation: int) -> str:
    """The file name; names sort as generations do."""
    return f"manifest.{generation:010d}.json"


def list_generations(directory: Path) -> list[int]:
    """Generations with a manifest file, newest first.  A missing folder has none."""
    try:
        names = [path.name for path in directory.iterdir()]
    except OSError:
        return []
    return sorted((int(match[1]) for name in names if (match := _NAME.fullmatch(name))), reverse=True)


def read_manifest(directory: Path, generation: int) -> Manifest:
    """Raises DamagedFile, or OSError when it has gone."""
    return Manifest.from_bytes((directory / manifest_name(generation)).read_bytes())


def write_manifest(filesystem: FileSystem, directory: Path, manifest: Manifest) -> None:
    """Publish a generation: when this returns it survives a power loss.  Raises OSError."""
    write_atomically(filesystem, directory / manifest_name(manifest.generation), manifest.to_bytes())
    filesystem.sync_directory(directory)


def generation_age(directory: Path) -> float | None:
    """Seconds since the newest generation was written; None without any."""
    for generation in list_generations(directory):
        try:
            return max(time.time() - (directory / manifest_name(generation)).stat().st_mtime, 0.0)
        except OSError:
            continue
    return None
