"""`rest-lsp bench peers` from end to end: a tiny model in a GGUF file, our engine with every rule, and transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rest_lsp.bench.cli import app
from rest_lsp.bench.direct import PARTS
from tests.engines import SIZES
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_gguf

MODULE = """class Shape{number}:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    def area(self):
        if self.width < 0 or self.height < 0:
            raise ValueError("a shape has no negative sides")
        area = self.width * self.height
        return area * {number}

    def diagonal(self):
        total = 0.0
        for side in (self.width, self.height):
            total += side * side
            print("side", side, "total", total)
        return total

    def scaled(self, factor):
        width = self.width * factor
        height = self.height * factor
        return Shape{number}(width, height)

    def describe(self):
        for name in ("width", "height"):
            value = getattr(self, name)
            print("side", name, "value", value)
        return "Shape{number}"
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("peers")
    source = RandomSource(
        tiny_config(**{**SIZES, "max_context": 2048, "o_bias": False, "mlp_bias": False, "qk_norm": False})
    )
    for name, tensor in source.tensors.items():
        if tensor.ndim == 2:
            source.tensors[name] = tensor * (3.0 / tensor.shape[1] ** 0.5)
    gguf = folder / "tiny.gguf"
    write_gguf(gguf, source)
    workspace = folder / "workspace"
    workspace.mkdir()
    for number in range(3):
        (workspace / f"shape_{number}.py").write_text(MODULE.replace("{number}", str(number)), encoding="utf-8")
    command = ["peers", "--workspace", str(workspace), "--limit", "3", "--peers", "REST,Suffix,transformers fp32"]
    command += ["--json", str(folder / "out.json"), "--plot", str(folder / "out.png"), "--model", str(gguf)]
    command += ["--model-cache-dir", str(folder / "cache"), "--device", "cpu", "--device-dtype", "fp32"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "wrote the tokens of plain decoding" in result.output
    found: dict[str, Any] = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return found


def rows_of(report: dict[str, Any], rival: str) -> list[dict[str, Any]]:
    return [row for row in report["cases"] if row["rival"] == rival]


def test_every_rule_in_our_engine_writes_the_plain_tokens(report: dict[str, Any]) -> None:
    assert report["differing_tokens"] == 0
    plain = rows_of(report, "rest-lsp, plain")
    assert len(plain) == 3
    for rival in ("rest-lsp", "REST", "REST with the document, 64 nodes", "SuffixDecoding"):
        rows = rows_of(report, rival)
        assert [row["tokens"] for row in rows] == [row["tokens"] for row in plain]
        # What the cost model allows depends on the machine, and may be nothing; the other rules always draft.
        assert rival == "rest-lsp" or sum(row["drafted"] for row in rows) > 0, rival
    assert all(row["forwards"] == row["tokens"] and row["drafted"] == 0 for row in plain)


def test_transformers_runs_on_the_same_weights_and_stops_by_the_same_rules(report: dict[str, Any]) -> None:
    plain = [row["tokens"] for row in rows_of(report, "rest-lsp, plain")]
    assert [row["tokens"] for row in rows_of(report, "transformers fp32, generate")] == plain
    assert [row["tokens"] for row in rows_of(report, "transformers fp32, prompt lookup 10")] == plain
    shares = {rival["name"]: rival["summary"]["equal_ours"] for rival in report["rivals"]}
    assert shares["transformers fp32, generate"] == 1


def test_the_report_says_where_the_time_goes_and_how_each_is_set(report: dict[str, Any]) -> None:
    for row in rows_of(report, "rest-lsp"):
        assert set(row["parts_ms"]) == set(PARTS)
        assert sum(row["parts_ms"].values()) == pytest.approx(row["decode_ms"], abs=0.01)
    assert all(rival["settings"] and rival["plain_name"] for rival in report["rivals"])
    assert not any(rival["name"].startswith(("llama.cpp", "transformers int8")) for rival in report["rivals"])


def test_an_unknown_peer_and_a_model_without_a_file_are_told(tmp_path: Path) -> None:
    command = ["peers", "--workspace", str(tmp_path), "--cases", str(tmp_path / "none.jsonl")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "cannot be read" in str(result.exception)
