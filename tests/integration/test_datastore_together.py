"""Two editors and an indexer on one workspace while it is edited: one writes, nothing fails, all agree at the end.

For seconds here; REST_LSP_EDIT_SECONDS=60 edits for a minute.
"""

from __future__ import annotations

import os
import random
import threading
import time

from rest_lsp.datastore.datastore import Datastore
from tests.faults_datastore import Rig, asking, check_oracle

EDIT_SECONDS = float(os.environ.get("REST_LSP_EDIT_SECONDS", "4"))
FILES, PAUSE_S = 30, 0.02


def edit(rig: Rig, rng: random.Random, turn: int) -> None:
    """Save, create, delete or move one of the files."""
    path = rig.root / f"m{rng.randrange(FILES)}.py"
    match rng.randrange(6):
        case 0:
            path.unlink(missing_ok=True)
        case 1 if path.exists():
            path.replace(rig.root / f"m{rng.randrange(FILES)}.py")
        case _:
            path.write_text(f"value_{turn} = {turn}\n" * rng.randint(1, 30))


def index_over_and_over(rig: Rig, ended: threading.Event, failures: list[Exception], writers: list[bool]) -> None:
    """What somebody does who runs `rest-lsp index` all the time."""
    while not ended.is_set():
        try:
            datastore = rig.open()
            writers.append(datastore.refresh().is_writer)
            datastore.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is to say so
            failures.append(error)


def test_two_editors_and_an_indexer_agree_after_all_edits(rig: Rig) -> None:
    rng = random.Random(7)
    rig.write({f"m{number}.py": f"first_{number} = {number}\n" for number in range(FILES)})
    editors = [rig.watching(reconcile_s=20.0), rig.open(reconcile_s=20.0)]
    editors[1].watch()
    ended, failures, writers = threading.Event(), list[Exception](), list[bool]()
    indexer = threading.Thread(target=index_over_and_over, args=(rig, ended, failures, writers))
    indexer.start()
    deadline, turn, seen = time.monotonic() + EDIT_SECONDS, 0, [0, 0]
    pause = threading.Event()
    while time.monotonic() < deadline:
        edit(rig, rng, turn)
        buffered = editors[turn % 2]
        buffered.set_buffer("open.py", rig.tokenizer.encode(f"unsaved_{turn} = {turn}\n"))
        assert buffered.find(rig.tokenizer.encode(f"unsaved_{turn}"), depth=2, time_limit_ms=1e9).occurrences()
        generations = [editor.status().generation for editor in editors]
        assert all(now >= before for now, before in zip(generations, seen, strict=True)), "generations only grow"
        seen = generations
        turn += 1
        pause.wait(PAUSE_S)
    ended.set()
    indexer.join()
    assert failures == []
    assert writers
    assert not any(writers), "an editor writes all the time"
    for editor in editors:
        editor.drop_buffer("open.py")
        rig.wait_for(editor)
    agree(rig, [*editors, rig.open()])
    assert rig.notices == []


def agree(rig: Rig, datastores: list[Datastore]) -> None:
    """All hold the workspace, and lookups equal a scan of it."""
    expected = rig.texts()
    for datastore in datastores:
        assert rig.holds(datastore) == expected
        check_oracle(asking(datastore), expected)
