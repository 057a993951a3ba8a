"""`rest-lsp bench decode` from its options to its report.  Knows the order of things and none of their details."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rest_lsp.bench.decode import measure, measure_hole
from rest_lsp.bench.floor import FloorProbe
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.plot import check_plotting, write_plot
from rest_lsp.bench.results import Pair, Setting
from rest_lsp.bench.selection import Selection, select
from rest_lsp.bench.setup import Setup, bench_settings, open_setup
from rest_lsp.bench.summary import report_json, write_report
from rest_lsp.bench.table import print_report


@dataclass(frozen=True)
class Options:
    """The options of the command, as they were given; `overrides` are those that every command shares."""

    workspace: Path | None = None
    cases: Path | None = None
    kinds: str = "line,block,body"
    per_kind: int = 28
    seed: int = 1
    limit: int | None = None
    repeat: int = 1
    nodes: int | None = None
    json: Path | None = None
    plot: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


def run_decode(options: Options) -> bool:
    """Measure, print, and write what was asked for.  True when both modes gave the same tokens everywhere."""
    if options.plot:
        check_plotting()
    settings = bench_settings(options.workspace, options.overrides, nodes=options.nodes)
    selection = select(
        workspace=options.workspace,
        cases=options.cases,
        kinds=options.kinds,
        per_kind=options.per_kind,
        seed=options.seed,
        limit=options.limit,
        cache_dir=settings.model.cache_dir,
    )
    console = Console(stderr=True)
    with open_setup(selection.workspace, settings) as setup:
        floor = floor_probe(setup)
        pairs = list(
            tracked(warm_up_and_measure(setup, selection.holes, options.repeat, floor), len(selection.holes), console)
        )
        setting = describe(setup, selection, options, floor)
    print_report(Console(), setting, pairs)
    if options.json:
        write_report(options.json, report_json(setting, pairs))
    if options.plot:
        write_plot(options.plot, setting, pairs)
    return not any(pair.mismatch for pair in pairs)


def floor_probe(setup: Setup) -> FloorProbe:
    """Measures how fast the weights of this engine can be read."""
    info = setup.engine.info
    return FloorProbe(info.bytes_per_token, device=info.device, threads=info.threads)


def describe(setup: Setup, selection: Selection, options: Options, floor: FloorProbe) -> Setting:
    """What ran where."""
    info = setup.engine.info
    return Setting(
        workload=selection.label,
        model=info.model,
        device=info.device,
        dtype=info.dtype,
        threads=info.threads,
        machine=this_machine().to_json(),
        memory_floor_ms=floor.ms,
        nodes=options.nodes,
        repeat=options.repeat,
        seed=selection.seed,
        cost_curve=setup.cost_curve,
    )


def warm_up_and_measure(setup: Setup, holes: Sequence[Hole], repeat: int, floor: FloorProbe) -> Iterator[Pair]:
    """The first hole is completed once before it counts: the first passes of a process are slower than all others."""
    measure_hole(holes[0], setup.complete, repeat=1)
    for pair in measure(holes, setup.complete, repeat=repeat):
        floor.sample()
        yield pair


def tracked(pairs: Iterable[Pair], total: int, console: Console) -> Iterator[Pair]:
    """The same pairs, with a bar on the terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Completing, plain and drafted", total=total)
        for pair in pairs:
            progress.advance(task)
            yield pair
