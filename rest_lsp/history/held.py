"""What serving processes held over a range of time.  Each window samples all of its process, so figures are shared."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from rest_lsp.history.schema import MINUTE

_TOGETHER_S = 15 * MINUTE
"""Processes that spoke within so long are taken to have been there at one time, those further apart are not."""


class _Holders(NamedTuple):
    """Whose a sample's figures are, by kind: a process's memory, its model's caches, the workspace's index."""

    memory: tuple[Any, ...]
    kv: tuple[Any, ...]
    store: tuple[Any, ...]


def held(connection: sqlite3.Connection, starts: Sequence[int], step: int, only: str) -> dict[str, list[float | None]]:
    """Bytes at each of `starts`, what windows share counted once; `only` is SQL that narrows samples down."""
    samples = _samples(connection, starts[0], min(step, _TOGETHER_S), only)
    return {kind: _averages(samples, kind, starts, step) for kind in _Holders._fields}


def _samples(connection: sqlite3.Connection, first: int, grain: int, only: str) -> list[tuple[sqlite3.Row, _Holders]]:
    """One row per window and moment, with what its figures belong to."""
    sessions = {
        row["id"]: row
        for row in connection.execute(
            "SELECT id, pid, started, json_extract(state, '$.model') AS model FROM sessions WHERE seen >= ?", (first,)
        )
    }
    rows = connection.execute(
        "SELECT CAST(at AS INTEGER) / ? * ? AS moment, session, workspace, avg(memory) AS memory, avg(kv) AS kv,"
        f" avg(store) AS store FROM samples WHERE at >= ?{only} GROUP BY moment, session, workspace",
        (grain, grain, first),
    )
    # A clock that was set back leaves samples of sessions that were not seen since.
    return [(row, _holders(row, sessions[row["session"]])) for row in rows if row["session"] in sessions]


def _holders(row: sqlite3.Row, session: sqlite3.Row) -> _Holders:
    process = (session["pid"], session["started"])
    return _Holders(process, (*process, session["model"]), (row["workspace"],))


def _averages(
    samples: Sequence[tuple[sqlite3.Row, _Holders]], kind: str, starts: Sequence[int], step: int
) -> list[float | None]:
    """Sums over holders at each moment, averaged over the moments of each step."""
    by_moment: defaultdict[int, defaultdict[tuple[Any, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, holders in samples:
        if row[kind] is not None:
            by_moment[row["moment"]][getattr(holders, kind)].append(row[kind])
    by_start: defaultdict[int, list[float]] = defaultdict(list)
    for moment, by_holder in by_moment.items():
        by_start[moment // step * step].append(sum(fmean(values) for values in by_holder.values()))
    return [fmean(by_start[at]) if at in by_start else None for at in starts]
