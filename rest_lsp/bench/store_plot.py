"""What the datastore costs against its size, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rest_lsp.bench.store_index import IndexFigures
from rest_lsp.bench.store_retrieval import Latency
from rest_lsp.errors import RestLspError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_store_plot(path: Path, found: Sequence[Latency], machine: str) -> None:
    """A PNG of two panels.  Raises RestLspError when it cannot be written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5), layout="constrained")
    by_size, by_name = figure.subplots(1, 2, width_ratios=(1, 1))
    for kind, colour in (("lookup", "#0072b2"), ("draft", "#d55e00")):
        rows = [one for one in found if one.name.endswith(f"M tokens: {kind}")]
        sizes = [one.tokens / 1e6 for one in rows]
        by_size.plot(sizes, [one.p50 for one in rows], marker="o", color=colour, label=f"{kind}, p50")
        by_size.plot(sizes, [one.p99 for one in rows], marker="o", color=colour, linestyle="--", label=f"{kind}, p99")
    by_size.set(title="Cost against size", xlabel="million tokens", ylabel="ms", xscale="log", ylim=(0, None))
    by_size.legend()
    names = [one.name for one in found][::-1]
    by_name.barh(names, [one.p99 for one in found][::-1], color="#cccccc", label="p99")
    by_name.barh(names, [one.p50 for one in found][::-1], color="#0072b2", label="p50")
    by_name.set(title="All arrangements", xlabel="ms", xscale="log")
    by_name.legend()
    _save(figure, path, machine)


def write_index_plot(path: Path, found: Sequence[IndexFigures], machine: str) -> None:
    """A PNG of three panels: time to build, memory and disk, time to open and to see a save.  Raises RestLspError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5), layout="constrained")
    building, space, waiting = figure.subplots(1, 3)
    sizes = [one.tokens / 1e6 for one in found]
    building.plot(sizes, [one.seconds for one in found], marker="o", color="#0072b2", label="first build")
    building.plot(sizes, [one.cpu_seconds for one in found], marker="o", color="#999999", label="processor time")
    building.set(title="Building", ylabel="s")
    space.plot(sizes, [one.peak_mb for one in found], marker="o", color="#d55e00", label="peak memory of the builder")
    disk = [one.disk_bytes_per_token * one.tokens / 1e6 for one in found]
    space.plot(sizes, disk, marker="o", color="#009e73", label="on disk")
    space.set(title="Space", ylabel="MB")
    waiting.plot(sizes, [one.open_ms for one in found], marker="o", color="#0072b2", label="warm open")
    waiting.plot(sizes, [one.save_ms_p50 for one in found], marker="o", color="#e69f00", label="save to draft, p50")
    waiting.plot(
        sizes,
        [one.save_ms_p95 for one in found],
        marker="o",
        linestyle="--",
        color="#e69f00",
        label="p95",
    )
    waiting.set(title="Waiting", ylabel="ms")
    for axes in (building, space, waiting):
        axes.set(xlabel="million tokens", ylim=(0, None))
        axes.legend()
    _save(figure, path, machine)


def _save(figure: Figure, path: Path, machine: str) -> None:
    figure.suptitle(machine, fontsize=10)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", dpi=110)
    except OSError as error:
        message = f"The plot cannot be written to {path}: {error.strerror or error}."
        raise RestLspError(message, "Choose another place with --plot.") from error
