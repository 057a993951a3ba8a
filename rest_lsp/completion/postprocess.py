"""From what the model wrote to what is worth showing: small pure functions text -> text, applied in order.

Each one adds or removes blanks anywhere, or other text from the end, and nothing else: a token's place survives (see
provenance).  Knows nothing about tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, islice, takewhile, zip_longest

from rest_lsp.completion.brackets import brackets_of, unmatched_closers
from rest_lsp.completion.cuts import (
    cut_at_fence,
    cut_at_known_import,
    cut_at_marker,
    cut_at_next_cell,
    cut_at_next_line,
    cut_empty_comment,
    cut_where_unbalanced,
    cut_where_unsound,
)
from rest_lsp.completion.layout import CLOSING, TAB_WIDTH, indent_width, is_word, opens_block
from rest_lsp.completion.replacing import n_replaced
from rest_lsp.completion.snapshot import Snapshot
from rest_lsp.syntax.parsed import Scope

CLOSERS_AND_ENDS = frozenset(CLOSING + ";, ")
QUOTES = "\"'`"
MIN_REPEATED_LINE = 8
"""A shorter line ("}", "pass") may come twice in a row for good reason."""
GNU_TAB_WIDTH = 8
MOST_LINES_IN_STRINGS = 32
"""So many lines are looked at for the indentation of code, since each has to be found in the grammar's tree."""
BOTH = "\t "

Rule = Callable[[str, Snapshot], str]


@dataclass(frozen=True)
class Insertion:
    """`text`, with the document's line ends, replaces the first `n_replaced` characters behind the cursor."""

    text: str
    n_replaced: int


def postprocess(text: str, snapshot: Snapshot) -> Insertion:
    """Apply all rules; an empty text means that there is nothing to show.

    Of several lines before code all are shown or none: cut at their end, they would not meet that code any more.
    """
    for rule in RULES:
        found = rule(text, snapshot)
        is_cut = rule in CUTS and len(found.rstrip()) < len(text.rstrip())
        text = "" if is_cut and snapshot.is_before_code and "\n" in text else found
    return Insertion(text.replace("\n", snapshot.line_end), n_replaced(text, snapshot))


def drop_leading_blank_lines(text: str, snapshot: Snapshot) -> str:
    """A blank line below the cursor's is not asked for; on a blank line the first text belongs right here."""
    lines = text.split("\n")
    n_blank = len(list(takewhile(lambda line: not line.strip(), lines)))
    if n_blank == len(lines):
        return ""
    if n_blank == 0:
        return text
    if snapshot.line_before.strip():
        return "\n".join(["", *lines[n_blank:]])
    missing = indent_width(lines[n_blank]) - indent_width(snapshot.line_before)
    return "\n".join([" " * max(0, missing) + lines[n_blank].lstrip(), *lines[n_blank + 1 :]])


def drop_repeated_indent(text: str, snapshot: Snapshot) -> str:
    """The model may write the line's indentation once more, although the cursor stands behind it."""
    first, newline, rest = text.partition("\n")
    extra = len(first) - len(first.lstrip(" \t"))
    if snapshot.line_before.strip() or not snapshot.line_before or not extra:
        return text
    above = next((line for line in reversed(snapshot.before.split("\n")[:-1]) if line.strip()), "")
    expected = indent_width(above)
    if opens_block(above, snapshot.language) or indent_width(snapshot.line_before) > expected:
        return text
    surplus = indent_width(snapshot.line_before + first) - max(expected, indent_width(snapshot.line_before))
    return text if surplus <= 0 else first.lstrip(" \t") + newline + rest


def match_indent_style(text: str, snapshot: Snapshot) -> str:
    """Tabs where the cursor's surroundings are indented with tabs, spaces where they are not.

    Behind tabs, lines within brackets that stand open may be aligned by blanks.
    """
    style = _indent_style(snapshot)
    if style is None:
        return text
    first, *others = text.split("\n")
    typed = snapshot.line_before
    if not typed.strip():
        whole = _convert_indent(typed + first, style)
        first = whole[len(typed) :] if whole.startswith(typed) else first.lstrip(" \t")
    converted = [first]
    n_open = _n_open(typed + first, snapshot.language)
    for line in others:
        is_aligned = n_open > 0 and style == line[:1] == "\t"
        converted.append(line if is_aligned else _convert_indent(line, style))
        n_open += _n_open(line, snapshot.language)
    return "\n".join(converted)


