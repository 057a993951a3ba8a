"""Runs another program that downloads into a folder: reports the folder's growth, stops it on cancel.  Knows no source.

A program of its own can be stopped at any byte, which a call into a download library cannot.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rest_lsp.cancellation import CancelToken
from rest_lsp.memory import folder_bytes

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 5


class DownloadFailed(Exception):
    """A source did not deliver; the text says why, for people.  Another source may still do."""


def run_download(
    command: Sequence[str],
    *,
    watched: Path,
    on_growth: Callable[[int], None],
    environment: Mapping[str, str],
    cancel: CancelToken | None,
) -> None:
    """Run `command` to its end, calling `on_growth` with the bytes below `watched` a few times per second.

    Raises DownloadFailed with the program's last line, or whatever `on_growth` or `cancel` raises after stopping it.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **environment}
        )
        try:
            while process.poll() is None:
                if cancel is not None:
                    cancel.raise_if_cancelled()
                on_growth(folder_bytes(watched))
                _wait(process)
        finally:
            _stop(process)
        output.seek(0)
        if process.returncode != 0:
            raise DownloadFailed(_last_line(output.read().decode("utf-8", "replace")))


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_line(output: str) -> str:
    """The last line that names an error, or the last one at all."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it ended without a word"])[-1][:300]
