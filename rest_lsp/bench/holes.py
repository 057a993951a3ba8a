"""Cuts a case's hole out of its file: what somebody would see in the editor who has not written it yet.

Knows files and positions.  The whole file must be left out of the datastore while its hole is completed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rest_lsp.bench.cases import Case, CaseError
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.errors import RequestError
from rest_lsp.languages import language_of
from rest_lsp.positions import Position, TextPositions


@dataclass(frozen=True)
class Hole:
    """`text` is the document without `truth`, which stood at `offset` (code points)."""

    case: Case
    text: str
    offset: int
    truth: str

    @property
    def request(self) -> CompletionRequest:
        """The completion that is asked for: the cursor where the hole was."""
        language = language_of(self.case.path)
        return CompletionRequest(text=self.text, offset=self.offset, path=self.case.path, language=language)


def cut_hole(workspace: Path, case: Case) -> Hole:
    """Raises CaseError when the file cannot be read as UTF-8 or the hole does not lie in it."""
    try:
        text = (workspace / case.path).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(
            f"Case {case.id} needs the file {workspace / case.path}, which cannot be read: {error}.",
            "Choose the workspace that the cases were made for with --workspace.",
        ) from error
    positions = TextPositions(text)
    start, end = (_offset(positions, place, case) for place in (case.start, case.end))
    return Hole(case, text[:start] + text[end:], start, text[start:end])


def _offset(positions: TextPositions, place: Position, case: Case) -> int:
    try:
        return positions.offset(place)
    except RequestError as error:
        raise CaseError(
            f"The hole of case {case.id} does not lie in {case.path}. {error.message}",
            "Make the cases anew from this version of the workspace.",
        ) from error
