"""The commands of `workspace/executeCommand`.  Each returns plain data and shows nothing itself."""

from __future__ import annotations

import platform
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from rest_lsp.server.history import History
from rest_lsp.server.session import SessionKeeper
from rest_lsp.server.status import StatusBoard

Command = Callable[[], Any]


class Commands:
    """Names and what they do."""

    def __init__(
        self,
        keeper: SessionKeeper,
        status: StatusBoard,
        history: History,
        recent_log: deque[str],
        describe_client: Callable[[], dict[str, Any]],
    ) -> None:
        self._keeper = keeper
        self._status = status
        self._history = history
        self._recent_log = recent_log
        self._describe_client = describe_client

    def by_name(self) -> dict[str, Command]:
        return {
            "rest.stats": self.stats,
            "rest.reindex": self.reindex,
            "rest.toggle": self.toggle,
            "rest.explainLast": self.explain_last,
            "rest.debugInfo": self.debug_info,
        }

    def stats(self) -> dict[str, Any]:
        """Counts since the start, what completions cost in this session, and the status."""
        session = self._keeper.session
        costs = session.stats.summary().as_json() if session is not None else None
        return {**self._history.summary(), "costs": costs, "status": self._status.full()}

    def reindex(self) -> dict[str, Any]:
        """Start to bring the index up to date; `started` is false when there is none."""
        return {"started": self._keeper.reindex()}

    def toggle(self) -> dict[str, Any]:
        """Switch completions off, or on again."""
        return {"enabled": self._status.toggle()}

    def explain_last(self) -> dict[str, Any] | None:
        """The files and lines that the last completion was drafted from; null before the first."""
        return self._history.explain_last()

    def debug_info(self) -> dict[str, Any]:
        """What to put into a bug report; holds paths but no code."""
        return {
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            **self._describe_client(),
            **self.stats(),
            "log": list(self._recent_log),
        }
