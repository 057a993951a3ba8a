"""Notifications that LSP does not know: Copilot's about suggestions, and ours."""

from __future__ import annotations

from typing import Any

from rest_lsp.server.acceptance import Acceptance
from rest_lsp.server.history import History

DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"
DID_FOCUS = "rest/didFocus"
"""The editor's window has the focus again."""

ACCEPTED_COMMAND = "rest.accepted"


class SuggestionReports:
    """Takes parameters of any shape; what does not name a suggestion of ours is ignored."""

    def __init__(self, acceptance: Acceptance, history: History) -> None:
        self._acceptance = acceptance
        self._history = history

    def shown(self, params: Any) -> None:
        """`{item}`: an editor shows it now."""
        name = _suggestion_of(params)
        if name is not None and self._acceptance.report_shown(name):
            self._history.show(name)

    def partially_accepted(self, params: Any) -> None:
        """`{item, acceptedLength}`: UTF-16 units from the start of the item's text to the end of what was taken."""
        name = _suggestion_of(params)
        length = params.get("acceptedLength") if isinstance(params, dict) else None
        if name is None or not isinstance(length, int) or length <= 0:
            return
        text = params["item"].get("insertText")
        taken = _cut(text, length) if isinstance(text, str) else ""
        rest = text[len(taken) :] if isinstance(text, str) else ""
        is_line = taken.endswith("\n") or rest.startswith(("\n", "\r\n"))
        self._acceptance.report(name, "line" if is_line else "word", len(taken) or length)


def _suggestion_of(params: Any) -> str | None:
    """The id in the command of the item."""
    try:
        command = params["item"]["command"]
        name = command["arguments"][0]
    except (TypeError, KeyError, IndexError):
        return None
    return name if command.get("command") == ACCEPTED_COMMAND and isinstance(name, str) else None


def _cut(text: str, n_units: int) -> str:
    return text.encode("utf-16-le", "surrogatepass")[: 2 * n_units].decode("utf-16-le", "replace")
