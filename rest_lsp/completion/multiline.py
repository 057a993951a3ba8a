"""One line or several, or better none?  Decided from the text around the cursor and its syntax alone."""

from __future__ import annotations

from typing import Literal

from rest_lsp.completion.layout import indent_width, is_word, opens_block
from rest_lsp.completion.snapshot import Snapshot
from rest_lsp.syntax.parsed import Scope

HARMLESS_AFTER_CURSOR = frozenset(")]}\"'`>;,: \t")
MAX_AFTER_CURSOR = 8


Mode = Literal["auto", "always", "never"]


def is_multiline(snapshot: Snapshot, mode: Mode = "auto") -> bool:
    """Several lines where a block is missing: on a blank line, or behind an opener whose body is not there yet.

    Text behind the cursor always means one line: more would have to be woven into it.  So do comments and strings.
    """
    if mode != "auto":
        return mode == "always"
    if snapshot.scope is not Scope.CODE:
        return False
    if snapshot.is_blank_line:
        return True
    if snapshot.line_after.strip() or not opens_block(snapshot.line_before, snapshot.language):
        return False
    below = snapshot.next_line
    return below is None or indent_width(below) <= indent_width(snapshot.line_before)


def is_unwanted(snapshot: Snapshot) -> bool:
    """Whether an automatic suggestion would be in the way: inside a word or text, or far from the end of a line."""
    after = snapshot.line_after
    if is_word(snapshot.line_before[-1:]) and snapshot.is_within_word:
        return True
    if snapshot.scope is Scope.COMMENT and (not _has_words(snapshot.literal_before) or not _only_ends(after)):
        return True
    if snapshot.scope is Scope.STRING and not _only_ends(after[:1]):
        return True
    return sum(char not in HARMLESS_AFTER_CURSOR for char in after) > MAX_AFTER_CURSOR


def _only_ends(after: str) -> bool:
    return all(char in HARMLESS_AFTER_CURSOR or char in "*/-" for char in after)


def _has_words(comment: str) -> bool:
    """Whether a comment says something already; before that, what it is to say is anybody's guess."""
    return any(is_word(char) for char in comment)
