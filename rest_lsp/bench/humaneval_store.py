"""Stores of library code: the standard library, installed packages and the pinned projects, up to a number of tokens.

Smaller stores are parts of larger ones.  Files that hold a prompt or a solution of HumanEval stay out.
"""

from __future__ import annotations

import random
import shutil
import sysconfig
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rest_lsp.bench.corpus import PROJECTS, CorpusError, fetch
from rest_lsp.memory import folder_bytes

BYTES_PER_TOKEN = 4.6
"""Of Python code, about; how many tokens a store has is read from its index."""

MAX_FILE_BYTES = 200_000
SKIPPED = frozenset({"test", "tests", "site-packages", "idlelib", "__pycache__", "lib2to3"})
CONTENTS = 3
"""Raise it when other files are chosen, so that stores of an earlier version are built anew."""


class LibraryFile(NamedTuple):
    """A file and its place in a store."""

    path: Path
    place: str


def build_store(millions: float, cache_dir: Path, telling: Collection[str]) -> Path:
    """The folder with about so many million tokens of code, built unless it is in `cache_dir`.  Raises CorpusError.

    `telling` are stripped lines; a file that has one of them stays out.
    """
    target = cache_dir / "humaneval" / f"{millions:g}M-{CONTENTS}"
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as name:
            scratch = Path(name) / "store"
            fill(scratch, int(millions * 1e6 * BYTES_PER_TOKEN), library_files(cache_dir), telling)
            if not target.is_dir():
                shutil.move(scratch, target)
    except OSError as error:
        raise CorpusError(
            f"The store cannot be written to {target.parent}: {error.strerror or error}.",
            "Choose a cache folder with room.",
        ) from error
    return target


def missing_millions(folder: Path, millions: float) -> float:
    """Millions of tokens that a store lacks, about, because there was no more code; 0 where it is as large as asked."""
    return max(0.0, millions - folder_bytes(folder) / BYTES_PER_TOKEN / 1e6)


def fill(folder: Path, n_bytes: int, candidates: Iterable[LibraryFile], telling: Collection[str]) -> None:
    """Copy files until they have `n_bytes` together, or there are no more."""
    folder.mkdir()
    left = n_bytes
    for path, place in candidates:
        text = _clean_text(path, telling)
        if text is not None:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(text, encoding="utf-8")
            left -= len(text)
        if left <= 0:
            return


def library_files(cache_dir: Path) -> list[LibraryFile]:
    """All there are, in an order that depends on their places alone."""
    paths = sysconfig.get_paths()
    roots = {"stdlib": Path(paths["stdlib"]), "packages": Path(paths["purelib"])}
    roots |= {project.name: fetch(project, cache_dir) for project in PROJECTS.values()}
    found = sorted((file for name, root in roots.items() for file in _files_below(root, name)), key=lambda f: f.place)
    random.Random(1).shuffle(found)
    return found


def _files_below(root: Path, name: str) -> Iterator[LibraryFile]:
    for path in root.rglob("*.py"):
        inner = path.relative_to(root)
        if not SKIPPED & set(inner.parts):
            yield LibraryFile(path, f"{name}/{inner.as_posix()}")


def _clean_text(path: Path, telling: Collection[str]) -> str | None:
    """None for what cannot be read, is too large to be written by hand, or knows an answer."""
    try:
        text = path.read_bytes()[: MAX_FILE_BYTES + 1].decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    known = {line.strip() for line in text.splitlines()}
    return None if len(text) > MAX_FILE_BYTES or not known.isdisjoint(telling) else text
