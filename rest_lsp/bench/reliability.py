"""How far promised chances come true, as a table and as a picture.  Needs matplotlib only for the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from rest_lsp.bench.fit import Bin
from rest_lsp.bench.plot import check_plotting
from rest_lsp.errors import RestLspError

EDGES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class Reliability(NamedTuple):
    """Some weights, their mean loss in nats per guess on texts they were not fitted to, and what came true."""

    name: str
    log_loss: float
    bins: Sequence[Bin]


def print_reliability(console: Console, tested: Sequence[Reliability]) -> None:
    """One table for each."""
    for one in tested:
        table = Table(title=f"{one.name}: held-out log-loss {one.log_loss:.4f}", box=box.SIMPLE_HEAD)
        for column in ("guesses", "promised", "came true"):
            table.add_column(column, justify="right")
        for n, promised, kept in one.bins:
            table.add_row(str(n), f"{promised:.3f}", f"{kept:.3f}")
        console.print(table)


def write_reliability(path: Path, tested: Sequence[Reliability]) -> None:
    """A PNG.  Raises RestLspError when it cannot be drawn or written."""
    check_plotting()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    for one in tested:
        axes.plot(
            [found.promised for found in one.bins],
            [found.kept for found in one.bins],
            marker="o",
            label=f"{one.name}: log-loss {one.log_loss:.4f}",
        )
    axes.set(title="Guesses of held-out projects", xlabel="promised chance", ylabel="share that came true")
    axes.legend(loc="upper left")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", dpi=110)
    except OSError as error:
        message = f"The plot cannot be written to {path}: {error.strerror or error}."
        raise RestLspError(message, "Choose another place with --plot.") from error
