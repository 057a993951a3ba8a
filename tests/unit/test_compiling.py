"""Where compiled kernels are kept: with the sources of all of them, since numba looks at one file each."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import numba
import pytest

import rest_lsp
from rest_lsp import compiling
from rest_lsp.compiling import KEPT_DAYS, use_own_cache

CONFIG: Any = numba.config


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this package, whose compiled kernels are nobody's."""
    monkeypatch.setattr(CONFIG, "CACHE_DIR", CONFIG.CACHE_DIR)
    folder = tmp_path / "rest_lsp"
    shutil.copytree(Path(rest_lsp.__path__[0]), folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_a_constant_in_another_file_makes_kernels_new(tmp_path: Path, package: Path) -> None:
    before = use_own_cache(tmp_path / "kept", package)
    assert use_own_cache(tmp_path / "kept", package) == before
    after = before
    for constants in ("datastore/occurrence.py", "drafting/traits.py", "engine/kernels/lanes.py", "compiling.py"):
        with (package / constants).open("a", encoding="utf-8") as file:
            file.write("\nMORE = 1\n")
        earlier, after = after, use_own_cache(tmp_path / "kept", package)
        assert after != earlier
    assert Path(CONFIG.CACHE_DIR) == after


def test_files_that_no_kernel_takes_anything_from_do_not_count(tmp_path: Path, package: Path) -> None:
    before = use_own_cache(tmp_path / "kept", package)
    for name in ("room.py", "step_timing.py"):
        (package / "engine" / name).write_text("", encoding="utf-8")
    assert use_own_cache(tmp_path / "kept", package) == before


def test_every_file_with_kernels_counts() -> None:
    root = Path(rest_lsp.__path__[0])
    with_kernels = {
        path.relative_to(root).parts[0]
        for path in root.rglob("*.py")
        if "\nfrom rest_lsp.compiling import" in path.read_text(encoding="utf-8")
    }
    assert with_kernels == set(compiling.WITH_KERNELS)


def test_kernels_that_were_not_used_for_long_are_removed(tmp_path: Path, package: Path) -> None:
    old, recent = (tmp_path / "kept" / name for name in ("old", "recent"))
    for folder in (old, recent):
        folder.mkdir(parents=True)
    long_ago = time.time() - 86_400 * (KEPT_DAYS + 1)
    os.utime(old, (long_ago, long_ago))
    use_own_cache(tmp_path / "kept", package)
    assert not old.exists()
    assert recent.exists()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, package: Path) -> None:
    (tmp_path / "file").write_text("")
    use_own_cache(tmp_path / "file", package)
