"""Which characters behind the cursor a suggestion writes itself, so that they must give way to it.  Pure functions."""

from __future__ import annotations

from rest_lsp.completion.brackets import end_of_string, open_quote, unmatched_closers
from rest_lsp.completion.layout import CLOSING
from rest_lsp.completion.snapshot import Snapshot

ENDS = ";,"


def n_replaced(text: str, snapshot: Snapshot) -> int:
    """How many closers behind the cursor `text` writes itself: "a):" before ")", 'x");' before '")'.

    Never more than it writes, in the same order, and nothing but closers and what ends a statement behind them.
    """
    rest = snapshot.line_after
    if not rest.strip():
        return 0
    written = _written_closers(text, snapshot)
    n = 0
    while n < len(rest) and n < len(written) and rest[n] == text[written[n]]:
        n += 1
    after = written[n - 1] + 1 if n else 0
    while n and n < len(rest) and rest[n] in ENDS and text[after : after + 1] == rest[n]:
        n, after = n + 1, after + 1
    return n


def _written_closers(text: str, snapshot: Snapshot) -> list[int]:
    """Indices in `text` of the closers of what is open at the cursor; the quote of an open string comes first."""
    quote = open_quote(snapshot.line_before, snapshot.language)
    if not quote:
        return [index for index in unmatched_closers(text, snapshot.language) if text[index] in CLOSING]
    end = end_of_string(text, quote)
    if end < 0 or open_quote(snapshot.line_before + text, snapshot.language):
        return []
    return [end, *(end + 1 + index for index in unmatched_closers(text[end + 1 :], snapshot.language))]
