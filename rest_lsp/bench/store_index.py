"""Building an index and keeping it current, measured with the real worker process on real files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from rest_lsp.bench.store_text import library_files
from rest_lsp.datastore.datastore import Datastore
from rest_lsp.datastore.debounce import QUIET_S
from rest_lsp.datastore.reports import IndexProgress
from rest_lsp.errors import DatastoreError
from rest_lsp.tokenizer import Tokenizer

KILLED_AT, SAVES, OPENS, BRANCH_FILES, PATIENCE_S = 0.6, 40, 9, 2_000, 60.0
BYTES_PER_TOKEN = 4.2


@dataclass(frozen=True)
class IndexFigures:
    """What one run gave.  Rates are by wall clock and by processor time of the worker and its children."""

    files: int
    tokens: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    disk_bytes_per_token: float
    open_ms: float
    resumed_share: float
    save_ms_p50: float
    save_ms_p95: float
    switch_tokenised: int
    switch_back_tokenised: int
    switch_back_seconds: float

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds

    @property
    def tokens_per_cpu_second(self) -> float:
        return self.tokens / self.cpu_seconds

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        rates = {"tokens_per_second": self.tokens_per_second, "tokens_per_cpu_second": self.tokens_per_cpu_second}
        return {**asdict(self), **rates, "files_per_second": self.files / self.seconds}


def measure(
    tokenizer_path: Path,
    n_tokens: int,
    tell: Callable[[str], None],
    *,
    n_saves: int = SAVES,
    n_branch_files: int = BRANCH_FILES,
) -> IndexFigures:
    """Copies installed libraries into a temporary repository and does to it what people do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = folder / "work"
        copy_libraries(root, n_tokens)
        tell(f"first build of {n_tokens:,} tokens")
        with opened(root, folder / "built", tokenizer_path) as store, memory_of(store) as peak:
            started = time.perf_counter()
            report = store.refresh()
            seconds, cpu = time.perf_counter() - started, cpu_seconds(store.worker_pid)
            disk = store.status().disk_bytes / report.tokens
        tell("warm opens")
        opening = median(open_ms(root, folder / "built", tokenizer_path) for _ in range(OPENS))
        tell("saves")
        with opened(root, folder / "built", tokenizer_path) as store:
            saves = save_times(store, root, tokenizer_path, n_saves)
        tell("a build that is killed")
        resumed = resumed_share(root, folder / "killed", tokenizer_path)
        tell("branches")
        there, back, back_seconds = switch_branches(folder, tokenizer_path, n_branch_files)
        p50, p95 = np.percentile(saves, [50, 95])
        return IndexFigures(
            report.files, report.tokens, seconds, cpu, peak[0], disk, opening, resumed, float(p50), float(p95),
            there, back, back_seconds,
        )  # fmt: skip


def copy_libraries(root: Path, n_tokens: int) -> None:
    """Python files of about so many tokens."""
    left = n_tokens * BYTES_PER_TOKEN
    for file in library_files():
        source, target = file.root / file.path, root / file.label
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        left -= source.stat().st_size
        if left <= 0:
            return


@contextmanager
def opened(root: Path, directory: Path, tokenizer_path: Path) -> Iterator[Datastore]:
    """A datastore that is closed again."""
    store = Datastore.open(root, directory=directory, tokenizer_path=tokenizer_path)
    try:
        yield store
    finally:
        store.close()


def open_ms(root: Path, directory: Path, tokenizer_path: Path) -> float:
    """Until the first answer."""
    started = time.perf_counter()
    with opened(root, directory, tokenizer_path) as store:
        store.find([1, 2, 3], depth=8)
        return 1000 * (time.perf_counter() - started)


@contextmanager
def memory_of(store: Datastore) -> Iterator[list[float]]:
    """The worker's peak in MB, where the system tells it; 0 elsewhere."""
    peak, ended = [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            try:
                lines = Path(f"/proc/{store.worker_pid}/status").read_text().splitlines()
            except OSError:
                continue
            peak[0] = max([peak[0], *(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def cpu_seconds(pid: int | None) -> float:
    """Processor time of a process and its ended children; nan where the system does not tell."""
    if sys.platform == "win32":
        return float("nan")
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resumed_share(root: Path, directory: Path, tokenizer_path: Path) -> float:
    """The worker is killed at 60 %; the share of files that its successor did not tokenise again."""
    killed: list[int] = []

    with opened(root, directory, tokenizer_path) as store:

        def kill_once(progress: IndexProgress) -> None:
            if not killed and progress.total and progress.done >= KILLED_AT * progress.total and store.worker_pid:
                killed.append(progress.done)
                _kill(store.worker_pid)

        report = store.refresh(kill_once)
    return 1 - report.tokenised / max(report.files, 1)


def _kill(pid: int) -> None:
    """At once, so that it can do nothing about it."""
    if sys.platform == "win32":
        os.kill(pid, signal.SIGTERM)
    else:
        os.kill(pid, signal.SIGKILL)


def save_times(store: Datastore, root: Path, tokenizer_path: Path, n_saves: int) -> list[float]:
    """Milliseconds from a save until it is drafted from, less the time that the debounce waits on purpose."""
    tokenizer = Tokenizer.from_file(tokenizer_path)
    store.watch()
    store.refresh()
    wait_for(lambda: store.status().watching)
    path = root / "saved.py"
    times = []
    for number in range(n_saves):
        name = f"entirely_new_name_{number}_{number * 7919}"
        # Its first tokens depend on what stands before the name.
        ids = tokenizer.encode(name)[3:][-16:]
        started = time.perf_counter()
        path.write_text(f"def {name}(argument):\n    return argument\n" * 100)
        wait_for(lambda ids=ids: store.find(ids, depth=2, min_length=len(ids)).occurrences())  # type: ignore[misc]
        times.append(1000 * (time.perf_counter() - started - QUIET_S))
    return times


def switch_branches(folder: Path, tokenizer_path: Path, n_files: int) -> tuple[int, int, float]:
    """Two branches that differ in so many files: files tokenised at first and on the way back, and its seconds."""
    root = folder / "branches"
    for branch in ("main", "other"):
        for number in range(n_files):
            path = root / f"package_{number % 20}" / f"module_{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"def {branch}_{number}(argument):\n    return argument + {number}\n" * 20)
        if branch == "main":
            git(root, "init", "-q", "-b", branch)
        else:
            git(root, "checkout", "-q", "-b", branch)
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", branch)
    with opened(root, folder / "switched", tokenizer_path) as store:
        store.refresh()
        git(root, "checkout", "-q", "main")
        there = store.refresh().tokenised
        git(root, "checkout", "-q", "other")
        back = store.refresh()
    return there, back.tokenised, back.seconds


def git(root: Path, *arguments: str) -> None:
    """Run git as somebody."""
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def wait_for(condition: Callable[[], object]) -> None:
    """Poll each millisecond.  Raises DatastoreError when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise DatastoreError("A save did not become visible within a minute.", "Look at the log of the worker.")
        pause.wait(0.001)
