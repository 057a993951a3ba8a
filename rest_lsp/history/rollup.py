"""What a batch of events adds to the sums by minute, hour and day, so that questions never read single events."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping

from rest_lsp.history.events import Completion, Request, Shown, Taken
from rest_lsp.history.schema import DAY, HOUR, MINUTE

BINS_PER_OCTAVE = 8
"""Of waiting times: a percentile is right to 4.5 %."""

N_PROMISES = 20
"""Bins of promised probability."""

COUNTS = (
    "requests",
    "asked",
    "from_cache",
    "returned",
    "tokens",
    "passes",
    "drafted",
    "accepted",
    "prompt_tokens",
    "reused",
    "saved_ms",
    "decode_ms",
    "shown",
    "taken",
    "characters",
)
WorkspaceId = Callable[[str], int]
Key = tuple[int | str, ...]


class Rollup:
    """Sums up one batch in memory; `write` adds them to the record's tables in the caller's transaction."""

    def __init__(self, workspace_id: WorkspaceId) -> None:
        self._workspace_id = workspace_id
        self._buckets: defaultdict[Key, list[float]] = defaultdict(lambda: [0] * len(COUNTS))
        self._waits: defaultdict[Key, list[float]] = defaultdict(lambda: [0])
        self._sources: defaultdict[Key, list[float]] = defaultdict(lambda: [0, 0])
        self._promises: defaultdict[Key, list[float]] = defaultdict(lambda: [0, 0.0, 0])
        self._costs: defaultdict[Key, list[float]] = defaultdict(lambda: [0, 0.0])

    def add(self, event: Request | Shown | Taken) -> None:
        workspace = self._workspace_id(event.workspace)
        if isinstance(event, Shown):
            self._count(event.at, workspace, {"shown": event.times})
        elif isinstance(event, Taken):
            self._count(event.at, workspace, {"taken": event.times, "characters": event.times * event.characters})
        else:
            self._request(event, workspace)

    def write(self, connection: sqlite3.Connection) -> None:
        for table, keys, columns, sums in (
            ("buckets", ("width", "start", "workspace"), COUNTS, self._buckets),
            ("waits", ("width", "start", "workspace", "bin"), ("n",), self._waits),
            ("sources", ("start", "workspace", "path", "source"), ("tokens", "drafted"), self._sources),
            ("promises", ("start", "workspace", "bin"), ("n", "promised", "kept"), self._promises),
            ("costs", ("start", "model", "rows"), ("n", "ms"), self._costs),
        ):
            names = ", ".join((*keys, *columns))
            marks = ", ".join("?" * (len(keys) + len(columns)))
            added = ", ".join(f"{column} = {column} + excluded.{column}" for column in columns)
            connection.executemany(
                f"INSERT INTO {table}({names}) VALUES({marks}) ON CONFLICT({', '.join(keys)}) DO UPDATE SET {added}",
                [(*key, *values) for key, values in sums.items()],
            )

    def _count(self, at: float, workspace: int, counts: Mapping[str, float | None]) -> None:
        for width in (MINUTE, HOUR):
            sums = self._buckets[width, _start(at, width), workspace]
            for name, count in counts.items():
                sums[_AT[name]] += count or 0

    def _request(self, request: Request, workspace: int) -> None:
        completion = request.completion
        counts: dict[str, float | None] = {
            "requests": 1,
            "from_cache": request.from_cache,
            "returned": request.outcome == "returned",
        }
        if completion is not None:
            counts |= {
                "asked": 1,
                "tokens": completion.tokens,
                "passes": completion.forwards,
                "drafted": completion.drafted,
                "accepted": completion.accepted,
                "prompt_tokens": completion.prompt_tokens,
                "reused": completion.reused,
                "saved_ms": completion.saved_ms,
                "decode_ms": completion.decode_ms,
            }
            for width in (MINUTE, HOUR):
                self._waits[width, _start(request.at, width), workspace, wait_bin(request.wait_ms)][0] += 1
            self._passes(completion, _start(request.at, DAY), workspace)
        self._count(request.at, workspace, counts)

    def _passes(self, completion: Completion, day: int, workspace: int) -> None:
        for each in completion.passes:
            cost = self._costs[day, completion.model, each.rows]
            cost[0] += 1
            cost[1] += each.verify_ms
            for node in each.nodes:
                promise = self._promises[day, workspace, promise_bin(node.probability)]
                promise[0] += 1
                promise[1] += node.probability
                promise[2] += node.accepted
                source = self._sources[day, workspace, node.path, node.source]
                source[0] += node.accepted
                source[1] += 1


def wait_bin(ms: float) -> int:
    """The logarithmic bin of a waiting time."""
    return round(BINS_PER_OCTAVE * math.log2(max(ms, 1e-3)))


def wait_of(position: float) -> float:
    """Milliseconds at a place on the bins' scale."""
    return float(2.0 ** (position / BINS_PER_OCTAVE))


def promise_bin(probability: float) -> int:
    return min(N_PROMISES - 1, max(0, int(N_PROMISES * probability)))


def _start(at: float, width: int) -> int:
    return int(at // width) * width


_AT = {name: index for index, name in enumerate(COUNTS)}
