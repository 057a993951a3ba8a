"""Reconciling a real folder: only what changed is tokenised, what must go is gone, bytes included."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rest_lsp.datastore.index_writer import IndexWriter
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.stat_cache import StatCache
from rest_lsp.datastore.store import Store
from rest_lsp.errors import DatastoreError
from rest_lsp.tokenizer import Tokenizer
from tests.files_datastore import FINGERPRINT, git, write_files, write_tokenizer

HOUR_NS = 3_600 * 10**9


@dataclass
class Index:
    """A writer on a workspace, with a tokenizer that notes what it was given."""

    root: Path
    directory: Path
    tokenizer: Tokenizer
    rules: IndexRules = field(default_factory=IndexRules)
    encoded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.store = Store(self.directory, FINGERPRINT, print)
        self.store.acquire()
        self.cache = StatCache(self.directory / "files.sqlite3", "key")
        self.writer = IndexWriter(self.root, self.store, self.rules, self.cache, self._encode, lambda: None)

    def close(self) -> None:
        self.cache.close()
        self.store.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    def encoded_since(self) -> list[str]:
        encoded, self.encoded = self.encoded, []
        return encoded

    def texts(self) -> dict[str, str]:
        return {
            live.segment.paths[document]: self.tokenizer.decode(live.segment.document_ids(document).tolist())
            for live in self.store.generation.segments
            for document in live.live_documents
        }

    def holds_bytes_of(self, text: str) -> bool:
        """Whether the tokens of `text` stand anywhere in any segment file, dead documents included."""
        wanted = self.tokenizer.encode(text)
        for live in self.store.generation.segments:
            for document in range(live.segment.n_documents):
                ids = live.segment.document_ids(document).tolist()
                if any(ids[at : at + len(wanted)] == wanted for at in range(len(ids))):
                    return True
        return False

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        self.encoded.extend(texts)
        return self.tokenizer.encode_batch(texts)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.from_file(write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"))


@pytest.fixture
def make(tmp_path: Path, tokenizer: Tokenizer) -> Iterator[Callable[..., Index]]:
    opened: list[Index] = []

    def make(files: dict[str, str], rules: IndexRules | None = None) -> Index:
        root = write_files(tmp_path / "work", files)
        for name in files:
            age(root / name)
        opened.append(Index(root, tmp_path / "store", tokenizer, rules or IndexRules()))
        return opened[-1]

    yield make
    for index in opened:
        index.close()


def age(path: Path) -> None:
    """Make a file an hour old, so that its timestamp can be trusted."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns - HOUR_NS, status.st_mtime_ns - HOUR_NS))


MANY = {f"m{number}.py": f"value = {number}\n" * 1_500 for number in range(40)}
FILES = {"a.py": "alpha = 1\n", "lib/b.py": "beta = 2\n", "lib/c.py": "gamma = 3\n"}


def test_a_folder_is_indexed_and_nothing_is_done_twice(make: Callable[..., Index]) -> None:
    index = make(FILES)
    report = index.writer.refresh()
    assert (report.files, report.added, report.tokenised) == (3, 3, 3)
    assert index.texts() == FILES
    again = index.writer.refresh()
    assert (again.files, again.added, again.tokenised, again.generation) == (3, 0, 0, report.generation)


