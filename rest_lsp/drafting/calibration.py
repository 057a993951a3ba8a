"""What acceptance taught about the fitted confidence: a correction for each (source, match length, depth).

Plain numbers that are learnt online, forgotten slowly and bounded; where they are kept is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_lsp.drafting import traits as t
from rest_lsp.drafting.confidence import Evidence

KINDS = ("through", "completions", "deleted", "both", "document", "repository", "library", "successors")
N_LENGTHS = 6
"""0, 1, 2, 3 to 4, 5 to 8, and longer matches."""
N_DEPTHS = 4
"""Levels 1, 2, 3 to 4, and deeper ones."""

_CAUTION = 8.0
"""Information that the fitted prior counts as: so much is needed before experience weighs as much."""

_MEMORY = 60.0
"""Information beyond which the oldest fades: some thousand guesses."""

_FURTHEST = 2.0


class Calibration:
    """A shift of log-odds for each cell, estimated by Newton steps on what guesses promised and kept.  One thread."""

    def __init__(self) -> None:
        n_cells = len(KINDS) * N_LENGTHS * N_DEPTHS
        self.shifts = [0.0] * n_cells
        self._information = [0.0] * n_cells
        self.observed = 0

    @staticmethod
    def cell(evidence: Evidence, depth: int) -> int:
        """The cell of a guess `depth` levels below the root (0 for its children)."""
        length = evidence.length - depth
        bucket = length if length < 3 else (3 if length < 5 else 4 if length < 9 else 5)
        level = depth if depth < 2 else (2 if depth < 4 else 3)
        return (_kind(evidence.traits) * N_LENGTHS + max(bucket, 0)) * N_DEPTHS + level

    def observe(self, cell: int, promised: float, kept: bool) -> None:
        """A guess that promised to be right with this chance turned out so, or not."""
        information = self._information[cell] + promised * (1.0 - promised)
        shift = self.shifts[cell] + (float(kept) - promised) / (_CAUTION + information)
        self.shifts[cell] = max(-_FURTHEST, min(_FURTHEST, shift))
        self._information[cell] = min(information, _MEMORY)
        self.observed += 1

    def to_json(self) -> dict[str, Any]:
        """Cells that learnt something, by number."""
        return {
            str(cell): [round(self.shifts[cell], 4), round(information, 3)]
            for cell, information in enumerate(self._information)
            if information
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Calibration:
        """Raises ValueError, TypeError or IndexError when these are no cells."""
        calibration = cls()
        for name, (shift, information) in kept.items():
            cell = int(name)
            if cell < 0 or not (abs(shift) <= _FURTHEST and 0 <= information <= _MEMORY):
                raise ValueError(f"Cell {name} is out of range.")
            calibration.shifts[cell], calibration._information[cell] = float(shift), float(information)
        return calibration


@cache
def _kind(traits: int) -> int:
    in_document, in_repository = traits & (t.BEFORE | t.AFTER), traits & t.REPOSITORY
    for bit, kind in ((t.THROUGH, "through"), (t.COMPLETED, "completions"), (t.DELETED, "deleted")):
        if traits & bit:
            return KINDS.index(kind)
    if in_document and in_repository:
        return KINDS.index("both")
    if in_document or in_repository:
        return KINDS.index("document" if in_document else "repository")
    return KINDS.index("library" if traits & t.LIBRARY else "successors")
