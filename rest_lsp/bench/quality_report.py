"""The verdicts of `bench quality` summed up: shares by set and arm, and how arms differ on the same cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from rest_lsp.bench.machine import Machine
from rest_lsp.bench.quality_arms import ARMS, RAW, Arm
from rest_lsp.bench.quality_cases import SETS
from rest_lsp.bench.quality_judge import Verdict


@dataclass(frozen=True)
class Row:
    """One arm on one set, or on one project of it; shares of 1, None where nothing could be run.  RAW has no times."""

    set: str
    group: str | None
    arm: str
    cases: int
    pass_at_1: float | None
    exact: float
    line_exact: float
    similarity: float
    median_ms: float | None
    prompt_tokens: float


@dataclass(frozen=True)
class QualityReport:
    """`verdicts` of cases that every arm among them has answered; others would compare different questions."""

    model: str
    machine: Machine
    verdicts: Sequence[Verdict]

    @property
    def arms(self) -> list[str]:
        present = {verdict.arm for verdict in self.verdicts}
        return sorted(present, key=lambda arm: ([*ARMS].index(Arm.parse(arm).name), arm))

    @property
    def compared(self) -> list[Verdict]:
        answered: dict[str, set[str]] = {}
        for verdict in self.verdicts:
            answered.setdefault(verdict.id, set()).add(verdict.arm)
        return [verdict for verdict in self.verdicts if len(answered[verdict.id]) == len(self.arms)]

    def rows(self) -> list[Row]:
        """By set and arm, and in repositories by project, too."""
        found: list[Row] = []
        for name in SETS:
            of_set = [verdict for verdict in self.compared if verdict.set == name]
            groups = sorted({verdict.group for verdict in of_set}) if name == "repository" else []
            for group in (None, *groups):
                chosen = [verdict for verdict in of_set if group in (None, verdict.group)]
                found += [_row(name, group, arm, [v for v in chosen if v.arm == arm]) for arm in self.arms if chosen]
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "machine": self.machine.to_json(),
            "arms": {arm: described(arm) for arm in self.arms},
            "rows": [asdict(row) for row in self.rows()],
            "verdicts": [verdict.to_json() for verdict in self.compared],
        }


def print_quality(console: Console, report: QualityReport) -> None:
    """The table, what the arms are, and what is missing."""
    table = Table(title=f"Quality of {report.model}", box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("set", "arm"):
        table.add_column(column, no_wrap=True)
    for column in ("cases", "pass@1", "exact", "line\nexact", "edit\nsimilarity", "median\nms"):
        table.add_column(column, justify="right", vertical="bottom", no_wrap=True)
    previous = None
    for row in report.rows():
        if previous not in (None, (row.set, row.group)):
            table.add_section()
        previous = (row.set, row.group)
        pass_at_1 = "–" if row.pass_at_1 is None else f"{row.pass_at_1:.1%}"
        shares = (pass_at_1, f"{row.exact:.1%}", f"{row.line_exact:.1%}", f"{row.similarity:.3f}")
        ms = "–" if row.median_ms is None else f"{row.median_ms:.0f}"
        table.add_row(row.group or row.set, row.arm, str(row.cases), *shares, ms)
    console.print(table)
    for arm in report.arms:
        console.print(f"{arm}: {described(arm)}.", highlight=False)
    left_out = len({v.id for v in report.verdicts}) - len({v.id for v in report.compared})
    if left_out:
        console.print(f"{left_out} cases are left out, which not every arm has answered yet.")


def described(arm: str) -> str:
    return ARMS[Arm.parse(arm).name]


def _row(name: str, group: str | None, arm: str, verdicts: Sequence[Verdict]) -> Row:
    judged = [verdict.passed for verdict in verdicts if verdict.passed is not None]
    return Row(
        set=name,
        group=group,
        arm=arm,
        cases=len(verdicts),
        pass_at_1=mean(judged) if judged else None,
        exact=mean(verdict.exact for verdict in verdicts),
        line_exact=mean(verdict.line_exact for verdict in verdicts),
        similarity=mean(verdict.similarity for verdict in verdicts),
        median_ms=None if arm == RAW else median(verdict.ms for verdict in verdicts),
        prompt_tokens=mean(verdict.prompt_tokens for verdict in verdicts),
    )
