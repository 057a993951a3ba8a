"""The record as a file: tables, versions, opening for one writer among several or for reading."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

VERSION = 1
BUSY_S = 5.0
"""So long a process waits for another one's transaction, which takes milliseconds."""

MINUTE, HOUR, DAY = 60, 3600, 86400

_TABLES = """
CREATE TABLE workspaces(id INTEGER PRIMARY KEY, root TEXT NOT NULL UNIQUE);
CREATE TABLE sessions(
    id INTEGER PRIMARY KEY, pid INTEGER, started REAL, seen REAL, workspace INTEGER, state TEXT
);
CREATE TABLE requests(
    id INTEGER PRIMARY KEY, at REAL NOT NULL, workspace INTEGER NOT NULL, path TEXT NOT NULL, outcome TEXT NOT NULL,
    wait_ms REAL, from_cache INTEGER, tokens INTEGER, passes INTEGER, drafted INTEGER, accepted INTEGER, saved_ms REAL,
    taken INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE details(request INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE buckets(
    width INTEGER, start INTEGER, workspace INTEGER,
    requests INTEGER, asked INTEGER, from_cache INTEGER, returned INTEGER, tokens INTEGER, passes INTEGER,
    drafted INTEGER, accepted INTEGER, prompt_tokens INTEGER, reused INTEGER, saved_ms REAL, decode_ms REAL,
    shown INTEGER, taken INTEGER, characters INTEGER,
    PRIMARY KEY(width, start, workspace)
) WITHOUT ROWID;
CREATE TABLE waits(
    width INTEGER, start INTEGER, workspace INTEGER, bin INTEGER, n INTEGER,
    PRIMARY KEY(width, start, workspace, bin)
) WITHOUT ROWID;
CREATE TABLE sources(
    start INTEGER, workspace INTEGER, path TEXT, source TEXT, tokens INTEGER, drafted INTEGER,
    PRIMARY KEY(start, workspace, path, source)
) WITHOUT ROWID;
CREATE TABLE promises(
    start INTEGER, workspace INTEGER, bin INTEGER, n INTEGER, promised REAL, kept INTEGER,
    PRIMARY KEY(start, workspace, bin)
) WITHOUT ROWID;
CREATE TABLE costs(
    start INTEGER, model TEXT, rows INTEGER, n INTEGER, ms REAL,
    PRIMARY KEY(start, model, rows)
) WITHOUT ROWID;
CREATE TABLE samples(
    at REAL, session INTEGER, workspace INTEGER, memory INTEGER, kv INTEGER, store INTEGER,
    PRIMARY KEY(at, session)
) WITHOUT ROWID;
CREATE TABLE revision(id INTEGER PRIMARY KEY CHECK(id = 1), number INTEGER NOT NULL);
INSERT INTO revision VALUES(1, 0);
"""


def open_to_write(path: Path) -> sqlite3.Connection:
    """A connection for one thread, in autocommit mode.  What is no record of this version is set aside first.

    Raises sqlite3.Error or OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        # Damaged, or no database at all: what it said is lost, completions are not.
        set_aside(path)
        return _open(path)


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing.  Raises sqlite3.Error when there is no record."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
    connection.row_factory = sqlite3.Row
    return connection


def set_aside(path: Path) -> None:
    """Out of the way of a new record; the last one that was set aside is kept.  Raises OSError."""
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()
    path.replace(path.with_suffix(".damaged"))


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the record takes of its file; pages that are free for new rows do not count."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        # Before anything is written, else it has no effect.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 4194304")
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"version {version}")
    except BaseException:
        connection.close()
        raise
    return connection
