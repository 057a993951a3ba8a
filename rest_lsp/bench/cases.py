"""Cases: holes in real files, one JSON object per line.  Knows the format, not how cases are made or run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from rest_lsp.errors import RestLspError
from rest_lsp.positions import Position

Kind = Literal["line", "block", "body"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FORMAT_HINT = 'Write one object per line: {"id", "path", "start": {"line", "character"}, "end": {"line", "character"}}.'


class CaseError(RestLspError):
    """A file of cases, or a case in it, cannot be used."""


@dataclass(frozen=True)
class Case:
    """A hole from `start` to `end` (zero-based, UTF-16) in the file `path`, relative to the workspace, with slashes."""

    id: str
    path: str
    kind: Kind
    start: Position
    end: Position

    def to_json(self) -> dict[str, Any]:
        """The object that stands on a line of a file of cases."""
        return {
            "id": self.id,
            "path": self.path,
            "kind": self.kind,
            "start": self.start._asdict(),
            "end": self.end._asdict(),
        }


def read_cases(path: Path) -> list[Case]:
    """Every case of a file.  Raises CaseError that names the file and the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError(f"The cases in {path} cannot be read: {error}.", "Give a UTF-8 file of JSON lines.") from error
    cases = [parse_case(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not cases:
        raise CaseError(f"There is no case in {path}.", FORMAT_HINT)
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise CaseError(f"The id {case.id!r} stands twice in {path}.", "Give each case an id of its own.")
        seen.add(case.id)
    return cases


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """One JSON object per line."""
    path.write_text("".join(json.dumps(case.to_json(), ensure_ascii=False) + "\n" for case in cases), encoding="utf-8")


def parse_case(line: str, where: str) -> Case:
    """One line of a file of cases; a missing `kind` is `line` for a hole within one line, else `block`."""
    try:
        row = json.loads(line)
        start, end = (Position(int(row[key]["line"]), int(row[key]["character"])) for key in ("start", "end"))
        path: str = row["path"]
        kind: Any = row.get("kind") or ("line" if start.line == end.line else "block")
        case = Case(id=str(row["id"]), path=path, kind=kind, start=start, end=end)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CaseError(f"{where}, is not a case: {type(error).__name__} {error}.", FORMAT_HINT) from error
    if kind not in KINDS:
        raise CaseError(f"{where}, has the unknown kind {kind!r}.", f"Use one of {', '.join(KINDS)}.")
    if min(*start, *end) < 0 or end <= start:
        raise CaseError(f"{where}, has a hole that is empty or backwards.", "Let `end` stand after `start`.")
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path:
        raise CaseError(f"{where}, leaves the workspace: {path!r}.", "Give a path relative to it, with slashes.")
    return case
