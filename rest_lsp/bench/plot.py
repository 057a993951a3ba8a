"""The report as a picture: speed-up per case, where accepted tokens came from, and what a forward pass costs.

Knows what was measured, not how.  Needs matplotlib, which only the extra `bench` installs.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rest_lsp.bench.cases import KINDS
from rest_lsp.bench.results import Pair, Setting
from rest_lsp.bench.summary import by_kind, summarise
from rest_lsp.errors import RestLspError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"line": "#0072b2", "block": "#e69f00", "body": "#009e73"}
SOURCE_COLOURS = ("#56b4e9", "#d55e00", "#cc79a7", "#999999", "#f0e442", "#000000")


def check_plotting() -> None:
    """Raises RestLspError when matplotlib is missing, so that this is known before the measurement and not after."""
    if find_spec("matplotlib") is None:
        raise RestLspError("The plot needs matplotlib.", 'Install it: pip install "rest-lsp[bench]".')


def write_plot(path: Path, setting: Setting, pairs: Sequence[Pair]) -> None:
    """A PNG of three panels.  Raises RestLspError when it cannot be drawn or written."""
    check_plotting()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5), layout="constrained")
    by_case, by_source, cost = figure.subplots(1, 3, width_ratios=(2, 1, 1))
    _draw_speedups(by_case, pairs)
    _draw_sources(by_source, pairs)
    _draw_cost(cost, setting)
    figure.suptitle(_caption(setting), fontsize=10)
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Raises RestLspError when it cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", dpi=110)
    except OSError as error:
        message = f"The plot cannot be written to {path}: {error.strerror or error}."
        raise RestLspError(message, "Choose another place with --plot.") from error


def _caption(setting: Setting) -> str:
    machine = setting.machine
    hardware = f"{machine.get('gpu') or machine.get('cpu')}, {setting.threads} threads, torch {machine.get('torch')}"
    return f"{setting.model}, {setting.dtype} on {setting.device}: {hardware}\n{setting.workload}, {setting.budget}"


def _draw_speedups(axes: Axes, pairs: Sequence[Pair]) -> None:
    timed = sorted((pair for pair in pairs if pair.is_timed), key=lambda pair: pair.speedup)
    for kind, summary in by_kind(pairs).items():
        places = [index for index, pair in enumerate(timed) if pair.case.kind == kind]
        label = f"{kind}: {summary.speedup:.2f} × over {len(places)} cases"
        axes.bar(places, [timed[index].speedup for index in places], color=COLOURS[kind], label=label, width=0.9)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set(title="Decode speed-up per case", xlabel="cases, slowest first", ylabel="plain ms / drafted ms")
    if timed:
        axes.legend(loc="upper left")


def _draw_sources(axes: Axes, pairs: Sequence[Pair]) -> None:
    """Stacked per kind: the model's own token, then the accepted drafts of each source, all per forward pass."""
    summaries = by_kind(pairs)
    kinds = [kind for kind in KINDS if kind in summaries]
    bottom = [1.0 if summaries[kind].rest.forwards else 0.0 for kind in kinds]
    axes.bar(kinds, bottom, color="#dddddd", label="the model's own")
    for index, source in enumerate(summarise(pairs).rest.accepted_by_source):
        modes = [summaries[kind].rest for kind in kinds]
        height = [mode.accepted_by_source.get(source, 0) / max(1, mode.forwards) for mode in modes]
        axes.bar(kinds, height, bottom=bottom, color=SOURCE_COLOURS[index % len(SOURCE_COLOURS)], label=source)
        bottom = [below + above for below, above in zip(bottom, height, strict=True)]
    axes.set(title="Tokens per forward pass", ylabel="tokens")
    axes.legend(loc="upper left", fontsize=8)
    axes.set_ylim(0, max([1.0, *bottom]) * 1.3)


def _draw_cost(axes: Axes, setting: Setting) -> None:
    nodes = [point.nodes for point in setting.cost_curve]
    axes.plot(nodes, [point.ms for point in setting.cost_curve], marker="o", color="#0072b2", label="measured")
    axes.axhline(setting.memory_floor_ms, color="black", linestyle="--", linewidth=0.8, label="memory floor, 1 token")
    axes.set(title="Cost of one forward pass", xlabel="draft tokens verified", ylabel="ms")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", fontsize=8)
