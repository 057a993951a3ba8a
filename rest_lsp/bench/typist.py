"""What a person does key by key to write a given text in an editor that closes pairs and indents by itself.

Knows no clock and no server.  The editor's manners are those of Visual Studio Code's defaults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PAIRS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = frozenset(PAIRS.values())
CLOSES_BEFORE = frozenset(";:.,=>") | CLOSERS
QUOTES = frozenset("\"'")
INDENT = 4
_STRING_PREFIX = re.compile(r"(?:^|\W)[rbfuRBFU]{1,2}$")


@dataclass(frozen=True)
class Edit:
    """`text` in place of the document's characters from `start` to `end`; the cursor then stands at `cursor`.

    is_key   whether somebody typed it, and did not take a suggestion
    """

    start: int
    end: int
    text: str
    cursor: int
    is_key: bool = True


class Typist:
    """Writes `truth` between `before` and `after`.  `automatic` is what the editor put behind the cursor by itself."""

    def __init__(self, before: str, after: str, truth: str) -> None:
        self._head, self._after, self._truth = before, after, truth
        self._written = ""
        self.automatic = ""
        self._quote: str | None = None

    @property
    def text(self) -> str:
        return self._head + self._written + self.automatic + self._after

    @property
    def cursor(self) -> int:
        return len(self._head) + len(self._written)

    @property
    def missing(self) -> str:
        """What is still to be written; empty while the editor's own indentation is in the way, too."""
        return self._truth[len(self._written) :] if self._is_on_way else ""

    @property
    def is_done(self) -> bool:
        return self._written == self._truth and not self.automatic

    def next_edit(self) -> Edit | None:
        """The next key; None for a key that changes nothing, such as an arrow.  Not to be asked when all is done."""
        if not self._is_on_way:
            return self._mend_indentation()
        missing = self.missing
        if not missing:
            return self._edit(0, len(self.automatic), "", "")
        if self._skips_to_closer(missing):
            return None
        char = missing[0]
        if char == "\n":
            return self._new_line(0)
        if char == " " and not self._current_line.strip():
            return self._tab(missing)
        if self.automatic.startswith(char) and (char in CLOSERS or char == self._quote):
            return self._typed(char, n_replaced=1)
        if self.automatic and self.automatic[0] != "\n" and self._is_closing(char):
            # The editor closed something that is not closed here: away with it first.
            return self._edit(0, 1, "", self.automatic[1:])
        return self._typed(char, self._pair_of(char))

    def apply(self, edit: Edit) -> None:
        """A key of `next_edit`, or a suggestion that was taken."""
        old_end = self.cursor + len(self.automatic)
        behind = edit.text[edit.cursor - edit.start :] + self.text[edit.end : old_end]
        written = self.text[len(self._head) : edit.start] + edit.text[: edit.cursor - edit.start]
        self._written, self.automatic = written, behind
        self._quote = _open_quote(written)

    def is_right(self, start: int, end: int, text: str) -> bool:
        """Whether taking this suggestion brings exactly what is to be written, and leaves nothing to delete.

        What stands behind the cursor may be written anew where it is the same again and nothing is missing before it.
        """
        cursor = self.cursor
        if not len(self._head) <= start <= cursor <= end:
            return False
        if n_anew := self._n_anew(end):
            written = self.text[len(self._head) : start] + text
            return written == self._truth + self._after[:n_anew]
        written = self.text[len(self._head) : start] + text
        rest = iter(self._truth[len(written) :])
        left = self.automatic[end - cursor :]
        return self._truth.startswith(written) and all(char in rest for char in left)

    def taken(self, start: int, end: int, text: str) -> Edit:
        """What taking a suggestion that is right changes."""
        n_anew = self._n_anew(end)
        text = text[: len(text) - n_anew]
        return Edit(start, end - n_anew, text, start + len(text), is_key=False)

    def n_right(self, start: int, end: int, text: str) -> int:
        """How many characters of a suggestion are what is to be written next."""
        typed = self.text[start : self.cursor]
        expected = typed + self.missing
        n = 0
        while n < min(len(text), len(expected)) and text[n] == expected[n]:
            n += 1
        return max(0, n - len(typed))

    def _n_anew(self, end: int) -> int:
        """How much of `after` an edit up to `end` replaces."""
        return max(0, end - self.cursor - len(self.automatic))

    @property
    def _is_on_way(self) -> bool:
        return self._truth.startswith(self._written)

    def _edit(self, n_before: int, n_behind: int, text: str, automatic: str) -> Edit:
        """`text` in place of so many characters around the cursor; `automatic` is all that is left behind it."""
        cursor = self.cursor
        kept = len(self.automatic) - n_behind
        added = automatic[: len(automatic) - kept]
        return Edit(cursor - n_before, cursor + n_behind, text + added, cursor - n_before + len(text))

    def _typed(self, char: str, closer: str = "", *, n_replaced: int = 0) -> Edit:
        return self._edit(0, n_replaced, char, closer + self.automatic[n_replaced:])

    def _pair_of(self, char: str) -> str:
        """The closer that the editor adds to `char`."""
        following = (self.automatic + self._after)[:1]
        if following and not (following.isspace() or following in CLOSES_BEFORE):
            return ""
        if char in PAIRS:
            return PAIRS[char]
        before = self._written or self._head
        is_word = (before[-1:].isalnum() or before[-1:] in ("_", "\\", char)) and not _STRING_PREFIX.search(before)
        opens = char in QUOTES and self._quote is None and not is_word and not self._is_in_comment
        return char if opens else ""

    @property
    def _is_in_comment(self) -> bool:
        return "#" in self._written.rpartition("\n")[2]

    def _is_closing(self, char: str) -> bool:
        return char in CLOSERS or (char in QUOTES and char == self._quote)

    def _skips_to_closer(self, missing: str) -> bool:
        """Over a line end and an indentation that stand behind the cursor already: an arrow key, no edit."""
        blank = len(self.automatic) - len(self.automatic.lstrip())
        if not self.automatic.startswith("\n") or not missing.startswith(self.automatic[: blank + 1]):
            return False
        self._written += self.automatic[:blank]
        self.automatic = self.automatic[blank:]
        return True

    def _new_line(self, n_blank: int) -> Edit:
        """Enter: with the indentation that the editor chooses, in place of so many blanks on a blank line."""
        line = self._current_line
        indent = len(line) - len(line.lstrip())
        opener = line.rstrip()[-1:]
        deeper = indent + INDENT * (opener in (":", "(", "[", "{"))
        automatic = self.automatic
        if opener in PAIRS and automatic.startswith(PAIRS[opener]):
            automatic = "\n" + " " * indent + automatic
        return self._edit(n_blank, 0, "\n" + " " * deeper, automatic)

    def _tab(self, missing: str) -> Edit:
        """Blanks up to the next stop, or one where fewer are wanted."""
        to_stop = INDENT - len(self._current_line) % INDENT
        n_blanks = to_stop if missing.startswith(" " * to_stop) else 1
        return self._edit(0, 0, " " * n_blanks, self.automatic)

    def _mend_indentation(self) -> Edit:
        """The editor indented deeper than is wanted: Backspace to the stop before, or Enter where nothing is wanted."""
        start = self._written.rfind("\n") + 1
        n_blanks = len(self._written) - start
        line = self._truth[start:].partition("\n")[0]
        if not line.strip():
            return self._new_line(n_blanks - len(line))
        wanted = len(line) - len(line.lstrip())
        stop = max(wanted, (n_blanks - 1) // INDENT * INDENT)
        return self._edit(n_blanks - stop, 0, "", self.automatic)

    @property
    def _current_line(self) -> str:
        return (self._head + self._written).rpartition("\n")[2]


def _open_quote(text: str) -> str | None:
    """The quote of the string that is open at the end of `text`, a comment left out; each quote of three counts."""
    quote: str | None = None
    in_comment = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\n":
            in_comment = False
        elif in_comment:
            continue
        elif quote is not None:
            escaped = char == "\\"
            quote = None if char == quote else quote
        elif char == "#":
            in_comment = True
        elif char in QUOTES:
            quote = char
    return quote
