"""Cursors in real files: where text was taken out, as if it were still to be typed.  Runs no model."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rest_lsp.completion.request import CompletionRequest

HERE = Path(__file__).parent
FILES = HERE / "files.jsonl.gz"
OUTPUTS = HERE / "outputs.jsonl.gz"
GROUPS = ("lines", "inside", "new_line", "lines", "lines")
CLOSERS = ")]}>\"'`:;, {"
COLUMNS_PER_LINE = 3


@dataclass(frozen=True)
class RealFile:
    """A file of a public package, whole; `licence` names the file beside this module that says under which terms."""

    name: str
    language: str
    licence: str
    text: str


@dataclass(frozen=True)
class Case:
    """The text between `start` and `end` of a file is not there yet, and the cursor stands where it will be.

    block      several lines are missing, from the first one's code on
    line       several lines are missing, from the middle of one on
    inside     a part of a line is missing, and the closers at its end are there
    new_line   nothing is missing: a new line was begun below an existing one (`inserted` stands before the cursor)

    Other kinds have code right of the cursor: see `gaps`.
    """

    file: int
    kind: str
    start: int
    end: int
    inserted: str = ""


@dataclass(frozen=True)
class Output:
    """What the model wrote at a cursor: the spelling of each token (bytes as Latin-1; None for a control token), its
    log-probability, and how many of the bytes are typed already."""

    case: Case
    pending: int
    pieces: list[str | None]
    log_probs: list[float]


def write_lines(path: Path, rows: list[Any]) -> None:
    """JSON lines, compressed; the same rows give the same bytes."""
    text = "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def read_files() -> list[RealFile]:
    return [RealFile(**json.loads(line)) for line in gzip.decompress(FILES.read_bytes()).decode().splitlines()]


def read_outputs() -> list[Output]:
    rows = map(json.loads, gzip.decompress(OUTPUTS.read_bytes()).decode().splitlines())
    return [Output(Case(**row.pop("case")), **row) for row in rows]


def request_for(case: Case, file: RealFile) -> CompletionRequest:
    """The cursor's own place, as an editor would ask for it."""
    before = file.text[: case.start] + case.inserted
    return CompletionRequest(before + file.text[case.end :], len(before), path=file.name, language=file.language)


def cases_of(files: list[RealFile], groups_per_file: int, seed: int = 1) -> list[Case]:
    """Groups of cursors as they come one after the other while somebody types; those of all files in turns."""
    groups: list[list[Case]] = []
    for number, file in enumerate(files):
        draw = random.Random(f"{seed} {file.name}")
        kinds = [GROUPS[index % len(GROUPS)] for index in range(groups_per_file)]
        groups += [list(_group(number, file.text, kind, draw)) for kind in kinds]
    random.Random(seed).shuffle(groups)
    return [case for group in groups for case in group]


def _group(number: int, text: str, kind: str, draw: random.Random) -> Iterator[Case]:
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    filled = [at for at in range(5, len(lines) - 1) if len(lines[at].strip()) >= 4]
    first = draw.choice(filled)
    if kind == "new_line":
        end, indent = starts[first] + len(lines[first]), _indent(lines[first])
        yield Case(number, kind, end, end, "\n" + lines[first][:indent])
    elif kind == "inside":
        end = len(lines[first].rstrip(CLOSERS))
        columns = range(_indent(lines[first]) + 1, end)
        for column in sorted(draw.sample(columns, min(3, len(columns)))):
            yield Case(number, kind, starts[first] + column, starts[first] + end)
    else:
        yield from _typed_lines(number, lines, starts, first, draw)


def _typed_lines(number: int, lines: list[str], starts: list[int], first: int, draw: random.Random) -> Iterator[Case]:
    """Cursors at the beginning of every other line of a hole and within each; what stands before is typed already."""
    indent, last = _indent(lines[first]), first
    while last + 1 < min(len(lines) - 1, first + 6) and _indent(lines[last + 1]) >= indent:
        last += 1
    end = starts[last] + len(lines[last])
    for at in range(first, last + 1):
        begin = _indent(lines[at])
        if (at - first) % 2 == 0:
            yield Case(number, "block", starts[at] + begin, end)
        columns = range(begin + 1, len(lines[at]))
        for column in sorted(draw.sample(columns, min(COLUMNS_PER_LINE, len(columns)))):
            yield Case(number, "line", starts[at] + column, end)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip()) if line.strip() else -1
