"""`rest-lsp index --audit`, `query` and `status` on a small workspace, as a person would call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rest_lsp.cli_app import app
from tests.files_datastore import git, write_files

SECRET = "AKIA" + "IOSFODNN7EXAMPLE"
FILES = {
    "a.py": "def first(self):\n    return self.value\n" * 2,
    "b.py": "def second(self):\n    return self.value\n",
    "keys.py": f"region = 'eu'\naws = '{SECRET}'\n",
    ".env": "PASSWORD=tweet\n",
    "ignored.py": "x = 1\n",
    ".gitignore": "ignored.py\n",
    "blob.py": "x\0y",
    "node_modules/left/pad.js": "x\n",
}


@pytest.fixture
def workspace(tmp_path: Path, small_tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = write_files(tmp_path / "work", FILES)
    git(root, "init", "-q")
    monkeypatch.setenv("REST_LSP_MODEL_CACHE_DIR", str(tmp_path / "cache"))
    for module in ("cli_index", "cli_query"):
        monkeypatch.setattr(f"rest_lsp.{module}.tokenizer_path", lambda *_: small_tokenizer)
    monkeypatch.setattr("rest_lsp.cli_index.find_tokenizer", lambda *_: small_tokenizer)
    return root


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def run_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


def test_the_audit_names_every_file_with_its_reason(workspace: Path) -> None:
    entries = run_json("index", "--workspace", str(workspace), "--audit")["audit"]
    reasons = {entry["path"]: entry["reason"] for entry in entries}
    assert reasons == {
        "a.py": None, "b.py": None, "keys.py": None, ".gitignore": None, ".env": "secret", "ignored.py": "ignored",
        "blob.py": "binary", "node_modules/": "vendored", ".git/": "vendored",
    }  # fmt: skip
    assert all(entry["indexed"] == (entry["reason"] is None) for entry in entries)
    assert {entry["path"]: entry["secret_lines"] for entry in entries if entry["secret_lines"]} == {"keys.py": 1}


def test_the_audit_for_people(workspace: Path) -> None:
    text = run("index", "--workspace", str(workspace), "--audit")
    assert "out  .env (secret)" in text
    assert "1 lines with secrets left out" in text
    assert SECRET not in text


def test_a_query_shows_counts_files_and_lines(workspace: Path) -> None:
    run("index", "--workspace", str(workspace))
    tree = run_json("query", "    return self.", "--workspace", str(workspace), "--depth", "8")
    assert tree["count"] == 3
    assert tree["matching_tokens"] > 3
    first = tree["children"][0]
    assert first["count"] == 3
    assert set(first["places"]) == {"a.py:2", "a.py:4", "b.py:2"}
    shown = run("query", "    return self.", "--workspace", str(workspace))
    assert "3×" in shown
    assert "b.py:2" in shown


def test_a_query_without_an_answer_says_so(workspace: Path) -> None:
    run("index", "--workspace", str(workspace))
    assert "nothing in the index" in run("query", "\u00e9", "--workspace", str(workspace))


def test_status_tells_size_age_and_segments(workspace: Path) -> None:
    run("index", "--workspace", str(workspace))
    text = run("status", "--workspace", str(workspace))
    assert "bytes per token" in text
    assert "segment of" in text
    datastore = run_json("status", "--workspace", str(workspace))["datastore"]
    assert datastore["disk_bytes"] > 0
    assert datastore["age_s"] >= 0
    assert sum(living for living, _ in datastore["segment_tokens"]) == datastore["tokens"]
