"""The commands of `workspace/executeCommand`.  Each returns plain data and shows nothing itself."""

from __future__ import annotations

import platform
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rest_lsp.errors import RequestError
from rest_lsp.server.acceptance import KINDS, Acceptance
from rest_lsp.server.configuration import Configuration
from rest_lsp.server.diagnosis import Diagnosis
from rest_lsp.server.explanation import explain
from rest_lsp.server.history import History
from rest_lsp.server.model_choice import ModelChoice
from rest_lsp.server.session import SessionKeeper
from rest_lsp.server.status import StatusBoard
from rest_lsp.server.usage import Usage

Command = Callable[..., Any]
"""Takes what the editor sent; answers at once or with something to await.  Raises RequestError for wrong arguments."""

DEFAULT_SNOOZE_MINUTES = 10


@dataclass
class Commands:
    """Names and what they do.  An argument that is left out is the same as null; more than there are, are ignored."""

    keeper: SessionKeeper
    status: StatusBoard
    configuration: Configuration
    history: History
    acceptance: Acceptance
    choice: ModelChoice
    diagnosis: Diagnosis
    recent_log: deque[str]
    describe_client: Callable[[], dict[str, Any]]
    usage: Usage

    def by_name(self) -> dict[str, Command]:
        return {
            "rest.stats": self.stats,
            "rest.reindex": self.reindex,
            "rest.toggle": self.toggle,
            "rest.snooze": self.snooze,
            "rest.explainLast": self.explain_last,
            "rest.debugInfo": self.debug_info,
            "rest.doctor": self.doctor,
            "rest.models": self.models,
            "rest.chooseModel": self.choose_model,
            "rest.accepted": self.accepted,
        }

    def stats(self, *_: object) -> dict[str, Any]:
        """Counts since the start, what completions cost in this session, and the status."""
        session = self.keeper.session
        return {
            **self.history.summary(),
            "suggestions": self.acceptance.summary(),
            "engine": self.usage.summary(),
            "costs": session.stats.summary().as_json() if session is not None else None,
            "status": self.status.full(),
        }

    def reindex(self, *_: object) -> dict[str, Any]:
        """Start to bring the index up to date; `started` is false when there is none."""
        return {"started": self.keeper.reindex()}

    def toggle(self, language: object = None, enabled: object = None, *_: object) -> dict[str, Any]:
        """Switch completions off, or on again: everywhere, or in one language."""
        if not isinstance(language, str | None) or not isinstance(enabled, bool | None):
            raise RequestError("rest.toggle cannot use that.", "It takes a language or null, then true or false.")
        return self.status.switches.toggle(language, enabled)

    def snooze(self, minutes: object = None, *_: object) -> dict[str, Any]:
        """No completions for some minutes; 0 ends that."""
        if minutes is None:
            minutes = DEFAULT_SNOOZE_MINUTES
        if not isinstance(minutes, (int, float)) or isinstance(minutes, bool) or not 0 <= minutes <= 60 * 24 * 7:
            raise RequestError("rest.snooze cannot use that.", "It takes a number of minutes, at most a week.")
        return self.status.switches.snooze(minutes)

    def explain_last(self, *_: object) -> dict[str, Any] | None:
        """The files and lines that the completion shown last was drafted from; null before the first."""
        return explain(self.history.last_shown())

    def debug_info(self, *_: object) -> dict[str, Any]:
        """What to put into a bug report; holds paths but no code."""
        return {
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            **self.describe_client(),
            **self.stats(),
            "log": list(self.recent_log),
        }

    def doctor(self, *_: object) -> Any:
        """Every check of the installation, with a reason and a fix each."""
        return self.diagnosis.run(self.configuration.loaded, self.configuration.root)

    def models(self, *_: object) -> Any:
        """The models that can be chosen by name, and the one that is loaded."""
        return self.choice.listed(self.keeper.session)

    def choose_model(self, name: object = None, *_: object) -> dict[str, Any]:
        """Start to load another model for this session."""
        if not isinstance(name, str) or not name:
            raise RequestError("rest.chooseModel was given no name.", "It takes a name, a path or a hub id.")
        self.choice.choose(name)
        return {"started": True}

    def accepted(
        self, suggestion: object = None, kind: object = "whole", characters: object = None, *_: object
    ) -> dict[str, Any]:
        """A suggestion was taken: `whole`, or a `word` or `line` of it with so many characters."""
        if not isinstance(suggestion, str) or kind not in KINDS or not isinstance(characters, int | None):
            raise RequestError(
                "rest.accepted was given something else.",
                f"It takes an item's id, {' or '.join(KINDS)}, and a number or null.",
            )
        return {"recorded": self.acceptance.report(suggestion, kind, characters)}
