"""Small JSON files in the cache folder that are written anew as a whole."""

from __future__ import annotations

import json
import os
from pathlib import Path


def write_whole(path: Path, content: object) -> None:
    """Write beside the place and move there, so that nobody reads half a file.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(content), encoding="utf-8")
    unfinished.replace(path)
