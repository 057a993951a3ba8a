"""The arithmetic of the benchmark: sums, ratios and percentiles over pairs of runs.  Knows no model and no screen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rest_lsp.bench.cases import KINDS
from rest_lsp.bench.results import Mismatch, Pair, Run, Setting
from rest_lsp.errors import RestLspError

SLOWEST_PERCENT = 5


@dataclass(frozen=True)
class ModeSummary:
    """Sums over the runs of one mode; ratios are 0 where nothing was measured.

    By pass: `draft_ms` is assembling a draft and learning from it, of which the other two are the parts.
    """

    ms_per_token: float
    tokens: int
    forwards: int
    tokens_per_forward: float
    nodes_per_step: float
    prefill_ms: float
    decode_ms: float
    retrieval_ms: float
    draft_ms_p50: float
    draft_ms_p99: float
    assembly_ms_p50: float
    assembly_ms_p99: float
    learning_ms_p50: float
    learning_ms_p99: float
    accepted_by_source: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """One group of cases.

    Cases that loop count for equality and not for speed.  `speedup` is the ratio of the sums; `speedup_p05` the 5th
    percentile over cases, `speedup_slowest` the ratio of the sums over the slowest 5 % of them (at least one).  Of the
    tokens that differ (`mismatches`) rounding decided `near_ties`, and `errors` are wrong; the rest follow from them.
    """

    cases: int
    looped: int
    plain: ModeSummary
    rest: ModeSummary
    speedup: float
    speedup_p05: float
    speedup_slowest: float
    mismatches: int
    near_ties: int
    errors: int

    def to_json(self) -> dict[str, Any]:
        """`mismatches` counts tokens."""
        row = asdict(self)
        modes = {"plain": row.pop("plain"), "rest": row.pop("rest")}
        return {"modes": modes, "identical": self.mismatches == 0, **row}


def summarise(pairs: Sequence[Pair]) -> Summary:
    """Any number of pairs, of any kinds; none give zeros."""
    timed = [pair for pair in pairs if pair.is_timed]
    by_speed = sorted(timed, key=lambda pair: pair.speedup)
    slowest = by_speed[: max(1, round(len(timed) * SLOWEST_PERCENT / 100))]
    speedups = [pair.speedup for pair in by_speed]
    return Summary(
        cases=len(pairs),
        looped=sum(pair.looped for pair in pairs),
        plain=_mode([pair.plain for pair in timed]),
        rest=_mode([pair.rest for pair in timed]),
        speedup=_speedup(timed),
        speedup_p05=float(np.percentile(speedups, SLOWEST_PERCENT)) if speedups else 0.0,
        speedup_slowest=_speedup(slowest),
        mismatches=sum(pair.differing_tokens for pair in pairs),
        near_ties=sum(pair.near_ties for pair in pairs),
        errors=sum(pair.errors for pair in pairs),
    )


def by_kind(pairs: Sequence[Pair]) -> dict[str, Summary]:
    """A summary for each kind that occurs, and one for block and body holes together when both do."""
    groups = {kind: [pair for pair in pairs if pair.case.kind == kind] for kind in KINDS}
    groups = {kind: group for kind, group in groups.items() if group}
    return {kind: summarise(group) for kind, group in groups.items()}


def several_lines(pairs: Sequence[Pair]) -> Summary:
    """Block and body holes together."""
    return summarise([pair for pair in pairs if pair.case.kind != "line"])


def by_project(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """The pairs of each project, in the order in which they were measured."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.project, []).append(pair)
    return groups


def report_json(setting: Setting, pairs: Sequence[Pair]) -> dict[str, Any]:
    """The whole report: the setting, a row per case and mode, summaries, also by kind and project, every mismatch."""
    projects = {
        name: {**summarise(group).to_json(), "kinds": _kinds_json(group)} for name, group in by_project(pairs).items()
    }
    return {
        **setting.to_json(),
        "cases": [row for pair in pairs for row in pair.to_json()],
        "summary": {**summarise(pairs).to_json(), "kinds": _kinds_json(pairs), "projects": projects},
        "mismatches": [_mismatch_json(pair, pair.mismatch) for pair in pairs if pair.mismatch],
    }


def _mismatch_json(pair: Pair, mismatch: Mismatch) -> dict[str, Any]:
    return {**mismatch._asdict(), **(pair.judgement._asdict() if pair.judgement is not None else {})}


def _kinds_json(pairs: Sequence[Pair]) -> dict[str, Any]:
    kinds = {kind: summary.to_json() for kind, summary in by_kind(pairs).items()}
    return {**kinds, "block_and_body": several_lines(pairs).to_json()}


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Raises RestLspError when the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        message = f"The report cannot be written to {path}: {error.strerror or error}."
        raise RestLspError(message, "Choose another place with --json.") from error


def _mode(runs: Sequence[Run]) -> ModeSummary:
    tokens, forwards = sum(len(run.tokens) for run in runs), sum(run.forwards for run in runs)
    accepted: Counter[str] = Counter()
    for run in runs:
        accepted.update(run.accepted)
    decode_ms = sum(run.decode_ms for run in runs)
    draft_ms = np.array([ms for run in runs for ms in run.draft_ms] or [0.0])
    learn_ms = np.array([ms for run in runs for ms in run.learn_ms] or [0.0])
    return ModeSummary(
        ms_per_token=_ratio(decode_ms, tokens),
        tokens=tokens,
        forwards=forwards,
        tokens_per_forward=_ratio(tokens, forwards),
        nodes_per_step=_ratio(sum(run.drafted for run in runs), forwards),
        prefill_ms=sum(run.prefill_ms for run in runs),
        decode_ms=decode_ms,
        retrieval_ms=sum(run.retrieval_ms for run in runs),
        draft_ms_p50=float(np.percentile(draft_ms, 50)),
        draft_ms_p99=float(np.percentile(draft_ms, 99)),
        assembly_ms_p50=float(np.percentile(draft_ms - learn_ms, 50)),
        assembly_ms_p99=float(np.percentile(draft_ms - learn_ms, 99)),
        learning_ms_p50=float(np.percentile(learn_ms, 50)),
        learning_ms_p99=float(np.percentile(learn_ms, 99)),
        accepted_by_source=dict(accepted.most_common()),
    )


def _speedup(pairs: Sequence[Pair]) -> float:
    return _ratio(sum(pair.plain.decode_ms for pair in pairs), sum(pair.rest.decode_ms for pair in pairs))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0
