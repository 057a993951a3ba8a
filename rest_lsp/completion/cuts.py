"""What a suggestion must not end with, and so ends before: fences of chat answers, other cells of a notebook, imports
that are there already, empty comments, brackets that nothing closes, what does not parse.  Pure functions text -> text:
they cut the end off.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rest_lsp.completion.brackets import Bracket, brackets_of, imbalance
from rest_lsp.completion.replacing import n_replaced
from rest_lsp.completion.snapshot import Snapshot

NEAR = 6000
"""Characters on each side of the cursor in which brackets are counted: what is further away changes nothing here."""
PROSE = frozenset({"markdown", "restructuredtext", "asciidoc", "latex", "plaintext"})

_MARKER = re.compile(r"(?<![\"'`])<[|\uff5c][\w\u2581]{2,30}[|\uff5c]>")
_FENCE = re.compile(r"\s*(```|~~~)[\w+-]*\s*$")
_IMPORT = re.compile(
    r"(import\b|from\s+\S+\s+import\b|#\s*include\b|use\s|using\s|require(_relative)?\b|source\s"
    r"|((const|let|var|local)\s+)?[\w{},\s]+=\s*require\b)"
)
_GO_IMPORT = re.compile(r'\t([\w.]+\s+)?"[\w./-]+"$')
_CELL = re.compile(r"\s*(#|--|//)\s*%%")
_EMPTY_COMMENT = re.compile(r"[ \t]*(#+|//[/!]?|--|;;)[ \t]*$")


def cut_at_marker(text: str, snapshot: Snapshot) -> str:
    """What looks like a control token ends the code: models have learnt to spell <|cursor|> in ordinary tokens.

    In quotes it is text: a program may well be about such tokens.
    """
    found = _MARKER.search(text)
    if found is None or _MARKER.search(snapshot.before + snapshot.after):
        return text
    return text[: found.start()]


def cut_at_fence(text: str, snapshot: Snapshot) -> str:
    """A line that is a Markdown fence ends the code, unless the document has such lines itself."""
    if snapshot.language in PROSE or _has_fence(snapshot.before):
        return text
    return _cut_before(text, snapshot, lambda line: _FENCE.match(line) is not None)


def cut_at_next_line(text: str, snapshot: Snapshot) -> str:
    """A line that says what the next one below says ends the text, also when the rest of the cursor's completes it."""
    rest = snapshot.line_after[n_replaced(text, snapshot) :]
    lines = f"{snapshot.line_before}{text}{rest}".split("\n")
    same = (index for index, line in enumerate(lines) if line.strip() and line.rstrip() == snapshot.next_line)
    return "\n".join(text.split("\n")[: next(same, len(lines))])


def cut_at_next_cell(text: str, snapshot: Snapshot) -> str:
    """A notebook has its cells apart; where the text that the model reads says that one begins, this one is done."""
    return _cut_before(text, snapshot, lambda line: _CELL.match(line) is not None) if snapshot.is_cell else text


def cut_at_known_import(text: str, snapshot: Snapshot) -> str:
    """An import at the top level that the document has already is not made again, nor is what follows it."""
    known = {line.rstrip() for line in (snapshot.before + "\n" + snapshot.after).split("\n") if line.strip()}
    is_go = snapshot.language == "go"

    def is_known_import(line: str) -> bool:
        code = line.rstrip()
        is_import = _IMPORT.match(code) is not None or (is_go and _GO_IMPORT.match(code) is not None)
        return is_import and code in known

    return _cut_before(text, snapshot, is_known_import)


def cut_empty_comment(text: str, snapshot: Snapshot) -> str:
    """A comment without words at the end says nothing."""
    lines = text.rstrip().split("\n")
    kept = len(lines)
    while kept and _EMPTY_COMMENT.match(_whole(lines, kept - 1, snapshot)):
        kept -= 1
    return text if kept == len(lines) else "\n".join(lines[:kept])


def cut_where_unbalanced(text: str, snapshot: Snapshot) -> str:
    """The longest beginning that leaves no bracket alone that had a partner: whole lines, or part of an only one.

    https://github.com/codota/tabnine-vscode/issues/1078 is one of many complaints.
    """
    before, after, language = snapshot.before[-NEAR:], snapshot.after[:NEAR], snapshot.language
    allowed = imbalance(brackets_of(before + after, language))

    def fits(part: str) -> bool:
        kept = after[n_replaced(part, snapshot) :]
        return imbalance(brackets_of(before + part + kept, language)) <= allowed

    if fits(text):
        return text
    lines = text.split("\n")
    for n_lines in range(len(lines) - 1, 0, -1):
        part = "\n".join(lines[:n_lines])
        if fits(part):
            return part
    if len(lines) > 1:
        return ""
    return next((part.rstrip() for part in _beginnings(lines[0], snapshot) if fits(part)), "")


def cut_where_unsound(text: str, snapshot: Snapshot) -> str:
    """The longest beginning of whole lines with which a document that parses still does."""
    place = snapshot.place
    if place is None or not text.strip():
        return text
    lines = text.split("\n")
    for n_lines in range(len(lines), 0, -1):
        part = text if n_lines == len(lines) else "\n".join(lines[:n_lines])
        if not place.breaks(part, n_replaced(part, snapshot)):
            return part
    return ""


def _beginnings(line: str, snapshot: Snapshot) -> list[str]:
    """`line` cut before each of its brackets, the longest first."""
    found: list[Bracket] = brackets_of(snapshot.line_before + line, snapshot.language)
    start = len(snapshot.line_before)
    return [line[: index - start] for index, _ in reversed(found) if index >= start]


def _has_fence(text: str) -> bool:
    return any(_FENCE.match(line) for line in text.split("\n"))


def _cut_before(text: str, snapshot: Snapshot, is_end: Callable[[str], bool]) -> str:
    lines = text.split("\n")
    ends = (index for index in range(len(lines)) if is_end(_whole(lines, index, snapshot)))
    return "\n".join(lines[: next(ends, len(lines))])


def _whole(lines: list[str], index: int, snapshot: Snapshot) -> str:
    """The line as it would stand in the document."""
    return snapshot.line_before + lines[0] if index == 0 else lines[index]
