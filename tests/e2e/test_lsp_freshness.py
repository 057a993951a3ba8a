"""What stands on disk is drafted from within a moment, and what is gone never again: the shipped server, watching."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lsp_client import LspClient, serve_command
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_hub_folder
from tests.waiting import wait_until

OPTIONS = {
    "device": {"name": "cpu", "dtype": "fp32", "threads": 1},
    "completion": {"multiline": "never", "max_tokens_single": 10},
    # What was completed before would be drafted from, and not the file.
    "drafting": {"fixed_nodes": 8, "use_completions": False, "use_successors": False},
}
BEGINNINGS = [f"value_{number} = compute(other.{name}" for number in range(8) for name in ("se", "add", "x", "item")]
PATIENCE_S = 20.0


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "other.py").write_text("def unrelated():\n    return None\n")
    return root


@pytest.fixture
def client(tmp_path: Path, workspace: Path) -> Iterator[LspClient]:
    config = tiny_config(o_bias=False, mlp_bias=False, qk_norm=False, max_context=4096)
    write_hub_folder(tmp_path / "model", RandomSource(config))
    with LspClient(server=serve_command(), XDG_CACHE_HOME=str(tmp_path / "cache")) as started:
        started.initialize(workspace, options={**OPTIONS, "model": str(tmp_path / "model")})
        started.wait_for_state("ready")
        yield started


def written_by_the_model(client: LspClient) -> tuple[str, str]:
    """A beginning, and what the random model makes of it: plain text, so that it can stand in a file."""
    for beginning in BEGINNINGS:
        client.open("untitled:probe", beginning)
        items = client.complete("untitled:probe", 0, len(beginning))
        client.close_document("untitled:probe")
        text = items[0]["insertText"] if items else ""
        if len(text) >= 4 and text.isascii() and text.isprintable():
            return beginning, text
    raise AssertionError("the random model wrote no plain text")


def sources(client: LspClient, beginning: str) -> set[str]:
    """The files that a completion behind `beginning` is drafted from, in a document that was never asked about."""
    uri = f"untitled:asked-{len(client.messages)}"
    client.open(uri, beginning)
    client.complete(uri, 0, len(beginning))
    client.close_document(uri)
    explained: dict[str, Any] = client.ask("workspace/executeCommand", {"command": "rest.explainLast"})
    return {source["path"] for source in explained["sources"]}


def test_a_line_on_disk_is_drafted_until_it_is_gone(client: LspClient, workspace: Path) -> None:
    beginning, text = written_by_the_model(client)
    assert sources(client, beginning) <= {"other.py"}
    fresh, moved = workspace / "fresh.py", workspace / "moved.py"
    fresh.write_text(f"{beginning}{text}\n")
    wait_until(lambda: "fresh.py" in sources(client, beginning), "drafts from fresh.py", PATIENCE_S)
    fresh.rename(moved)
    wait_until(lambda: "moved.py" in sources(client, beginning), "drafts from moved.py", PATIENCE_S)
    assert "fresh.py" not in sources(client, beginning)
    moved.write_text("something_else = 1\n")
    wait_until(lambda: "moved.py" not in sources(client, beginning), "drafts without moved.py", PATIENCE_S)
    moved.write_text(f"{beginning}{text}\n")
    wait_until(lambda: "moved.py" in sources(client, beginning), "drafts from moved.py", PATIENCE_S)
    moved.unlink()
    wait_until(lambda: "moved.py" not in sources(client, beginning), "drafts without moved.py", PATIENCE_S)
    assert all(not sources(client, beginning) & {"moved.py", "fresh.py"} for _ in range(5))
