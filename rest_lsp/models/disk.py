"""Room on the disk, asked before it is filled.  Knows nothing about what is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from rest_lsp.errors import ModelError

_SPARE_BYTES = 64 << 20


def require_space(folder: Path, n_bytes: int, purpose: str) -> None:
    """Raise ModelError unless `folder`, which must exist, has room for `n_bytes` and a little more."""
    free = shutil.disk_usage(folder).free
    needed = n_bytes + _SPARE_BYTES
    if free < needed:
        raise ModelError(
            f"There is no room for {purpose} in {folder}: it needs {megabytes(needed)}, {megabytes(free)} are free.",
            "Free some space, or set another cache folder.",
        )


def megabytes(n_bytes: int) -> str:
    """For people: 491.4 MB."""
    return f"{n_bytes / 1e6:,.1f} MB"
