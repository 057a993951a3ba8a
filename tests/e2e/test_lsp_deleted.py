"""Text that an edit removed is drafted from when it is written again: the shipped server, and no other source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lsp_client import LspClient, serve_command
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_hub_folder

OPTIONS = {
    "device": {"name": "cpu", "dtype": "fp32", "threads": 1},
    "completion": {
        "multiline": "never",
        "max_tokens_single": 10,
        **{f"min_confidence_{kind}": 0.0 for kind in ("code", "word", "block", "text")},
    },
    "drafting": {
        "fixed_nodes": 8, "use_document": False, "use_datastore": False, "use_completions": False,
        "use_successors": False,
    },
    "datastore": {"enabled": False},
}  # fmt: skip
BEGINNINGS = [f"value_{number} = compute(other.{name}" for number in range(4) for name in ("se", "add", "x", "item")]
LEAST = 8
"""Characters: of less nobody makes drafts."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LspClient]:
    config = tiny_config(o_bias=False, mlp_bias=False, qk_norm=False, max_context=4096)
    write_hub_folder(tmp_path / "model", RandomSource(config))
    (tmp_path / "workspace").mkdir()
    with LspClient(server=serve_command(), XDG_CACHE_HOME=str(tmp_path / "cache")) as started:
        started.initialize(tmp_path / "workspace", options={**OPTIONS, "model": str(tmp_path / "model")})
        started.wait_for_state("ready")
        yield started


def completed(client: LspClient, uri: str, text: str) -> tuple[str, int]:
    """What is written behind `text`, the only line, and how many tokens of it were drafted."""
    before = accepted(client)
    items = client.complete(uri, 0, len(text), kind=2)
    return (items[0]["insertText"] if items else ""), accepted(client) - before


def accepted(client: LspClient) -> int:
    found = client.stats()["accepted"]
    assert isinstance(found, int)
    return found


def test_what_was_deleted_is_drafted_where_it_stood(client: LspClient) -> None:
    written: dict[str, tuple[str, int]] = {}
    for beginning in BEGINNINGS:
        client.open("untitled:probe", beginning, language="plaintext")
        text, n_drafted = completed(client, "untitled:probe", beginning)
        client.close_document("untitled:probe")
        if len(text) >= LEAST and text.isascii() and text.isprintable():
            written[beginning] = text, n_drafted
    assert written, "the random model wrote no plain text"
    n_more = 0
    for number, (beginning, (text, n_drafted)) in enumerate(written.items()):
        uri = f"untitled:{number}"
        client.open(uri, beginning + text, language="plaintext")
        start, end = ({"line": 0, "character": len(before)} for before in (beginning, beginning + text))
        client.change(uri, 2, {"range": {"start": start, "end": end}, "text": ""})
        again, n_drafted_again = completed(client, uri, beginning)
        assert again == text
        n_more += n_drafted_again - n_drafted
    assert n_more >= len(written), "the typed text apart, there is no other source"
