"""`rest-lsp bench windows` from end to end: real fronts and a real daemon with a tiny model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rest_lsp.bench.cli import app
from rest_lsp.daemon.address import RUNTIME_VARIABLE
from tests.files_bench import tiny_project
from tests.integration.test_bench_keystrokes import MODULE


def test_windows_share_a_process_and_leave_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_project(tmp_path, monkeypatch, MODULE)
    before = os.environ.get(RUNTIME_VARIABLE)
    out = tmp_path / "out.json"
    arguments = ["--projects", "tiny", "--seconds", "1", "--rounds", "2", "--keys", "2", "--cadence", "20"]
    done = CliRunner().invoke(app, ["windows", *arguments, "--json", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads(out.read_text(encoding="utf-8"))
    assert len(report["memory"]["shared"]["processes"]) == 4
    assert len(report["memory"]["alone"]["processes"]) == 1
    assert [window["errors"] for window in report["typing"]] == [0, 0, 0]
    assert all(window["keys"] > 0 for window in report["typing"])
    shared, alone = (sum(report["memory"][name]["processes"]) for name in ("shared", "alone"))
    assert report["memory"]["ratio"] == pytest.approx(shared / alone)
    assert len(report["starts_ms"]) == 2, "one for each round"
    assert os.environ.get(RUNTIME_VARIABLE) == before
