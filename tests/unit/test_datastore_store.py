"""Commits under crashes, power loss, full disks and damaged files: always one whole generation, the old or the new."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rest_lsp.datastore.filesystem import Data, FileSystem
from rest_lsp.datastore.generation import LiveSegment, open_newest
from rest_lsp.datastore.manifest import list_generations, manifest_name
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.store import QUARANTINE, Access, Store, new_segment_name
from tests.files_datastore import FINGERPRINT

Contents = dict[str, list[int]]


class Crash(BaseException):
    """Stands for kill -9 and for power loss: nothing after it runs."""


class FailingDisk(FileSystem):
    """Fails at step `fail_at`, counted over all operations; `steps` tells how many there were.

    failure   what happens there: raise a Crash or an OSError
    is_after  whether the step itself still happens; a write that does not happen leaves half its bytes
    """

    def __init__(self, fail_at: int = -1, *, failure: BaseException | None = None, is_after: bool = False) -> None:
        self.steps = 0
        self._fail_at = fail_at
        self._failure = failure or Crash()
        self._is_after = is_after

    def make_directory(self, directory: Path) -> None:
        self._step(lambda: super(FailingDisk, self).make_directory(directory))

    def write(self, path: Path, data: Data) -> None:
        def half() -> None:
            path.write_bytes(data[: len(data) // 2])

        self._step(lambda: super(FailingDisk, self).write(path, data), half)

    def sync(self, path: Path) -> None:
        self._step(lambda: super(FailingDisk, self).sync(path))

    def replace(self, source: Path, target: Path) -> None:
        self._step(lambda: super(FailingDisk, self).replace(source, target))

    def sync_directory(self, directory: Path) -> None:
        self._step(lambda: super(FailingDisk, self).sync_directory(directory))

    def remove(self, path: Path) -> None:
        self._step(lambda: super(FailingDisk, self).remove(path))

    def _step(self, action: Callable[[], None], partly: Callable[[], None] = lambda: None) -> None:
        self.steps += 1
        if self.steps - 1 != self._fail_at:
            action()
            return
        (action if self._is_after else partly)()
        raise self._failure


class ForgetfulDisk(FailingDisk):
    """At the crash, what was not synchronised is lost: contents, and the renames to names that match `loses_names`."""

    def __init__(self, fail_at: int = -1, *, loses_names: str = "") -> None:
        super().__init__(fail_at, is_after=True)
        self._loses_names = loses_names
        self._contents: set[Path] = set()
        self._names: set[Path] = set()

    def write(self, path: Path, data: Data) -> None:
        self._contents.add(path)
        super().write(path, data)

    def sync(self, path: Path) -> None:
        super().sync(path)
        self._contents.discard(path)

    def replace(self, source: Path, target: Path) -> None:
        self._names.add(target)
        if source in self._contents:
            self._contents.add(target)
        super().replace(source, target)

    def sync_directory(self, directory: Path) -> None:
        super().sync_directory(directory)
        self._names = {path for path in self._names if path.parent != directory}

    def lose_power(self) -> None:
        for path in self._contents:
            if path.exists():
                path.write_bytes(b"")
        for path in self._names:
            if path.match(self._loses_names or "none"):
                path.unlink(missing_ok=True)


@contextmanager
def store_in(directory: Path, disk: FileSystem | None = None, notices: list[str] | None = None) -> Iterator[Store]:
    store = Store(directory, FINGERPRINT, (notices if notices is not None else []).append, disk)
    try:
        yield store
    finally:
        store.close()


def segment(contents: Contents) -> LiveSegment:
    documents = [NewDocument(path, path.encode().ljust(16), ids) for path, ids in contents.items()]
    return LiveSegment(Segment.build(new_segment_name(), documents, bytes.fromhex(FINGERPRINT)))


def contents_of(directory: Path) -> Contents:
    """What another process would read."""
    opened = open_newest(directory, FINGERPRINT)
    return {
        live.segment.paths[document]: live.segment.document_ids(document).tolist()
        for live in opened.generation.segments
        for document in live.live_documents
    }


OLD: Contents = {"a": [1, 2], "b": [3]}
NEW: Contents = {"b": [3], "c": [4, 5]}


def write_old(directory: Path) -> None:
    with store_in(directory) as store:
        write_first(store)


def write_first(store: Store) -> None:
    store.acquire()
    store.commit([segment(OLD)])


def write_new(store: Store) -> None:
    """Bury a document and add one, as a save does."""
    store.acquire()
    (old,) = store.generation.segments
    store.commit([LiveSegment(old.segment, frozenset([0])), segment({"c": [4, 5]})])


def steps_of_a_commit(directory: Path) -> int:
    write_old(directory)
    disk = FailingDisk()
    with store_in(directory, disk) as store:
        write_new(store)
    assert contents_of(directory) == NEW
    return disk.steps


def every_disk(fail_at: int) -> Iterator[FailingDisk]:
    yield FailingDisk(fail_at)
    yield FailingDisk(fail_at, is_after=True)
    yield ForgetfulDisk(fail_at)
    yield ForgetfulDisk(fail_at, loses_names="*")
    yield ForgetfulDisk(fail_at, loses_names="*.seg")


def test_a_crash_at_any_step_leaves_one_whole_generation(tmp_path: Path) -> None:
    seen = set()
    for fail_at in range(steps_of_a_commit(tmp_path / "counted")):
        for kind, disk in enumerate(every_disk(fail_at)):
            directory = tmp_path / f"{fail_at}-{kind}"
            write_old(directory)
            with store_in(directory, disk) as store, pytest.raises(Crash):
                write_new(store)
            if isinstance(disk, ForgetfulDisk):
                disk.lose_power()
            found = contents_of(directory)
            assert found in (OLD, NEW), f"step {fail_at}, disk {kind}"
            seen.add(len(found["b"]) if found == OLD else -1)
            with store_in(directory) as store:
                assert store.acquire() is Access.WRITER
                store.commit([*store.generation.segments, segment({"d": [9]})])
            assert contents_of(directory) == {**found, "d": [9]}
            assert not list(directory.glob("tmp-*")), "the next writer clears away what was left"
    assert len(seen) == 2, "both outcomes were met"


@pytest.mark.parametrize("loses_names", ["", "*", "*.seg", "manifest.*"])
def test_a_commit_that_returned_survives_a_power_loss(tmp_path: Path, loses_names: str) -> None:
    write_old(tmp_path)
    disk = ForgetfulDisk(loses_names=loses_names)
    with store_in(tmp_path, disk) as store:
        write_new(store)
    disk.lose_power()
    assert contents_of(tmp_path) == NEW


def test_a_first_commit_that_is_interrupted_leaves_an_empty_store(tmp_path: Path) -> None:
    for fail_at in range(12):
        directory = tmp_path / f"{fail_at}"
        with store_in(directory, FailingDisk(fail_at)) as store, pytest.raises(Crash):
            write_first(store)
        assert contents_of(directory) in ({}, OLD)
        write_old(directory)
        assert contents_of(directory) == OLD


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_is_replaced_by_memory_and_told_once(tmp_path: Path, number: int) -> None:
    for fail_at in range(steps_of_a_commit(tmp_path / "counted")):
        directory = tmp_path / f"{fail_at}"
        write_old(directory)
        notices: list[str] = []
        with store_in(directory, FailingDisk(fail_at, failure=OSError(number, "no luck")), notices) as store:
            write_new(store)
            store.commit([*store.generation.segments, segment({"d": [9]})])
            kept = {
                live.segment.paths[document] for live in store.generation.segments for document in live.live_documents
            }
            assert kept == {"b", "c", "d"}
            assert len(notices) == (store.access is Access.MEMORY)
            if store.access is Access.MEMORY:
                assert str(directory) in notices[0]
        assert contents_of(directory) in (OLD, NEW, {**NEW, "d": [9]})


def test_memory_is_written_when_the_disk_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rest_lsp.datastore.store.RETRY_S", 0.0)
    notices: list[str] = []
    disk = FailingDisk(0, failure=OSError(errno.ENOSPC, "No space left on device"))
    with store_in(tmp_path / "store", disk, notices) as store:
        assert store.acquire() is Access.MEMORY
        store.commit([segment(OLD)])
        assert store.access is Access.WRITER
        assert contents_of(tmp_path / "store") == OLD
    assert ["kept in memory" in notice for notice in notices] == [True, False]


def test_there_is_one_writer(tmp_path: Path) -> None:
    with store_in(tmp_path) as first, store_in(tmp_path) as second:
        assert first.acquire() is Access.WRITER
        assert second.acquire() is Access.BUSY
        first.close()
        assert second.acquire() is Access.WRITER


def test_a_damaged_segment_is_set_aside_and_the_rest_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_old(tmp_path)
    with store_in(tmp_path) as store:
        store.acquire()
        store.commit([*store.generation.segments, segment({"c": [4, 5]})])
        damaged = tmp_path / store.generation.segments[0].segment.name
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 4
    damaged.write_bytes(data)
    with caplog.at_level(logging.WARNING), store_in(tmp_path) as store:
        store.acquire()
    assert contents_of(tmp_path) == {"c": [4, 5]}
    assert (tmp_path / QUARANTINE / damaged.name).exists()
    assert not damaged.exists()
    assert len(caplog.messages) == 1
    assert damaged.name in caplog.messages[0]
    with caplog.at_level(logging.WARNING), store_in(tmp_path) as store:
        store.acquire()
    assert len(caplog.messages) == 1, "told once, not at every start"


@pytest.mark.parametrize("damage", [b"", b"garbage", b"{}\n00000000\n"])
def test_a_damaged_manifest_falls_back_to_the_one_before(tmp_path: Path, damage: bytes) -> None:
    write_old(tmp_path)
    with store_in(tmp_path) as store:
        write_new(store)
    newest = list_generations(tmp_path)[0]
    (tmp_path / manifest_name(newest)).write_bytes(damage)
    assert contents_of(tmp_path) == OLD
    with store_in(tmp_path) as store:
        store.acquire()
        assert store.generation.number > newest, "generations only grow"
    assert contents_of(tmp_path) == OLD


def test_with_all_manifests_damaged_the_store_is_empty_and_usable(tmp_path: Path) -> None:
    write_old(tmp_path)
    for manifest in tmp_path.glob("manifest.*"):
        manifest.write_bytes(b"?")
    write_old(tmp_path)
    assert contents_of(tmp_path) == OLD


def test_another_tokenizer_sees_nothing(tmp_path: Path) -> None:
    write_old(tmp_path)
    assert open_newest(tmp_path, "f" * 32).generation.segments == ()


def test_files_of_older_generations_go_but_two_are_kept(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        store.acquire()
        for number in range(4):
            store.commit([segment({"a": [number]})])
        assert len(list_generations(tmp_path)) == 2
        assert len(list(tmp_path.glob("*.seg"))) == 2
        store.commit([segment({"a": [9]})], purge=True)
    assert len(list_generations(tmp_path)) == 1
    assert len(list(tmp_path.glob("*.seg"))) == 1


def test_a_reader_keeps_what_it_has_while_the_writer_moves_on(tmp_path: Path) -> None:
    write_old(tmp_path)
    opened = open_newest(tmp_path, FINGERPRINT).generation
    with store_in(tmp_path) as store:
        store.acquire()
        for number in range(3):
            store.commit([segment({"z": [number]})])
    assert opened.segments[0].segment.document_ids(0).tolist() == OLD["a"]


def test_a_folder_deleted_while_in_use_is_written_anew(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    with store_in(directory) as store, store_in(directory) as other:
        write_first(store)
        shutil.rmtree(directory)
        store.commit([*store.generation.segments, segment({"c": [4, 5]})])
        assert store.access is Access.WRITER
        assert contents_of(directory) == {**OLD, "c": [4, 5]}
        assert other.acquire() is Access.BUSY, "and it is locked"
