"""What the comparison with peers found: the arithmetic, the table, and the report as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from rest_lsp.bench.direct import PARTS, Decoded
from rest_lsp.bench.machine import Machine
from rest_lsp.bench.results import CostPoint, common_prefix
from rest_lsp.completion.request import StopReason

FEWEST_TOKENS = 3
"""A shorter text has no pace: other programs' clocks start at its first token."""


class RivalInfo(NamedTuple):
    name: str
    settings: str
    plain_name: str


@dataclass(frozen=True)
class PeerCase:
    """One hole: what each rival wrote, and its text."""

    id: str
    kind: str
    written: Mapping[str, Decoded]
    texts: Mapping[str, str]

    @property
    def is_timed(self) -> bool:
        """Not when somebody wrote next to nothing, or ran into a loop."""
        runs = self.written.values()
        return min(len(run.tokens) for run in runs) >= FEWEST_TOKENS and all(run.decode_ms > 0 for run in runs) and (
            all(run.stop is not StopReason.LOOP for run in runs)
        )  # fmt: skip

    def ms_per_token(self, name: str) -> float:
        return self.written[name].decode_ms / len(self.written[name].tokens)


@dataclass(frozen=True)
class RivalSummary:
    """Sums over the timed cases of one rival, ratios of sums; `equal_*` are shares of all cases.

    speedup      its own plain ms per token / its ms per token
    ours_faster  its ms per token / ours
    """

    cases: int
    tokens: int
    ms_per_token: float
    tokens_per_pass: float
    nodes_per_pass: float
    speedup: float
    ours_faster: float
    ours_faster_p05: float
    equal_own_plain: float
    equal_ours: float
    accepted: dict[str, int]
    parts_ms_per_pass: dict[str, float]
    draft_ms_p50: float
    draft_ms_p99: float


