"""Rows kept in a file as they come, one JSON object per line: a run of hours may be cut and goes on later."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from rest_lsp.errors import RestLspError

Row = TypeVar("Row")


class KeptRows(Generic[Row]):
    """The file's first line says what the rows stand for; they go with no other."""

    def __init__(
        self,
        path: Path,
        subject: Mapping[str, Any],
        *,
        to_json: Callable[[Row], dict[str, Any]],
        from_json: Callable[[dict[str, Any]], Row],
    ) -> None:
        """Raises RestLspError when the file is of another subject, holds something else, or cannot be written."""
        self._path, self._to_json, self._from_json = path, to_json, from_json
        self.rows: list[Row] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            lines = text.split("\n")
            if not text:
                path.write_text(json.dumps({"subject": dict(subject)}) + "\n", encoding="utf-8")
            elif not text.endswith("\n"):
                # Half a row, of a run that was killed: what is kept next must not be written behind it.
                with path.open("a", encoding="utf-8") as file:
                    file.write("\n")
        except OSError as error:
            message = f"The results cannot be kept in {path}: {error.strerror or error}."
            raise RestLspError(message, "Choose another place with --results.") from error
        if text:
            self._read(lines, subject)

    def add(self, row: Row) -> None:
        """On the disk when this returns, as far as the system says."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self._to_json(row), ensure_ascii=False) + "\n")
        self.rows.append(row)

    def _read(self, lines: list[str], subject: Mapping[str, Any]) -> None:
        try:
            found = json.loads(lines[0])["subject"]
            kept = [row for row in map(_whole, lines[1:]) if row is not None]
            if found == dict(subject):
                self.rows = [self._from_json(row) for row in kept]
        except (ValueError, KeyError, TypeError) as error:
            message = f"{self._path} holds no results of this benchmark ({type(error).__name__})."
            raise RestLspError(message, "Choose another place with --results.") from error
        if found != dict(subject):
            differing = ", ".join(sorted(key for key in {*found, *subject} if found.get(key) != subject.get(key)))
            raise RestLspError(
                f"{self._path} has results of another run: {differing} differs.", "Choose another place with --results."
            )


def _whole(line: str) -> Any | None:
    """None for half a line, where a run was killed; its case is asked again."""
    try:
        return json.loads(line)
    except ValueError:
        return None
