"""The comparison with peers as a picture: speed per case, tokens per pass by source, costs, and where time goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rest_lsp.bench.direct import PARTS
from rest_lsp.bench.peers_report import PeersReport, RivalInfo
from rest_lsp.bench.plot import SOURCE_COLOURS, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_peers_plot(path: Path, report: PeersReport) -> None:
    """A PNG of four panels.  Raises RestLspError when it cannot be drawn or written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 11), layout="constrained")
    (by_case, by_source), (cost, parts) = figure.subplots(2, 2)
    _draw_cases(by_case, report)
    _draw_sources(by_source, report)
    _draw_cost(cost, report)
    _draw_parts(parts, report)
    title = f"{report.model}, ours {report.dtype}, {report.threads} threads: {report.machine.label}\n{report.workload}"
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path)


def _draw_cases(axes: Axes, report: PeersReport) -> None:
    """Each rival's cases in ascending order: how much faster it is than our plain decoding."""
    timed = [case for case in report.cases if case.is_timed]
    for rival in report.rivals:
        if rival.name != report.ours_plain:
            ratios = sorted(case.ms_per_token(report.ours_plain) / case.ms_per_token(rival.name) for case in timed)
            width = 2.5 if rival.name == report.ours else 1.0
            axes.plot(range(len(ratios)), ratios, marker=".", linewidth=width, label=rival.name)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set(title="Speed per case, our plain decoding = 1", xlabel="cases, slowest first", ylabel="× as fast")
    axes.legend(fontsize=7)


def _draw_sources(axes: Axes, report: PeersReport) -> None:
    rivals = _drafting(report)
    names = [rival.name for rival in rivals]
    summaries = [report.summary(rival) for rival in rivals]
    sources = list(dict.fromkeys(source for summary in summaries for source in summary.accepted))
    left = [1.0] * len(rivals)
    axes.barh(names, left, color="#dddddd", label="the model's own")
    for index, source in enumerate(sources):
        passes = [max(1.0, summary.tokens / (summary.tokens_per_pass or 1)) for summary in summaries]
        width = [summary.accepted.get(source, 0) / n for summary, n in zip(summaries, passes, strict=True)]
        axes.barh(names, width, left=left, color=SOURCE_COLOURS[index % len(SOURCE_COLOURS)], label=source)
        left = [below + more for below, more in zip(left, width, strict=True)]
    axes.set(title="Tokens per pass by source")
    axes.legend(fontsize=7)


def _draw_cost(axes: Axes, report: PeersReport) -> None:
    points = report.cost_curve
    axes.plot([point.nodes for point in points], [point.ms for point in points], marker="o")
    axes.set(title="Cost of one pass", xlabel="draft tokens verified", ylabel="ms")
    axes.set_ylim(bottom=0)


def _draw_parts(axes: Axes, report: PeersReport) -> None:
    rivals = [rival for rival in report.rivals if report.summary(rival).parts_ms_per_pass]
    names, left = [rival.name for rival in rivals], [0.0] * len(rivals)
    for part in PARTS:
        width = [report.summary(rival).parts_ms_per_pass[part] for rival in rivals]
        axes.barh(names, width, left=left, label=part)
        left = [below + more for below, more in zip(left, width, strict=True)]
    axes.set(title="Where the time of a pass goes", xlabel="ms")
    axes.legend(fontsize=7)


def _drafting(report: PeersReport) -> Sequence[RivalInfo]:
    return [rival for rival in report.rivals if rival.name != rival.plain_name]
