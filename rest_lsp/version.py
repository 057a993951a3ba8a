"""The version, where it can be read in no time."""

from __future__ import annotations

__version__ = "0.1.0"


def as_numbers(version: str) -> tuple[int, ...]:
    """For comparing versions; what is no number counts as the end."""
    numbers = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
