"""`rest-lsp bench decode` from its options to its report.  Knows the order of things and none of their details."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rest_lsp.assembly import LoadedModel
from rest_lsp.bench.ablation import VARIANTS, Results, ablate, print_ablation, write_ablation
from rest_lsp.bench.cases import CaseError
from rest_lsp.bench.decode import measure, measure_hole
from rest_lsp.bench.floor import FloorProbe
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.machine import this_machine
from rest_lsp.bench.plot import check_plotting, write_plot
from rest_lsp.bench.results import Pair, Setting
from rest_lsp.bench.selection import Selection, select_all, workload_of
from rest_lsp.bench.setup import Setup, bench_settings, open_setup
from rest_lsp.bench.summary import report_json, write_report
from rest_lsp.bench.table import print_report
from rest_lsp.config import Settings

Item = TypeVar("Item")


@dataclass(frozen=True)
class Options:
    """The options of the command, as they were given; `overrides` are those that every command shares."""

    workspace: Path | None = None
    cases: Path | None = None
    projects: str | None = None
    kinds: str = "line,block,body"
    per_kind: int = 28
    seed: int = 1
    limit: int | None = None
    repeat: int = 1
    nodes: int | None = None
    temperature: float = 0.0
    ablate: bool = False
    libraries: bool = False
    warm: bool = False
    json: Path | None = None
    plot: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)


def run_decode(options: Options) -> bool:
    """Measure, print, and write what was asked for.  True when rounding explains all that differs."""
    if options.plot:
        check_plotting()
    if options.warm and options.repeat > 1:
        raise CaseError(
            "A hole that is repeated would be drafted from its own answer.", "Leave out --repeat or --warm."
        )
    settings = bench_settings(
        options.workspace, options.overrides, nodes=options.nodes, temperature=options.temperature,
        libraries=options.libraries,
    )  # fmt: skip
    selections = select_all(
        options.projects, workspace=options.workspace, cases=options.cases, kinds=options.kinds,
        per_kind=options.per_kind, seed=options.seed, limit=options.limit, cache_dir=settings.model.cache_dir,
    )  # fmt: skip
    if options.ablate:
        return run_ablation(selections, settings, options)
    pairs, setting = measure_all(selections, settings, options)
    print_report(Console(), setting, pairs)
    if options.json:
        write_report(options.json, report_json(setting, pairs))
    if options.plot:
        write_plot(options.plot, setting, pairs)
    return not any(pair.errors for pair in pairs)


def measure_all(selections: Sequence[Selection], settings: Settings, options: Options) -> tuple[list[Pair], Setting]:
    """One project after the other, with one model."""
    pairs: list[Pair] = []
    model: LoadedModel | None = None
    floor: FloorProbe | None = None
    for selection in selections:
        with open_setup(selection.workspace, settings, model, warm=options.warm) as setup:
            model, floor = setup.model, floor or floor_probe(setup)
            measured = warm_up_and_measure(setup, selection.holes, options.repeat, floor)
            shown = tracked(measured, selection, Console(stderr=True))
            pairs.extend(replace(pair, project=selection.name) for pair in shown)
            setting = describe(setup, selections, options, floor)
    return pairs, setting


def run_ablation(selections: Sequence[Selection], settings: Settings, options: Options) -> bool:
    """Every hole with each source and idea switched off alone; True when none gave a token that is wrong."""
    results: Results = {variant: [] for variant in VARIANTS}
    model: LoadedModel | None = None
    for selection in selections:
        with open_setup(selection.workspace, settings, model) as setup:
            model = setup.model
            measured = ablate(setup, settings, selection.holes, warm=options.warm)
            for found in tracked(measured, selection, Console(stderr=True), "one thing off at a time"):
                for variant, pair in found.items():
                    results[variant].append(pair)
    print_ablation(Console(), results)
    if options.json:
        write_ablation(options.json, results)
    return not any(pair.errors for pairs in results.values() for pair in pairs)


def floor_probe(setup: Setup) -> FloorProbe:
    """Measures how fast the weights of this engine can be read."""
    info = setup.engine.info
    return FloorProbe(info.bytes_per_token, device=info.device, threads=info.threads)


def describe(setup: Setup, selections: Sequence[Selection], options: Options, floor: FloorProbe) -> Setting:
    """What ran where."""
    info = setup.engine.info
    return Setting(
        workload=workload_of(selections),
        model=info.model,
        device=info.device,
        dtype=info.dtype,
        threads=info.threads,
        machine=this_machine().to_json(),
        memory_floor_ms=floor.ms,
        nodes=options.nodes,
        temperature=options.temperature,
        warm=options.warm,
        libraries=options.libraries,
        repeat=options.repeat,
        seed=selections[0].seed,
        cost_curve=setup.cost_curve,
    )


def warm_up_and_measure(setup: Setup, holes: Sequence[Hole], repeat: int, floor: FloorProbe) -> Iterator[Pair]:
    """The first hole is completed once before it counts: the first passes of a process are slower than all others."""
    measure_hole(holes[0], {"plain": setup.complete["plain"], "rest": setup.warm_up}, repeat=1)
    for hole, pair in zip(holes, measure(holes, setup.complete, repeat=repeat), strict=True):
        floor.sample()
        yield setup.judge.judge(hole, pair)


def tracked(
    results: Iterable[Item], selection: Selection, console: Console, what: str = "plain and drafted"
) -> Iterator[Item]:
    """The same results, with a bar on the terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"{selection.name}, {what}", total=len(selection.holes))
        for result in results:
            progress.advance(task)
            yield result
