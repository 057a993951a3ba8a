"""What our rules make of recorded output, and what is wrong with the result.  Runs no model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

from rest_lsp.completion.brackets import brackets_of, imbalance
from rest_lsp.completion.multiline import Mode, is_multiline
from rest_lsp.completion.postprocess import Insertion, postprocess
from rest_lsp.completion.snapshot import Snapshot, take_snapshot
from rest_lsp.completion.stop import StopRules
from rest_lsp.syntax.grammars import parser_for
from rest_lsp.syntax.parsed import Parsed
from rest_lsp.syntax.place import ParsedDocuments
from rest_lsp.tokenizer import Tokenizer
from tests.recorded.cases import Output, RealFile, request_for

REACH = 6144
"""Characters on each side of the cursor, as with the default prompt."""


class Pieces(Tokenizer):
    """Stands in for the model's tokenizer: token i spells the i-th piece of one output."""

    def __init__(self, pieces: list[str | None]) -> None:
        self._pieces = [(piece or "").encode("latin-1") for piece in pieces]
        self.vocab_size = len(pieces)
        self.control_ids = frozenset(index for index, piece in enumerate(pieces) if piece is None)

    def token_bytes(self, token: int) -> bytes:
        return self._pieces[token]


@dataclass(frozen=True)
class Shown:
    """One insertion in a document: the model's own, cut at the first control token or line, or ours."""

    snapshot: Snapshot
    document: str
    insertion: Insertion
    tokens: int

    @cached_property
    def result(self) -> str:
        cursor = self.snapshot.cursor
        return self.document[:cursor] + self.insertion.text + self.document[cursor + self.insertion.n_replaced :]

    @cached_property
    def lines(self) -> list[str]:
        """Those that the insertion has a part in, as they stand in the document then."""
        cursor = self.snapshot.cursor
        end = self.result.find("\n", cursor + len(self.insertion.text))
        start = self.result.rfind("\n", 0, cursor) + 1
        return self.result[start : end if end >= 0 else None].replace("\r", "").split("\n")

    @property
    def repeats_next_line(self) -> bool:
        """Whether a line says what the next one below that is not blank says, at the same place."""
        is_there = any(line.rstrip() == self.snapshot.next_line for line in self.lines)
        return is_there and bool(self.insertion.text.strip())

    @property
    def unbalances(self) -> bool:
        before, after = (brackets_of(text, self.snapshot.language) for text in (self.document, self.result))
        return imbalance(before) == 0 and imbalance(after) > 0

    @property
    def breaks(self) -> bool | None:
        """Whether the document no longer parses; None when it did not before."""
        parser = parser_for(self.snapshot.language)
        assert parser is not None
        assert self.snapshot.place is not None
        if not self.snapshot.place.document.is_sound:
            return None
        return not Parsed.of(parser, self.result).is_sound

    @property
    def mixes_blanks(self) -> bool:
        """Whether a new line's indentation has tabs where the nearest indented line has blanks, or the other way round.

        One blank behind tabs is the way of comments with stars.  What is typed before the cursor is not ours.
        """
        n_typed = 1 if self.snapshot.line_before.strip() else 0
        new = [indentation(line) for line in self.lines[n_typed:] if line.strip()]
        nearest = self._nearest_indentation()
        if "\t" in nearest:
            return "  " not in nearest and any("  " in blanks or " \t" in blanks for blanks in new)
        return bool(nearest) and any("\t" in blanks for blanks in new)

    def _nearest_indentation(self) -> str:
        above, below = self.snapshot.before.split("\n")[:-1], self.snapshot.lines_below
        pairs = zip_longest(reversed(above), below, fillvalue="")
        others = [line for pair in pairs for line in pair if line.strip()]
        lines = map(indentation, [self.snapshot.line_before, *others])
        return next((blanks for blanks in lines if "\t" in blanks or len(blanks) > 1), "")

    @property
    def loses_text(self) -> bool:
        """Whether something behind the cursor is gone that the insertion does not write itself."""
        cursor = self.snapshot.cursor
        written = iter(self.insertion.text)
        return not all(char in written for char in self.document[cursor : cursor + self.insertion.n_replaced])


def indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def ours(output: Output, file: RealFile, documents: ParsedDocuments, mode: Mode = "auto") -> Shown:
    """With stop rules and post-processing, token by token as they came."""
    request = request_for(output.case, file)
    snapshot = take_snapshot(request, REACH, documents)
    pieces = Pieces(output.pieces)
    multiline = is_multiline(snapshot, mode)
    rules = StopRules(pieces, snapshot, multiline=multiline, max_tokens=1000, pending=b"\0" * output.pending)
    for token in range(len(output.pieces)):
        if rules.feed(token) is not None:
            break
    else:
        rules.give_up()
    return Shown(snapshot, request.text, postprocess(rules.text, snapshot), len(rules.token_ids))


def raw(output: Output, file: RealFile, documents: ParsedDocuments) -> Shown:
    """What the model wrote up to its end, of an unfinished text the whole lines, of a single line that line."""
    request = request_for(output.case, file)
    snapshot = take_snapshot(request, REACH, documents)
    ended = output.pieces[-1] is None
    spelled = "".join(piece or "" for piece in output.pieces).encode("latin-1")[output.pending :]
    text = spelled.decode(errors="replace")
    if not is_multiline(snapshot):
        text = text.partition("\n")[0]
    elif not ended:
        text = text.rpartition("\n")[0] or text
    return Shown(snapshot, request.text, Insertion(text, 0), len(output.pieces))
