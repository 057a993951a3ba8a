"""Faults 14 to 21 and 25 of the datastore: lost events, storms, torn saves, hostile files, clocks, folders that go."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rest_lsp.datastore.datastore import Datastore
from tests.faults_datastore import Rig, asking, check_oracle
from tests.files_datastore import git, write_files
from tests.waiting import wait_until

QUEUE = 16_384
"""Events that inotify keeps; each new file is three."""


def test_fault_14_an_overflown_queue_of_events_loses_no_file(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n"})
    datastore = rig.watching()
    pid = datastore.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    rig.write({f"f{number}.py": "x = 1\n" for number in range(QUEUE // 3 + 500)})
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: datastore.status().files == QUEUE // 3 + 501, "all files are there", seconds=90)
    held = rig.holds(datastore)
    assert set(held) == {"a.py", *(f"f{number}.py" for number in range(QUEUE // 3 + 500))}
    alpha = rig.tokenizer.encode("alpha")
    found = datastore.find(alpha, depth=2, min_length=len(alpha)).occurrences()
    assert [one.origin.path for one in found] == ["a.py"]


LIMITED = """
import sys
from pathlib import Path
from rest_lsp.datastore.datastore import Datastore
root, cache, tokenizer = map(Path, sys.argv[1:])
datastore = Datastore.open(root, directory=cache, tokenizer_path=tokenizer, notice=lambda text: print(text, flush=True))
datastore.watch()
datastore.refresh()
for line in sys.stdin:
    print(datastore.status().files, flush=True)