def test_after_a_restart_unchanged_files_are_not_even_read(
    make: Callable[..., Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make(FILES)
    index.writer.refresh()
    index.reopen()
    monkeypatch.setattr("rest_lsp.datastore.index_writer.read_content", None)
    assert index.writer.refresh().files == 3


def test_a_lost_stat_cache_costs_reading_but_no_tokenising(make: Callable[..., Index]) -> None:
    index = make(FILES)
    index.writer.refresh()
    index.close()
    (index.directory / "files.sqlite3").unlink()
    index.open()
    index.encoded_since()
    assert index.writer.refresh().files == 3
    assert index.encoded_since() == []


def test_only_the_changed_file_is_tokenised(make: Callable[..., Index]) -> None:
    index = make(FILES)
    index.writer.refresh()
    index.encoded_since()
    write_files(index.root, {"lib/b.py": "beta = 20\n"})
    report = index.writer.update(["lib/b.py"])
    assert (report.changed, report.added, report.removed) == (1, 0, 0)
    assert index.encoded_since() == ["beta = 20\n"]
    assert index.texts() == {**FILES, "lib/b.py": "beta = 20\n"}


def test_the_same_size_and_time_do_not_hide_a_change(make: Callable[..., Index]) -> None:
    index = make(FILES)
    path = index.root / "a.py"
    os.utime(path)
    stamp = path.stat()
    index.writer.refresh()
    path.write_text("alpha = 9\n")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    index.writer.refresh()
    assert index.texts()["a.py"] == "alpha = 9\n"


def test_deleted_files_and_folders_go(make: Callable[..., Index]) -> None:
    index = make(FILES)
    index.writer.refresh()
    (index.root / "a.py").unlink()
    index.writer.update(["a.py"])
    assert set(index.texts()) == {"lib/b.py", "lib/c.py"}
    shutil.rmtree(index.root / "lib")
    index.writer.update(["lib"])
    assert index.texts() == {}


def test_a_renamed_folder_is_not_tokenised_again(make: Callable[..., Index]) -> None:
    index = make(FILES)
    index.writer.refresh()
    index.encoded_since()
    (index.root / "lib").rename(index.root / "source")
    index.writer.update(["lib", "source"])
    assert index.texts() == {"a.py": FILES["a.py"], "source/b.py": FILES["lib/b.py"], "source/c.py": FILES["lib/c.py"]}
    assert index.encoded_since() == []


def test_switching_branches_back_tokenises_nothing(make: Callable[..., Index]) -> None:
    index = make({f"m{number}.py": f"value = {number}\n" for number in range(20)})
    git(index.root, "init", "-q", "-b", "main")
    git(index.root, "add", ".")
    git(index.root, "commit", "-q", "-m", "one")
    index.writer.refresh()
    git(index.root, "checkout", "-q", "-b", "other")
    for number in range(20):
        (index.root / f"m{number}.py").write_text(f"other = {number}\n")
    git(index.root, "commit", "-q", "-a", "-m", "two")
    index.writer.refresh()
    index.encoded_since()
    git(index.root, "checkout", "-q", "main")
    index.writer.refresh()
    assert index.texts()["m7.py"] == "value = 7\n"
    assert index.encoded_since() == []


@pytest.mark.parametrize("ignore_file", [".gitignore", ".restlspignore"])
def test_a_file_that_is_ignored_later_is_purged_from_the_bytes(make: Callable[..., Index], ignore_file: str) -> None:
    index = make({**FILES, "canary.py": "canary_value = 'tweet tweet'\n"})
    git(index.root, "init", "-q")
    index.writer.refresh()
    assert index.holds_bytes_of("tweet tweet")
    write_files(index.root, {ignore_file: "canary.py\n"})
    index.writer.refresh()
    assert "canary.py" not in index.texts()
    assert not index.holds_bytes_of("tweet tweet")
    assert set(FILES) <= set(index.texts())
    named = {live.segment.name for live in index.store.generation.segments}
    assert {path.name for path in index.directory.glob("*.seg")} == named, "no older file keeps it"


def test_a_workspace_that_has_gone_keeps_its_index(make: Callable[..., Index]) -> None:
    index = make(FILES)
    index.writer.refresh()
    index.root.rename(index.root.with_name("unmounted"))
    with pytest.raises(DatastoreError, match="has gone"):
        index.writer.refresh()
    assert index.texts() == FILES
    assert index.writer.watched_directories() == []
    index.root.with_name("unmounted").rename(index.root)
    assert index.writer.refresh().tokenised == 0


def test_a_purge_leaves_no_older_generation(make: Callable[..., Index]) -> None:
    index = make({**FILES, "canary.py": "canary_value = 'tweet tweet'\n"})
    git(index.root, "init", "-q")
    index.writer.refresh()
    write_files(index.root, {".git/info/exclude": "canary.py\n"})
    index.writer.update(["canary.py"])
    named = {live.segment.name for live in index.store.generation.segments}
    assert {path.name for path in index.directory.glob("*.seg")} == named
    assert len(list(index.directory.glob("manifest.*"))) == 1


def test_a_purge_reaches_dead_versions_too(make: Callable[..., Index]) -> None:
    index = make({**FILES, "canary.py": "canary_value = 'tweet tweet'\n"})
    index.writer.refresh()
    write_files(index.root, {"canary.py": "harmless = 1\n"})
    index.writer.update(["canary.py"])
    assert index.holds_bytes_of("tweet tweet"), "kept for the case that it comes back"
    write_files(index.root, {".restlspignore": "canary.py\n"})
    index.writer.refresh()
    assert not index.holds_bytes_of("tweet tweet")


def test_secrets_never_reach_the_segments(make: Callable[..., Index]) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    index = make(
        {"a.py": f"region = 'eu'\naws = '{key}'\nretries = 3\n", ".env": "PASSWORD=tweet\n", "b.py": "b = 1\n"}
    )
    index.writer.refresh()
    assert index.texts() == {"a.py": "region = 'eu'\n\nretries = 3\n", "b.py": "b = 1\n"}
    assert not index.holds_bytes_of(key)
    assert key not in "".join(index.encoded)
    (index.root / "b.py").rename(index.root / ".env.local")
    index.writer.refresh()
    assert set(index.texts()) == {"a.py"}


def test_what_must_not_be_indexed_is_counted_by_reason(make: Callable[..., Index]) -> None:
    rules = IndexRules(max_file_bytes=2_000, max_file_tokens=100, exclude=("private/",))
    index = make(
        {
            "a.py": "a = 1\n",
            "binary.py": "x\0y",
            "large.py": "x = 1\n" * 500,
            "long.py": "value = 12345\n" * 50,
            "private/p.py": "p = 1\n",
            "generated.go": "// Code generated by x. DO NOT EDIT.\n",
        },
        rules,
    )
    report = index.writer.refresh()
    assert index.texts() == {"a.py": "a = 1\n"}
    expected = {"binary": 1, "too large": 1, "too many tokens": 1, "generated": 1}
    assert report.skipped == expected
    assert (report.added, report.removed, report.changed) == (1, 0, 0)
    index.reopen()
    index.encoded_since()
    assert index.writer.refresh().skipped == expected
    assert index.encoded_since() == [], "what was judged by its content is remembered"


def test_a_file_that_turns_binary_goes(make: Callable[..., Index]) -> None:
    index = make(FILES)
    index.writer.refresh()
    (index.root / "a.py").write_bytes(b"\0\1\2")
    report = index.writer.update(["a.py"])
    assert (report.removed, report.changed, report.added) == (1, 0, 0)
    assert "a.py" not in index.texts()


def test_control_tokens_in_a_file_are_text(make: Callable[..., Index]) -> None:
    index = make({"a.py": "x = '<|fim_middle|>'\n"})
    index.writer.refresh()
    assert index.texts() == {"a.py": "x = '<|fim_middle|>'\n"}


def test_many_saves_are_merged_and_nothing_is_lost(make: Callable[..., Index]) -> None:
    index = make(FILES)
    index.writer.refresh()
    for number in range(30):
        write_files(index.root, {f"n{number % 7}.py": f"value = {number}\n"})
        index.writer.update([f"n{number % 7}.py"])
        while index.writer.merge_once():
            pass
    assert len(index.store.generation.segments) < 4
    expected = {f"n{number % 7}.py": f"value = {number}\n" for number in range(30)}
    assert index.texts() == {**FILES, **expected}
    index.reopen()
    assert index.texts() == {**FILES, **expected}


def test_stopping_keeps_what_is_done_and_goes_on_later(make: Callable[..., Index]) -> None:
    index = make(MANY)
    steps: list[int] = []
    report = index.writer.refresh(should_stop=lambda: len(steps) == 1, between_batches=lambda: steps.append(1))
    assert 0 < report.files < 40
    index.encoded_since()
    assert index.writer.refresh().files == 40
    assert len(index.encoded_since()) == 40 - report.files


def test_an_urgent_file_is_handled_between_batches(make: Callable[..., Index]) -> None:
    index = make(MANY)
    seen: list[bool] = []

    def between() -> None:
        if not seen:
            write_files(index.root, {"urgent.py": "now = 1\n"})
            index.writer.update(["urgent.py"])
            seen.append("urgent.py" in index.texts() and len(index.texts()) < 41)

    assert index.writer.refresh(between_batches=between).files == 41
    assert seen == [True]


def test_other_rules_for_secrets_read_indexed_files_again(
    make: Callable[..., Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "POSTGRES_PASSWORD: s3cr3tpasswordvalue12345\n"
    with monkeypatch.context() as old:
        for module in ("source_file", "stat_cache"):
            old.setattr(f"rest_lsp.datastore.{module}.SECRETS_VERSION", 1)
        old.setattr("rest_lsp.datastore.source_file.without_secrets", lambda text: text)
        index = make({"compose.yaml": "name: web\n" + line})
        index.writer.refresh()
        assert line in index.texts()["compose.yaml"]
        index.reopen()
        assert index.writer.refresh().tokenised == 0, "the same rules read nothing again"
    index.reopen()
    assert index.writer.refresh().tokenised == 1
    assert index.texts() == {"compose.yaml": "name: web\n\n"}
