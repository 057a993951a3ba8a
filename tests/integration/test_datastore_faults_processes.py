"""Faults 9 to 13 and 24 of the datastore: several processes, foreign locks, other formats, libraries, memory."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from rest_lsp.datastore.datastore import Datastore, workspace_directory
from rest_lsp.datastore.filesystem import FileSystem
from rest_lsp.datastore.format import DamagedFile, read_header
from rest_lsp.datastore.generation import Generation, LiveSegment, open_newest
from rest_lsp.datastore.index_writer import IndexWriter
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.segment import Segment
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.datastore.stat_cache import StatCache
from rest_lsp.datastore.store import Access, Store, new_segment_name
from rest_lsp.datastore.suffix_array import Rows, Values, suffix_array
from rest_lsp.datastore.unused import UNUSED_S, remove_unused
from tests.faults_datastore import Rig, asking, check_oracle, documents_of, segment_of
from tests.files_datastore import FINGERPRINT, write_files
from tests.waiting import wait_until

EDITS = 120


def kill(pid: int | None) -> None:
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def test_fault_09_two_editors_and_an_indexer_agree_and_one_writes(rig: Rig) -> None:
    """Edits for some seconds; meanwhile the writer's process is killed, and later the writing editor ends."""
    rng = random.Random(9)
    rig.write({f"m{number}.py": f"value_{number} = {number}\n" for number in range(20)})
    first = rig.watching()
    second = rig.open()
    second.watch()
    seen = -1
    for edit in range(EDITS):
        rig.write({f"m{rng.randrange(20)}.py": f"value = {edit}\n" * rng.randint(1, 9)})
        if edit == EDITS // 3:
            kill(first.worker_pid)
        if edit == EDITS // 2:
            assert rig.open().refresh().generation > 0, "an indexer that looks in"
        if edit == 2 * EDITS // 3:
            started = time.monotonic()
            first.close()
        generation = second.status().generation
        assert generation >= seen, "generations only grow"
        seen = generation
    rig.wait_for(second)
    assert time.monotonic() - started < 60
    rig.check(second)
    third = rig.open()
    rig.check(third)
    assert rig.notices == []


