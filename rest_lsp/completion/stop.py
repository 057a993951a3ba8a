"""When is a completion done?  Fed with tokens one by one, so that drafting cannot change the answer.

Knows nothing about engines or prompts.  The text to show never holds what caused the stop.
"""

from __future__ import annotations

import codecs

from rest_lsp.completion.layout import (
    CLOSING,
    begins_definition,
    closes_block,
    indent_width,
    may_close_block,
    opens_block,
)
from rest_lsp.completion.loops import ends_in_loop, find_line_loop
from rest_lsp.completion.request import StopReason
from rest_lsp.completion.snapshot import Snapshot
from rest_lsp.tokenizer import Tokenizer

MAX_BLANK_LINES = 2
MAX_LINES = 40
MAX_TOKENS_BACK = 12


class StopRules:
    """The rules for one completion.  `pending` typed bytes come first and are not part of the text."""

    def __init__(
        self, tokenizer: Tokenizer, snapshot: Snapshot, *, multiline: bool, max_tokens: int, pending: bytes = b""
    ) -> None:
        self._tokenizer = tokenizer
        self.is_multiline = multiline
        self.max_tokens = max_tokens
        self._pending = len(pending)
        self._place = snapshot.place
        self._line_before = snapshot.line_before
        self._next_line = None if snapshot.line_after.strip() else snapshot.next_line
        self._opens_block = opens_block(snapshot.line_before, snapshot.language)
        self._block_indent: int | None = indent_width(snapshot.line_before) if snapshot.line_before.strip() else None
        self._first_line = snapshot.line_before
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._written = ""
        self._lines: list[str] = []
        self._line_start = 0
        self._joins_code = snapshot.is_before_code
        self._shown: int | None = None
        self.reason: StopReason | None = None
        self.token_ids: list[int] = []
        self.starts: list[int] = []

    @property
    def text(self) -> str:
        """What stands behind the cursor so far, or what is to be shown once a rule has stopped."""
        return self._written if self._shown is None else self._written[: self._shown]

    @property
    def all_written(self) -> str:
        """`text` and what stood behind it when a rule stopped: that is never shown."""
        return self._written

    def feed(self, token: int) -> StopReason | None:
        """Take one token and say whether that was enough.  `starts[i]` is where token i begins in `all_written`."""
        if self._shown is not None:
            raise ValueError("A completion that has stopped takes no more tokens.")
        self.token_ids.append(token)
        self.starts.append(len(self._written))
        if self._is_control(token):
            return self._end()
        spelling = self._tokenizer.token_bytes(token)
        typed = min(self._pending, len(spelling))
        self._pending -= typed
        self._read(self._decoder.decode(spelling[typed:]))
        if self.reason is None and len(self.token_ids) >= self.max_tokens:
            self._stop(StopReason.MAX_TOKENS, self._after_complete_lines() or len(self._written))
        return self.reason

    def give_up(self) -> None:
        """The time budget is over: show complete lines, or so many tokens of the only one that the document parses."""
        if self.reason is None:
            self._stop(StopReason.BUDGET, self._after_complete_lines() or self._after_sound_tokens())

    def _is_control(self, token: int) -> bool:
        """Any control id ends generation, not only those declared as ends.

        Instruct vocabularies declare <|im_end|> alone, and models end a middle with <|fim_pad|>, <|file_sep|> or
        <|repo_name|> as well (https://github.com/ggml-org/llama.cpp/issues/9606).
        """
        return token in self._tokenizer.control_ids or token >= self._tokenizer.vocab_size

    def _read(self, new: str) -> None:
        start = len(self._written)
        self._written += new
        newline = self._written.find("\n", start)
        while newline >= 0 and self.reason is None:
            self._finish_line(newline)
            newline = self._written.find("\n", newline + 1)
        if self.reason is None:
            self._look_at_open_line()

    def _finish_line(self, newline: int) -> None:
        """The rules for a whole line, which ends at index `newline`."""
        line = self._full_line(newline)
        if not self.is_multiline and not self._is_blank_lead(line):
            self._stop(StopReason.LINE, newline)
        elif line.strip() and line.rstrip() == self._next_line:
            self._stop(StopReason.SUFFIX, self._before_line())
        elif self._leaves_block(line):
            self._stop(StopReason.BLOCK, newline if self._closes_own_block(line) else self._before_line())
        elif self._closes_outer_block(newline):
            self._stop(StopReason.BLOCK, self._before_line())
        else:
            self._remember_line(line, newline)

    def _is_blank_lead(self, line: str) -> bool:
        """Whether nothing has been written on a blank line yet: a single line may begin below, and is moved up."""
        return self._block_indent is None and not line.strip()

    def _remember_line(self, line: str, newline: int) -> None:
        self._lines.append(line)
        self._line_start = newline + 1
        if self._block_indent is None and line.strip():
            self._block_indent, self._first_line = indent_width(line), line
        loop = find_line_loop(self._lines)
        if loop is not None:
            surplus = sum(len(line) + 1 for line in self._lines[-loop.period * (loop.repeats - 1) :])
            self._stop(StopReason.LOOP, self._line_end(max(0, newline - surplus)))
        elif self._n_blank_lines() > MAX_BLANK_LINES:
            self._stop(StopReason.BLOCK, self._line_end(len(self._written[:newline].rstrip())))
        elif len(self._lines) >= MAX_LINES:
            self._stop(StopReason.MAX_LINES, self._line_end(newline))

    def _look_at_open_line(self) -> None:
        """The rules that need not wait for the end of the line."""
        line = self._full_line(len(self._written))
        if self._leaves_block(line) and not may_close_block(line):
            self._stop(StopReason.BLOCK, self._before_line())
        elif ends_in_loop(self._written[self._line_start :]):
            self._stop(StopReason.LOOP, self._before_line())

    def _leaves_block(self, line: str) -> bool:
        """Whether `line`, not the first one, no longer belongs to what the completion began.

        "} else {" and "):" close something only to go on with the same block.  Before code on the cursor's line blocks
        may end within the gap, and the model says when it is done; only what is outside of everything is too much.
        """
        if not self._lines or self._block_indent is None or not line.strip():
            return False
        return self._is_indented_outside(line, self._block_indent) and not self._is_in_literal()

    def _is_indented_outside(self, line: str, block_indent: int) -> bool:
        indent = indent_width(line)
        if self._joins_code:
            is_new_definition = not self._lines[-1].strip() and begins_definition(line)
            return indent == 0 and (block_indent > 0 or is_new_definition)
        if indent < block_indent:
            return True
        if self._opens_block and indent == block_indent:
            return not (self._starts_with_closer(line) and opens_block(line))
        is_new_unit = indent == block_indent and not self._lines[-1].strip()
        return is_new_unit and (indent == 0 or begins_definition(self._first_line))

    def _is_in_literal(self) -> bool:
        """Whether the current line begins in a string or a comment, whose indentation says nothing."""
        return self._place is not None and not self._place.is_code_behind(self._written[: self._line_start])

    def _closes_outer_block(self, newline: int) -> bool:
        """Whether the line that ends at `newline`, not the first one, closes what was opened above the cursor's."""
        if not self._lines or self._place is None or self._joins_code:
            return False
        return self._place.leaves_block(self._written[:newline])

    def _closes_own_block(self, line: str) -> bool:
        """What closes a block that the cursor's own line opened belongs to the completion."""
        if not self._opens_block or indent_width(line) != self._block_indent:
            return False
        return closes_block(line) or self._starts_with_closer(line)

    @staticmethod
    def _starts_with_closer(line: str) -> bool:
        return line.lstrip()[:1] in tuple(CLOSING)

    def _end(self) -> StopReason:
        self._written += self._decoder.decode(b"", final=True)
        line = self._full_line(len(self._written))
        shown = len(self._written)
        if self._leaves_block(line) and not self._closes_own_block(line):
            shown = self._before_line()
        return self._stop(StopReason.END, shown)

    def _stop(self, reason: StopReason, shown: int) -> StopReason:
        self.reason, self._shown = reason, shown
        return reason

    def _full_line(self, end: int) -> str:
        """The line as it would stand in the document: the first one continues the cursor's."""
        line = self._written[self._line_start : end]
        return line if self._lines else self._line_before + line

    def _before_line(self) -> int:
        """Index of the end of the line above the current one."""
        return self._line_end(max(0, self._line_start - 1))

    def _line_end(self, index: int) -> int:
        """Where the text to show ends that ends with a line at `index`: what follows before code begins a line then."""
        return index + 1 if self._joins_code and self._written[index : index + 1] == "\n" else index

    def _after_complete_lines(self) -> int:
        return self._line_end(max(0, self._written.rfind("\n")))

    def _after_sound_tokens(self) -> int:
        """Index behind the last token of the first line with which the document parses; no word is cut."""
        if self._place is None or self._lines:
            return 0
        for start in reversed(self.starts[-MAX_TOKENS_BACK:]):
            text = self._written[:start].rstrip()
            is_cut = start == 0 or (self._written[start - 1] + self._written[start : start + 1]).isidentifier()
            if text and not is_cut and self._place.mends(text):
                return len(text)
        return 0

    def _n_blank_lines(self) -> int:
        blank = 0
        while blank < len(self._lines) and not self._lines[-1 - blank].strip():
            blank += 1
        return blank
