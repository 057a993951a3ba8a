"""Whether a workspace is watched is told to other processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rest_lsp.cli_audit import print_segments
from rest_lsp.datastore.health import WatcherHealth, note_health, read_health
from tests.faults_datastore import Rig
from tests.waiting import wait_until


def test_another_process_knows_that_a_workspace_is_watched(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n"})
    assert rig.open().status().watcher == "none"
    watching = rig.watching()
    wait_until(lambda: rig.open().status().watcher == "events", "it is watched", 60)
    compared_s = rig.open().status().compared_s
    assert compared_s is not None
    folder = Path(watching.status().path)
    watching.close()
    note_health(folder, WatcherHealth(has_events=True, compared_at=time.time() - 10_000, period_s=300.0))
    assert rig.open().status().watcher == "none", "whoever watched has gone"
    note_health(folder, WatcherHealth(has_events=False, compared_at=time.time(), period_s=3.0))
    assert rig.open().status().watcher == "comparing"
    (folder / "watcher.json").write_text("[]")
    assert read_health(folder) is None


def test_status_says_it_in_words(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    rig.write({"a.py": "alpha = 1\n"})
    datastore = rig.open()
    datastore.refresh()
    print_segments(datastore.status().to_json())
    assert "nobody watches" in capsys.readouterr().out
