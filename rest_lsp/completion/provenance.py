"""Where the shown text was drafted from: accepted tokens merged into a short list of files and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rest_lsp.completion.request import SourceUse
from rest_lsp.datastore.occurrence import Origin

LineOf = Callable[[Origin], int | None]


class AcceptedToken(NamedTuple):
    """A decoded token: where in the text it begins, and where its draft was read (None for the model's own pick)."""

    start: int
    origin: Origin | None


def used_sources(tokens: Iterable[AcceptedToken], line_of: LineOf) -> tuple[SourceUse, ...]:
    """The sources of `tokens`, most used first.

    A run of tokens from the same file whose lines follow each other counts as one use, at its first line.
    """
    counts: dict[tuple[str, int | None], int] = {}
    path: str | None = None
    first: int | None = None
    last: int | None = None
    for token in tokens:
        if token.origin is None:
            continue
        line = line_of(token.origin)
        if token.origin.path != path or not _follows(line, last):
            path, first = token.origin.path, line
        last = line
        counts[token.origin.path, first] = counts.get((token.origin.path, first), 0) + 1
    uses = [SourceUse(source, line, n) for (source, line), n in counts.items()]
    return tuple(sorted(uses, key=lambda use: (-use.tokens, use.path, -1 if use.line is None else use.line)))


def surviving(tokens: Sequence[AcceptedToken], written: str, shown: str) -> list[AcceptedToken]:
    """The tokens of `written` that are still to be seen in `shown`."""
    return [tokens[index] for index in surviving_tokens([token.start for token in tokens], written, shown)]


def surviving_tokens(starts: Sequence[int], written: str, shown: str) -> list[int]:
    """Indices of the tokens of `written` that are still to be seen in `shown`, which lacks blanks and some of the end.

    `starts[i]` is where token i begins.  Blanks may come and go anywhere, so places are compared by the number of other
    characters before them.  A token that only reproduced typed text is not to be seen either.
    """
    n_shown, n_before, kept = _n_visible(shown), 0, []
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], len(written)], strict=False)):
        if end > start and n_before < n_shown:
            kept.append(index)
        n_before += _n_visible(written[start:end])
    return kept


def _follows(line: int | None, last: int | None) -> bool:
    if line is None or last is None:
        return line is last
    return 0 <= line - last <= 1


def _n_visible(text: str) -> int:
    return sum(not char.isspace() for char in text)
