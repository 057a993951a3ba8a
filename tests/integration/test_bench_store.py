"""Measurements of the datastore by itself, on little text: what they report, and the pictures of it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rest_lsp.bench.store_index import measure
from rest_lsp.bench.store_plot import write_index_plot, write_store_plot
from rest_lsp.bench.store_retrieval import measure as measure_retrieval
from rest_lsp.bench.store_text import draw_contexts, read_corpus
from rest_lsp.cli_app import app
from rest_lsp.errors import RestLspError
from rest_lsp.tokenizer import Tokenizer

TOKENS, FILES = 60_000, 30


def test_an_index_is_built_killed_resumed_and_kept_current(small_tokenizer: Path, tmp_path: Path) -> None:
    told: list[str] = []
    found = measure(small_tokenizer, TOKENS, told.append, n_saves=2, n_branch_files=FILES)
    assert found.tokens > TOKENS / 2
    assert found.tokens_per_second > 0
    assert 6 <= found.disk_bytes_per_token < 40
    assert found.peak_mb > 10
    assert 0 < found.open_ms < 60_000
    assert found.save_ms_p50 <= found.save_ms_p95
    assert 0 <= found.resumed_share <= 1
    assert (found.switch_tokenised, found.switch_back_tokenised) == (FILES, 0)
    assert len(told) == 5
    path = tmp_path / "deep" / "index.png"
    write_index_plot(path, [found, found], "here")
    assert path.read_bytes().startswith(b"\x89PNG\r\n")


def test_lookups_are_timed_at_each_size_and_beside_others(small_tokenizer: Path, tmp_path: Path) -> None:
    corpus = read_corpus(Tokenizer.from_file(small_tokenizer), TOKENS, 20)
    found = list(measure_retrieval(corpus, [TOKENS // 2, TOKENS], lambda _: None))
    names = [one.name for one in found]
    assert names[:2] == ["0.03 M tokens: lookup", "0.03 M tokens: draft"]
    assert "the same while a merge runs: draft" in names
    assert "REST's rule, lookup and tree" in names
    assert all(0 < one.p50 <= one.p99 <= one.maximum for one in found)
    small, large = (one.tokens for one in found[0:4:2])
    assert small < large
    path = tmp_path / "retrieval.png"
    write_store_plot(path, found, "here")
    assert path.read_bytes().startswith(b"\x89PNG\r\n")


def test_contexts_come_from_files_that_are_held_out(small_tokenizer: Path) -> None:
    corpus = read_corpus(Tokenizer.from_file(small_tokenizer), TOKENS, 50)
    indexed = {tuple(document.ids[:300]) for document in corpus.documents}
    assert corpus.n_tokens >= TOKENS
    assert all(tuple(context) not in indexed for context in corpus.contexts)
    assert draw_contexts([list(range(400))], 3, seed=1) == draw_contexts([list(range(400))], 3, seed=1)


def test_bad_sizes_are_told() -> None:
    result = CliRunner().invoke(app, ["bench", "index", "--sizes", "few"])
    assert isinstance(result.exception, RestLspError)
    assert "few" in str(result.exception)


def test_the_command_writes_a_table_and_json(
    small_tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rest_lsp.workspace.tokenizer_path", lambda *_: small_tokenizer)
    quick = partial(measure, n_saves=1, n_branch_files=5)
    monkeypatch.setattr("rest_lsp.bench.store_index.measure", quick)
    out = tmp_path / "index.json"
    result = CliRunner().invoke(app, ["bench", "index", "--sizes", "10000", "--json", str(out)])
    assert result.exit_code == 0, result.output
    (figures,) = json.loads(out.read_text())["index"]
    assert figures["switch_back_tokenised"] == 0
    assert "tokens per second" in result.output
