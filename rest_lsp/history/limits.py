"""Keeps the record within its size: the finest grain and the oldest rows go first, sums by hour and day last."""

from __future__ import annotations

import sqlite3

from rest_lsp.history.schema import DAY, MINUTE, used_bytes

KEPT_DETAILS = 500
"""Completions whose trees can still be looked at."""

KEPT_MINUTES_S = 2 * DAY
"""Older times are shown by the hour."""

KEPT_SAMPLES_S = 60 * DAY
_SHARE = 0.2


def forget_fine_grain(connection: sqlite3.Connection, now: float) -> None:
    """What nobody can see any more, in the caller's transaction."""
    connection.execute(
        "DELETE FROM details WHERE request <= (SELECT request FROM details ORDER BY request DESC LIMIT 1 OFFSET ?)",
        (KEPT_DETAILS,),
    )
    for table in ("buckets", "waits"):
        connection.execute(f"DELETE FROM {table} WHERE width = ? AND start < ?", (MINUTE, now - KEPT_MINUTES_S))
    connection.execute("DELETE FROM samples WHERE at < ?", (now - KEPT_SAMPLES_S,))


def keep_within(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Delete until the record fits and give its file's end back, in transactions of its own."""
    while used_bytes(connection) > max_bytes:
        connection.execute("BEGIN IMMEDIATE")
        gone = _forget_requests(connection) or _forget_days(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA incremental_vacuum").fetchall()
        if not gone:
            return


def _forget_requests(connection: sqlite3.Connection) -> bool:
    """The oldest fifth of the single requests."""
    first, last = connection.execute("SELECT min(id), max(id) FROM requests").fetchone()
    if first is None:
        return False
    border = first + max(1, int(_SHARE * (last - first + 1)))
    connection.execute("DELETE FROM details WHERE request < ?", (border,))
    return connection.execute("DELETE FROM requests WHERE id < ?", (border,)).rowcount > 0


def _forget_days(connection: sqlite3.Connection) -> bool:
    """The oldest day of all sums."""
    oldest = connection.execute(
        "SELECT min(start) FROM (SELECT min(start) start FROM buckets UNION SELECT min(start) FROM sources)"
    ).fetchone()[0]
    if oldest is None:
        return False
    border = (oldest // DAY + 1) * DAY
    tables = ("buckets", "waits", "sources", "promises", "costs")
    return sum(connection.execute(f"DELETE FROM {table} WHERE start < ?", (border,)).rowcount for table in tables) > 0