def drop_suffix_on_line(text: str, snapshot: Snapshot) -> str:
    """What the rest of the line already says is not said again, unless it closes a bracket of the text itself.

    Of several lines, when that rest would come to stand behind or below itself.
    """
    rest = snapshot.line_after.rstrip()
    if not rest.strip() or ("\n" in text and not _would_repeat(text, rest)):
        return text
    code = text.rstrip()
    ending = next((ending for ending in (rest, rest.lstrip()) if code.endswith(ending)), None)
    if ending is None or not _closes_nothing(code, len(code) - len(ending), snapshot.language):
        return text
    return code[: -len(ending)]


def drop_closers_on_line(text: str, snapshot: Snapshot) -> str:
    """Closers at the end of the text that open nothing in it and that the rest of the line begins with."""
    rest = snapshot.line_after
    if "\n" in text or not rest.strip():
        return text
    for length in range(min(len(text), len(rest)), 0, -1):
        ending, start = rest[:length], len(text) - length
        if (
            text.endswith(ending)
            and set(ending) <= CLOSERS_AND_ENDS
            and _closes_nothing(text, start, snapshot.language)
        ):
            return text[:start] if ending.strip() else text
    if text[-1:] in tuple(QUOTES) and rest.startswith(text[-1]) and text.count(text[-1]) % 2 == 1:
        return text[:-1]
    return text


def drop_lines_below(text: str, snapshot: Snapshot) -> str:
    """Lines at the end that already stand below the cursor."""
    below = [line.strip() for line in snapshot.lines_below if line.strip()]
    if snapshot.line_after.strip() or not below:
        return text
    lines = text.split("\n")
    for start in range(len(lines)):
        first = snapshot.line_before + lines[0] if start == 0 else lines[start]
        ending = [line.strip() for line in [first, *lines[start + 1 :]] if line.strip()]
        if ending and ending == below[: len(ending)] and _is_same_place(first, snapshot):
            return "\n".join(lines[:start])
    return text


def drop_repeated_lines(text: str, snapshot: Snapshot) -> str:
    """A line at the end that says the same as the one above it."""
    lines = text.rstrip().split("\n")
    while len(lines) > 1 and len(lines[-1].strip()) >= MIN_REPEATED_LINE and lines[-1] == _line(lines, -2, snapshot):
        lines.pop()
    return "\n".join(lines) if len(lines) < len(text.rstrip().split("\n")) else text


def drop_trailing_blanks(text: str, snapshot: Snapshot) -> str:
    """Blanks at line ends and blank lines at the end; a line end or blank that the rest of the line needs stays."""
    lines = text.split("\n")
    lines = [line.rstrip() for line in lines[:-1]] + [lines[-1] if snapshot.line_after.strip() else lines[-1].rstrip()]
    if snapshot.is_before_code and not lines[-1].strip():
        while len(lines) > 2 and not lines[-2]:
            lines.pop(-2)
        return "\n".join(lines)
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    return "\n".join(lines)


def drop_what_leaves_code_behind(text: str, snapshot: Snapshot) -> str:
    """Lines that end where the rest of the cursor's line would begin the next one, outside of the block it was in."""
    is_moved = snapshot.is_before_code and text.endswith("\n") and not snapshot.line_after[0].isspace()
    return "" if is_moved and indent_width(snapshot.line_before or text) > 0 else text


def drop_blank_text(text: str, _snapshot: Snapshot) -> str:
    """Blanks alone are no suggestion."""
    return text if text.strip() else ""


CUTS: tuple[Rule, ...] = (
    drop_lines_below,
    drop_repeated_lines,
    cut_at_next_line,
    cut_at_fence,
    cut_at_next_cell,
    cut_at_known_import,
    cut_where_unbalanced,
    cut_where_unsound,
    cut_empty_comment,
)
"""Rules that take the end off."""

RULES: tuple[Rule, ...] = (
    cut_at_marker,
    drop_leading_blank_lines,
    drop_repeated_indent,
    match_indent_style,
    drop_suffix_on_line,
    drop_closers_on_line,
    *CUTS,
    drop_trailing_blanks,
    drop_what_leaves_code_behind,
    drop_blank_text,
)


