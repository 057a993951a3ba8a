"""What each draft source and each idea is worth: every hole once more with one of them switched off.

The model writes each hole once, plainly.  How many passes every variant takes for the same output is counted on what it
wrote (see `tape`), so that all holes can be asked of all variants; times are those of the measured costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from rest_lsp.assembly_costs import known_step_cost
from rest_lsp.bench.decode import Complete, run_of
from rest_lsp.bench.holes import Hole
from rest_lsp.bench.results import Pair
from rest_lsp.bench.setup import Setup, drafted, undrafted
from rest_lsp.bench.summary import Summary, several_lines, summarise, write_report
from rest_lsp.bench.tape import TapedEngine
from rest_lsp.config import Settings

LARGE = 64
"""REST's own number of nodes (arXiv 2311.08252 §4.1)."""

EVERYTHING = "everything"
SWITCHES: Mapping[str, str] = {
    "document": "use_document",
    "text after the cursor": "use_after",
    "repository": "use_datastore",
    "libraries": "use_libraries",
    "recent completions": "use_completions",
    "typed through": "use_through",
    "deleted text": "use_deleted",
    "successors": "use_successors",
    "affinity of files": "use_affinity",
    "calibration": "use_calibration",
    "cool-down": "use_trust",
}
"""What is switched off, and by which option."""


class Variant(NamedTuple):
    """`nodes` is the fixed budget, None when the cost model chooses; `without` names a switch, or nothing."""

    without: str
    nodes: int | None

    @property
    def name(self) -> str:
        return f"without {self.without}" if self.without else EVERYTHING


VARIANTS = [Variant(without, nodes) for nodes in (LARGE, None) for without in ("", *SWITCHES)]

Results = dict[Variant, list[Pair]]


def ablate(setup: Setup, settings: Settings, holes: Sequence[Hole], *, warm: bool) -> Iterator[dict[Variant, Pair]]:
    """One pair per variant for each hole; when `warm`, each variant remembers what its earlier holes taught."""
    model = replace(setup.model, engine=TapedEngine(setup.engine, known_step_cost(settings, setup.engine)))
    plain = drafted(model, setup.datastore, undrafted(settings), empties=False)
    ways = {
        variant: drafted(model, setup.datastore, settings_of(settings, variant), warm=warm, empties=False)
        for variant in VARIANTS
    }
    for hole in holes:
        yield {variant: setup.judge.judge(hole, pair) for variant, pair in _replayed(hole, plain, ways).items()}


def settings_of(settings: Settings, variant: Variant) -> Settings:
    """The same settings with one source or idea switched off."""
    changes: dict[str, object] = {"fixed_nodes": variant.nodes or 0}
    if variant.without:
        changes[SWITCHES[variant.without]] = False
    return settings.model_copy(update={"drafting": settings.drafting.model_copy(update=changes)})


def print_ablation(console: Console, results: Results) -> None:
    """One table for each budget."""
    for nodes in (LARGE, None):
        chosen = {variant: pairs for variant, pairs in results.items() if variant.nodes == nodes}
        console.print(_table("nodes by the cost model" if nodes is None else f"{nodes} nodes", chosen))
    total = summarise([pair for pairs in results.values() for pair in pairs])
    n_tokens = sum(len(pair.rest.tokens) for pairs in results.values() for pair in pairs)
    causes = f"{total.near_ties} are near ties, {total.errors} errors"
    console.print(f"{total.mismatches} of {n_tokens} tokens differ from plain decoding; {causes}.")


def ablation_json(results: Results) -> list[dict[str, Any]]:
    """A row for each variant: all holes, and those of several lines."""
    return [
        {
            "without": variant.without or None,
            "nodes": variant.nodes,
            "all": summarise(pairs).to_json(),
            "block_and_body": several_lines(pairs).to_json(),
        }
        for variant, pairs in results.items()
    ]


def write_ablation(path: Path, results: Results) -> None:
    """Raises RestLspError when the file cannot be written."""
    write_report(path, {"ablation": ablation_json(results)})


def _replayed(hole: Hole, plain: Complete, ways: Mapping[Variant, Complete]) -> dict[Variant, Pair]:
    request = hole.request
    expected = run_of(hole, plain(request))
    return {variant: Pair(hole.case, expected, run_of(hole, complete(request))) for variant, complete in ways.items()}


def _table(title: str, results: Results) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0))
    table.add_column("", no_wrap=True)
    columns = (
        "tokens/pass\nblock, body",
        "tokens/pass\nall",
        "nodes\n/pass",
        "draft ms\n/pass",
        "speed-up\nby costs",
        "slowest\n5 %",
    )
    for column in columns:
        table.add_column(column, justify="right", vertical="bottom", no_wrap=True)
    for variant, pairs in results.items():
        table.add_row(variant.name, *_cells(several_lines(pairs), summarise(pairs)))
    return table


def _cells(several: Summary, every: Summary) -> list[str]:
    rest = every.rest
    return [
        f"{several.rest.tokens_per_forward:.2f}",
        f"{rest.tokens_per_forward:.2f}",
        f"{rest.nodes_per_step:.1f}",
        f"{rest.retrieval_ms / max(1, rest.forwards):.2f}",
        f"{every.speedup:.2f} ×",
        f"{every.speedup_p05:.2f} ×",
    ]
