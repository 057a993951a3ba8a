"""Holes in one file of a language with braces, found by lines and indentation.  Knows no grammar of any of them.

What it takes for a block is one to anybody who lays out code as usual: a line that ends with an opening brace, lines
that stand deeper, and a closing brace below the opening line.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from rest_lsp.bench.cases import Kind
from rest_lsp.bench.spans import MAX_LINES, MIN_CHARACTERS, MIN_LINES, SourceText, Span, rest_of_line
from rest_lsp.completion.layout import indent_width

_COMMENT = re.compile(r"\s*(//|/\*|\*|#)")
_CONTROL = re.compile(r"[\s}]*(if|else|for|while|do|switch|try|catch|finally)\b")
_HEADER = re.compile(r"(\)|=>)\s*\{\s*$")
_BRACE = re.compile(r"\{\s*$")


def find_brace_spans(text: str, kind: Kind, draw: random.Random) -> list[Span]:
    """Every hole of one kind in a file; a rest of a line begins at a drawn column."""
    source = SourceText(text)
    if kind == "line":
        numbers = [number for number in range(1, source.n_lines + 1) if _is_code(source.line(number))]
        found = [rest_of_line(source, number, draw) for number in numbers]
    else:
        found = [_inside(source, first, last, MAX_LINES[kind]) for first, last in _blocks(source, kind)]
    return [span for span in found if span and len(text[span.start : span.end].strip()) >= MIN_CHARACTERS[kind]]


def _is_code(line: str) -> bool:
    return not _COMMENT.match(line) and any(character.isalnum() for character in line)


def _blocks(source: SourceText, kind: Kind) -> Iterator[tuple[int, int]]:
    """First and last line between the braces; those of control flow for blocks, those of functions for bodies."""
    for number in range(1, source.n_lines + 1):
        opening = _opening_line(source, number)
        if opening is None or _is_control(opening) != (kind == "block"):
            continue
        closing = _closing_line(source, number)
        if closing is not None:
            yield number + 1, closing - 1


def _opening_line(source: SourceText, number: int) -> str | None:
    """The line whose block begins behind line `number`; None when none does.  A lone brace is the line above's."""
    line = source.line(number)
    if line.strip() == "{" and number > 1:
        return _header_above(source, number)
    is_header = _HEADER.search(line) or (_BRACE.search(line) and _is_control(line))
    return line if is_header and not _COMMENT.match(line) else None


def _header_above(source: SourceText, brace: int) -> str | None:
    """The first line of the statement whose last line ends with a parenthesis right above a lone brace."""
    if not source.line(brace - 1).rstrip().endswith(")"):
        return None
    width = indent_width(source.line(brace))
    lines = (source.line(number) for number in range(brace - 1, 0, -1))
    return next((line for line in lines if line.strip() and indent_width(line) <= width), None)


def _is_control(line: str) -> bool:
    return _CONTROL.match(line) is not None


def _closing_line(source: SourceText, opening: int) -> int | None:
    """The first line below that stands no deeper than the opening one, if it closes a brace."""
    width = indent_width(source.line(opening))
    for number in range(opening + 1, min(source.n_lines, opening + 1 + max(MAX_LINES.values()) + 1) + 1):
        line = source.line(number)
        if line.strip() and indent_width(line) <= width:
            return number if line.lstrip().startswith("}") else None
    return None


def _inside(source: SourceText, first: int, last: int, max_lines: int) -> Span | None:
    if not MIN_LINES <= last - first + 1 <= max_lines or not source.line(first).strip():
        return None
    return Span(source.line_start(first) + source.indentation(first), source.line_end(last))
