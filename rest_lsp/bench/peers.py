"""`rest-lsp bench peers` from its options to its report: every rival on every hole, in turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rest_lsp.assembly import LoadedModel
from rest_lsp.bench.cases import Case
from rest_lsp.bench.direct import Decoded
from rest_lsp.bench.fim_tasks import FimTasks
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.peers_plot import write_peers_plot
from rest_lsp.bench.peers_report import PeerCase, PeersReport, RivalInfo, print_peers
from rest_lsp.bench.plot import check_plotting
from rest_lsp.bench.rivals import OURS, OURS_PLAIN, Rival, find_rivals
from rest_lsp.bench.selection import Selection, select_all, workload_of
from rest_lsp.bench.setup import Setup, bench_settings, open_setup
from rest_lsp.bench.summary import write_report
from rest_lsp.config import Settings
from rest_lsp.errors import RestLspError


@dataclass(frozen=True)
class PeersOptions:
    """The options of the command, as they were given."""

    workspace: Path | None = None
    cases: Path | None = None
    projects: str | None = None
    kinds: str = "block,body"
    per_kind: int = 8
    seed: int = 1
    limit: int | None = None
    peers: str = "all"
    json: Path | None = None
    plot: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


def run_peers(options: PeersOptions) -> bool:
    """Measure, print, and write what was asked for.  True when all drafts in our engine gave the plain tokens."""
    if options.plot:
        check_plotting()
    settings = bench_settings(options.workspace, options.overrides, nodes=None)
    selections = select_all(
        options.projects, workspace=options.workspace, cases=options.cases, kinds=options.kinds,
        per_kind=options.per_kind, seed=options.seed, limit=options.limit, cache_dir=settings.model.cache_dir,
    )  # fmt: skip
    report = compare_all(selections, settings, options.peers)
    print_peers(Console(), report)
    if options.json:
        write_report(options.json, report.to_json())
    if options.plot:
        write_peers_plot(options.plot, report)
    return report.n_differing == 0


def compare_all(selections: Sequence[Selection], settings: Settings, names: str) -> PeersReport:
    """One project after the other, with one model of ours."""
    cases: list[PeerCase] = []
    model: LoadedModel | None = None
    rivals: list[Rival] = []
    for selection in selections:
        # Other programs hold the weights, too: there is not room for two of each.
        rivals.clear()
        with open_setup(selection.workspace, settings, model) as setup, ExitStack() as closing:
            if setup.engine.info.device != "cpu":
                raise RestLspError("Peers are compared on the CPU only.", "Add --device cpu.")
            model = setup.model
            rivals.extend(find_rivals(setup, settings, names, closing))
            cases += compare(setup, settings, selection, rivals)
            report = describe(setup, selections, rivals, cases)
    return report


def compare(setup: Setup, settings: Settings, selection: Selection, rivals: Sequence[Rival]) -> Iterator[PeerCase]:
    """One case after the other, with every rival on each; who begins changes from case to case.

    The first hole is written once before it counts, since the first passes of a process are slower than all others.
    """
    tasks = FimTasks(setup.model.tokenizer, settings.completion)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Warming up", total=len(rivals) * (1 + len(selection.holes)))
        for turn, hole in enumerate([selection.holes[0], *selection.holes]):
            task = tasks.task(hole)
            setup.engine.forget()
            written: dict[str, Decoded] = {}
            begin = turn % len(rivals)
            for rival in [*rivals[begin:], *rivals[:begin]]:
                progress.update(bar, description=f"{hole.case.kind} {turn}: {rival.name}")
                written[rival.name] = rival.run(task)
                progress.advance(bar)
            if turn:
                yield peer_case(setup.model, hole.case, {rival.name: written[rival.name] for rival in rivals})


def peer_case(model: LoadedModel, case: Case, written: Mapping[str, Decoded]) -> PeerCase:
    """Texts are compared without control tokens, since not every program shows them."""
    control = model.tokenizer.control_ids
    texts = {
        name: model.tokenizer.decode([token for token in decoded.tokens if token not in control])
        for name, decoded in written.items()
    }
    return PeerCase(case.id, case.kind, written, texts)


def describe(
    setup: Setup, selections: Sequence[Selection], rivals: Sequence[Rival], cases: Sequence[PeerCase]
) -> PeersReport:
    """What ran where."""
    info = setup.engine.info
    return PeersReport(
        workload=workload_of(selections),
        model=info.model,
        dtype=info.dtype,
        threads=info.threads,
        machine=this_machine(),
        rivals=[RivalInfo(rival.name, rival.settings, rival.plain_name) for rival in rivals],
        cases=cases,
        cost_curve=setup.cost_curve,
        ours=OURS,
        ours_plain=OURS_PLAIN,
    )
