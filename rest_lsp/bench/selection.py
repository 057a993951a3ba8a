"""Which holes of which workspace are measured, from what the options say.  Knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import get_args

from rest_lsp.bench.case_maker import make_cases
from rest_lsp.bench.cases import KINDS, Case, CaseError, Kind, read_cases
from rest_lsp.bench.corpus import FLASK, PROJECTS, Distribution, fetch
from rest_lsp.bench.holes import Hole, cut_hole


@dataclass(frozen=True)
class Selection:
    """`seed` is None when the cases were read from a file."""

    workspace: Path
    holes: Sequence[Hole]
    name: str
    seed: int | None

    @property
    def label(self) -> str:
        origin = "cases from a file" if self.seed is None else f"seed {self.seed}"
        return f"{len(self.holes)} holes in {self.name}, {origin}"


def select_projects(
    names: str,
    *,
    kinds: str,
    per_kind: int,
    seed: int,
    limit: int | None,
    cache_dir: Path,
    among: Mapping[str, Distribution] | None = None,
) -> list[Selection]:
    """Holes in each of the pinned projects `names` (with commas, or "all") `among` all, at most `limit` in each.

    Raises CaseError or CorpusError.
    """
    known = PROJECTS if among is None else among
    wanted = list(known) if names.strip() == "all" else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise CaseError(f"There is no project {name!r}.", f"Choose among {', '.join(known)} with --projects.")
    return [_of_project(known[name], kinds, per_kind, seed, limit, cache_dir) for name in wanted]


def _of_project(
    project: Distribution, kinds: str, per_kind: int, seed: int, limit: int | None, cache_dir: Path
) -> Selection:
    chosen_kinds, root = parse_kinds(kinds), fetch(project, cache_dir)
    found = make_cases(root, seed=seed, per_kind=per_kind, kinds=chosen_kinds, suffixes=project.suffixes)
    chosen = in_turns(found, chosen_kinds)[:limit]
    if not chosen:
        raise _no_hole(f"{kinds} in {project.label}")
    return Selection(root, [cut_hole(root, case) for case in chosen], project.label, seed)


def _no_hole(kinds: str) -> CaseError:
    return CaseError(f"There is no hole of kind {kinds}.", f"Choose among {', '.join(KINDS)} with --kinds.")


def select_all(
    projects: str | None,
    *,
    workspace: Path | None,
    cases: Path | None,
    kinds: str,
    per_kind: int,
    seed: int,
    limit: int | None,
    cache_dir: Path,
) -> list[Selection]:
    """One for each of `projects`, or one for the workspace.  Raises CaseError or CorpusError."""
    if projects is None:
        return [_of_workspace(workspace, cases, kinds, per_kind, seed, limit, cache_dir)]
    if workspace or cases:
        raise CaseError("--projects goes with neither --workspace nor --cases.", "Leave one of them out.")
    return select_projects(projects, kinds=kinds, per_kind=per_kind, seed=seed, limit=limit, cache_dir=cache_dir)


def workload_of(selections: Sequence[Selection]) -> str:
    """One line."""
    if len(selections) == 1:
        return selections[0].label
    names = ", ".join(selection.name for selection in selections)
    return f"{sum(len(selection.holes) for selection in selections)} holes in {names}, seed {selections[0].seed}"


def _of_workspace(
    workspace: Path | None,
    cases: Path | None,
    kinds: str,
    per_kind: int,
    seed: int,
    limit: int | None,
    cache_dir: Path,
) -> Selection:
    """Holes in `workspace`, or in the pinned distribution."""
    wanted = parse_kinds(kinds)
    root = fetch(FLASK, cache_dir) if workspace is None else workspace.resolve()
    if not root.is_dir():
        raise CaseError(f"The workspace {root} is not a folder.", "Choose one with --workspace.")
    found = read_cases(cases) if cases else make_cases(root, seed=seed, per_kind=per_kind, kinds=wanted)
    chosen = in_turns(found, wanted)[:limit]
    if not chosen:
        raise _no_hole(kinds)
    name = FLASK.label if workspace is None else root.name
    return Selection(root, [cut_hole(root, case) for case in chosen], name, None if cases else seed)


def parse_kinds(text: str) -> list[Kind]:
    """Kinds with commas between them.  Raises CaseError for one that does not exist."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in KINDS:
            raise CaseError(f"There is no kind {name!r} of holes.", f"Choose among {', '.join(KINDS)} with --kinds.")
    return [kind for kind in get_args(Kind) if kind in names]


def in_turns(cases: Sequence[Case], kinds: Sequence[Kind]) -> list[Case]:
    """Cases of `kinds`, one of each in turns, so that the first few stand for all."""
    groups = ([case for case in cases if case.kind == kind] for kind in kinds)
    return [case for case in chain.from_iterable(zip_longest(*groups)) if case is not None]
