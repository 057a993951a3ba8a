"""The stat cache: a shortcut that survives restarts, forgets what it cannot prove, and never stands in the way."""

from __future__ import annotations

import time
from pathlib import Path

from rest_lsp.datastore.source_file import FileStamp
from rest_lsp.datastore.stat_cache import StatCache

OLD = FileStamp(mtime_ns=1_000_000_000, size=5)
HASH = bytes(16)


def test_rows_survive(tmp_path: Path) -> None:
    path = tmp_path / "files.sqlite3"
    name = b"caf\xe9\n.py".decode("utf-8", "surrogateescape")
    cache = StatCache(path, "key")
    cache.put(name, OLD, HASH, "")
    cache.put("b", OLD, HASH, "binary")
    cache.put("c", OLD, HASH, "")
    cache.forget(["c"])
    cache.close()
    again = StatCache(path, "key")
    assert again.get(name, OLD) == (OLD, HASH, "")
    found = again.get("b", OLD)
    assert found is not None
    assert found.skipped == "binary"
    assert again.get("c", OLD) is None
    again.close()


def test_another_stamp_proves_nothing() -> None:
    cache = StatCache(None, "key")
    cache.put("a", OLD, HASH, "")
    assert cache.get("a", OLD._replace(size=6)) is None
    assert cache.get("a", OLD._replace(mtime_ns=OLD.mtime_ns + 1)) is None


def test_recent_stamps_are_not_trusted() -> None:
    cache = StatCache(None, "key")
    cache.put("a", OLD, HASH, "")
    now = FileStamp(time.time_ns(), 5)
    cache.put("a", now, HASH, "")
    assert cache.get("a", now) is None
    assert cache.get("a", OLD) is None


def test_other_rules_start_empty(tmp_path: Path) -> None:
    path = tmp_path / "files.sqlite3"
    cache = StatCache(path, "key")
    cache.put("a", OLD, HASH, "")
    cache.close()
    other = StatCache(path, "other key")
    assert other.get("a", OLD) is None
    other.close()


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "files.sqlite3"
    path.write_bytes(b"this is no database" * 100)
    cache = StatCache(path, "key")
    cache.put("a", OLD, HASH, "")
    cache.close()
    again = StatCache(path, "key")
    assert again.get("a", OLD) is not None
    again.close()


def test_without_a_place_to_write_it_works_in_memory(tmp_path: Path) -> None:
    cache = StatCache(tmp_path / "missing" / "files.sqlite3", "key")
    cache.put("a", OLD, HASH, "")
    cache.save()
    assert cache.get("a", OLD) is not None
