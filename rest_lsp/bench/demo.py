"""The demonstration: real completions in this very repository, each without and with drafts, one after the other.

Knows what to show, not how it is measured.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

import rest_lsp
from rest_lsp.bench.case_maker import make_cases
from rest_lsp.bench.cases import KINDS
from rest_lsp.bench.holes import Hole, cut_hole
from rest_lsp.bench.results import Pair, Run
from rest_lsp.bench.selection import Selection, in_turns
from rest_lsp.bench.session import Options, describe, floor_probe, warm_up_and_measure
from rest_lsp.bench.setup import bench_settings, open_setup
from rest_lsp.bench.table import counted, print_report

SEED = 1
PER_KIND = 4
LINES_SHOWN = 3
SOURCES_SHOWN = 3


def run_demo(console: Console) -> bool:
    """True when nothing differs."""
    root = repository()
    console.print(f"Loading the model and indexing {root} …", highlight=False, markup=False)
    cases = in_turns(make_cases(root, seed=SEED, per_kind=PER_KIND), KINDS)
    selection = Selection(root, [cut_hole(root, case) for case in cases], "this repository", SEED)
    with open_setup(root, bench_settings(root, {}, nodes=None)) as setup:
        info, floor = setup.engine.info, floor_probe(setup)
        console.print(
            f"{info.model} ({info.dtype} on {info.device}, {info.threads} threads) completes "
            f"{len(cases)} holes, first alone, then with drafts from {setup.index.files} files "
            f"of {setup.index.tokens:,} tokens. The file with the hole is left out.",
            highlight=False,
        )
        pairs: list[Pair] = []
        for number, pair in enumerate(warm_up_and_measure(setup, selection.holes, 1, floor), 1):
            pairs.append(pair)
            show(console, f"{number} of {len(cases)}", pair, selection.holes[number - 1])
        setting = describe(setup, [selection], Options(seed=SEED), floor)
    print_report(console, setting, pairs)
    return not any(pair.errors for pair in pairs)


def repository() -> Path:
    """The folder that holds this package when it was not installed away from its sources, else the current one."""
    here = Path(rest_lsp.__file__).parents[1]
    return here if (here / "pyproject.toml").is_file() else Path.cwd()


def show(console: Console, number: str, pair: Pair, hole: Hole) -> None:
    """One completion: where, what, what it took, and where its drafts came from."""
    start, rest = pair.case.start, pair.rest
    console.rule(f"{number}  [bold]{escape(pair.case.path)}:{start.line + 1}[/bold]  ({pair.case.kind})", align="left")
    typed = hole.text[: hole.offset].rpartition("\n")[2]
    console.print(excerpt(typed, rest.text), highlight=False)
    equal = "[red]DIFFERENT" if pair.errors else "[yellow]near tie" if pair.mismatch else "[green]equal"
    console.print(
        f"{equal}[/]  {counted(len(rest.tokens), 'token')} in {counted(rest.forwards, 'pass', 'passes')}: "
        f"{len(rest.tokens) / max(1, rest.forwards):.2f} per pass; "
        f"plain {pair.plain.decode_ms:.0f} ms, drafted {rest.decode_ms:.0f} ms: [bold]{pair.speedup:.2f} ×[/bold]",
        highlight=False,
    )
    console.print(f"drafts from {provenance(rest)}", style="dim", highlight=False, markup=False)


def excerpt(typed: str, suggestion: str) -> str:
    """The cursor's line in grey, then the first lines of what was written."""
    if not suggestion:
        return f"[dim]{escape(typed)}  (nothing to insert)[/dim]"
    lines = suggestion.split("\n")
    n_more = len(lines) - LINES_SHOWN
    more = f"\n[dim]… {counted(n_more, 'more line')}[/dim]" if n_more > 0 else ""
    shown = "\n".join(lines[:LINES_SHOWN])
    return f"[dim]{escape(typed)}[/dim][cyan]{escape(shown)}[/cyan]{more}"


def provenance(run: Run) -> str:
    """The files and lines that gave most of the accepted tokens that are shown."""
    places = [
        f"{source.path}{'' if source.line is None else f':{source.line + 1}'} ({counted(source.tokens, 'token')})"
        for source in run.sources[:SOURCES_SHOWN]
    ]
    if not places:
        return (
            "places whose text was cut off again" if run.n_accepted else "nowhere: the model wrote every token itself"
        )
    n_more = len(run.sources) - SOURCES_SHOWN
    return ", ".join(places) + (f" and {counted(n_more, 'more place')}" if n_more > 0 else "")
