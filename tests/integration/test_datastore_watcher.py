"""The watcher by itself: hints for what happens, no hints for reading, and knowing when it does not see everything."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rest_lsp.datastore import watcher as watcher_module
from rest_lsp.datastore.watcher import Watcher
from tests.files_datastore import write_files
from tests.waiting import wait_until


class Seen:
    """A running watcher and what it told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hints: list[str] = []
        self.lost = 0
        self.watcher = Watcher(root, self.hints.append, self._lose)

    def _lose(self) -> None:
        self.lost += 1


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    root = write_files(tmp_path, {"a.py": "a", "lib/b.py": "b", "lib/deep/c.py": "c", "node_modules/m.js": "m"})
    seen = Seen(root)
    seen.watcher.start()
    assert seen.watcher.cover(["lib"]) == ["lib"]
    yield seen
    seen.watcher.stop()


def barrier(seen: Seen, name: str) -> None:
    """Return when all events up to now have come, by making one more."""
    write_files(seen.root, {name: "x"})
    wait_until(lambda: name in seen.hints, f"a hint for {name}")


def test_changes_are_hinted_and_reading_is_not(seen: Seen) -> None:
    (seen.root / "lib/b.py").read_text()
    write_files(seen.root, {"node_modules/m.js": "changed", "lib/deep/c.py": "changed"})
    barrier(seen, "lib/end")
    assert set(seen.hints) == {"lib/deep/c.py", "lib/end"}


def test_a_new_top_level_folder_changes_the_layout(seen: Seen) -> None:
    assert not seen.watcher.layout_changed.is_set()
    write_files(seen.root, {"fresh/d.py": "d"})
    wait_until(seen.watcher.layout_changed.is_set, "the layout has changed")
    assert seen.watcher.cover(["lib", "fresh"]) == ["fresh"]
    barrier(seen, "fresh/e.py")
    assert seen.watcher.cover(["fresh"]) == []
    write_files(seen.root, {"lib/b.py": "unseen"})
    barrier(seen, "fresh/f.py")
    assert "lib/b.py" not in seen.hints


def test_lost_events_are_told(seen: Seen) -> None:
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; file system events were lost")
    assert seen.lost == 1


def test_it_knows_when_the_system_watches_less_than_asked(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen.watcher.is_complete()
    monkeypatch.setattr(watcher_module, "_inotify_watches", lambda: 2)
    assert not seen.watcher.is_complete()


def test_without_any_events_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(watcher_module, "Observer", refuse)
    watcher = Watcher(tmp_path, print, print)
    watcher.start()
    assert watcher.cover(["lib"]) == ["lib"]
    assert not watcher.is_complete()
    watcher.stop()


def test_it_knows_when_it_has_died(seen: Seen) -> None:
    assert seen.watcher.is_alive
    seen.watcher.stop()
    assert not seen.watcher.is_alive


def test_a_folder_that_is_replaced_is_watched_anew(seen: Seen) -> None:
    shutil.rmtree(seen.root / "lib")
    write_files(seen.root, {"lib/b.py": "again"})
    barrier(seen, "end")
    assert seen.watcher.cover(["lib"]) == ["lib"]
    barrier(seen, "lib/new.py")
