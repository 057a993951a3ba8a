"""What became of suggestions: shown, taken whole or in part.  Numbers for the person; knows nothing of the protocol.

A suggestion keeps its id while it is typed through, so that it counts once however often its rest is offered.
"""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

Kind = Literal["whole", "word", "line"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_KEPT = 256


class Taking(NamedTuple):
    """One act of taking a suggestion, or a part of it."""

    kind: Kind
    characters: int


@dataclass
class _Suggestion:
    """`missing` is how much of its text was missing when it was offered last.

    An act is seen twice, as an edit and as a report, in either order: each waits here for the other.
    """

    missing: int
    is_shown: bool = False
    reported: deque[Taking] = field(default_factory=deque)
    inferred: deque[Taking] = field(default_factory=deque)


class Acceptance:
    """Counts since the start, and the last suggestions, by id.  Belongs to the event loop."""

    def __init__(
        self,
        on_shown: Callable[[int], None] = lambda _: None,
        on_taken: Callable[[str, Taking, int], None] = lambda *_: None,
    ) -> None:
        """Whoever listens is told each count by which something changes: 1, or -1 when it was taken for something."""
        self._on_shown, self._on_taken = on_shown, on_taken
        self._counts: Counter[str] = Counter()
        self._characters = 0
        self._numbers = itertools.count(1)
        self._known: OrderedDict[str, _Suggestion] = OrderedDict()
        self._client_reports_shown = False

    def offer(self, missing: int, suggestion_id: str = "", *, is_first: bool = True) -> str:
        """Hand out a new suggestion, or the rest of a known one; taking it saves typing `missing` characters.

        One that is not the first is shown only when somebody pages to it.
        """
        suggestion = self._known.get(suggestion_id)
        if suggestion is None:
            suggestion_id, suggestion = f"s{next(self._numbers)}", _Suggestion(missing)
            self._known[suggestion_id] = suggestion
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        suggestion.missing = missing
        if is_first and not self._client_reports_shown:
            # Most editors show what they get and never say so.
            self._count_shown(suggestion)
        return suggestion_id

    def report_shown(self, suggestion_id: str) -> bool:
        """The editor says that it shows the suggestion; False when it is not known (any more)."""
        if not self._client_reports_shown:
            self._client_reports_shown = True
            self._forget_unreported()
        suggestion = self._known.get(suggestion_id)
        if suggestion is not None:
            self._count_shown(suggestion)
        return suggestion is not None

    def report(self, suggestion_id: str, kind: Kind, characters: int | None = None) -> bool:
        """The editor says that it was taken, or `characters` of it; False when it is not known (any more)."""
        suggestion = self._known.get(suggestion_id)
        if suggestion is None:
            return False
        if suggestion.inferred:
            seen = suggestion.inferred.popleft()
            self._count(suggestion_id, seen, -1)
            self._counts["inferred"] -= 1
            self._count(suggestion_id, Taking(kind, seen.characters))
        else:
            if characters is None:
                characters = suggestion.missing if kind == "whole" else 0
            taking = Taking(kind, min(max(0, characters), suggestion.missing))
            self._count(suggestion_id, taking)
            suggestion.reported.append(taking)
        return True

    def infer(self, suggestion_id: str, kind: Kind, characters: int) -> None:
        """An edit looks as if it had been taken."""
        suggestion = self._known.get(suggestion_id)
        if suggestion is None:
            return
        if suggestion.reported:
            known = suggestion.reported.popleft()
            self._count(suggestion_id, known, -1)
            self._count(suggestion_id, Taking(known.kind, characters))
        else:
            taking = Taking(kind, characters)
            self._count(suggestion_id, taking)
            self._counts["inferred"] += 1
            suggestion.inferred.append(taking)

    def typed(self, characters: int) -> None:
        """Somebody typed what was suggested."""
        self._counts["typed_through"] += characters

    def summary(self) -> dict[str, Any]:
        """Counts for people; `inferred` are those of the accepted that only the edit told of."""
        return {
            "shown": self._counts["shown"],
            **{f"accepted_{kind}": self._counts[kind] for kind in KINDS},
            "inferred": self._counts["inferred"],
            "characters_not_typed": self._characters,
            "characters_typed_through": self._counts["typed_through"],
        }

    def _count(self, suggestion_id: str, taking: Taking, sign: int = 1) -> None:
        self._counts[taking.kind] += sign
        self._characters += sign * taking.characters
        self._on_taken(suggestion_id, taking, sign)

    def _count_shown(self, suggestion: _Suggestion) -> None:
        if not suggestion.is_shown:
            suggestion.is_shown = True
            self._counts["shown"] += 1
            self._on_shown(1)

    def _forget_unreported(self) -> None:
        """Until the first report every suggestion was taken for shown."""
        for suggestion in self._known.values():
            if suggestion.is_shown:
                self._counts["shown"] -= 1
                self._on_shown(-1)
            suggestion.is_shown = False
