"""Cursors in real files with code right of them on their line: in every file the same number of each kind, near one
another, so that one prompt begins as the last one did.

part     a part of a line is missing
span     the end of a line, the beginning of a later one and what stands between are missing
before   nothing is missing: somebody goes back to a place before a word
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from rest_lsp.completion.layout import is_comment
from tests.recorded.cases import Case, RealFile

KINDS = ("part", "span", "before", "part", "before", "part")
MIN_CHARACTERS = 12
"""A shorter line has no room for a part with code on both sides."""
MAX_SPAN, NEAR = 3, 10
"""In such lines."""
_WORD = re.compile(r"\b(?=\w)")


def gaps_of(files: Sequence[RealFile], seed: int = 1) -> list[Case]:
    """Those of one file come from the top down, as somebody would go through it."""
    by_file = [sorted(_gaps(number, file, seed), key=lambda gap: gap.start) for number, file in enumerate(files)]
    random.Random(seed).shuffle(by_file)
    return [gap for gaps in by_file for gap in gaps]


def _gaps(number: int, file: RealFile, seed: int) -> Iterator[Case]:
    draw = random.Random(f"gaps {seed} {file.name}")
    lines = file.text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    wide = [at for at, line in enumerate(lines) if len(line.strip()) >= MIN_CHARACTERS and not is_comment(line)]
    top = draw.randrange(len(wide) - MAX_SPAN)
    for kind in KINDS:
        first = draw.choice(wide[top:-MAX_SPAN][:NEAR])
        last = draw.choice([at for at in wide if first < at][:MAX_SPAN]) if kind == "span" else first
        begin = draw.randrange(_indent(lines[first]), len(lines[first].rstrip()) - 1)
        ends = _words(lines[last])
        if kind == "part":
            ends = [end for end in ends if end > begin] or ends[-1:]
        end = draw.choice(ends)
        start = starts[first] + (begin if kind == "span" else min(begin, end))
        yield Case(number, kind, starts[last] + end if kind == "before" else start, starts[last] + end)


def _words(line: str) -> list[int]:
    """Columns at which a word begins; code goes on at each."""
    return [found.start() for found in _WORD.finditer(line)]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
