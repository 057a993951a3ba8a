"""What the datastore tells its users about itself: plain data that also travels between processes as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class IndexProgress(NamedTuple):
    """`done` of `total` files; `stage` is "list", "index" or "merge".  `tokens` so far; `seconds_left` when known."""

    stage: str
    done: int
    total: int
    tokens: int = 0
    seconds_left: float | None = None


ProgressCallback = Callable[[IndexProgress], None]


@dataclass(frozen=True)
class RefreshReport:
    """What one reconciliation found and did.

    files, tokens, segments, generation   the datastore afterwards
    added, changed, removed               files, against the datastore before
    tokenised                             files that had to be tokenised; the rest was known by its content
    skipped                               files left out, by reason
    is_writer                             False: another process keeps this datastore current, nothing was done here
    """

    files: int = 0
    tokens: int = 0
    segments: int = 0
    generation: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    tokenised: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    is_writer: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class DatastoreStatus:
    """The state now.  `path` is the folder on disk; `in_memory` says that it cannot be written, `notices` why.

    dead_tokens      of deleted and replaced documents that are still kept, in case they come back
    disk_bytes       of the folder
    age_s            since the last change was committed; None when nothing ever was
    segment_tokens   of each segment, oldest first: [living, dead]
    watcher          how changes are found now, by whatever process: "events", "comparing" only, or "none"
    compared_s       since the last full comparison of a watcher; None when there never was one
    tiers            shared stores that are drafted from besides: [name, tokens]
    """

    path: str
    tokens: int
    files: int
    segments: int
    generation: int
    buffers: int
    indexing: bool
    watching: bool
    in_memory: bool
    notices: tuple[str, ...] = ()
    dead_tokens: int = 0
    disk_bytes: int = 0
    age_s: float | None = None
    segment_tokens: tuple[tuple[int, int], ...] = ()
    tiers: tuple[tuple[str, int], ...] = ()
    watcher: str = "none"
    compared_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)
