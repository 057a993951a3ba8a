"""The picture of a report: drawn with matplotlib, or refused before anything is measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rest_lsp.bench.cases import Case, Kind
from rest_lsp.bench.plot import check_plotting, write_plot
from rest_lsp.bench.results import CostPoint, Pair, Run, Setting
from rest_lsp.errors import RestLspError
from rest_lsp.positions import Position

SETTING = Setting(
    "a tree", "tiny", "cpu", "fp32", 2, {"cpu": "x"}, 5.0, 8, 1, 1, (CostPoint(0, 10.0), CostPoint(8, 16.0))
)


def pair(name: str, kind: Kind, rest_ms: float) -> Pair:
    plain = Run((1, 2, 3), "", 3, {}, 0, 1.0, 30.0, 0.0, "end")
    rest = Run((1, 2, 3), "", 2, {"document": 1}, 4, 1.0, rest_ms, 0.1, "end")
    return Pair(Case(name, "a.py", kind, Position(0, 0), Position(0, 9)), plain, rest)


@pytest.mark.parametrize("pairs", [[], [pair("a", "line", 31.0), pair("b", "block", 20.0), pair("c", "body", 15.0)]])
def test_a_picture_is_drawn(tmp_path: Path, pairs: list[Pair]) -> None:
    path = tmp_path / "deep" / "plot.png"
    write_plot(path, SETTING, pairs)
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    assert path.stat().st_size > 10_000


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RestLspError, match=r"plot\.png"):
        write_plot(tmp_path / "file" / "plot.png", SETTING, [])


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    with pytest.raises(RestLspError, match="needs matplotlib") as caught:
        check_plotting()
    assert "rest-lsp[bench]" in caught.value.hint
