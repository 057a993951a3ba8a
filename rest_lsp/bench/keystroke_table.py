"""The report of `bench keystrokes` for people."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from rest_lsp.bench.censored import CensoredTimes
from rest_lsp.bench.keystroke_report import ALL, MID_LINE, KeystrokeReport, Summary, Times

TIMES = ("keys", "answered\np50/p95", "all keys\np50/p95", "model\np50/p95", "cache\np50/p99", "errors")
CENSORED = ("all keys", "superseded", "p50/p95", "of the\nmodel", "superseded", "p50/p95")
WORTH = ("from\ncache", "by\nmodel", "by\nrule", "too\nlate", "shown", "typed", "saved", "saved per\ntyped")


def print_keystrokes(console: Console, report: KeystrokeReport) -> None:
    """Latencies and shares, what suggestions were worth, then what the server took."""
    summaries = report.summaries()
    console.print(_times(report, summaries))
    console.print(_censored(summaries))
    console.print(_worth(summaries))
    for summary in summaries:
        if summary.group in (ALL, MID_LINE):
            prefixes = ", ".join(f"{name} {share:.1%}" for name, share in summary.prefixes.items())
            console.print(
                f"{_titled(summary)}: {summary.accepts} suggestions taken, {summary.saved} characters saved, "
                f"{summary.typed} keys typed. Suggestions of the model right in: {prefixes}.", highlight=False,
            )  # fmt: skip
    for arm in report.arms:
        _print_figures(console, report, arm)
    if ratios := report.advantages():
        each = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        console.print(f"Saved per typed, times that of the bare model: {each}.", highlight=False)
    console.print(f"{report.machine.label}; keys every {report.cadence_ms:g} ms on average, seed {report.seed}.")


def _times(report: KeystrokeReport, summaries: list[Summary]) -> Table:
    table = _empty_table(f"{report.model}: milliseconds until an answer came", TIMES)
    for summary in summaries:
        cache = f"{_number(summary.cache.p50)}/{_number(summary.cache.p99)}"
        times = (_pair(summary.answered), _pair(summary.all_keys), _pair(summary.model), cache)
        _add(table, summary, str(summary.keys), *times, str(summary.errors))
    return table


def _censored(summaries: list[Summary]) -> Table:
    table = _empty_table("Milliseconds, where a superseded key waited at least so long (Kaplan-Meier)", CENSORED)
    for summary in summaries:
        _add(table, summary, *_cells(summary.censored), *_cells(summary.censored_model))
    return table


def _cells(times: CensoredTimes) -> tuple[str, str, str]:
    return str(times.n), str(times.n_cut), f"{_number(times.p50)}/{_number(times.p95)}"


def _worth(summaries: list[Summary]) -> Table:
    table = _empty_table("Who answered, and what it was worth", WORTH)
    for summary in summaries:
        shares = (f"{summary.shares[name]:.0%}" for name in ("cache", "model", "rule", "superseded", "shown"))
        _add(table, summary, *shares, str(summary.typed), str(summary.saved), f"{summary.saved_per_typed:.3f}")
    return table


def _empty_table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0))
    table.add_column("arm", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", vertical="bottom", no_wrap=True)
    return table


def _add(table: Table, summary: Summary, *cells: str) -> None:
    is_total = summary.group in (ALL, MID_LINE)
    table.add_row(_titled(summary) if is_total else summary.group, *cells, style="bold" if is_total else None)


def _titled(summary: Summary) -> str:
    return summary.arm if summary.group == ALL else f"{summary.arm}, {summary.group}"


def _print_figures(console: Console, report: KeystrokeReport, arm: str) -> None:
    figures = report.figures[arm]
    if figures.wasted_share is not None:
        used = ", ".join(f"{name.replace('_', ' ')} {ms / 1e3:.1f} s" for name, ms in figures.model_ms.items())
        console.print(f"{arm}: the model worked {used}; {figures.wasted_share:.0%} of it for nothing.", highlight=False)
    if passes := figures.lingered_passes:
        console.print(
            f"{arm}: work that was given up ended after {figures.lingered['p50']} ms (p99 {figures.lingered['p99']}), "
            f"where one forward pass takes {figures.pass_ms['p50']} ms (p99 {figures.pass_ms['p99']}): "
            f"{passes['p50']:.2f} passes (p99 {passes['p99']:.2f}).", highlight=False,
        )  # fmt: skip
    if figures.memory and figures.memory_growth is not None:
        size = figures.memory[-1][1] / 2**20
        console.print(f"{arm}: {size:.0f} MiB of memory, {figures.memory_growth:+.1%} since it was warm.")
    if figures.storm:
        silent, last = figures.storm["silent_ms"], figures.storm["last_ms"]
        console.print(
            f"{arm}: {figures.storm['requests']:.0f} requests in {figures.storm['seconds']:.2f} s: the server answered "
            f"others within {silent:.0f} ms, the last of them {last:.0f} ms later.", highlight=False,
        )  # fmt: skip


def _pair(times: Times) -> str:
    return f"{_number(times.p50)}/{_number(times.p95)}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"
