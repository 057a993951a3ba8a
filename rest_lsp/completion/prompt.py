"""The anchored FIM prompt within a token budget.  Knows nothing about models beyond a layout of control ids.

The prefix ends at an anchor some lines above the cursor; what stands between the two follows the middle marker, so that
the middle simply continues.  While somebody types, prefix and suffix stay where they are, and a keystroke costs one or
two tokens of prefill.  Every boundary here is chosen so that it moves rarely, and then in large steps.  Before code on
the cursor's line the prompt is split on that line, since models look at the rest of a line only there: behind the first
bracket that is open there, or at the cursor, where each key reads the suffix again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rest_lsp.completion.brackets import open_quote, unmatched_openers
from rest_lsp.completion.fim import Fim, OtherFile
from rest_lsp.completion.snapshot import Snapshot
from rest_lsp.healing import Healing
from rest_lsp.tokenizer import Tokenizer

CHARACTERS_PER_TOKEN = 8
"""More than code has on average, so that a window of this many characters per token of budget fills the budget."""

MAX_HEALED_TOKENS = 4
"""How far to look back for tokens that the cursor may cut; each one found costs a forward pass to reproduce."""


@dataclass(frozen=True)
class Prompt:
    """Token ids for the model and for the drafter.

    ids           what the model reads: markers, prefix, suffix, then the middle without the tokens that are healed
    context_ids   the linear text before the cursor: prefix and middle, without markers and healed tokens
    healing       the typed bytes that generation must reproduce first; None at the anchor and behind a line's end
    """

    ids: list[int]
    context_ids: list[int]
    prefix_ids: list[int]
    middle_ids: list[int]
    suffix_ids: list[int]
    healing: Healing | None

    @property
    def pending(self) -> bytes:
        return self.healing.pending if self.healing else b""


class PromptBuilder:
    """Builds prompts for one tokenizer.  Remembers what it encoded: neighbouring keystrokes share almost all of it."""

    def __init__(
        self, tokenizer: Tokenizer, fim: Fim, *, budget_tokens: int, anchor_lines: int, heals: bool = True
    ) -> None:
        """Unless it `heals`, tokens that the cursor cuts stay in the prompt: to measure what healing is worth."""
        self._heals = heals
        self._tokenizer = tokenizer
        self._fim = fim
        self._budget = budget_tokens
        self._anchor_lines = anchor_lines
        self._encode = lru_cache(maxsize=64)(lambda text: tuple(tokenizer.encode(text)))
        self._line_cost = lru_cache(maxsize=8192)(lambda line: len(tokenizer.encode(line)))

    @property
    def reach(self) -> int:
        """Characters on each side of the cursor that a prompt can use."""
        return self._budget * CHARACTERS_PER_TOKEN

    def build_prompt(self, snapshot: Snapshot, others: Sequence[OtherFile] = (), path: str = "") -> Prompt:
        """At most `budget_tokens` ids: a quarter for the suffix, a sixth for the middle, the rest for the prefix.

        `others` come on top; where there are any, the document is named by its `path`.
        """
        room_for_middle = self._budget // 6
        suffix_ids = self._suffix(snapshot.after, self._budget // 4)
        anchor = self._anchor(snapshot, room_for_middle)
        middle_ids = list(self._encode(snapshot.before[anchor:]))
        room = self._budget - len(suffix_ids) - room_for_middle - self._fim.n_markers
        first_line = snapshot.line - snapshot.before.count("\n")
        prefix_ids = self._prefix(snapshot.before[:anchor], first_line, max(room, 0))
        kept, pending = self._cut(middle_ids)
        middle_ids = middle_ids[:kept]
        path_ids = self._encode(f"{path}\n") if others else ()
        return Prompt(
            ids=[*self._fim.assemble(prefix_ids, suffix_ids, others, path_ids), *middle_ids],
            context_ids=[*prefix_ids, *middle_ids],
            prefix_ids=prefix_ids,
            middle_ids=middle_ids,
            suffix_ids=suffix_ids,
            healing=Healing(pending, self._tokenizer.sorted_vocabulary) if pending else None,
        )

    def _anchor(self, snapshot: Snapshot, room: int) -> int:
        """Index in `snapshot.before` where the middle begins, so that it takes at most `room` tokens.

        The anchor's line number is a multiple of `anchor_lines`, at least that many lines above the cursor: a new line
        moves it only now and then.  Where the lines between are too long, half as many are tried, and so on.  Before
        code it lies on the cursor's line, in front of what more text may change.
        """
        before, line = snapshot.before, snapshot.line_before
        if snapshot.is_before_code and len(self._encode(line)) <= room:
            split = _behind_open_bracket(snapshot)
            cuts_word = split == len(line) and snapshot.is_within_word
            _, cut = self._cut([] if cuts_word else self._encode(line[:split]))
            return len(before) - len(line) + split - len(cut.decode(errors="ignore"))
        n_lines = self._anchor_lines
        while True:
            start = _start_of_line_above(before, _anchor_distance(snapshot.line, n_lines))
            if len(before) - start <= room * CHARACTERS_PER_TOKEN and len(self._encode(before[start:])) <= room:
                return start
            if n_lines == 0:
                return self._anchor_within_line(before, start, room)
            n_lines //= 2

    def _cut(self, ids: Sequence[int]) -> tuple[int, bytes]:
        """The first token of `ids` that more text may change, and what it and those behind it spell."""
        if not self._heals:
            return len(ids), b""
        kept = first_cut_token(ids, self._tokenizer)
        return kept, b"".join(map(self._tokenizer.token_bytes, ids[kept:]))

    def _anchor_within_line(self, before: str, line_start: int, room: int) -> int:
        """For a line that is too long by itself; in steps of a quarter of `room`, so that typing seldom moves it."""
        step = max(1, room // 4)
        too_long = max(0, len(before) - line_start - room)
        start = line_start + -(-too_long // step) * step
        while start < len(before) and len(self._encode(before[start:])) > room:
            start += step
        return min(start, len(before))

    def _prefix(self, text: str, first_line: int, room: int) -> list[int]:
        """Ids of the last lines of `text` that fit `room`.  In the document its first line has number `first_line`."""
        lines = _lines_with_ends(text)
        first, cost = len(lines), 0
        while first > 0 and cost + self._line_cost(lines[first - 1]) <= room:
            first -= 1
            cost += self._line_cost(lines[first])
        if first == len(lines):
            return list(self._encode(text))[-room:] if room else []
        if first > 0 or first_line > 0:
            step = _power_of_two_below((len(lines) - first) / 4)
            first = min(len(lines) - 1, first + -(first_line + first) % step)
        return list(self._encode("".join(lines[first:])))[-room:]

    def _suffix(self, text: str, room: int) -> list[int]:
        """Ids of the first lines of `text` that fit `room`, or of the beginning of a line that is longer."""
        end, cost = 0, 0
        while end < len(text):
            line_end = text.find("\n", end) + 1 or len(text)
            if line_end - end > room * CHARACTERS_PER_TOKEN:
                break
            cost += self._line_cost(text[end:line_end])
            if cost > room:
                break
            end = line_end
        return list(self._encode(text[: end or room * CHARACTERS_PER_TOKEN]))[:room]


def first_cut_token(ids: Sequence[int], tokenizer: Tokenizer) -> int:
    """Index of the first token of `ids` that more text may change; their number when there is none.

    That is always the last one ("    " becomes "   " before " return"), unless it ends a line for good, and any from
    which on some token of the vocabulary would spell more than what is typed ("(se" of "(self").  On a blank line,
    tokens of more blank lines do not count: the model would have to choose among them although it expects code.
    """
    vocabulary, tail, first = tokenizer.sorted_vocabulary, b"", len(ids)
    if ids and not tokenizer.is_settled(ids[-1]):
        first -= 1
    for index in range(len(ids) - 1, max(-1, len(ids) - 1 - MAX_HEALED_TOKENS), -1):
        tail = tokenizer.token_bytes(ids[index]) + tail
        if vocabulary.goes_on(tail):
            first = index
    return first


def _anchor_distance(line: int, anchor_lines: int) -> int:
    """Lines from the anchor to the cursor: `anchor_lines` to less than twice as many, unless the file begins there."""
    if anchor_lines <= 0:
        return 0
    highest = max(0, line - anchor_lines)
    return line - (highest - highest % anchor_lines)


def _behind_open_bracket(snapshot: Snapshot) -> int:
    """Where what stands in the first bracket begins that is open on the cursor's line; that line's end without one.

    The first, since brackets within it come and go with every call that is typed; not within a comment or string.
    """
    code = snapshot.line_before.removesuffix(snapshot.literal_before)
    quote = open_quote(code, snapshot.language)
    if quote:
        # No grammar takes what has yet to be closed for a string.
        code = code[: code.rfind(quote)]
    opened = unmatched_openers(code, snapshot.language)
    return opened[0] + 1 if opened else len(snapshot.line_before)


def _start_of_line_above(text: str, distance: int) -> int:
    """Index where the line `distance` lines above the last one begins; 0 when there are not as many."""
    start = len(text) + 1
    for _ in range(distance + 1):
        start = text.rfind("\n", 0, start - 1) + 1
        if start == 0:
            break
    return start


def _power_of_two_below(value: float) -> int:
    return 1 << (max(1, int(value)).bit_length() - 1)


def _lines_with_ends(text: str) -> list[str]:
    *complete, rest = text.split("\n")
    return [line + "\n" for line in complete] + ([rest] if rest else [])
