"""Tokenising in helper processes gives what tokenising here gives, whatever becomes of the helpers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rest_lsp.datastore.encoders import WORTH_SHARING, Encoders
from rest_lsp.errors import ModelError
from rest_lsp.tokenizer import Tokenizer
from tests.files_datastore import write_files, write_tokenizer

TEXTS = [f"def function_{number}(self):\n    return {number}  # größe\n" * (number % 40) for number in range(1_200)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture
def encoders(path: Path) -> Iterator[Encoders]:
    encoders = Encoders(path, n_processes=2)
    yield encoders
    encoders.rest()


def plain(path: Path, texts: Sequence[str]) -> list[list[int]]:
    return Tokenizer.from_file(path).encode_batch(texts)


def as_lists(encoders: Encoders, texts: Sequence[str]) -> list[list[int]]:
    return [list(map(int, ids)) for ids in encoders(texts)]


def test_shares_come_back_in_order(path: Path, encoders: Encoders) -> None:
    assert sum(map(len, TEXTS)) > WORTH_SHARING
    assert as_lists(encoders, TEXTS) == plain(path, TEXTS)
    assert len(encoders._helpers) == 2
    assert as_lists(encoders, TEXTS[:5]) == plain(path, TEXTS[:5]), "helpers that run take small pieces too"


def test_little_text_starts_no_process(path: Path, encoders: Encoders) -> None:
    assert as_lists(encoders, TEXTS[:5]) == plain(path, TEXTS[:5])
    assert encoders._helpers == []


def test_a_helper_that_is_killed_costs_nothing_but_time(path: Path, encoders: Encoders) -> None:
    encoders(TEXTS)
    killed = encoders._helpers[0].process
    killed.kill()
    killed.wait()
    assert as_lists(encoders, TEXTS) == plain(path, TEXTS)
    assert as_lists(encoders, TEXTS) == plain(path, TEXTS), "and so on"


def test_helpers_end_when_there_is_nothing_to_do(encoders: Encoders) -> None:
    encoders(TEXTS)
    processes = [helper.process for helper in encoders._helpers]
    encoders.rest()
    assert all(process.poll() is not None for process in processes)


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    broken = write_files(tmp_path, {"broken.json": "{}"}) / "broken.json"
    with pytest.raises(ModelError, match=r"broken\.json"):
        Encoders(broken, n_processes=1)(["text"])