datastore.close()
"""


def test_fault_15_a_reached_limit_of_watches_is_told_once_and_files_are_still_found(rig: Rig) -> None:
    rig.write({f"d{number}/a.py": "alpha = 1\n" for number in range(120)})
    child = [sys.executable, "-c", LIMITED, str(rig.root), str(rig.cache), str(rig.tokenizer_path)]
    limit = 'echo 50 > /proc/sys/user/max_inotify_watches && exec "$@"'
    command = ["unshare", "-Ur", "bash", "-c", limit, "bash", *child]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told: list[str] = []

        def files() -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            while not (line := process.stdout.readline().strip()).isdigit():
                assert line, "it has ended"
                told.append(line)
            return int(line)

        wait_until(lambda: files() == 120 and told, "it tells about the limit")
        rig.write({f"d{number}/b.py": "beta = 1\n" for number in range(120)})
        wait_until(lambda: files() == 240, "all files are found", seconds=60)
        process.stdin.close()
    assert len(told) == 1
    assert "max_user_watches" in told[0]


def branches(rig: Rig, n_files: int) -> None:
    rig.write({f"pkg{number % 10}/m{number}.py": f"main_value_{number} = {number}\n" for number in range(n_files)})
    git(rig.root, "init", "-q", "-b", "main")
    git(rig.root, "add", ".")
    git(rig.root, "commit", "-q", "-m", "one")
    git(rig.root, "checkout", "-q", "-b", "other")
    rig.write({f"pkg{number % 10}/m{number}.py": f"other_value_{number} = {number}\n" for number in range(n_files)})
    git(rig.root, "commit", "-q", "-a", "-m", "two")


def test_fault_16_a_storm_of_checkouts_ends_in_what_git_lists(rig: Rig) -> None:
    branches(rig, 400)
    datastore = rig.watching()
    for number in range(30):
        git(rig.root, "checkout", "-q", ("main", "other")[number % 2])
    git(rig.root, "checkout", "-q", "main")
    rig.wait_for(datastore)
    rig.check(datastore)
    assert len(rig.holds(datastore)) == len(git(rig.root, "ls-files").splitlines())
    git(rig.root, "checkout", "-q", "other")
    rig.wait_for(datastore)
    git(rig.root, "checkout", "-q", "main")
    assert datastore.refresh().tokenised == 0, "what was there before is only revived"
    rig.check(datastore)


def test_fault_17_a_torn_save_is_never_taken_for_a_version(rig: Rig) -> None:
    """A thread truncates and rewrites in two parts; what is indexed is one of the versions, whole."""
    versions = ["first_name = 1\n" * 300, "second_name = 2\n" * 300]
    allowed = [rig.tokenizer.encode(version) for version in versions]
    rig.write({"a.py": versions[0]})
    datastore = rig.watching()
    ended = threading.Event()

    def rewrite() -> None:
        turn = 0
        while not ended.is_set():
            with (rig.root / "a.py").open("r+") as file:
                file.truncate(0)
                text = versions[turn % 2]
                file.write(text[: len(text) // 2])
                file.flush()
                file.write(text[len(text) // 2 :])
            turn += 1
            ended.wait(0.003)

    writer = threading.Thread(target=rewrite)
    writer.start()
    for _ in range(8):
        datastore.refresh()
        held = rig.holds(datastore).get("a.py")
        assert held is None or held in [*allowed, *(ids[: len(held)] for ids in allowed if len(held) < len(ids))]
    ended.set()
    writer.join()
    rig.wait_for(datastore)
    rig.check(datastore)


def test_fault_18_editors_that_rename_and_folders_that_move(rig: Rig, tmp_path: Path) -> None:
    rig.write({"a.py": "alpha = 1\n", "lib/b.py": "beta = 2\n", "lib/c.py": "gamma = 3\n", "Name.py": "delta = 4\n"})
    datastore = rig.watching()
    (rig.root / "a.py").rename(rig.root / "a.py~")
    rig.write({"a.py": "alpha_two = 1\n"})
    (rig.root / "a.py~").unlink()
    write_files(tmp_path, {"new": "beta_two = 2\n"})
    (tmp_path / "new").replace(rig.root / "lib/b.py")
    (rig.root / "Name.py").rename(rig.root / "name.py")
    rig.wait_for(datastore)
    rig.check(datastore)
    (rig.root / "lib").rename(tmp_path / "outside")
    rig.wait_for(datastore)
    assert not [path for path in rig.holds(datastore) if path.startswith("lib/")]
    (tmp_path / "outside").rename(rig.root / "back")
    rig.wait_for(datastore)
    rig.check(datastore)


def test_fault_19_links_pipes_sockets_and_unreadable_things_are_passed_by(rig: Rig, tmp_path: Path) -> None:
    write_files(tmp_path, {"outside/secret.py": "outside_secret = 1\n"})
    rig.write({"a.py": "alpha = 1\n", "empty.py": "", "lib/b.py": "beta = 2\n"})
    (rig.root / "loop").symlink_to(rig.root)
    (rig.root / "lib" / "up").symlink_to("..")
    (rig.root / "out").symlink_to(tmp_path / "outside")
    (rig.root / "link.py").symlink_to(tmp_path / "outside/secret.py")
    (rig.root / "dangling.py").symlink_to("nowhere")
    os.mkfifo(rig.root / "pipe.py")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(rig.root / "socket.py"))
        datastore = rig.open()
        datastore.refresh()
        assert set(rig.holds(datastore)) == {"a.py", "lib/b.py"}
        check_oracle(asking(datastore), rig.holds(datastore))


def hostile_files() -> dict[bytes, bytes]:
    return {
        b"latin-\xe9.py": b"latin_name = 1\n",
        b"new\nline.py": b"newline_name = 1\n",
        b"n" * 252 + b".py": b"long_name = 1\n",
        b"bad.py": b"caf\xe9 = '\xff\xfe'\n",
        b"utf16.py": "wide = 1\n".encode("utf-16"),
        b"nul.py": b"x = 1\0\n",
        b"line.py": b"y" * 900_000,
        b"huge.py": b"z = 1\n" * 20_000_000,
        b"many.py": b"i\n" * 500_000,
    }


def test_fault_20_hostile_names_and_bytes(rig: Rig) -> None:
    for name, data in hostile_files().items():
        Path(os.fsdecode(os.path.join(os.fsencode(rig.root), name))).write_bytes(data)  # noqa: PTH118 - bytes
    git(rig.root, "init", "-q")
    datastore = rig.open()
    report = datastore.refresh()
    held = rig.holds(datastore)
    assert {os.fsencode(path) for path in held} == {b"latin-\xe9.py", b"new\nline.py", b"n" * 252 + b".py", b"bad.py"}
    assert rig.tokenizer.decode(held["bad.py"]) == "caf\ufffd = '\ufffd\ufffd'\n"
    assert report.skipped == {"binary": 2, "minified": 1, "too large": 1, "too many tokens": 1}
    check_oracle(asking(datastore), held)


def test_fault_21_timestamps_that_lie(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n", "b.py": "beta = 1\n"})
    datastore = rig.open()
    datastore.refresh()
    stamp = (rig.root / "a.py").stat()
    rig.write({"a.py": "gamma = 1\n"})
    os.utime(rig.root / "a.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    datastore.refresh()
    rig.check(datastore)
    rig.write({"b.py": "bete = 2\n"})
    os.utime(rig.root / "b.py", ns=(0, 10**9))
    datastore.refresh()
    rig.check(datastore)
    whole_seconds = (rig.root / "b.py").stat().st_mtime_ns // 10**9 * 10**9
    rig.write({"b.py": "beta = 3\n"})
    os.utime(rig.root / "b.py", ns=(whole_seconds, whole_seconds + 10**9))
    datastore.refresh()
    rig.check(datastore)


def suspended(datastore: Datastore) -> int:
    pid = datastore.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    return pid


@pytest.mark.parametrize("how", ["replaced", "suspended", "without events"])
def test_fault_25_workspaces_that_go_and_come_back(rig: Rig, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "without events":
        libraries = write_files(rig.cache.parent / "lib", {"sitecustomize.py": NO_EVENTS})
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(libraries), *sys.path]))
    rig.write({"a.py": "alpha = 1\n", "lib/b.py": "beta = 2\n"})
    datastore = rig.watching(reconcile_s=1.0)
    if how == "replaced":
        shutil.rmtree(rig.root)
        rig.write({"a.py": "alpha = 3\n", "new/c.py": "gamma = 4\n"})
    elif how == "suspended":
        pid = suspended(datastore)
        rig.write({"a.py": "alpha = 3\n", "new/c.py": "gamma = 4\n"})
        os.kill(pid, signal.SIGCONT)
    rig.write({"d.py": "delta = 5\n"})
    rig.wait_for(datastore)
    rig.check(datastore)
    rig.write({"e.py": "epsilon = 6\n"})
    rig.wait_for(datastore)
    rig.check(datastore)


NO_EVENTS = """
import watchdog.observers.inotify_buffer as buffer
buffer.InotifyBuffer.read_event = lambda self, *a, **k: __import__("time").sleep(3600)
"""
