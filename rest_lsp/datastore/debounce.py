"""Collects hints until they are quiet: one save, or one checkout of a thousand files, becomes one piece of work."""

from __future__ import annotations

QUIET_S = 0.15
LONGEST_WAIT_S = 0.4
STORM_QUIET_S = 0.5
STORM_LONGEST_WAIT_S = 5.0
STORM_PATHS = 200


class Debounce:
    """Pure bookkeeping; the caller brings the time (seconds, monotonic)."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self._first = 0.0
        self._last = 0.0

    def add(self, path: str, now: float) -> None:
        """Note a path that may have changed."""
        if not self.paths:
            self._first = now
        self._last = now
        self.paths.add(path)

    @property
    def is_storm(self) -> bool:
        """So many paths that comparing everything is cheaper."""
        return len(self.paths) > STORM_PATHS

    def due_at(self, *, hold: bool = False) -> float | None:
        """When to take the paths; None without any.  `hold` (git is at work) waits as long as a storm does."""
        if not self.paths:
            return None
        if hold:
            return self._first + STORM_LONGEST_WAIT_S
        if self.is_storm:
            return min(self._last + STORM_QUIET_S, self._first + STORM_LONGEST_WAIT_S)
        return min(self._last + QUIET_S, self._first + LONGEST_WAIT_S)

    def take(self) -> set[str]:
        """The paths; none are left."""
        paths, self.paths = self.paths, set()
        return paths
