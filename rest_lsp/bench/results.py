"""What the benchmark found, as plain data: runs, pairs of runs on one case, and the whole report as JSON.

Knows no arithmetic beyond medians; see summary.py for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal, NamedTuple

from rest_lsp.bench.cases import Case

Mode = Literal["plain", "rest"]


class SourceLine(NamedTuple):
    """A place that drafts were read from: zero-based line, and how many accepted tokens came from there."""

    path: str
    line: int | None
    tokens: int


class Mismatch(NamedTuple):
    """Where the tokens of the two modes part for the first time; None stands for no token at all."""

    id: str
    position: int
    plain: int | None
    rest: int | None


class Judgement(NamedTuple):
    """What plain decoding says of a drafted output that differs from its own, see near_ties.py.

    near_ties  tokens that rounding decided
    errors     tokens that rounding does not explain
    worst      how far the least likely of them lay below the likeliest, in roundings
    """

    near_ties: int
    errors: int
    worst: float


@dataclass(frozen=True)
class Run:
    """One mode on one case.

    tokens       ids up to and with the one that ended it, so that plain decoding has one forward pass per token
    accepted     draft tokens among `tokens`, by source
    drafted      nodes of all trees
    decode_ms    all steps: draft, verify and accept; `retrieval_ms` of it went into drafting
    draft_ms     of each pass: making the draft and learning from it; of all repetitions; `learn_ms`: the latter alone
    stop         the rule that ended it; `looped` when it was one that no user would see the end of
    """

    tokens: tuple[int, ...]
    text: str
    forwards: int
    accepted: Mapping[str, int]
    drafted: int
    prefill_ms: float
    decode_ms: float
    retrieval_ms: float
    stop: str
    looped: bool = False
    sources: Sequence[SourceLine] = ()
    draft_ms: Sequence[float] = ()
    learn_ms: Sequence[float] = ()

    @property
    def n_accepted(self) -> int:
        return sum(self.accepted.values())


@dataclass(frozen=True)
class Pair:
    """Both modes on one case of `project`."""

    case: Case
    plain: Run
    rest: Run
    project: str = ""
    judgement: Judgement | None = None

    @property
    def speedup(self) -> float:
        return self.plain.decode_ms / self.rest.decode_ms

    @property
    def looped(self) -> bool:
        return self.plain.looped or self.rest.looped

    @property
    def is_timed(self) -> bool:
        """Whether it counts for speed: not when it loops, nor when no forward pass was needed."""
        return not self.looped and min(self.plain.forwards, self.rest.forwards) > 0

    @property
    def mismatch(self) -> Mismatch | None:
        plain, rest = self.plain.tokens, self.rest.tokens
        if plain == rest:
            return None
        same = common_prefix(plain, rest)
        return Mismatch(self.case.id, same, *((*run[same:], None)[0] for run in (plain, rest)))

    @property
    def differing_tokens(self) -> int:
        """Tokens behind the first difference, of the longer output."""
        plain, rest = self.plain.tokens, self.rest.tokens
        return max(len(plain), len(rest)) - common_prefix(plain, rest)

    @property
    def near_ties(self) -> int:
        return self.judgement.near_ties if self.judgement is not None else 0

    @property
    def errors(self) -> int:
        """Tokens that rounding does not explain; one where nobody judged why outputs differ."""
        if self.judgement is not None:
            return self.judgement.errors
        return int(self.mismatch is not None)

    def to_json(self) -> list[dict[str, Any]]:
        return [_run_json(self, "plain", self.plain), _run_json(self, "rest", self.rest)]


class CostPoint(NamedTuple):
    """Milliseconds of one forward pass that verifies `nodes` draft tokens besides its root."""

    nodes: int
    ms: float


@dataclass(frozen=True)
class Setting:
    """What was measured, where.

    nodes  the fixed budget, None when the cost model chooses
    warm   what requests teach was kept for the next ones
    libraries  drafts came from installed packages and the standard library, too
    temperature  0 where the most likely token was always taken
    """

    workload: str
    model: str
    device: str
    dtype: str
    threads: int
    machine: Mapping[str, Any]
    memory_floor_ms: float
    nodes: int | None
    repeat: int
    seed: int | None
    cost_curve: Sequence[CostPoint] = ()
    warm: bool = False
    temperature: float = 0.0
    libraries: bool = False

    @property
    def budget(self) -> str:
        nodes = "nodes by the cost model" if self.nodes is None else f"{self.nodes} nodes"
        sampled = [f"sampled at temperature {self.temperature:g}"] if self.temperature else []
        kept, libraries = ["history kept"] * self.warm, ["libraries indexed"] * self.libraries
        return ", ".join([nodes, *sampled, *kept, *libraries])

    def to_json(self) -> dict[str, Any]:
        points = [point._asdict() for point in self.cost_curve]
        return {**self.__dict__, "machine": dict(self.machine), "cost_curve": points}


def merge_repeats(runs: Sequence[Run], expected: Sequence[int]) -> Run:
    """One run that stands for all: median times, and the tokens of the first that is not as `expected`, if any.

    Only the first run reads the whole prompt.
    """
    shown = next((run for run in runs if run.tokens != tuple(expected)), runs[0])
    return replace(
        shown,
        prefill_ms=runs[0].prefill_ms,
        decode_ms=median(run.decode_ms for run in runs),
        retrieval_ms=median(run.retrieval_ms for run in runs),
        draft_ms=tuple(ms for run in runs for ms in run.draft_ms),
        learn_ms=tuple(ms for run in runs for ms in run.learn_ms),
    )


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens are the same, counted from the start."""
    shorter = min(len(left), len(right))
    return next((i for i in range(shorter) if left[i] != right[i]), shorter)


def _run_json(pair: Pair, mode: Mode, run: Run) -> dict[str, Any]:
    return {
        "id": pair.case.id,
        "project": pair.project,
        "kind": pair.case.kind,
        "mode": mode,
        "tokens": len(run.tokens),
        "forwards": run.forwards,
        "accepted": run.n_accepted,
        "accepted_by_source": dict(run.accepted),
        "drafted": run.drafted,
        "prefill_ms": round(run.prefill_ms, 3),
        "decode_ms": round(run.decode_ms, 3),
        "retrieval_ms": round(run.retrieval_ms, 3),
        "stop": run.stop,
        "looped": run.looped,
        "sources": [source._asdict() for source in run.sources],
    }
