"""Verdicts kept in a file as they come, one JSON object per line: a run of hours may be cut and goes on later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rest_lsp.bench.quality_judge import Verdict
from rest_lsp.errors import RestLspError


class KeptVerdicts:
    """The file's first line says what the verdicts stand for; they go with no other."""

    def __init__(self, path: Path, subject: Mapping[str, Any]) -> None:
        """Raises RestLspError when the file is of another model or other options, or cannot be written."""
        self._path = path
        self.verdicts: list[Verdict] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            lines = text.splitlines()
            if not lines:
                path.write_text(json.dumps({"subject": dict(subject)}) + "\n", encoding="utf-8")
            elif not text.endswith("\n"):
                # Half a verdict, of a run that was killed: what is kept next must not be written behind it.
                with path.open("a", encoding="utf-8") as file:
                    file.write("\n")
        except OSError as error:
            message = f"The results cannot be kept in {path}: {error.strerror or error}."
            raise RestLspError(message, "Choose another place with --results.") from error
        if lines:
            self._read(lines, subject)

    def add(self, verdict: Verdict) -> None:
        """On the disk when this returns, as far as the system says."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(verdict.to_json(), ensure_ascii=False) + "\n")
        self.verdicts.append(verdict)

    def missing(self, case_id: str, arms: list[str]) -> list[str]:
        """Those of `arms` that have not answered."""
        there = {verdict.arm for verdict in self.verdicts if verdict.id == case_id}
        return [arm for arm in arms if arm not in there]

    def text(self, case_id: str, arm: str) -> str:
        """What `arm` answered; nothing where it has not."""
        return next((verdict.text for verdict in self.verdicts if (verdict.id, verdict.arm) == (case_id, arm)), "")

    def _read(self, lines: list[str], subject: Mapping[str, Any]) -> None:
        try:
            found = json.loads(lines[0])["subject"]
            # Where a run was killed there is half a line; its case is asked again.
            rows = [json.loads(line) for line in lines[1:] if line.endswith("}")]
            self.verdicts = [Verdict(**row) for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            message = f"{self._path} holds no results of this benchmark ({type(error).__name__})."
            raise RestLspError(message, "Choose another place with --results.") from error
        if found != dict(subject):
            differing = ", ".join(sorted(key for key in {*found, *subject} if found.get(key) != subject.get(key)))
            raise RestLspError(
                f"{self._path} has results of another run: {differing} differs.", "Choose another place with --results."
            )
