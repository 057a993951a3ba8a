"""After any sequence of edits, crashes and recoveries, lookups equal a brute-force scan of the living text."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from rest_lsp.datastore.filesystem import Data, FileSystem
from rest_lsp.datastore.hot import HotBuffers
from rest_lsp.datastore.index_writer import IndexWriter
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.datastore.stat_cache import StatCache
from rest_lsp.datastore.store import Store
from rest_lsp.datastore.suffix_array import doubling_suffix_array
from tests.faults_datastore import asking, check_oracle
from tests.files_datastore import FINGERPRINT, write_files

SEQUENCES, STEPS, CONTEXTS = 100, 8, 12
PATHS = [f"{folder}f{number}.py" for folder in ("", "lib/", "lib/deep/") for number in range(3)]
WORDS = ["a", "b", "c", "ab", "x"]
RULES = IndexRules(exclude=(".restlspignore",))


class Crash(Exception):
    """Stands for the end of the process."""


class CrashingDisk(FileSystem):
    """Crashes after so many steps, half way through a write."""

    def __init__(self) -> None:
        self.left = -1

    def write(self, path: Path, data: Data) -> None:
        if self._is_over():
            path.write_bytes(data[: len(data) // 2])
            raise Crash
        super().write(path, data)

    def sync(self, path: Path) -> None:
        self._step()
        super().sync(path)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def sync_directory(self, directory: Path) -> None:
        self._step()
        super().sync_directory(directory)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def _step(self) -> None:
        if self._is_over():
            raise Crash

    def _is_over(self) -> bool:
        self.left -= 1
        return self.left == -1


def encode(texts: Sequence[str]) -> list[list[int]]:
    return [[WORDS.index(word) for word in text.split()] for text in texts]


class Machine:
    """A workspace, its writer, which may crash, and open buffers; one random step after the other."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.root, self.directory, self.rng = folder / "work", folder / "store", rng
        write_files(self.root, {})
        self.root.mkdir(parents=True)
        self.ignored: set[str] = set()
        self.buffers = HotBuffers()
        self.unsaved: dict[str, list[int]] = {}
        self.disk = CrashingDisk()
        self.open()

    def open(self) -> None:
        self.disk.left = -1
        self.store = Store(self.directory, FINGERPRINT, print, self.disk)
        self.store.acquire()
        self.cache = StatCache(self.directory / "files.sqlite3", "key")
        self.writer = IndexWriter(
            self.root, self.store, RULES, self.cache, encode, lambda: None, sorter=doubling_suffix_array
        )

    def close(self) -> None:
        self.cache.close()
        self.store.close()

    def step(self) -> None:
        for _ in range(self.rng.randint(1, 4)):
            self.rng.choice((self.write, self.write, self.delete, self.move, self.ignore, self.edit, self.release))()
        self.disk.left = self.rng.choice((-1, -1, self.rng.randint(0, 14)))
        try:
            self.rng.choice((self.writer.refresh, self.update))()
            while self.rng.random() < 0.5 and self.writer.merge_once():
                pass
        except Crash:
            self.close()
            self.open()
        if self.rng.random() < 0.2:
            self.close()
            self.open()
        self.disk.left = -1
        self.writer.refresh()

    def update(self) -> None:
        self.writer.update(self.rng.sample([*PATHS, "lib", "lib/deep"], 5))

    def write(self) -> None:
        text = " ".join(self.rng.choices(WORDS, k=self.rng.randint(1, 25))) + "\n"
        write_files(self.root, {self.rng.choice(PATHS): text})

    def delete(self) -> None:
        path = self.root / self.rng.choice([*PATHS, "lib", "lib/deep"])
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def move(self) -> None:
        source, target = (self.root / path for path in self.rng.sample(PATHS, 2))
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)

    def ignore(self) -> None:
        self.ignored ^= {self.rng.choice(PATHS)}
        write_files(self.root, {".restlspignore": "".join(f"/{path}\n" for path in sorted(self.ignored))})

    def edit(self) -> None:
        path = self.rng.choice(PATHS)
        self.unsaved[path] = self.rng.choices(range(len(WORDS)), k=self.rng.randint(0, 15))
        self.buffers.set(path, self.unsaved[path])

    def release(self) -> None:
        path = self.rng.choice(PATHS)
        self.unsaved.pop(path, None)
        self.buffers.drop(path)

    def expected(self) -> dict[str, list[int]]:
        saved = {
            path: encode([(self.root / path).read_text()])[0]
            for path in PATHS
            if path not in self.ignored and (self.root / path).is_file()
        }
        return saved | self.unsaved

    def snapshot(self) -> Snapshot:
        return Snapshot(self.store.generation, self.buffers.views, self.buffers.paths)


@pytest.mark.parametrize("group", range(4))
def test_lookups_equal_a_scan_after_any_sequence(group: int) -> None:
    """Four hundred sequences in four groups, each of eight steps with several edits and now and then a crash."""
    for seed in range(group * SEQUENCES, (group + 1) * SEQUENCES):
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(Path(folder), random.Random(seed))
            for number in range(STEPS):
                machine.step()
                try:
                    check_oracle(asking(machine.snapshot()), machine.expected(), number, CONTEXTS)
                except AssertionError as error:
                    raise AssertionError(f"sequence {seed}, step {number}: {error}") from error
            machine.close()
