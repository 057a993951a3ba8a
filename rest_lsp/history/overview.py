"""What the dashboard shows at a glance, over a range of time: made of sums by minute and hour, never of events."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from rest_lsp.history.held import held
from rest_lsp.history.rollup import COUNTS, wait_of
from rest_lsp.history.schema import DAY, HOUR, MINUTE

PERCENTILES = (50, 95, 99)
_MOST_SOURCES = 25
_MOST_SESSIONS = 8


class Span(NamedTuple):
    """A range that can be looked at, and how finely: whole steps."""

    seconds: int
    step: int

    @property
    def width(self) -> int:
        """Of the sums that are read."""
        return MINUTE if self.step < HOUR else HOUR


SPANS = {
    "1h": Span(HOUR, MINUTE),
    "24h": Span(DAY, 15 * MINUTE),
    "7d": Span(7 * DAY, 2 * HOUR),
    "30d": Span(30 * DAY, 6 * HOUR),
    "1y": Span(366 * DAY, 3 * DAY),
}


class Range(NamedTuple):
    """From `first` to `last`, both starts of steps; `workspace` None means all of them."""

    span: Span
    first: int
    last: int
    workspace: int | None

    @classmethod
    def until(cls, now: float, span: Span, workspace: int | None) -> Range:
        last = int(now // span.step) * span.step
        return cls(span, last - span.seconds + span.step, last, workspace)

    @property
    def starts(self) -> list[int]:
        return list(range(self.first, self.last + 1, self.span.step))

    @property
    def first_day(self) -> int:
        return self.first // DAY * DAY

    @property
    def only(self) -> str:
        return "" if self.workspace is None else f" AND workspace = {self.workspace:d}"


def overview(connection: sqlite3.Connection, now: float, span: Span, workspace: int | None = None) -> dict[str, Any]:
    """Plain data.  Some milliseconds, however many events there have been."""
    asked = Range.until(now, span, workspace)
    return {
        "revision": revision(connection),
        "now": now,
        "step": span.step,
        "workspaces": [dict(row) for row in connection.execute("SELECT id, root FROM workspaces ORDER BY root")],
        **_counts(connection, asked),
        "waits": _waits(connection, asked),
        "memory": held(connection, asked.starts, span.step, asked.only),
        "sources": _sources(connection, asked),
        "kinds": _kinds(connection, asked),
        "promises": _promises(connection, asked),
        "costs": _costs(connection, asked),
        "sessions": _sessions(connection, workspace),
    }


def revision(connection: sqlite3.Connection) -> int:
    """Another number after every batch that was written."""
    return int(connection.execute("SELECT number FROM revision").fetchone()[0])


def _counts(connection: sqlite3.Connection, asked: Range) -> dict[str, Any]:
    sums = ", ".join(f"sum({name}) AS {name}" for name in COUNTS)
    rows = connection.execute(
        f"SELECT start / ? * ? AS at, {sums} FROM buckets WHERE width = ? AND start >= ?{asked.only} GROUP BY at",
        (asked.span.step, asked.span.step, asked.span.width, asked.first),
    )
    by_start = {row["at"]: row for row in rows}
    series = {name: [_value(by_start.get(at), name) for at in asked.starts] for name in COUNTS}
    return {
        "at": asked.starts,
        "series": series,
        "totals": {name: sum(value or 0 for value in values) for name, values in series.items()},
    }


def _value(row: sqlite3.Row | None, name: str) -> float | None:
    return None if row is None else row[name]


def _waits(connection: sqlite3.Connection, asked: Range) -> dict[str, Any]:
    rows = connection.execute(
        "SELECT start / ? * ? AS at, bin, sum(n) AS n FROM waits WHERE width = ? AND start >= ?"
        f"{asked.only} GROUP BY at, bin ORDER BY at, bin",
        (asked.span.step, asked.span.step, asked.span.width, asked.first),
    )
    by_start: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    together: defaultdict[int, int] = defaultdict(int)
    for row in rows:
        by_start[row["at"]].append((row["bin"], row["n"]))
        together[row["bin"]] += row["n"]
    whole = sorted(together.items())
    return {
        f"p{percent}": {
            "series": [percentile(by_start.get(at, ()), percent) for at in asked.starts],
            "total": percentile(whole, percent),
        }
        for percent in PERCENTILES
    }


def percentile(bins: Sequence[tuple[int, int]], percent: float) -> float | None:
    """Milliseconds; `bins` are (bin, count) in ascending order."""
    ends = list(accumulate(n for _, n in bins))
    if not ends:
        return None
    wanted = percent / 100 * ends[-1]
    index = next(i for i, end in enumerate(ends) if end >= wanted)
    number, n = bins[index]
    share = (wanted - (ends[index] - n)) / n
    return round(wait_of(number - 0.5 + share), 2)


def _sources(connection: sqlite3.Connection, asked: Range) -> list[dict[str, Any]]:
    """Files by the accepted tokens that were read in them."""
    rows = connection.execute(
        "SELECT path, root, sum(tokens) AS tokens, sum(drafted) AS drafted FROM sources"
        " JOIN workspaces ON workspaces.id = workspace"
        f" WHERE start >= ? AND path <> ''{asked.only} GROUP BY workspace, path"
        " ORDER BY tokens DESC, drafted, path LIMIT ?",
        (asked.first_day, _MOST_SOURCES),
    )
    return [dict(row) for row in rows]


def _kinds(connection: sqlite3.Connection, asked: Range) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT source, sum(tokens) AS tokens, sum(drafted) AS drafted FROM sources"
        f" WHERE start >= ?{asked.only} GROUP BY source ORDER BY tokens DESC",
        (asked.first_day,),
    )
    return [dict(row) for row in rows]


def _promises(connection: sqlite3.Connection, asked: Range) -> list[dict[str, Any]]:
    """Calibration: what drafted tokens promised, and how many of them were accepted."""
    rows = connection.execute(
        "SELECT bin, sum(n) AS n, sum(promised) / sum(n) AS promised, 1.0 * sum(kept) / sum(n) AS kept FROM promises"
        f" WHERE start >= ?{asked.only} GROUP BY bin ORDER BY bin",
        (asked.first_day,),
    )
    return [dict(row) for row in rows]


def _costs(connection: sqlite3.Connection, asked: Range) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT model, rows, sum(n) AS n, sum(ms) / sum(n) AS ms FROM costs WHERE start >= ?"
        " GROUP BY model, rows ORDER BY model, rows",
        (asked.first_day,),
    )
    return [dict(row) for row in rows]


def _sessions(connection: sqlite3.Connection, workspace: int | None) -> list[dict[str, Any]]:
    """The processes that were heard of last, with what they said of themselves."""
    only = "" if workspace is None else f" WHERE workspace = {workspace:d}"
    rows = connection.execute(
        "SELECT sessions.id, pid, started, seen, root, state FROM sessions JOIN workspaces ON workspaces.id = workspace"
        f"{only} ORDER BY seen DESC LIMIT ?",
        (_MOST_SESSIONS,),
    )
    return [{**dict(row), "state": json.loads(row["state"])} for row in rows]
