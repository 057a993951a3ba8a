"""Holes in the middle of lines that stand already: arguments that somebody adds to a call, with code right of them.

Found in the files in which functions are typed, but not within these.  Without its hole a file is whole as well.  Only
where suggestions are given while somebody types: before more code than that a rule answers at once.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from rest_lsp.bench.cases import Case
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.selection import Selection
from rest_lsp.bench.spans import SourceText, Span
from rest_lsp.completion.multiline import is_unwanted
from rest_lsp.completion.snapshot import take_snapshot

MIN_CHARACTERS, MAX_CHARACTERS = 6, 60
_REACH = 1000


def mid_line_holes(selection: Selection, count: int) -> Selection:
    """Up to `count` of them instead of the functions, files in turns; the same seed chooses the same."""
    draw = random.Random(f"{selection.seed}:mid-line")
    by_path: dict[str, list[Hole]] = {}
    for hole in selection.holes:
        by_path.setdefault(hole.case.path, []).append(hole)
    queues = [_candidates(typed, draw) for typed in by_path.values()]
    found: list[Hole] = []
    while queues and len(found) < count:
        queue = queues.pop(0)
        if (following := next(queue, None)) is not None:
            found.append(following)
            queues.append(queue)
    return replace(selection, holes=found)


def _candidates(typed: Sequence[Hole], draw: random.Random) -> Iterator[Hole]:
    """Of one file, in a drawn order, none in a line that was there already, nor in one that reads the same."""
    first = typed[0]
    text = first.text[: first.offset] + first.truth + first.text[first.offset :]
    taken = [Span(hole.offset, hole.offset + len(hole.truth)) for hole in typed]
    source = SourceText(text)
    spans = [span for span in dict.fromkeys(_arguments(source)) if not any(map(span.overlaps, taken))]
    draw.shuffle(spans)
    lines: set[str] = set()
    for span in spans:
        hole = _hole(first.case.path, source, span)
        line = source.positions.line(hole.case.start.line).strip()
        if line not in lines and _is_usable(hole):
            lines.add(line)
            yield hole


def _arguments(source: SourceText) -> Iterator[Span]:
    """Of calls: all of what stands between the parentheses, and each argument with the comma before it."""
    for call in (node for node in ast.walk(ast.parse(source.text)) if isinstance(node, ast.Call)):
        arguments: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        spans = sorted((_span(source, argument) for argument in arguments), key=lambda span: span.start)
        if not spans:
            continue
        whole = Span(spans[0].start, spans[-1].end)
        if source.text[whole.start - 1] == "(" and source.text[whole.end : whole.end + 1] == ")":
            yield whole
        for before, span in pairwise(spans):
            if source.text[before.end : span.start] == ", ":
                yield Span(before.end, span.end)


def _span(source: SourceText, node: ast.expr | ast.keyword) -> Span:
    assert node.end_lineno is not None, "a parsed node has an end"
    assert node.end_col_offset is not None, "a parsed node has an end"
    places = ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
    start, end = (
        source.line_start(line) + len(source.line(line).encode()[:n_bytes].decode(errors="ignore"))
        for line, n_bytes in places
    )
    return Span(start, end)


def _hole(path: str, source: SourceText, span: Span) -> Hole:
    start, end = source.positions.position(span.start), source.positions.position(span.end)
    case = Case(f"mid-line:{path}:{start.line}:{start.character}", path, "line", start, end)
    text = source.text[: span.start] + source.text[span.end :]
    return Hole(case, text, span.start, source.text[span.start : span.end])


def _is_usable(hole: Hole) -> bool:
    """Whether it lies in one line before code, and takes nothing with it that the rest needs."""
    if not MIN_CHARACTERS <= len(hole.truth) <= MAX_CHARACTERS or {"\n", "\r", "\t"} & {*hole.truth}:
        return False
    snapshot = take_snapshot(hole.request, _REACH)
    return snapshot.is_before_code and not is_unwanted(snapshot) and _parses(hole.text)


def _parses(text: str) -> bool:
    """Places within f-strings are not told right by every version of Python."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
