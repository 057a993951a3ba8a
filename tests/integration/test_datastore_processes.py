"""The datastore with its real worker process: kills, crashes, two processes on one folder, damage, no disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.context import ContextLimits, ExtraContext
from rest_lsp.datastore import segment
from rest_lsp.datastore.datastore import Datastore, IndexProgress
from rest_lsp.datastore.segment import called
from rest_lsp.datastore.worker import NICENESS
from rest_lsp.errors import Cancelled, DatastoreError
from rest_lsp.tokenizer import Tokenizer
from tests.files_datastore import git, write_files, write_tokenizer
from tests.waiting import wait_until

Open = Callable[..., Datastore]
FILES = {f"lib/m{number}.py": f"def function_{number}(argument):\n    return {number}\n" * 30 for number in range(60)}


@pytest.fixture(scope="module")
def tokenizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="module")
def tokenizer(tokenizer_path: Path) -> Tokenizer:
    return Tokenizer.from_file(tokenizer_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_files(tmp_path / "work", FILES)


@pytest.fixture
def open_store(root: Path, tmp_path: Path, tokenizer_path: Path) -> Iterator[Open]:
    opened: list[Datastore] = []

    def open_store(directory: Path = tmp_path / "cache", notice: Callable[[str], None] = print) -> Datastore:
        opened.append(Datastore.open(root, directory=directory, tokenizer_path=tokenizer_path, notice=notice))
        return opened[-1]

    yield open_store
    for datastore in opened:
        datastore.close()


def paths_after(datastore: Datastore, tokenizer: Tokenizer, text: str) -> set[str]:
    """Documents in which all of `text` stands (up to 16 tokens)."""
    context = tokenizer.encode(text)
    found = datastore.find(context, depth=1, min_length=min(16, len(context)), limit=1_000, time_limit_ms=1e6)
    return {one.origin.path for one in found.occurrences()}


def kill_worker(datastore: Datastore) -> None:
    pid = datastore.worker_pid
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def test_what_was_indexed_is_there_at_the_next_start(open_store: Open, tokenizer: Tokenizer) -> None:
    first = open_store()
    report = first.refresh()
    assert (report.files, report.added, report.is_writer) == (60, 60, True)
    assert paths_after(first, tokenizer, "def function_17(") == {"lib/m17.py"}
    first.close()
    second = open_store()
    assert second.worker_pid is None, "opening starts nothing"
    assert paths_after(second, tokenizer, "def function_17(") == {"lib/m17.py"}
    assert second.status().files == 60
    assert second.status().path == first.status().path
    assert second.refresh().tokenised == 0


def test_whoever_looks_for_a_file_waits_for_no_table_of_names(
    open_store: Open, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking: list[int] = []

    def look(path: str) -> str:
        looking.append(threading.get_ident())
        return called(path)

    monkeypatch.setattr(segment, "called", look)
    first = open_store()
    ExtraContext(tokenizer, first, ContextLimits(100, "definitions"))
    first.refresh()
    assert first.documents_named("m17") == ["lib/m17.py"]
    assert len(looking) >= len(FILES)
    assert threading.get_ident() not in looking, "the thread that takes what was indexed looks"
    first.close()
    second = open_store()
    ExtraContext(tokenizer, second, ContextLimits(100, "definitions"))
    looking.clear()
    assert second.documents_named("m42") == ["lib/m42.py"]
    assert not looking, "it was looked at when the context was made"


def test_progress_is_told(open_store: Open) -> None:
    told: list[IndexProgress] = []
    datastore = open_store()
    datastore.refresh(told.append)
    assert [(one.stage, one.total) for one in told[:2]] == [("list", 0), ("index", 60)]
    assert told[-1][:3] == ("index", 60, 60)
    assert told[-1].seconds_left == 0
    assert told[-1].tokens == datastore.status().tokens


def test_a_worker_killed_while_building_is_replaced(open_store: Open, tokenizer: Tokenizer) -> None:
    datastore = open_store()
    killed: list[int] = []

    def kill_once(progress: IndexProgress) -> None:
        if progress.stage == "index" and not killed:
            killed.append(progress.done)
            kill_worker(datastore)

    assert datastore.refresh(kill_once).files == 60
    assert killed
    assert paths_after(datastore, tokenizer, "def function_42(") == {"lib/m42.py"}


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="only Linux shares between sessions")
def test_the_worker_gives_way_to_other_sessions(open_store: Open) -> None:
    datastore = open_store()
    datastore.refresh()
    pid = datastore.worker_pid
    assert pid is not None
    assert (os.getsid(pid), os.getpriority(os.PRIO_PROCESS, pid)) == (pid, NICENESS)
    assert Path(f"/proc/{pid}/autogroup").read_text(encoding="ascii").split()[-1] == str(NICENESS)


def test_a_worker_that_keeps_dying_is_given_up(open_store: Open) -> None:
    notices: list[str] = []
    datastore = open_store(notice=notices.append)
    with pytest.raises(DatastoreError, match="3 times in a row"):
        datastore.refresh(lambda _: kill_worker(datastore))
    assert len(notices) == 1
    assert datastore.refresh().files == 60, "asking again is allowed"


PARENT = """
import sys
from pathlib import Path
from rest_lsp.datastore.datastore import Datastore
root, cache, tokenizer = map(Path, sys.argv[1:])
datastore = Datastore.open(root, directory=cache, tokenizer_path=tokenizer)
datastore.refresh()
datastore.watch()
datastore.refresh()
print(datastore.worker_pid, flush=True)
sys.stdin.read()
"""


def test_the_worker_ends_with_its_parent(root: Path, tmp_path: Path, tokenizer_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(root), str(tmp_path / "cache"), str(tokenizer_path)]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.kill()
    wait_until(lambda: not is_running(worker), "the worker ends")


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_cancelling_keeps_what_is_done(open_store: Open) -> None:
    datastore = open_store()
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        datastore.refresh(lambda _: cancel.cancel(), cancel)
    assert datastore.refresh().files == 60


def test_a_second_process_reads_while_the_first_writes(open_store: Open, root: Path, tokenizer: Tokenizer) -> None:
    first, second = open_store(), open_store()
    first.watch()
    first.refresh()
    wait_until(lambda: first.status().watching, "the first one watches")
    assert second.refresh().is_writer is False
    assert paths_after(second, tokenizer, "def function_17(") == {"lib/m17.py"}
    second.watch()
    write_files(root, {"new.py": "entirely_new_name = 1\n"})
    wait_until(lambda: paths_after(second, tokenizer, "entirely_new_name") == {"new.py"}, "the second one sees it")
    first.close()
    write_files(root, {"new.py": "another_name_again = 2\n"})
    wait_until(lambda: paths_after(second, tokenizer, "another_name_again") == {"new.py"}, "it takes over")
    assert paths_after(second, tokenizer, "entirely_new_name") == set()


def test_a_damaged_segment_is_rebuilt(open_store: Open, tokenizer: Tokenizer) -> None:
    first = open_store()
    first.refresh()
    folder = Path(first.status().path)
    first.close()
    for path in folder.glob("*.seg"):
        data = bytearray(path.read_bytes())
        data[-100] ^= 1
        path.write_bytes(data)
    second = open_store()
    wait_until(lambda: second.status().files == 0, "the damage is found")
    assert second.refresh().files == 60
    assert paths_after(second, tokenizer, "def function_17(") == {"lib/m17.py"}
    assert list((folder / "quarantine").iterdir())


def test_a_truncated_segment_is_no_crash(open_store: Open) -> None:
    first = open_store()
    first.refresh()
    first.close()
    for path in Path(first.status().path).glob("*.seg"):
        os.truncate(path, path.stat().st_size // 2)
    assert open_store().refresh().files == 60


def test_without_a_place_to_write_it_works_from_memory(
    open_store: Open, root: Path, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    blocked = write_files(tmp_path, {"file": "in the way"}) / "file"
    notices: list[str] = []
    datastore = open_store(directory=blocked, notice=notices.append)
    assert datastore.refresh().files == 60
    assert datastore.status().in_memory
    assert paths_after(datastore, tokenizer, "def function_17(") == {"lib/m17.py"}
    write_files(root, {"lib/m17.py": "replaced_name = 1\n"})
    datastore.refresh()
    assert paths_after(datastore, tokenizer, "def function_17(") == set()
    assert paths_after(datastore, tokenizer, "replaced_name") == {"lib/m17.py"}
    assert len(notices) == 1
    assert str(blocked) in notices[0]
    assert datastore.status().notices == tuple(notices)


def test_a_folder_that_was_written_before_stays_in_use_when_it_no_longer_can(
    open_store: Open, root: Path, tokenizer: Tokenizer
) -> None:
    first = open_store()
    first.refresh()
    first.close()
    lock = Path(first.status().path) / "LOCK"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    second = open_store()
    write_files(root, {"new.py": "entirely_new_name = 1\n"})
    report = second.refresh()
    assert (report.files, report.tokenised) == (61, 1)
    assert second.status().in_memory
    assert paths_after(second, tokenizer, "entirely_new_name") == {"new.py"}
    assert paths_after(second, tokenizer, "def function_17(") == {"lib/m17.py"}


def test_a_tokenizer_that_cannot_be_read_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatastoreError, match=r"missing\.json"):
        Datastore.open(root, directory=tmp_path / "cache", tokenizer_path=tmp_path / "missing.json")
    broken = write_files(tmp_path, {"broken.json": "{}"}) / "broken.json"
    datastore = Datastore.open(root, directory=tmp_path / "cache", tokenizer_path=broken)
    try:
        with pytest.raises(DatastoreError, match=r"broken\.json"):
            datastore.refresh()
    finally:
        datastore.close()


def test_closed_means_closed(open_store: Open) -> None:
    datastore = open_store()
    datastore.refresh()
    pid = datastore.worker_pid
    assert pid is not None
    datastore.close()
    datastore.close()
    assert not is_running(pid)
    with pytest.raises(DatastoreError, match="closed"):
        datastore.refresh()
    assert datastore.status().files == 60


def test_lines_are_those_of_the_file(open_store: Open, root: Path, tokenizer: Tokenizer) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    write_files(root, {"a.py": f"first = 1\naws = '{key}'\nthird_unusual_name = 3\n"})
    git(root, "init", "-q")
    datastore = open_store()
    datastore.refresh()
    (found,) = datastore.find(tokenizer.encode("third_unusual_name"), depth=2, min_length=5, limit=5).occurrences()
    assert datastore.line_of(found.origin, tokenizer.count_newlines) == 2
    write_files(root, {"a.py": "first = 1\n"})
    datastore.refresh()
    assert datastore.line_of(found.origin, tokenizer.count_newlines) is None
