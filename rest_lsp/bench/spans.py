"""Holes in one Python file, found in its syntax tree.  Knows one text at a time, and nothing of files or models."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rest_lsp.bench.cases import Kind
from rest_lsp.positions import TextPositions

MIN_CHARACTERS: Mapping[Kind, int] = {"line": 8, "block": 24, "body": 24}
MIN_LINES = 2
MAX_LINES: Mapping[Kind, int] = {"line": 1, "block": 16, "body": 24}
MIN_TYPED = 2


@dataclass(frozen=True)
class Span:
    """A hole as offsets in code points of one file's text."""

    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


def find_spans(text: str, kind: Kind, draw: random.Random) -> list[Span]:
    """Every hole of one kind in a file; a rest of a line begins at a drawn column."""
    source = SourceText(text)
    tree = ast.parse(text)
    if kind == "line":
        found = [rest_of_line(source, line, draw) for line in sorted(_first_lines(tree))]
    else:
        bodies = _blocks(tree) if kind == "block" else _function_bodies(tree)
        found = [_body_span(source, statements, MAX_LINES[kind]) for statements in bodies]
    return [span for span in found if span and len(text[span.start : span.end].strip()) >= MIN_CHARACTERS[kind]]


class SourceText:
    """Places of a syntax tree (lines from 1, columns in UTF-8 bytes) as offsets in code points."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.positions = TextPositions(text)

    @property
    def n_lines(self) -> int:
        return len(self.positions.line_starts)

    def line(self, number: int) -> str:
        return self.positions.line(number - 1)

    def line_start(self, number: int) -> int:
        return self.positions.line_starts[number - 1]

    def line_end(self, number: int) -> int:
        return self.line_start(number) + len(self.line(number))

    def indentation(self, number: int) -> int:
        line = self.line(number)
        return len(line) - len(line.lstrip())


def _first_lines(tree: ast.Module) -> set[int]:
    """Lines on which a statement begins, text that is only a string left out."""
    return {node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt) and not _is_string(node)}


def rest_of_line(source: SourceText, number: int, draw: random.Random) -> Span | None:
    """From a drawn column behind the first characters to the end of the line; None when it is too short for that."""
    earliest = source.indentation(number) + MIN_TYPED
    latest = len(source.line(number).rstrip()) - MIN_CHARACTERS["line"]
    if latest < earliest:
        return None
    return Span(source.line_start(number) + draw.randint(earliest, latest), source.line_end(number))


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try):
            yield node.body


def _function_bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body[1:] if _is_string(node.body[0]) else node.body


def _body_span(source: SourceText, statements: Sequence[ast.stmt], max_lines: int) -> Span | None:
    """From the first statement's indentation to the end of the last one's line.

    The syntax tree's columns count UTF-8 bytes, which is the same as code points within an indentation.
    """
    if not statements:
        return None
    first, last = _first_line(statements[0]), _last_line(statements[-1])
    begins_its_line = statements[0].col_offset == source.indentation(first)
    if not begins_its_line or not MIN_LINES <= last - first + 1 <= max_lines:
        return None
    return Span(source.line_start(first) + source.indentation(first), source.line_end(last))


def _first_line(statement: ast.stmt) -> int:
    decorators: Sequence[ast.expr] = getattr(statement, "decorator_list", ())
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _last_line(statement: ast.stmt) -> int:
    assert statement.end_lineno is not None, "a parsed statement has an end"
    return statement.end_lineno


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
