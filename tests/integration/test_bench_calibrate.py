"""`rest-lsp bench calibrate` from end to end: holes completed in one project, weights fitted, and judged in another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rest_lsp.bench import calibrate
from rest_lsp.bench.cli import app
from rest_lsp.bench.corpus import Distribution
from rest_lsp.drafting.confidence import FEATURES
from tests.files_bench import tiny_project

MODULE = '''"""Sums."""


def total(values):
    """Of all values that are numbers."""
    result = 0
    for value in values:
        if value is not None:
            result += value
    return result


def mean(values):
    result = total(values)
    if not values:
        raise ValueError("no values")
    return result / len(values)


def spread(values):
    middle = mean(values)
    result = 0
    for value in values:
        if value is not None:
            result += (value - middle) ** 2
    return result / len(values)
'''


def test_weights_are_fitted_to_some_projects_and_judged_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_project(tmp_path, monkeypatch, MODULE)
    for name in ("FITTING", "TESTING"):
        monkeypatch.setattr(calibrate, name, {name.lower(): Distribution(name.lower(), "1", "")})
    outputs = ["--output", str(tmp_path / "prior.json"), "--plot", str(tmp_path / "plot.png")]
    result = CliRunner().invoke(app, ["calibrate", "--per-kind", "2", *outputs], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "guesses in fitting for fitting," in result.output
    assert "in testing for testing." in result.output
    assert "fitted weights: held-out log-loss" in result.output
    written = json.loads((tmp_path / "prior.json").read_text(encoding="utf-8"))
    assert set(written["weights"]) == set(FEATURES)
    assert (written["fitted_to"], written["tested_on"]) == (["fitting"], ["testing"])
    assert written["guesses"] > 0
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
