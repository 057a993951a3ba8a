"""The report as a table for people.  Knows what was measured, not how."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from rest_lsp.bench.results import Pair, Setting
from rest_lsp.bench.summary import Summary, by_kind, by_project, several_lines, summarise

COLUMNS = (
    "cases",
    "tokens",
    "plain\nms/token",
    "drafted\nms/token",
    "speed-up",
    "slowest\n5 %",
    "tokens\n/pass",
    "nodes\n/pass",
)


def print_report(console: Console, setting: Setting, pairs: Sequence[Pair]) -> None:
    """The table by kind, then what it ran on, and what did not go as it should."""
    console.print(report_table(setting, pairs))
    if len(by_project(pairs)) > 1:
        console.print(project_table(pairs))
    total = summarise(pairs)
    floor = setting.memory_floor_ms
    console.print(
        f"Memory floor {floor:.1f} ms per token; plain decoding takes {total.plain.ms_per_token / floor:.2f} × that."
    )
    rest = total.rest
    assembly = f"p50 {rest.assembly_ms_p50:.2f} ms, p99 {rest.assembly_ms_p99:.2f} ms"
    learning = f"p50 {rest.learning_ms_p50:.2f} ms, p99 {rest.learning_ms_p99:.2f} ms"
    both = f"p50 {rest.draft_ms_p50:.2f} ms, p99 {rest.draft_ms_p99:.2f} ms"
    console.print(f"Draft assembly in each pass: {assembly}.", highlight=False)
    console.print(f"Learning from it: {learning}; both together: {both}.", highlight=False)
    accepted = ", ".join(f"{source} {count}" for source, count in total.rest.accepted_by_source.items()) or "none"
    console.print(f"Accepted draft tokens by source: {accepted}.", highlight=False)
    if total.looped:
        loops = f"{total.looped} of {total.cases} outputs repeat themselves"
        console.print(f"{loops}; they count for equality and not for speed.")
    print_equality(console, pairs)


def print_equality(console: Console, pairs: Sequence[Pair]) -> None:
    """One line when everything is equal, else one for each case that is not."""
    total = summarise(pairs)
    n_tokens = sum(len(pair.plain.tokens) for pair in pairs)
    if not total.mismatches:
        message = f"All {n_tokens} tokens of {total.cases} cases are the same with and without drafts."
        console.print(message, style="green")
    for pair in pairs:
        if (mismatch := pair.mismatch) is not None:
            change = f"from token {mismatch.position} on: {mismatch.plain} became {mismatch.rest}{_cause(pair)}"
            style = "red" if pair.errors else "yellow"
            console.print(f"{mismatch.id} differs {change}.", style=style, markup=False, highlight=False)
    if total.mismatches:
        causes = f"{counted(total.near_ties, 'near tie')}, {counted(total.errors, 'true error')}"
        message = f"{total.mismatches} of {n_tokens} tokens differ: {causes}; the others follow from these."
        console.print(message, style="red" if total.errors else "yellow", highlight=False)


def counted(n: int, one: str, many: str = "") -> str:
    """`n` with its noun."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def report_table(setting: Setting, pairs: Sequence[Pair]) -> Table:
    """One row per kind, then block and body together, then all; fits 80 columns."""
    where = f"{setting.model} {setting.dtype} on {setting.device}, {setting.threads} threads"
    table = Table(title=f"{where}, {setting.workload}, {setting.budget}", box=box.SIMPLE_HEAD, padding=(0, 0))
    table.add_column("holes", vertical="bottom", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right", vertical="bottom", no_wrap=True)
    kinds = by_kind(pairs)
    for kind, summary in kinds.items():
        table.add_row(kind, *_cells(summary))
    table.add_section()
    if {"block", "body"} <= kinds.keys():
        table.add_row("block and body", *_cells(several_lines(pairs)))
    table.add_row("all", *_cells(summarise(pairs)), style="bold")
    return table


def project_table(pairs: Sequence[Pair]) -> Table:
    """Speed-up and tokens per pass by project and kind; the block and body holes of each project together, too."""
    table = Table(title="By project: speed-up, and tokens per pass", box=box.SIMPLE_HEAD, padding=(0, 1))
    kinds = list(by_kind(pairs))
    table.add_column("project", no_wrap=True)
    for name in [*kinds, "block and body", "all"]:
        table.add_column(name, justify="right", no_wrap=True)
    for project, group in by_project(pairs).items():
        found = by_kind(group)
        summaries = [found.get(kind) for kind in kinds]
        cells = [_short(summary) for summary in [*summaries, several_lines(group), summarise(group)]]
        table.add_row(project, *cells)
    return table


def _cause(pair: Pair) -> str:
    if pair.judgement is None:
        return ""
    kind = "an error" if pair.errors else "a near tie"
    return f", {kind} ({pair.judgement.worst:.1f} roundings apart)"


def _short(summary: Summary | None) -> str:
    if summary is None or not summary.plain.tokens:
        return "–"
    return f"{summary.speedup:.2f} × {summary.rest.tokens_per_forward:.2f}"


def _cells(summary: Summary) -> list[str]:
    return [
        str(summary.cases),
        str(summary.plain.tokens),
        f"{summary.plain.ms_per_token:.1f}",
        f"{summary.rest.ms_per_token:.1f}",
        f"{summary.speedup:.2f} ×",
        f"{summary.speedup_p05:.2f} ×",
        f"{summary.rest.tokens_per_forward:.2f}",
        f"{summary.rest.nodes_per_step:.1f}",
    ]
