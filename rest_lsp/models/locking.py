"""One process at a time in a cache folder.  Knows nothing about what is done there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rest_lsp.cancellation import CancelToken
from rest_lsp.models.progress import Progress, ProgressEvent

_POLL_SECONDS = 0.2


@contextmanager
def exclusive(folder: Path, progress: Progress, cancel: CancelToken | None) -> Iterator[None]:
    """Hold the lock of `folder`; wait for another process, reporting the stage "wait".  Raises Cancelled, OSError.

    The operating system frees the lock of a process that dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    while not lock.is_locked:
        try:
            lock.acquire(timeout=_POLL_SECONDS)
        except Timeout:
            if cancel is not None:
                cancel.raise_if_cancelled()
            progress(ProgressEvent("wait", 0, 0, "processes"))
    try:
        yield
    finally:
        lock.release()
