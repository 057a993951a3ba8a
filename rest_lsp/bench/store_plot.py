"""The cost of a lookup against the size of the datastore, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rest_lsp.bench.store_retrieval import Latency
from rest_lsp.errors import RestLspError


def write_store_plot(path: Path, found: Sequence[Latency], machine: str) -> None:
    """A PNG of two panels.  Raises RestLspError when it cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5), layout="constrained")
    FigureCanvasAgg(figure)
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
    figure.suptitle(machine, fontsize=10)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", dpi=110)
    except OSError as error:
        message = f"The plot cannot be written to {path}: {error.strerror or error}."
        raise RestLspError(message, "Choose another place with --plot.") from error
