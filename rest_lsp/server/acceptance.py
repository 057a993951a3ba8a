"""What became of suggestions: shown, taken whole or in part.  Numbers for the person; knows nothing of the protocol.

A suggestion keeps its id while it is typed through, so that it counts once however often its rest is offered.
"""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["whole", "word", "line"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_KEPT = 64


@dataclass
class Suggestion:
    """One text that was handed to the editor; `text` is what of it was still missing when it was last offered."""

    id: str
    text: str
    is_shown: bool = False


class Acceptance:
    """Counts since the start, and the last suggestions, which reports name by id.  Belongs to the event loop."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._characters = 0
        self._numbers = itertools.count(1)
        self._known: OrderedDict[str, Suggestion] = OrderedDict()
        self._client_reports_shown = False

    def offer(self, text: str) -> str:
        """Take a new suggestion; returns its id."""
        suggestion = Suggestion(f"s{next(self._numbers)}", text)
        self._known[suggestion.id] = suggestion
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        if not self._client_reports_shown:
            # Most editors show what they get and never say so.
            self._count_shown(suggestion)
        return suggestion.id

    def report_shown(self, suggestion_id: str) -> bool:
        """The editor says that it shows the suggestion; False when it is not known (any more)."""
        if not self._client_reports_shown:
            self._client_reports_shown = True
            self._forget_unreported()
        suggestion = self._known.get(suggestion_id)
        if suggestion is not None:
            self._count_shown(suggestion)
        return suggestion is not None

    def report_accepted(self, suggestion_id: str, kind: Kind, characters: int | None = None) -> bool:
        """The person took it, or `characters` of it; False when it is not known (any more)."""
        suggestion = self._known.get(suggestion_id)
        if suggestion is None:
            return False
        self._counts[kind] += 1
        if characters is None:
            characters = len(suggestion.text) if kind == "whole" else 0
        self._characters += min(max(0, characters), len(suggestion.text))
        return True

    def summary(self) -> dict[str, Any]:
        """Counts for people."""
        return {
            "shown": self._counts["shown"],
            **{f"accepted_{kind}": self._counts[kind] for kind in KINDS},
            "characters_not_typed": self._characters,
        }

    def _count_shown(self, suggestion: Suggestion) -> None:
        if not suggestion.is_shown:
            suggestion.is_shown = True
            self._counts["shown"] += 1

    def _forget_unreported(self) -> None:
        """Until the first report every suggestion was taken for shown."""
        for suggestion in self._known.values():
            self._counts["shown"] -= suggestion.is_shown
            suggestion.is_shown = False
