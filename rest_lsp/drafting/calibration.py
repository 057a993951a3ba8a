"""What acceptance taught about the fitted confidence: a correction for each (source, match length, depth).

Plain numbers that are learnt online, forgotten slowly and bounded; where they are kept is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rest_lsp.compiling import kernel
from rest_lsp.drafting.growth import (
    CHANCE,
    KNOWN_AS,
    MATCHED,
    N_DEPTHS,
    N_LENGTHS,
    PARENT,
    ROOT,
    TOKEN,
    Floats,
    Ints,
    cell,
)

KINDS = ("through", "completions", "deleted", "both", "document", "repository", "library", "successors")
"""In the order of `growth.cell`."""

UNCALIBRATED = np.zeros(len(KINDS) * N_LENGTHS * N_DEPTHS)
"""The shifts of one that learnt nothing."""

_CAUTION = 8.0
"""Information that the fitted prior counts as: so much is needed before experience weighs as much."""

_MEMORY = 60.0
"""Information beyond which the oldest fades: some thousand guesses."""

_LEAST, _MOST = -4.0, 2.0
"""What is never right must in the end cost next to nothing; what is right more often than was thought pays anyway."""


class Calibration:
    """A shift of log-odds for each cell, estimated by Newton steps on what guesses promised and kept.  One thread."""

    def __init__(self) -> None:
        self.shifts = UNCALIBRATED.copy()
        self._information = UNCALIBRATED.copy()
        self.observed = 0

    def observe_tree(self, ints: Ints, floats: Floats, tokens: Ints) -> None:
        """The guesses of a grown tree behind `tokens`, which the model wrote, as long as they follow it."""
        self.observed += _observe_tree(self.shifts, self._information, ints, floats, tokens)

    def to_json(self) -> dict[str, Any]:
        """Cells that learnt something, by number."""
        return {
            str(cell): [round(float(self.shifts[cell]), 4), round(information, 3)]
            for cell, information in enumerate(self._information.tolist())
            if information
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Calibration:
        """Raises ValueError, TypeError or IndexError when these are no cells."""
        calibration = cls()
        for name, (shift, information) in kept.items():
            cell = int(name)
            if cell < 0 or not (_LEAST <= shift <= _MOST and 0 <= information <= _MEMORY):
                raise ValueError(f"Cell {name} is out of range.")
            calibration.shifts[cell], calibration._information[cell] = float(shift), float(information)
        return calibration


@kernel
def _observe(shifts: Floats, information: Floats, cell: int, promised: float, kept: bool) -> None:
    informed = information[cell] + promised * (1.0 - promised)
    shift = shifts[cell] + ((1.0 if kept else 0.0) - promised) / (_CAUTION + informed)
    shifts[cell] = max(_LEAST, min(_MOST, shift))
    information[cell] = min(informed, _MEMORY)


@kernel
def _observe_tree(shifts: Floats, information: Floats, ints: Ints, floats: Floats, tokens: Ints) -> int:
    node, above, n_observed = ROOT, 1.0, 0
    for depth in range(len(tokens)):
        following = ROOT
        for child in range(node + 1, ints.shape[1]):
            if ints[PARENT, child] == node:
                kept = ints[TOKEN, child] == tokens[depth]
                at = cell(ints[MATCHED, child], ints[KNOWN_AS, child], depth)
                _observe(shifts, information, at, floats[CHANCE, child] / above, kept)
                n_observed += 1
                if kept:
                    following = child
        if following == ROOT:
            break
        node, above = following, floats[CHANCE, following]
    return n_observed
