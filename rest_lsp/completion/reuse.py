"""Suggestions that were made before, cut to what is still missing.  Pure: no model, no protocol, no clock.

Somebody who types what is suggested must go on seeing it, at once.  So an answer here is always what was shown, cut at
the front: taking it makes of the document exactly what taking the whole suggestion would have made of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rest_lsp.completion.request import CompletionRequest, CompletionResult, Outcome, StopReason, Trigger

KEPT = 200
NEAR_BEFORE, NEAR_AFTER = 600, 300
"""Characters around the cursor that must be the same for a suggestion to be the same."""
FAR_BEFORE, FAR_AFTER = 4000, 1500
"""Characters that must be mostly the same: what scrolls in or is edited out there changes little."""
SIMILAR = 0.8
"""Share of the far lines that must still be there."""
MAX_CLOSERS = 8
CLOSERS = frozenset(")]}>\"'`;,:")
"""What an editor puts behind the cursor by itself, and what a suggestion may replace there."""


@dataclass(frozen=True)
class Suggestion:
    """`result`, and the text around the range that it replaces.

    tag   of whoever keeps it, to know it again
    """

    path: str | None
    language: str
    before: str
    after: str
    starts_document: bool
    ends_document: bool
    result: CompletionResult
    tag: str


@dataclass(frozen=True)
class Reused:
    """`text` replaces `request.text[start:end]`; `n_typed` characters of the suggestion stand before."""

    text: str
    start: int
    end: int
    n_typed: int
    suggestion: Suggestion


class ReuseCache:
    """The last suggestions, those used last first.  Whoever changes the model clears it."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._suggestions: list[Suggestion] = []

    def add(self, request: CompletionRequest, result: CompletionResult, tag: str = "") -> None:
        """Keep what the model said, also that it said nothing, unless that was for lack of time."""
        is_answer = result.outcome is Outcome.RETURNED and result.text
        is_silence = result.outcome is Outcome.EMPTY and result.stop is not StopReason.BUDGET
        if not is_answer and not is_silence:
            return
        text = request.text
        added = Suggestion(
            path=request.path,
            language=request.language,
            before=text[max(0, result.start - FAR_BEFORE) : result.start],
            after=text[result.end : result.end + FAR_AFTER],
            starts_document=result.start <= FAR_BEFORE,
            ends_document=result.end + FAR_AFTER >= len(text),
            # Passes and their trees are looked at once, and would be kept here for as long as the suggestion.
            result=replace(result, trace=None),
            tag=tag,
        )
        self._suggestions = [added, *(kept for kept in self._suggestions if not _same_place(kept, added))][: self._kept]

    def find(self, request: CompletionRequest) -> list[Reused]:
        """What of earlier suggestions is still missing at the cursor; none when nothing is known of this place.

        An only one with an empty text says that the model had nothing to say here.
        """
        found: list[Reused] = []
        for suggestion in self._suggestions:
            if suggestion.path != request.path or suggestion.language != request.language:
                continue
            if request.trigger is Trigger.INVOKED and suggestion.result.stop is StopReason.BUDGET:
                continue  # Whoever asks by key has more time.
            known = _continued(suggestion, request)
            if known is None or any(_is_part(known.text, other.text) for other in found):
                continue
            found.append(known)
            if not known.text:
                break
        if found:
            self._suggestions.remove(found[0].suggestion)
            self._suggestions.insert(0, found[0].suggestion)
        return found

    def name(self, suggestion: Suggestion, tag: str) -> None:
        """From now on it is known by `tag`."""
        named = replace(suggestion, tag=tag)
        self._suggestions = [named if kept is suggestion else kept for kept in self._suggestions]

    def clear(self) -> None:
        self._suggestions.clear()


def _continued(suggestion: Suggestion, request: CompletionRequest) -> Reused | None:
    whole, cursor = suggestion.result.text, request.offset
    for n_typed in _typed(suggestion, request):
        missing = whole[n_typed:]
        for n_closers in _closers_in_the_way(suggestion, request, missing):
            if request.selected_text is not None:
                return _with_menu(suggestion, request, n_typed) if n_closers == 0 else None
            return Reused(missing, cursor, cursor + n_closers, n_typed, suggestion)
    return None


def _typed(suggestion: Suggestion, request: CompletionRequest) -> Iterator[int]:
    """How many characters of the suggestion may stand before the cursor already."""
    whole, text, cursor = suggestion.result.text, request.text, request.offset
    near = suggestion.before[-NEAR_BEFORE:]
    is_all = suggestion.starts_document and len(suggestion.before) <= NEAR_BEFORE
    lowest = max(0, cursor - len(whole) - len(near))
    at = text.rfind(near, lowest, cursor)
    while at >= 0:
        start = at + len(near)
        n_typed = cursor - start
        is_new = n_typed < len(whole) or (not whole and not n_typed)
        if (
            is_new
            and (at == 0 or not is_all)
            and text.startswith(whole[:n_typed], start)
            and _is_similar(suggestion.before, text[max(0, start - FAR_BEFORE) : start])
        ):
            yield n_typed
        at = text.rfind(near, lowest, at + len(near) - 1) if at > lowest else -1


def _closers_in_the_way(suggestion: Suggestion, request: CompletionRequest, missing: str) -> Iterator[int]:
    """How many characters behind the cursor give way to closers that the suggestion writes itself.

    They are those that it replaced from the start, or that the editor put there when their opener was typed.
    """
    text, cursor = request.text, request.offset
    near = suggestion.after[:NEAR_AFTER]
    is_all = suggestion.ends_document and len(suggestion.after) <= NEAR_AFTER
    for n_closers in range(MAX_CLOSERS + 1):
        end = cursor + n_closers
        closers = text[cursor:end]
        if len(closers) < n_closers or (closers and closers[-1] not in CLOSERS):
            return
        if (
            text.startswith(near, end)
            and (not is_all or end + len(near) == len(text))
            and _is_subsequence(closers, missing)
            and _is_similar(suggestion.after, text[end : end + FAR_AFTER])
        ):
            yield n_closers


def _with_menu(suggestion: Suggestion, request: CompletionRequest, n_typed: int) -> Reused | None:
    """While a menu is open, an item must begin with the menu's own text and replace its range."""
    start = request.offset if request.selected_start is None else request.selected_start
    text = request.text[start : request.offset] + suggestion.result.text[n_typed:]
    if not text.startswith(request.selected_text or "") or len(text) <= len(request.selected_text or ""):
        return None
    return Reused(text, start, request.offset, n_typed, suggestion)


def _same_place(first: Suggestion, second: Suggestion) -> bool:
    return (first.path, first.language, first.before, first.after, first.result.text) == (
        second.path,
        second.language,
        second.before,
        second.after,
        second.result.text,
    )


def _is_part(text: str, other: str) -> bool:
    """Whether one only says more than the other, which may have been cut by the time budget."""
    return text.startswith(other) or other.startswith(text)


def _is_similar(known: str, seen: str) -> bool:
    """Whether most lines of `known` are in `seen`, wherever they stand."""
    if known == seen:
        return True
    lines, others = Counter(known.splitlines()), Counter(seen.splitlines())
    return (lines & others).total() >= SIMILAR * max(lines.total(), others.total())


def _is_subsequence(part: str, whole: str) -> bool:
    """Whether the characters of `part` stand in `whole` in their order: then nothing of it is lost."""
    remaining = iter(whole)
    return all(char in remaining for char in part)