def _closes_nothing(text: str, start: int, language: str) -> bool:
    """Whether no bracket that opens in `text` before `start` is closed behind it."""
    surplus = set(unmatched_closers(text, language))
    return all(start + index in surplus for index in unmatched_closers(text[start:], language))


def _would_repeat(text: str, rest: str) -> bool:
    """Whether the rest of the line, behind several lines, says what the last of them says."""
    code = text.rstrip()
    if rest[0].isspace():
        return f"\n{code}".endswith(f"\n{rest}")
    return text.endswith("\n") or (is_word(code[-1:]) and is_word(rest[0]))


def _is_same_place(line: str, snapshot: Snapshot) -> bool:
    """A closer of an inner block may look like the outer one below; its indentation tells them apart."""
    below = snapshot.next_line or ""
    return indent_width(line) == indent_width(below)


def _line(lines: list[str], index: int, snapshot: Snapshot) -> str:
    return snapshot.line_before + lines[index] if len(lines) + index == 0 else lines[index]


def _indent_style(snapshot: Snapshot) -> str | None:
    """That of the cursor's line, else of the nearest one that has any; above before below.

    None where that line has both, where none is indented, in makefiles, whose recipes are told by it, and where a tab
    is eight columns and fewer are blanks, as in GNU's sources: the model writes that as it is.
    """
    style = _style_of(snapshot.line_before)
    if not style and snapshot.language != "makefile":
        style = _nearest_style(snapshot)
    if style in (BOTH, "") or _has_tabs_of_eight([*snapshot.before.split("\n")[:-1], *snapshot.lines_below]):
        return None
    return style


def _nearest_style(snapshot: Snapshot) -> str:
    """What stands in a string says nothing about code around it: it may be of another language."""
    lines = islice(((at, line) for at, line in _by_distance(snapshot) if _style_of(line)), MOST_LINES_IN_STRINGS)
    is_code = snapshot.scope is not Scope.STRING
    return next((_style_of(line) for at, line in lines if not (is_code and snapshot.is_in_string(at))), "")


def _by_distance(snapshot: Snapshot) -> Iterator[tuple[int, str]]:
    """Lines that say something, and where the first of it stands, counted from the cursor; above before below."""
    below = snapshot.lines_below
    above = snapshot.before.split("\n")[-2::-1]
    ends = accumulate((-len(line) - 1 for line in above), initial=-len(snapshot.line_before))
    starts = accumulate((len(line) + 1 for line in below), initial=len(snapshot.line_after) + 1)
    lines_above = zip(islice(ends, 1, None), above, strict=False)
    for at, line in chain.from_iterable(zip_longest(lines_above, zip(starts, below, strict=False), fillvalue=(0, ""))):
        if line.strip():
            yield at + len(line) - len(line.lstrip()), line


def _has_tabs_of_eight(lines: list[str]) -> bool:
    """Whether lines are indented by up to seven blanks, by tabs, and by both."""
    if not any(_style_of(line) == BOTH for line in lines):
        return False
    widths = {len(line) - len(line.lstrip(" ")) for line in lines if line.strip()}
    return 2 <= max(widths, default=0) < GNU_TAB_WIDTH


def _style_of(line: str) -> str:
    """Tab, blank, or both, by which `line` is indented; a single blank belongs to a comment's stars."""
    blanks = line[: len(line) - len(line.lstrip(" \t"))]
    return ("\t" if "\t" in blanks else "") + (" " if "  " in blanks else "")


def _n_open(line: str, language: str) -> int:
    """How many more round and square brackets are opened than closed."""
    return sum((char in "([") - (char in ")]") for _, char in brackets_of(line, language))


def _convert_indent(line: str, style: str) -> str:
    code = line.lstrip(" \t")
    blanks = line[: len(line) - len(code)]
    if style == "\t" and "  " in blanks:
        n_tabs, rest = divmod(indent_width(line), TAB_WIDTH)
        return "\t" * (n_tabs + (rest > 1)) + " " * (rest == 1) + code
    if style == " " and "\t" in blanks:
        return " " * indent_width(line) + code
    return line
