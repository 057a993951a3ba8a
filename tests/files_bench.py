"""Benches on a tiny project instead of the pinned ones, and their reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rest_lsp.bench import selection
from rest_lsp.bench.cli import app
from rest_lsp.bench.corpus import Distribution
from tests.files_cli import Place, make_place

TINY = Distribution("tiny", "1", "")


def tiny_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> Place:
    """A place whose workspace, `module` in it, is the only project that is known."""
    place = make_place(tmp_path)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    (place.workspace / "sums.py").write_text(module, encoding="utf-8")
    monkeypatch.setattr(selection, "PROJECTS", {TINY.name: TINY})
    monkeypatch.setattr(selection, "fetch", lambda _project, _cache_dir: place.workspace)
    return place


def report_of(tmp_path: Path, *command: str) -> dict[str, Any]:
    """What `rest-lsp bench` with this command and these arguments writes; it draws as well."""
    outputs = ["--json", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.png")]
    result = CliRunner().invoke(app, [*command, *outputs], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    found: dict[str, Any] = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    return found
