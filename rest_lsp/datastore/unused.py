"""Removes datastores that nobody has opened for a month: those of deleted folders, other models, older formats."""

from __future__ import annotations

import logging
import os
import re
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from rest_lsp.datastore.store import LOCK_NAME, MARKERS

UNUSED_S = 30 * 24 * 3_600.0

_FOLDER = re.compile(r".+-[0-9a-f]{16}")

_log = logging.getLogger(__name__)


def remove_unused(datastores: Path, now: float) -> list[Path]:
    """Returns what was removed.  A folder is ours by its name and markers, and unused by the age of its lock."""
    removed = []
    try:
        folders = [path for path in datastores.iterdir() if _FOLDER.fullmatch(path.name) and not path.is_symlink()]
    except OSError:
        return []
    for folder in folders:
        try:
            if now - (folder / LOCK_NAME).stat().st_mtime < UNUSED_S or not _is_ours(folder):
                continue
            with FileLock(folder / LOCK_NAME, timeout=0):
                shutil.rmtree(folder)
        except (OSError, Timeout, NotImplementedError) as error:
            _log.info("%s is kept: %s", folder, error)
            continue
        removed.append(folder)
    return removed


def mark_used(folder: Path) -> None:
    """The folder was opened now.  It need not be writable."""
    try:
        os.utime(folder / LOCK_NAME)
    except OSError as error:
        _log.info("%s cannot be marked as used: %s", folder, error)


def _is_ours(folder: Path) -> bool:
    return all((folder / name).is_file() for name in MARKERS)
