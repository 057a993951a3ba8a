"""What is known of the place where a guess was read, as bits, so that places merge with a single `or`."""

from __future__ import annotations

BEFORE = 1 << 0
"""In the live document, before the cursor."""
CLOSE = 1 << 1
"""There, and among the last tokens."""
AFTER = 1 << 2
"""In the live document, behind the cursor."""
REPOSITORY = 1 << 3
"""In another file of the workspace."""
OPEN = 1 << 4
"""In a file that is open in the editor, as it is there now."""
IMPORTED = 1 << 5
"""In a file that the document imports."""
NEIGHBOUR = 1 << 6
"""In a file of the same folder, or one named like the document."""
LIBRARY = 1 << 7
"""In an installed package or the standard library."""
COMPLETED = 1 << 8
"""In a recent completion."""
THROUGH = 1 << 9
"""In the rest of a completion that is being typed through."""
DELETED = 1 << 10
"""In text that was deleted here."""
SUCCESSOR = 1 << 11
"""What the model put first when it last stood behind the same token."""
OTHER = 1 << 12
"""What it put after that."""
TYPED = 1 << 13
"""The typed text is spelled with it."""

NAMES = (
    "before", "close", "after", "repository", "open", "imported", "neighbour", "library", "completed", "through",
    "deleted", "successor", "other", "typed",
)  # fmt: skip
"""Names of the bits, lowest first."""

WITNESSES = (BEFORE | AFTER, REPOSITORY | LIBRARY, COMPLETED | THROUGH, DELETED)
"""Kinds of text."""


def n_witnesses(traits: int) -> int:
    """How many kinds of text know the same continuation."""
    return sum(1 for kind in WITNESSES if traits & kind)
