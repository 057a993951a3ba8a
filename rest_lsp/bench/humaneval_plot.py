"""How drafting scales with the size of the store, next to the paper's figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rest_lsp.bench.humaneval_report import PAPER, PLAIN, HumanEvalReport, Row
from rest_lsp.bench.plot import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_humaneval_plot(path: Path, report: HumanEvalReport) -> None:
    """A PNG of three panels.  Raises RestLspError when it cannot be written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5), layout="constrained")
    per_pass, speedup, retrieval = figure.subplots(1, 3)
    _draw(per_pass, report, "tokens_per_pass", "Tokens per forward pass")
    _draw(speedup, report, "speedup", "Speed-up over plain decoding")
    _draw(retrieval, report, "retrieval_ms_per_token", "Retrieval, ms per token")
    papers = [row for row in PAPER if row.sampling == "greedy"]
    stores = [row.tokens for row in papers]
    per_pass.plot(stores, [row.tokens_per_pass for row in papers], "k--o", label="REST's paper, greedy")
    speedup.plot(stores, [row.speedup for row in papers], "k--o", label="REST's paper, greedy, A6000")
    retrieval.plot(stores, [row.retrieval_ms or 0.0 for row in papers], "k--o", label="REST's paper")
    for axes in (per_pass, speedup, retrieval):
        # Behind the last line that is drawn, since a limit that is set says that the others are settled, too.
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
    where = f"{report.model} {report.dtype} on {report.device}, {report.threads} threads, {report.budget}"
    figure.suptitle(f"HumanEval, {where}: {report.machine.label}", fontsize=10)
    save_figure(figure, path)


def _draw(axes: Axes, report: HumanEvalReport, name: str, title: str) -> None:
    drafted = [row for row in report.rows if row.store != PLAIN]
    for sampling in dict.fromkeys(row.sampling for row in drafted):
        rows: list[Row] = [row for row in drafted if row.sampling == sampling]
        axes.plot(
            [row.store_tokens for row in rows],
            [getattr(row, name) for row in rows],
            marker="o",
            label=f"ours, {sampling}",
        )
    axes.set(title=title, xlabel="tokens in the store", xscale="log")
