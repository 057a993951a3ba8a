"""What the keys of a test do to a text, written down independently of any editor; and what accepting may do.

Knows what the server suggests (`phrases`), and not when its answers arrive: an accept key takes one of the suggestions
that were made for this line and are continued by what has been typed since, or does nothing at all.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from tests.e2e.phrases import N_CHOICES, Suggestion, suggest

REMEMBERED = 60
WORD = re.compile(r"\s*(?:[\w]+|[^\w\s]+)")
LINE = re.compile(r"\n*[^\n]+")


@dataclass(frozen=True)
class Text:
    """Lines, and a cursor with its column in characters."""

    lines: tuple[str, ...] = ("",)
    row: int = 0
    column: int = 0

    @property
    def before(self) -> str:
        return self.lines[self.row][: self.column]

    @property
    def after(self) -> str:
        return self.lines[self.row][self.column :]

    def insert(self, text: str, n_replaced: int = 0) -> Text:
        """`text` at the cursor, in place of so many characters behind it."""
        rows = text.split("\n")
        rows[0] = self.before + rows[0]
        column = len(rows[-1])
        rows[-1] += self.after[n_replaced:]
        lines = (*self.lines[: self.row], *rows, *self.lines[self.row + 1 :])
        return Text(lines, self.row + len(rows) - 1, column)

    def backspace(self) -> Text:
        if self.column > 0:
            rest = self.before[:-1] + self.after
            return self._with_line(rest, self.column - 1)
        if self.row == 0:
            return self
        above = self.lines[self.row - 1]
        lines = (*self.lines[: self.row - 1], above + self.lines[self.row], *self.lines[self.row + 1 :])
        return Text(lines, self.row - 1, len(above))

    def delete(self) -> Text:
        """What <Del> does; at the end of a line it joins the next."""
        if self.after:
            return self._with_line(self.before + self.after[1:], self.column)
        if self.row + 1 == len(self.lines):
            return self
        joined = self.lines[self.row] + self.lines[self.row + 1]
        return replace(self, lines=(*self.lines[: self.row], joined, *self.lines[self.row + 2 :]))

    def move(self, column: int) -> Text:
        return replace(self, column=max(0, min(column, len(self.lines[self.row]))))

    def _with_line(self, line: str, column: int) -> Text:
        lines = (*self.lines[: self.row], line, *self.lines[self.row + 1 :])
        return Text(lines, self.row, column)


class Offer(NamedTuple):
    """A suggestion, and the text for which it was made."""

    at: Text
    suggestion: Suggestion


def press(text: Text, key: str) -> Text:
    """What a key that takes no suggestion does."""
    match key:
        case "<CR>":
            return text.insert("\n")
        case "<BS>":
            return text.backspace()
        case "<Del>":
            return text.delete()
        case "<Left>" | "<Right>":
            return text.move(text.column + (1 if key == "<Right>" else -1))
        case "<Home>" | "<End>":
            return text.move(0 if key == "<Home>" else len(text.lines[text.row]))
        case "<Esc>a":
            return text.move(max(text.column, 1))
        case "<Space>":
            return text.insert(" ")
        case _ if key.startswith("<F"):
            return text
        case _:
            return text.insert(key)


class Recent:
    """The texts and the remainders for which suggestions may still be shown."""

    def __init__(self) -> None:
        self._texts: deque[Text] = deque(maxlen=REMEMBERED)
        self._remainders: deque[Offer] = deque(maxlen=REMEMBERED)

    def saw(self, text: Text) -> None:
        self._texts.append(text)

    def accepted(self, text: Text, rest: Suggestion) -> None:
        self._texts.append(text)
        if rest.text:
            self._remainders.append(Offer(text, rest))

    def takes(self, text: Text, kind: str) -> dict[Text, Suggestion]:
        """Every text that an accept key may lead to, each with what then remains of the suggestion."""
        found = {}
        for offer in (*self._offers(), *self._remainders):
            rest = continued(offer, text)
            if rest is not None:
                taken = piece(rest.text, kind)
                is_all = taken == rest.text
                left = Suggestion(rest.text[len(taken) :], rest.n_replaced)
                found[text.insert(taken, rest.n_replaced if is_all else 0)] = left
        return found

    def _offers(self) -> Iterator[Offer]:
        for at in self._texts:
            for choice in range(N_CHOICES):
                suggestion = suggest(at.before, at.after, choice)
                if suggestion is not None:
                    yield Offer(at, suggestion)


def continued(offer: Offer, now: Text) -> Suggestion | None:
    """What remains of a suggestion after typing; None when what was typed does not continue it."""
    at, suggestion = offer
    typed = now.before[len(at.before) :]
    belongs = at.row == now.row and now.before.startswith(at.before) and suggestion.text.startswith(typed)
    # <Del> may have eaten what was to be replaced, and nothing else.
    kept = [n for n in (suggestion.n_replaced, 0) if now.after == at.after[suggestion.n_replaced - n :]]
    if not belongs or not kept or typed == suggestion.text:
        return None
    return Suggestion(suggestion.text[len(typed) :], kept[0])


def piece(text: str, kind: str) -> str:
    """What a key takes of a suggestion."""
    pattern = {"word": WORD, "line": LINE}.get(kind)
    found = pattern.match(text) if pattern else None
    return found.group() if found else text
