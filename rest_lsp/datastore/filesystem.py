"""The few file operations a commit is made of, one method each, so that a test can fail or stop at any of them.

Knows nothing about segments or manifests.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

TEMPORARY_PREFIX = "tmp-"
Data = bytes | bytearray | mmap.mmap
_WINDOWS_BUSY = {5, 32, 33}
_WINDOWS_TRIES = 25


class FileSystem:
    """Durable writes.  Every method raises OSError as the system does."""

    def make_directory(self, directory: Path) -> None:
        """Create `directory`, private to the user, with its parents."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, path: Path, data: Data) -> None:
        """Create `path` with `data`; the bytes are in the system's hands but not yet on the disk."""
        with path.open("wb") as file:
            file.write(data)

    def sync(self, path: Path) -> None:
        """Return when the bytes of `path` are on the disk."""
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Give `source` the name `target` in one step.  Windows: scanners hold files for moments, so try again."""
        for _ in range(_WINDOWS_TRIES):
            try:
                source.replace(target)
                return
            except PermissionError as error:
                if getattr(error, "winerror", None) not in _WINDOWS_BUSY:
                    raise
                time.sleep(0.1)
        source.replace(target)

    def sync_directory(self, directory: Path) -> None:
        """Return when the names in `directory` are on the disk.  Windows has no such call and needs none."""
        if os.name == "nt":
            return
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Unlink `path`; it may be gone already."""
        path.unlink(missing_ok=True)


def write_atomically(filesystem: FileSystem, path: Path, data: Data) -> None:
    """Write `path` so that a crash leaves the old content, or none, but never a part.

    The name is durable only after `sync_directory`.
    """
    temporary = path.with_name(TEMPORARY_PREFIX + path.name)
    filesystem.write(temporary, data)
    filesystem.sync(temporary)
    filesystem.replace(temporary, path)
