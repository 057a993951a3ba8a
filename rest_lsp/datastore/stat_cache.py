"""Remembers which content a file had at which time and size, so that unchanged files need not be read.

Only a shortcut: losing it costs reading, never correctness.  SQLite, one connection, one thread.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rest_lsp.datastore.secrets import SECRETS_VERSION
from rest_lsp.datastore.source_file import FileStamp

RACY_NS = 2_000_000_000
"""A file changed this recently may change again within one timestamp, so its stamp proves nothing (git's racy rule)."""

_COLUMNS = "path BLOB PRIMARY KEY, mtime_ns INT, size INT, ctime_ns INT, hash BLOB, skipped TEXT"

_log = logging.getLogger(__name__)


class Remembered(NamedTuple):
    """`skipped` says why the content is not indexed, "" when it is."""

    stamp: FileStamp
    content_hash: bytes
    skipped: str


class StatCache:
    """Rows are valid under one key and one version of the rules for secrets; others start empty.  Never raises."""

    def __init__(self, path: Path | None, key: str) -> None:
        """`path` None keeps everything in memory."""
        self._rows: dict[str, Remembered] = {}
        self._path = path
        self._key = f"{key}, secrets {SECRETS_VERSION}, {_COLUMNS}"
        self._database = self._open()

    def get(self, path: str, stamp: FileStamp) -> Remembered | None:
        """What is known of the file, if its stamp still is the one that was remembered."""
        remembered = self._rows.get(path)
        return remembered if remembered and remembered.stamp == stamp else None

    def put(self, path: str, stamp: FileStamp, content_hash: bytes, skipped: str) -> None:
        """Remember; recent stamps are forgotten instead, because they prove nothing."""
        if stamp.mtime_ns >= time.time_ns() - RACY_NS:
            self.forget([path])
            return
        self._rows[path] = Remembered(stamp, content_hash, skipped)
        self._run(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            [(_encode(path), *stamp, content_hash, skipped)],
        )

    def forget(self, paths: Iterable[str]) -> None:
        """Drop rows of files that have gone."""
        gone = [path for path in paths if self._rows.pop(path, None)]
        if gone:
            self._run("DELETE FROM files WHERE path = ?", [(_encode(path),) for path in gone])

    def save(self) -> None:
        """Write what was put since the last time."""
        self._run("COMMIT")
        self._run("BEGIN")

    def close(self) -> None:
        """Save and let go of the file."""
        self.save()
        if self._database:
            self._database.close()
        self._database = None

    def _open(self) -> sqlite3.Connection | None:
        if self._path is None:
            return None
        for _ in range(2):
            try:
                return self._load(self._path)
            except sqlite3.Error as error:
                _log.warning("The file %s is damaged (%s) and is made anew.", self._path, error)
                try:
                    self._path.unlink(missing_ok=True)
                except OSError:
                    break
        return None

    def _load(self, path: Path) -> sqlite3.Connection:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        database.executescript(
            "PRAGMA synchronous=OFF; PRAGMA journal_mode=DELETE; CREATE TABLE IF NOT EXISTS meta (key TEXT);"
        )
        if database.execute("SELECT key FROM meta").fetchall() != [(self._key,)]:
            database.executescript(f"DROP TABLE IF EXISTS files; DELETE FROM meta; CREATE TABLE files ({_COLUMNS});")
            database.execute("INSERT INTO meta VALUES (?)", (self._key,))
        for path_bytes, mtime_ns, size, ctime_ns, content_hash, skipped in database.execute("SELECT * FROM files"):
            self._rows[_decode(path_bytes)] = Remembered(FileStamp(mtime_ns, size, ctime_ns), content_hash, skipped)
        database.execute("BEGIN")
        return database

    def _run(self, statement: str, rows: Sequence[tuple[object, ...]] | None = None) -> None:
        """A write that fails (disk full, damaged) ends persistence for this session; memory goes on."""
        if self._database is None:
            return
        try:
            if rows is None:
                self._database.execute(statement)
            else:
                self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            _log.warning("The file %s cannot be written (%s); unchanged files will be read again.", self._path, error)
            self._database.close()
            self._database = None


def _encode(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _decode(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
