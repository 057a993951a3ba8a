"""What the picture of `bench humaneval` shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rest_lsp.bench import humaneval_plot
from rest_lsp.bench.direct import Decoded
from rest_lsp.bench.humaneval_plot import write_humaneval_plot
from rest_lsp.bench.humaneval_report import PLAIN, HumanEvalReport, Text
from rest_lsp.bench.machine import this_machine


def test_every_point_is_in_the_picture_those_of_the_paper_too(monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Any] = []
    monkeypatch.setattr(humaneval_plot, "save_figure", lambda figure, _path: figures.append(figure))
    written = {name: Decoded((1, 2, 3, 4), decode_ms=4.0, forwards=4, draft_ms=[0.1]) for name in (PLAIN, "1M")}
    text = Text("HumanEval/0", "greedy", written, dict.fromkeys(written, True))
    report = HumanEvalReport("tiny", "cpu", "int8", 2, "8 nodes", this_machine(), {"1M": 10**6}, [text])
    write_humaneval_plot(Path("nowhere.png"), report)
    (figure,) = figures
    for axes in figure.axes:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        points = [point for line in axes.lines for point in zip(*line.get_data(), strict=True)]
        assert len(points) == 6
        assert all(left <= x <= right and bottom <= y <= top for x, y in points)