def test_fault_09_there_is_one_writer_at_a_time(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n"})
    rig.watching()
    assert [rig.open().refresh().is_writer for _ in range(2)] == [False, False]


def test_fault_09_whoever_does_not_watch_lets_others_write(rig: Rig) -> None:
    """An indexer that stays open would keep the workspace from the editors, which follow it."""
    rig.write({"a.py": "alpha = 1\n"})
    indexer = rig.open()
    assert indexer.refresh().is_writer
    editor = rig.watching()
    rig.write({"b.py": "beta = 1\n"})
    rig.wait_for(editor)
    assert not indexer.refresh().is_writer
    editor.close()
    rig.write({"c.py": "gamma = 1\n"})
    wait_until(lambda: indexer.refresh().is_writer, "the indexer writes again")
    rig.check(indexer)


HOLDER = """
import sys
from filelock import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_fault_10_a_lock_of_a_killed_process_is_free_and_one_of_a_living_process_is_not(tmp_path: Path) -> None:
    lock = write_files(tmp_path, {"LOCK": "12345 somebody\n"}) / "LOCK"
    store = Store(tmp_path, FINGERPRINT, print)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert store.acquire() is Access.BUSY
        holder.kill()
        holder.wait()
        assert store.acquire() is Access.WRITER
    store.close()


@pytest.mark.parametrize(
    "failure", [NotImplementedError("no flock"), PermissionError(errno.EACCES, "not yours")], ids=str
)
def test_fault_10_where_nothing_can_be_locked_the_store_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(FileLock, "acquire", refuse)
    notices: list[str] = []
    store = Store(tmp_path, FINGERPRINT, notices.append)
    assert store.acquire() is Access.MEMORY
    documents = {"a": [1, 2, 3]}
    store.commit([LiveSegment(segment_of(documents))])
    check_oracle(asking(Snapshot(store.generation)), documents)
    assert list(tmp_path.glob("*.seg")) == []
    assert len(notices) == 1


def test_fault_11_another_tokenizer_has_another_folder_and_no_hits(rig: Rig) -> None:
    rig.write({"a.py": "return self.argument\n" * 5})
    first = rig.open()
    first.refresh()
    changed = rig.tokenizer_path.with_name("changed.json")
    text = rig.tokenizer_path.read_text()
    changed.write_text(text.replace('"version": "1.0"', '"version":  "1.0"', 1) + " ")
    other = Datastore.open(rig.root, directory=rig.cache, tokenizer_path=changed)
    try:
        assert other.status().path != first.status().path
        assert other.find(rig.tokenizer.encode("return self"), depth=3).occurrences() == []
    finally:
        other.close()


@pytest.mark.parametrize("at", [8, 10], ids=["format version", "byte order"])
def test_fault_11_other_formats_are_never_misread(tmp_path: Path, at: int) -> None:
    data = bytearray(segment_of({"a": [1, 2, 3]}).data)
    data[at] += 1
    with pytest.raises(DamagedFile):
        read_header(bytes(data))
    directory = workspace_directory(tmp_path, tmp_path / "work", FINGERPRINT)
    assert directory != workspace_directory(tmp_path, tmp_path / "work", "f" * 32)


def test_fault_11_what_nobody_opened_for_a_month_is_removed(rig: Rig, tmp_path: Path) -> None:
    rig.write({"a.py": "alpha = 1\n"})
    datastore = rig.watching()
    folder = Path(datastore.status().path)
    strange = tmp_path / "cache" / "not-ours-0123456789abcdef"
    write_files(strange, {"LOCK": "", "precious.txt": "mine"})
    now = time.time()
    assert remove_unused(rig.cache, now) == []
    assert remove_unused(rig.cache, now + 2 * UNUSED_S) == [], "somebody uses it"
    datastore.close()
    wait_until(lambda: remove_unused(rig.cache, now + 2 * UNUSED_S) == [folder], "it goes")
    assert (strange / "precious.txt").exists()


LIBRARIES = {
    "missing": "raise ImportError('not here')",
    "wrong": "import numpy\ndef divsufsort(values): return numpy.arange(len(values))[::-1]",
    "raising": "def divsufsort(values): raise ValueError('no')",
    "crashing": "import os, signal\ndef divsufsort(values): os.kill(os.getpid(), signal.SIGSEGV)",
}


@pytest.mark.parametrize("kind", LIBRARIES)
def test_fault_12_a_native_library_that_fails_is_done_without(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    libraries = write_files(tmp_path / "libraries", {"pydivsufsort.py": LIBRARIES[kind]})
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(libraries), *sys.path]))
    rig.write({f"m{number}.py": f"value_{number} = {number}\n" * 5 for number in range(20)})
    datastore = rig.open()
    assert datastore.refresh().files == 20
    rig.check(datastore)


def test_fault_13_a_merge_without_memory_keeps_its_sources_and_is_tried_smaller(tmp_path: Path) -> None:
    """The sorter stands for the system: it has memory for 1,000 tokens at a time and no more."""

    def sort(values: Values) -> Rows:
        if len(values) > 1_000:
            raise MemoryError
        return suffix_array(values)

    root = write_files(tmp_path / "work", {})
    store = Store(tmp_path / "store", FINGERPRINT, print)
    store.acquire()
    writer = IndexWriter(root, store, IndexRules(), StatCache(None, ""), _no_text, lambda: None, sorter=sort)
    documents = {f"{number}": [number % 5, 1, 2, number % 3] * 60 for number in range(13)}
    segments = [LiveSegment(segment_of({path: ids}, f"seg-{path}.seg")) for path, ids in documents.items()]
    store.commit(segments)
    merges = 0
    while writer.merge_once():
        merges += 1
        assert merges < 50
    assert len(store.generation.segments) < 13
    check_oracle(asking(Snapshot(store.generation)), documents)
    store.close()


def _no_text(_: object) -> list[list[int]]:
    raise AssertionError("nothing is tokenised here")


def test_fault_13_a_worker_killed_by_the_system_makes_smaller_merges(rig: Rig) -> None:
    rig.write({f"m{number}.py": f"value_{number} = {number}\n" for number in range(10)})
    datastore = rig.watching()
    pid = datastore.worker_pid
    kill(pid)
    wait_until(lambda: datastore.worker_pid not in (None, pid), "it is started again")
    rig.write({"new.py": "value_new = 1\n"})
    rig.wait_for(datastore)
    rig.check(datastore)


def test_fault_24_queries_while_generations_come_and_go(tmp_path: Path) -> None:
    documents = {f"{number}": [number % 7, 1, 2, number % 5, 3] for number in range(60)}
    store = Store(tmp_path, FINGERPRINT, print)
    store.acquire()
    store.commit([LiveSegment(segment_of(documents, "seg-0.seg"))])
    current = [Snapshot(open_newest(tmp_path, FINGERPRINT).generation)]
    errors: list[BaseException] = []
    ended = threading.Event()

    def hammer(seed: int) -> None:
        try:
            while not ended.is_set():
                check_oracle(asking(current[0]), documents, seed, contexts=20)
        except BaseException as error:  # noqa: BLE001 - told on the main thread
            errors.append(error)

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 40):
        half = {path: ids for path, ids in documents.items() if int(path) % (number % 3 + 2)}
        rest = {path: ids for path, ids in documents.items() if path not in half}
        parts = [part for part in (half, rest) if part]
        store.commit([LiveSegment(segment_of(part, new_segment_name())) for part in parts])
        current[0] = Snapshot(open_newest(tmp_path, FINGERPRINT).generation)
    ended.set()
    for thread in threads:
        thread.join()
    store.close()
    assert errors == []


def test_fault_24_a_generation_that_goes_while_it_is_opened_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer commits, and clears away, between the reader's look at the manifest and at the segments."""
    store = Store(tmp_path, FINGERPRINT, print)
    store.acquire()
    documents = {f"{number}": [number, 1, 2] for number in range(6)}

    def commit() -> None:
        store.commit([LiveSegment(segment_of({path: ids}, new_segment_name())) for path, ids in documents.items()])

    commit()
    commits = iter(range(3))

    def open_late(path: Path, fingerprint: bytes) -> Segment:
        for _ in commits:
            commit()
        return Segment.open(path, fingerprint)

    monkeypatch.setattr("rest_lsp.datastore.generation.Segment", SimpleNamespace(open=open_late))
    opened = open_newest(tmp_path, FINGERPRINT)
    store.close()
    assert opened.damaged == ()
    assert documents_of(opened.generation) == documents


class WindowsError(PermissionError):
    """A sharing violation, as Windows reports it."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.EACCES, "sharing violation")
        self.winerror = number


@pytest.mark.parametrize("number", [5, 32])
def test_fault_24_sharing_violations_of_windows_are_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Replacing is tried again; a file that is mapped elsewhere stays until the next commit."""
    refusals = iter([True, True, False] * 100)
    real_replace, real_unlink = Path.replace, Path.unlink

    def replace(path: Path, target: Path) -> Path:
        if next(refusals):
            raise WindowsError(number)
        return real_replace(path, target)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".seg":
            raise WindowsError(number)
        real_unlink(path, missing_ok)

    monkeypatch.setattr("rest_lsp.datastore.filesystem.time.sleep", lambda _: None)
    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "unlink", unlink)
    store = Store(tmp_path, FINGERPRINT, print, FileSystem())
    assert store.acquire() is Access.WRITER
    for count in range(1, 5):
        store.commit([LiveSegment(segment_of({"a": [count]}, f"seg-{count}.seg"))])
    assert store.access is Access.WRITER
    assert len(list(tmp_path.glob("*.seg"))) == 4, "none could be removed"
    monkeypatch.setattr(Path, "unlink", real_unlink)
    store.commit(store.generation.segments)
    assert len(list(tmp_path.glob("*.seg"))) == 1
    store.close()


def test_fault_04_damage_is_found_beside_the_first_queries_and_repaired(rig: Rig) -> None:
    rig.write({f"m{number}.py": f"value_{number} = {number}\n" * 30 for number in range(20)})
    first = rig.open()
    first.refresh()
    first.close()
    (path,) = Path(first.status().path).glob("*.seg")
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(data)
    second = rig.open()
    wait_until(lambda: rig.holds(second) == {}, "the damaged segment is not used")
    second.refresh()
    rig.check(second)


def test_an_empty_generation_answers_nothing() -> None:
    assert asking(Snapshot(Generation(1)))([1, 2]) == []
