"""How long work on model files reports its progress.  Knows nothing about bars or terminals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """`done` of `total` units of one stage; `total` is 0 when it is not known.

    Stages are "wait" (for another process), "download", "verify", "read" and "convert".
    """

    stage: str
    done: int
    total: int
    unit: str


Progress = Callable[[ProgressEvent], None]


def silent(event: ProgressEvent) -> None:
    """Report to nobody."""
