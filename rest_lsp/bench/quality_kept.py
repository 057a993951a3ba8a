"""The verdicts of `bench quality`, kept as they come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rest_lsp.bench.kept import KeptRows
from rest_lsp.bench.quality_judge import Verdict


class KeptVerdicts(KeptRows[Verdict]):
    """What is missing can be told."""

    def __init__(self, path: Path, subject: Mapping[str, Any]) -> None:
        super().__init__(path, subject, to_json=Verdict.to_json, from_json=lambda row: Verdict(**row))

    def missing(self, case_id: str, arms: list[str]) -> list[str]:
        """Those of `arms` that have not answered."""
        there = {verdict.arm for verdict in self.rows if verdict.id == case_id}
        return [arm for arm in arms if arm not in there]

    def text(self, case_id: str, arm: str) -> str:
        """What `arm` answered; nothing where it has not."""
        return next((verdict.text for verdict in self.rows if (verdict.id, verdict.arm) == (case_id, arm)), "")
