"""Faults 1 to 8 of the datastore: kills, power loss, damaged files and full disks.  See also `test_datastore_store`."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rest_lsp.datastore.filesystem import Data, FileSystem
from rest_lsp.datastore.format import HEADER_BYTES, DamagedFile, read_header
from rest_lsp.datastore.generation import Generation, LiveSegment, open_newest
from rest_lsp.datastore.manifest import list_generations, manifest_name
from rest_lsp.datastore.segment import Segment
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.datastore.store import QUARANTINE, Access, Store, new_segment_name
from tests.faults_datastore import Rig, asking, check_oracle, documents_of, kill_me, run_in_child, segment_of
from tests.files_datastore import FINGERPRINT

OLD = {"a": [1, 2, 3, 1, 2, 4], "b": [3, 1, 2]}
NEW = {"b": [3, 1, 2], "c": [4, 5, 1, 2, 3]}


class KillingDisk(FileSystem):
    """The real file system, in whose step `fatal` (before, half way or after) the process kills itself."""

    def __init__(self, fatal: int, moment: str) -> None:
        self._left, self._moment = fatal, moment

    def make_directory(self, directory: Path) -> None:
        self._step(partial(super().make_directory, directory))

    def write(self, path: Path, data: Data) -> None:
        self._step(partial(super().write, path, data), partial(super().write, path, data[: len(data) // 2]))

    def sync(self, path: Path) -> None:
        self._step(partial(super().sync, path))

    def replace(self, source: Path, target: Path) -> None:
        self._step(partial(super().replace, source, target))

    def sync_directory(self, directory: Path) -> None:
        self._step(partial(super().sync_directory, directory))

    def remove(self, path: Path) -> None:
        self._step(partial(super().remove, path))

    def _step(self, whole: Callable[[], None], half: Callable[[], None] | None = None) -> None:
        self._left -= 1
        if self._left != -1:
            whole()
            return
        if self._moment == "after":
            whole()
        elif self._moment == "half" and half:
            half()
        kill_me()


def commit_old(directory: Path, disk: FileSystem | None = None) -> None:
    store = Store(directory, FINGERPRINT, print, disk)
    store.acquire()
    store.commit([LiveSegment(segment_of(OLD, new_segment_name()))])
    store.close()


def commit_new(directory: Path, disk: FileSystem | None = None) -> None:
    """A save: one document buried, one added."""
    store = Store(directory, FINGERPRINT, print, disk)
    store.acquire()
    (old,) = store.generation.segments
    added = segment_of({"c": NEW["c"]}, new_segment_name())
    store.commit([LiveSegment(old.segment, frozenset([0])), LiveSegment(added)])
    store.close()


def recovered(directory: Path) -> Generation:
    """What the next writer finds, after it has tidied up."""
    store = Store(directory, FINGERPRINT, print)
    assert store.acquire() is Access.WRITER
    generation = store.generation
    store.close()
    assert not list(directory.glob("tmp-*"))
    return generation


def check_generation(generation: Generation) -> None:
    check_oracle(asking(Snapshot(generation)), documents_of(generation))


@pytest.mark.parametrize("moment", ["before", "half", "after"])
def test_fault_01_kill_9_at_every_write_of_a_commit(tmp_path: Path, moment: str) -> None:
    outcomes = set()
    for fatal in range(100):
        directory = tmp_path / f"{fatal}"
        commit_old(directory)
        code = run_in_child(partial(commit_new, directory, KillingDisk(fatal, moment)))
        generation = recovered(directory)
        found = documents_of(generation)
        assert found in (OLD, NEW), f"step {fatal}"
        check_generation(generation)
        outcomes.add("new" if found == NEW else "old")
        if code == 0:
            break
        assert code == -9
    else:
        pytest.fail("the commit never ended")
    assert fatal > 8
    assert outcomes == {"old", "new"}


class LosingDisk(FileSystem):
    """Remembers what was not synchronised; `lose_power` takes it back: contents, or names, or both."""

    def __init__(self) -> None:
        self.contents: set[Path] = set()
        self.names: list[Path] = []

    def write(self, path: Path, data: Data) -> None:
        super().write(path, data)
        self.contents.add(path)

    def sync(self, path: Path) -> None:
        super().sync(path)
        self.contents.discard(path)

    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        self.names.append(target)
        if source in self.contents:
            self.contents.add(target)

    def sync_directory(self, directory: Path) -> None:
        super().sync_directory(directory)
        self.names = [path for path in self.names if path.parent != directory]

    def lose_power(self, *, names: bool) -> None:
        for path in self.contents:
            if path.exists():
                path.write_bytes(b"")
        for path in self.names if names else ():
            path.unlink(missing_ok=True)


@pytest.mark.parametrize("names", [False, True], ids=["contents", "contents and names"])
def test_fault_02_power_loss_after_a_commit_loses_nothing(tmp_path: Path, names: bool) -> None:
    commit_old(tmp_path)
    disk = LosingDisk()
    commit_new(tmp_path, disk)
    disk.lose_power(names=names)
    generation = recovered(tmp_path)
    assert documents_of(generation) == NEW
    check_generation(generation)


def test_fault_02_a_disk_that_lies_about_synchronising_is_found_out(tmp_path: Path) -> None:
    """The classic: the rename is durable, the file behind it is empty."""
    commit_old(tmp_path)
    newest = max(tmp_path.glob("*.seg"), key=lambda path: path.stat().st_mtime_ns)
    commit_new(tmp_path)
    for path in [*tmp_path.glob("*.seg"), tmp_path / manifest_name(list_generations(tmp_path)[0])]:
        if path != newest:
            path.write_bytes(b"")
    generation = recovered(tmp_path)
    assert documents_of(generation) == OLD
    check_generation(generation)


def test_fault_03_a_truncated_segment_is_rejected_and_raises_no_signal(tmp_path: Path) -> None:
    segment = segment_of({f"{number}": [*range(number, number + 200)] for number in range(100)})
    whole = bytes(segment.data)
    layout = segment.header.layout
    cuts = {
        *range(0, len(whole), 4096),
        HEADER_BYTES - 1,
        HEADER_BYTES,
        *(span.start for span in layout),
        len(whole) - 1,
    }
    path = tmp_path / "cut.seg"

    def open_all() -> None:
        for cut in sorted(cuts):
            path.write_bytes(whole[:cut])
            with pytest.raises(DamagedFile):
                Segment.open(path, bytes.fromhex(FINGERPRINT))

    assert len(cuts) > 20
    assert run_in_child(open_all) == 0


DAMAGED = {f"{number}": [number % 7, 1, 2, number % 5, 3, 1, 2, 9] for number in range(40)}
WHOLE = bytes(segment_of(DAMAGED).data)


@settings(max_examples=300)
@given(offset=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7), context=st.lists(st.integers(0, 9), max_size=4))
def test_fault_04_a_flipped_bit_is_found_and_harmless_until_then(offset: int, bit: int, context: list[int]) -> None:
    data = bytearray(WHOLE)
    data[offset] ^= 1 << bit
    header = read_header(WHOLE)
    padding = any(span.stop <= offset < -(-span.stop // 8) * 8 for span in header.layout)
    with pytest.raises(DamagedFile):
        Segment.from_bytes("damaged", bytes(data), bytes.fromhex(FINGERPRINT))
    if offset >= header.layout.rows.start or padding:
        unverified = Segment("damaged", bytes(data), header)
        asking(Snapshot(Generation(1, (LiveSegment(unverified),))))([1, 2, *context])


@pytest.mark.parametrize("damage", ["garbage", "empty", "missing segment"])
def test_fault_05_a_bad_manifest_falls_back_and_is_kept(tmp_path: Path, damage: str) -> None:
    commit_old(tmp_path)
    commit_new(tmp_path)
    newest = tmp_path / manifest_name(list_generations(tmp_path)[0])
    if damage == "missing segment":
        for path in tmp_path.glob("*.seg"):
            path.unlink()
    else:
        newest.write_bytes({"garbage": b"\x00garbage\n", "empty": b""}[damage])
    generation = recovered(tmp_path)
    assert documents_of(generation) == ({} if damage == "missing segment" else OLD)
    check_generation(generation)
    if damage != "missing segment":
        assert (tmp_path / QUARANTINE / newest.name).exists()


def test_fault_05_with_both_manifests_bad_it_is_rebuilt(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n", "b.py": "beta = 2\n"})
    first = rig.open()
    first.refresh()
    first.close()
    for path in Path(first.status().path).glob("manifest.*"):
        path.write_bytes(b"?")
    second = rig.open()
    assert second.refresh().files == 2
    rig.check(second)


def test_fault_06_a_first_commit_that_was_killed_leaves_an_empty_store(tmp_path: Path) -> None:
    for fatal in range(100):
        directory = tmp_path / f"{fatal}"
        code = run_in_child(partial(commit_old, directory, KillingDisk(fatal, "half")))
        generation = recovered(directory)
        assert documents_of(generation) in ({}, OLD)
        commit_old(directory)
        check_generation(recovered(directory))
        if code == 0:
            return
    pytest.fail("the commit never ended")


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of 96 KiB where one may be mounted, else a limit for the size of files; every child has it too."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "none", str(folder)]
    if os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (48 << 10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_fault_07_a_full_disk_is_replaced_by_memory_and_told_once(rig: Rig) -> None:
    with small_disk(rig.cache):
        rig.write({"a.py": "alpha = 1\n"})
        datastore = rig.open()
        datastore.refresh()
        assert not datastore.status().in_memory
        rig.write({f"m{number}.py": f"value_{number} = {number}\n" * 60 for number in range(40)})
        datastore.refresh()
        assert datastore.status().in_memory
        assert rig.holds(datastore) == rig.texts()
        check_oracle(asking(datastore), rig.texts(), contexts=50)
        rig.write({"a.py": "alpha = 2\n"})
        datastore.refresh()
        assert rig.holds(datastore) == rig.texts()
        assert len(rig.notices) == 1
        assert not list(rig.cache.rglob("tmp-*")) or open_newest(Path(datastore.status().path), FINGERPRINT)
        datastore.close()
        second = rig.open()
        assert rig.holds(second) == {"a.py": rig.tokenizer.encode("alpha = 1\n")}, "the last whole generation"


def test_fault_08_the_folder_is_deleted_while_running(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n", "b.py": "beta = 2\n"})
    datastore = rig.watching()
    shutil.rmtree(rig.cache)
    check_oracle(asking(datastore), rig.texts())
    rig.write({"c.py": "gamma = alpha\n"})
    rig.wait_for(datastore)
    rig.check(datastore)
    datastore.close()
    rig.check(rig.open())


def test_fault_08_the_folder_becomes_a_file_while_running(rig: Rig) -> None:
    """As good as read-only, for root too."""
    rig.write({"a.py": "alpha = 1\n"})
    datastore = rig.watching()
    shutil.rmtree(rig.cache)
    rig.cache.write_text(json.dumps("in the way"))
    rig.write({"b.py": "beta = alpha\n"})
    rig.wait_for(datastore)
    rig.check(datastore)
    assert datastore.status().in_memory
    assert len(rig.notices) == 1
