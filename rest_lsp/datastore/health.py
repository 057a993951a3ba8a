"""How the watching of a workspace goes, noted by the process that does it for whoever asks from another one."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import NamedTuple

from rest_lsp.datastore.filesystem import TEMPORARY_PREFIX

FILE_NAME = "watcher.json"

_log = logging.getLogger(__name__)


class WatcherHealth(NamedTuple):
    """`has_events`: the system tells of every change; else comparing finds them.  `compared_at` is by the clock; the
    next comparison was to follow within `period_s`."""

    has_events: bool
    compared_at: float
    period_s: float

    @property
    def is_current(self) -> bool:
        """Whether somebody still watches, as far as can be told: two comparisons in a row are not missed."""
        return time.time() - self.compared_at < 2 * self.period_s + 30


def note_health(directory: Path, health: WatcherHealth) -> None:
    """Nothing depends on it, so a disk that does not take it costs a line in the log."""
    unfinished = directory / f"{TEMPORARY_PREFIX}{FILE_NAME}"
    try:
        unfinished.write_text(json.dumps(health._asdict()), encoding="utf-8")
        unfinished.replace(directory / FILE_NAME)
    except OSError as error:
        _log.info("%s cannot be written: %s", directory / FILE_NAME, error)


def read_health(directory: Path) -> WatcherHealth | None:
    """None when nobody ever watched."""
    try:
        return WatcherHealth(**json.loads((directory / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
