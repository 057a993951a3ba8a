"""One line or several?  Decided from the text around the cursor alone."""

from __future__ import annotations

from typing import Literal

from rest_lsp.completion.layout import indent_width, opens_block
from rest_lsp.completion.snapshot import Snapshot

HARMLESS_AFTER_CURSOR = frozenset(")]}\"'`>;,: \t")
MAX_AFTER_CURSOR = 8


Mode = Literal["auto", "always", "never"]


def is_multiline(snapshot: Snapshot, mode: Mode = "auto") -> bool:
    """Several lines where a block is missing: on a blank line, or behind an opener whose body is not there yet.

    Text behind the cursor always means one line: more would have to be woven into it.
    """
    if mode != "auto":
        return mode == "always"
    if snapshot.is_blank_line:
        return True
    if snapshot.line_after.strip() or not opens_block(snapshot.line_before, snapshot.language):
        return False
    below = snapshot.next_line
    return below is None or indent_width(below) <= indent_width(snapshot.line_before)


def is_unwanted(snapshot: Snapshot) -> bool:
    """Whether an automatic suggestion would be in the way: inside a word, or far from the end of a line."""
    before, after = snapshot.line_before[-1:], snapshot.line_after
    if _is_word(before) and _is_word(after[:1]):
        return True
    return sum(char not in HARMLESS_AFTER_CURSOR for char in after) > MAX_AFTER_CURSOR


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