@dataclass(frozen=True)
class PeersReport:
    """Everything that was measured, and where."""

    workload: str
    model: str
    dtype: str
    threads: int
    machine: Machine
    rivals: Sequence[RivalInfo]
    cases: Sequence[PeerCase]
    cost_curve: Sequence[CostPoint]
    ours: str
    ours_plain: str

    @property
    def n_differing(self) -> int:
        """Tokens behind the first difference from plain, of all drafts in our own engine: must be 0."""
        names = [rival.name for rival in self.rivals if rival.plain_name == self.ours_plain]
        pairs = [
            (case.written[name].tokens, case.written[self.ours_plain].tokens) for case in self.cases for name in names
        ]
        return sum(max(len(a), len(b)) - common_prefix(a, b) for a, b in pairs)

    def summary(self, rival: RivalInfo, cases: Sequence[PeerCase] | None = None) -> RivalSummary:
        """Of `cases`, or of all."""
        cases = self.cases if cases is None else cases
        timed = [case for case in cases if case.is_timed]
        runs = [case.written[rival.name] for case in timed]
        passes = sum(run.forwards or 0 for run in runs)
        accepted: Counter[str] = Counter()
        for run in runs:
            accepted.update(run.accepted)
        draft_ms = [ms for run in runs for ms in run.draft_ms] or [0.0]
        own = pace(timed, rival.name)
        faster = [case.ms_per_token(rival.name) / case.ms_per_token(self.ours) for case in timed]
        return RivalSummary(
            cases=len(timed),
            tokens=sum(len(run.tokens) for run in runs),
            ms_per_token=own,
            tokens_per_pass=_ratio(sum(len(run.tokens) for run in runs), passes),
            nodes_per_pass=_ratio(sum(run.drafted for run in runs), passes),
            speedup=_ratio(pace(timed, rival.plain_name), own),
            ours_faster=_ratio(own, pace(timed, self.ours)),
            ours_faster_p05=float(np.percentile(faster, 5)) if faster else 0.0,
            equal_own_plain=_share(case.texts[rival.name] == case.texts[rival.plain_name] for case in cases),
            equal_ours=_share(case.texts[rival.name] == case.texts[self.ours] for case in cases),
            accepted=dict(accepted.most_common()),
            parts_ms_per_pass={
                part: _ratio(sum(run.parts_ms[part] for run in runs), passes)
                for part in PARTS if runs and runs[0].parts_ms
            },
            draft_ms_p50=float(np.percentile(draft_ms, 50)),
            draft_ms_p99=float(np.percentile(draft_ms, 99)),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        kinds = sorted({case.kind for case in self.cases})
        by_kind = {kind: [case for case in self.cases if case.kind == kind] for kind in kinds}
        return {
            "workload": self.workload,
            "model": self.model,
            "dtype": self.dtype,
            "threads": self.threads,
            "machine": self.machine.to_json(),
            "cost_curve": [point._asdict() for point in self.cost_curve],
            "differing_tokens": self.n_differing,
            "rivals": [
                {
                    **rival._asdict(),
                    "summary": self.summary(rival).__dict__,
                    "kinds": {kind: self.summary(rival, cases).__dict__ for kind, cases in by_kind.items()},
                }
                for rival in self.rivals
            ],
            "cases": [_row(case, rival.name) for case in self.cases for rival in self.rivals],
        }


def pace(cases: Sequence[PeerCase], name: str) -> float:
    """Milliseconds per token over all of `cases`."""
    runs = [case.written[name] for case in cases]
    return _ratio(sum(run.decode_ms for run in runs), sum(len(run.tokens) for run in runs))


def print_peers(console: Console, report: PeersReport) -> None:
    """The table, where our time goes, and whether anything differs."""
    console.print(peers_table(report))
    for rival in report.rivals:
        console.print(f"{rival.name}: {rival.settings}", highlight=False)
    for name in (report.ours_plain, report.ours):
        found = report.summary(next(rival for rival in report.rivals if rival.name == name))
        parts = ", ".join(f"{part} {ms:.2f}" for part, ms in found.parts_ms_per_pass.items())
        accepted = ", ".join(f"{source} {count}" for source, count in found.accepted.items())
        console.print(f"{name}, ms per pass: {parts}. {f'Accepted by source: {accepted}.' if accepted else ''}")
    left_out = sum(not case.is_timed for case in report.cases)
    if left_out:
        console.print(
            f"{left_out} of {len(report.cases)} texts are short or repeat themselves; they count for no time."
        )
    if report.n_differing:
        console.print(f"{report.n_differing} tokens of our engine differ from plain decoding.", style="red")
    else:
        console.print("Every rule in our engine wrote the tokens of plain decoding.", style="green")


def peers_table(report: PeersReport) -> Table:
    title = f"{report.model}, ours {report.dtype}, {report.threads} threads, {report.workload}\n{report.machine.label}"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0))
    table.add_column("", vertical="bottom", no_wrap=True)
    for column in (
        "tokens", "ms\n/token", "over own\nplain", "rest-lsp\nfaster by", "tokens\n/pass", "nodes\n/pass",
        "as own\nplain", "as\nours",
    ):  # fmt: skip
        table.add_column(column, justify="right", vertical="bottom", no_wrap=True)
    for rival in report.rivals:
        found = report.summary(rival)
        table.add_row(
            rival.name, str(found.tokens), f"{found.ms_per_token:.1f}", f"{found.speedup:.2f} ×",
            f"{found.ours_faster:.2f} ×", f"{found.tokens_per_pass:.2f}", f"{found.nodes_per_pass:.1f}",
            f"{found.equal_own_plain:.0%}", f"{found.equal_ours:.0%}",
            style="bold" if rival.name == report.ours else None,
        )  # fmt: skip
    return table


def _row(case: PeerCase, name: str) -> dict[str, Any]:
    run = case.written[name]
    return {
        "id": case.id,
        "kind": case.kind,
        "rival": name,
        "timed": case.is_timed,
        "tokens": len(run.tokens),
        "decode_ms": round(run.decode_ms, 3),
        "prefill_ms": round(run.prefill_ms, 3),
        "forwards": run.forwards,
        "accepted_by_source": dict(run.accepted),
        "drafted": run.drafted,
        "parts_ms": {part: round(ms, 3) for part, ms in run.parts_ms.items()},
        "stop": run.stop.value if run.stop else None,
    }


def _share(flags: Iterable[bool]) -> float:
    found = list(flags)
    return _ratio(sum(found), len(found))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0
