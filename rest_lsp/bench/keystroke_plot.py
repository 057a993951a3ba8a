"""A replay as pictures: when each answer came, what was saved, and the server's memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rest_lsp.bench.keystroke_report import KeystrokeReport
from rest_lsp.bench.plot import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"cache": "#009e73", "model": "#0072b2", "rule": "#999999"}


def write_keystroke_plot(path: Path, report: KeystrokeReport) -> None:
    """A PNG: one timeline per arm, then two small panels.  Raises RestLspError when it cannot be written."""
    from matplotlib.figure import Figure

    n_arms = len(report.arms)
    figure = Figure(figsize=(14, 3 + 3.2 * n_arms), layout="constrained")
    grid = figure.add_gridspec(n_arms + 1, 2)
    for row, arm in enumerate(report.arms):
        _draw_timeline(figure.add_subplot(grid[row, :]), report, arm)
    _draw_saved(figure.add_subplot(grid[n_arms, 0]), report)
    _draw_memory(figure.add_subplot(grid[n_arms, 1]), report)
    caption = f"{report.model}, keys every {report.cadence_ms:g} ms: {report.machine.label}"
    figure.suptitle(caption, fontsize=10)
    save_figure(figure, path)


def _draw_timeline(axes: Axes, report: KeystrokeReport, arm: str) -> None:
    """Each key by the time of its answer; those that were superseded by the time until they were."""
    events = [event for event in report.events if event.arm == arm]
    for source, colour in COLOURS.items():
        own = [event for event in events if event.source == source and event.latency_ms is not None]
        times = [max(0.1, event.latency_ms or 0.0) for event in own]
        axes.scatter([event.at_s for event in own], times, s=7, color=colour, label=f"{source}: {len(own)}")
    late = [event for event in events if event.latency_ms is None]
    axes.scatter([e.at_s for e in late], [max(0.1, e.gap_ms) for e in late], s=7, marker="x", color="#d55e00",
                 linewidths=0.6, label=f"superseded: {len(late)}")  # fmt: skip
    for event in events:
        if event.is_accept:
            axes.axvline(event.at_s, color="#e69f00", linewidth=0.5, alpha=0.6)
    axes.set(title=f"{arm}: time to the answer; lines: a suggestion was taken", xlabel="s", ylabel="ms", yscale="log")
    axes.legend(fontsize=8, loc="lower right", ncols=4)


def _draw_saved(axes: Axes, report: KeystrokeReport) -> None:
    summaries = report.summaries()
    names = list(dict.fromkeys(summary.group for summary in summaries))
    width = 0.8 / max(1, len(report.arms))
    for index, arm in enumerate(report.arms):
        own = [summary for summary in summaries if summary.arm == arm]
        places = [names.index(summary.group) + index * width for summary in own]
        axes.bar(places, [summary.saved_per_typed for summary in own], width=0.9 * width, label=arm)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_title("Characters saved per character typed")
    axes.legend(fontsize=8)


def _draw_memory(axes: Axes, report: KeystrokeReport) -> None:
    for arm, figures in report.figures.items():
        if figures.memory:
            keys, sizes = zip(*figures.memory, strict=True)
            axes.plot(keys, [size / 2**20 for size in sizes], label=arm)
    axes.set(title="Memory of the server", xlabel="keys", ylabel="MiB")
    axes.set_ylim(bottom=0)
