"""Degenerate repetition: a model that has run into a loop.  Pure functions over text and lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_PERIOD_LINES = 4
MAX_PERIOD_CHARACTERS = 80
NUMBERED_REPEATS = 8

_DIGITS = re.compile(r"\d+")


class LineLoop(NamedTuple):
    """The last `period` × `repeats` lines are one unit over and over."""

    period: int
    repeats: int


def find_line_loop(lines: Sequence[str]) -> LineLoop | None:
    """A loop that the last of `lines` completes: one line four times, several lines three times.

    A line that differs only in its numbers may come eight times; tables and enumerations do that.
    """
    for period in range(1, MAX_PERIOD_LINES + 1):
        repeats = 4 if period == 1 else 3
        unit = lines[-period:]
        if _ends_with(lines, unit, repeats) and any(line.strip() for line in unit):
            return LineLoop(period, repeats)
    numbered = [_DIGITS.sub("0", line) for line in lines[-NUMBERED_REPEATS:]]
    if len(numbered) == NUMBERED_REPEATS and len(set(numbered)) == 1 and numbered[0].strip():
        return LineLoop(1, NUMBERED_REPEATS)
    return None


def ends_in_loop(line: str) -> bool:
    """Whether the end of `line` is one piece over and over: six times, or four times when it is ten characters or more.

    A ruler of one character ("# ------") is no loop until it is longer than any line of code.
    """
    for period in range(1, min(MAX_PERIOD_CHARACTERS, len(line) // 4) + 1):
        unit = line[-period:]
        repeats = 120 if len(set(unit)) == 1 else 4 if period >= 10 else 6
        if len(line) >= period * repeats and line.endswith(unit * repeats) and unit.strip():
            return True
    return False


def _ends_with(lines: Sequence[str], unit: Sequence[str], repeats: int) -> bool:
    period = len(unit)
    if len(lines) < period * repeats:
        return False
    return all(lines[-period * (k + 1) : len(lines) - period * k] == unit for k in range(1, repeats))
