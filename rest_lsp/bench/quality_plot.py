"""The shares of `bench quality` as bars, one panel per measure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rest_lsp.bench.plot import save_figure
from rest_lsp.bench.quality_report import QualityReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {"pass_at_1": "pass@1", "line_exact": "Exact match of the line", "similarity": "Edit similarity"}


def write_quality_plot(path: Path, report: QualityReport) -> None:
    """A PNG of three panels.  Raises RestLspError when it cannot be written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5), layout="constrained")
    for axes, measure in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        _draw(axes, report, measure)
    figure.suptitle(f"{report.model}: {report.machine.label}", fontsize=10)
    save_figure(figure, path)


def _draw(axes: Axes, report: QualityReport, measure: str) -> None:
    rows = [row for row in report.rows() if row.group is None and getattr(row, measure) is not None]
    sets = list(dict.fromkeys(row.set for row in rows))
    width = 0.8 / max(1, len(report.arms))
    for index, arm in enumerate(report.arms):
        own = [row for row in rows if row.arm == arm]
        places = [sets.index(row.set) + (index - (len(report.arms) - 1) / 2) * width for row in own]
        bars = axes.bar(places, [getattr(row, measure) for row in own], width=0.9 * width, label=arm)
        axes.bar_label(bars, [f"{getattr(row, measure):.3f}" for row in own], fontsize=7)
    axes.set_xticks(range(len(sets)), sets)
    axes.set_ylim(0, 1)
    axes.set_title(PANELS[measure])
    if rows:
        axes.legend(fontsize=8)
