"""Faults 22 and 23 of the datastore: secrets that must be nowhere, and text that makes searching hard."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from rest_lsp.completion.context import ContextLimits, ExtraContext
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.datastore.datastore import Datastore
from rest_lsp.datastore.generation import Generation, LiveSegment, open_newest
from rest_lsp.datastore.occurrence import Occurrence
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.snapshot import Snapshot
from tests.faults_datastore import Rig, asking, check_oracle, documents_of
from tests.files_datastore import FINGERPRINT, git
from tests.waiting import wait_until

CANARY = "zq9 tweet canary_7f3a zq9"
LINE = f"token = '{CANARY}'\n"


def is_anywhere(rig: Rig, datastore: Datastore) -> bool:
    """In an answer, in a dead document, or in a byte of any file of the store, as text or as tokens."""
    wanted = rig.tokenizer.encode(CANARY)
    found = datastore.find(wanted, depth=1, min_length=min(len(wanted), 12), time_limit_ms=1e9).occurrences()
    files = [path.read_bytes() for path in rig.store_files()]
    return bool(found) or any(CANARY.encode() in data for data in files) or in_segments(datastore, wanted)


def in_segments(datastore: Datastore, wanted: list[int]) -> bool:
    folder = Path(datastore.status().path)
    for path in folder.rglob("*.seg"):
        segment = Segment.open(path, bytes.fromhex(datastore._setup.fingerprint))
        for document in range(segment.n_documents):
            ids = segment.document_ids(document).tolist()
            if any(ids[at : at + len(wanted)] == wanted for at in range(len(ids))):
                return True
    return False


@pytest.mark.parametrize("ignore_file", [".gitignore", ".restlspignore"])
def test_fault_22_an_ignored_file_leaves_no_byte(rig: Rig, ignore_file: str) -> None:
    rig.write({"a.py": "alpha = 1\n", "private/keys.py": LINE, ".env": LINE, ignore_file: "private/\n"})
    git(rig.root, "init", "-q")
    datastore = rig.watching()
    assert not is_anywhere(rig, datastore)
    (rig.root / ignore_file).write_text("")
    datastore.refresh()
    assert is_anywhere(rig, datastore), "the probe works: it was not ignored for a moment"
    rig.write({"private/keys.py": "harmless = 1\n"})
    datastore.refresh()
    rig.write({"private/keys.py": LINE, ignore_file: "private/\n"})
    datastore.refresh()
    assert not is_anywhere(rig, datastore)
    datastore.close()
    assert not is_anywhere(rig, rig.open()), "nor after a restart"


def test_fault_22_no_prompt_shows_what_is_left_out(rig: Rig) -> None:
    text = "def use(token):\n    alpha = token\n    return alpha\n"
    rig.write({"shown.py": f"{text}\n\nbeta = use(1)\n", "keys.py": text + LINE})
    rig.write({".env": LINE, ".gitignore": "keys.py\n"})
    git(rig.root, "init", "-q")
    datastore = rig.open()
    datastore.refresh()
    extra = ExtraContext(rig.tokenizer, datastore, ContextLimits(5000, "both"))
    before = f"from keys import use, token\nuse(token)\n{text}"
    request = CompletionRequest(before, len(before), path="main.py", language="python")
    shown = [
        rig.tokenizer.decode([*file.path_ids, *file.ids])
        for file in extra.others(request, take_snapshot(request, 9999))
    ]
    assert any("shown.py" in one for one in shown)
    assert not any(CANARY in one or one.startswith("keys.py") for one in shown)
    assert datastore.document_ids("keys.py") is None
    datastore.close()


def test_fault_22_a_secret_file_that_comes_by_renaming_or_in_a_buffer(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n", "notes.py": LINE})
    datastore = rig.watching()
    assert is_anywhere(rig, datastore)
    (rig.root / "notes.py").rename(rig.root / ".env")
    datastore.refresh()
    assert not datastore.find(rig.tokenizer.encode(CANARY), depth=1, min_length=8).occurrences()
    for path in (".env", str(rig.root / ".env"), "deploy/credentials.json", "id_rsa"):
        datastore.set_buffer(path, rig.tokenizer.encode(LINE))
        assert not datastore.find(rig.tokenizer.encode(CANARY), depth=1, min_length=8).occurrences()
    assert not is_anywhere(rig, datastore)


@pytest.mark.parametrize("name", ["deploy/conf/.env", "deploy/id_rsa"])
def test_fault_22_a_file_that_moves_to_a_secret_name_elsewhere(rig: Rig, name: str) -> None:
    rig.write({"a.py": "alpha = 1\n", "src/notes.py": LINE, "deploy/conf/x.py": "x = 1\n", ".gitignore": ".env\n"})
    git(rig.root, "init", "-q")
    datastore = rig.watching()
    assert is_anywhere(rig, datastore)
    (rig.root / "src/notes.py").rename(rig.root / name)
    wait_until(lambda: not is_anywhere(rig, datastore), "nothing of it is left", 60)


def test_fault_22_what_was_deleted_before_it_became_a_secret(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n", "notes.py": LINE})
    datastore = rig.open()
    datastore.refresh()
    (rig.root / "notes.py").unlink()
    datastore.refresh()
    assert in_segments(datastore, rig.tokenizer.encode(CANARY)), "it is kept in case it comes back"
    rig.write({"conf/.env": LINE})
    datastore.refresh()
    assert not is_anywhere(rig, datastore)


def test_fault_22_a_purge_that_is_interrupted_is_finished_by_the_next_process(rig: Rig) -> None:
    rig.write({"a.py": "alpha = 1\n", "keys.py": LINE})
    first = rig.open()
    first.refresh()
    rig.write({".restlspignore": "keys.py\n"})
    first.close()
    second = rig.open()
    second.refresh()
    assert not is_anywhere(rig, second)


def test_fault_23_a_range_of_dead_documents_keeps_the_living_one_in_reach() -> None:
    documents = [NewDocument(f"{number}", bytes(16), [7, 8, 1_000 + number]) for number in range(5_000)]
    segment = Segment.build("segment", documents, bytes.fromhex(FINGERPRINT))
    living = set(range(0, 5_000, 100))
    snapshot = Snapshot(Generation(1, (LiveSegment(segment, frozenset(range(5_000)) - living),)))
    found = limited(snapshot, [7, 8], limit=64)
    assert found
    assert {int(one.origin.path) for one in found} <= living
    check_oracle(asking(snapshot), documents_of(snapshot.generation), contexts=100)


def limited(snapshot: Snapshot, context: list[int], limit: int) -> list[Occurrence]:
    return snapshot.find(
        context, depth=8, max_length=16, min_length=1, limit=limit, exclude=None, time_limit_ms=1e9
    ).occurrences()


def pathological() -> dict[str, list[NewDocument]]:
    rng = np.random.default_rng(1)
    text = rng.integers(0, 500, 200).tolist()
    return {
        "one token": [NewDocument("a", bytes(16), [5] * 300_000)],
        "identical files": [NewDocument(f"{number}", bytes(16), text) for number in range(1_500)],
        "noise": [NewDocument("a", bytes(16), rng.integers(0, 500, 300_000).tolist())],
    }


@pytest.mark.parametrize("kind", ["one token", "identical files"])
def test_fault_23_pathological_text_stops_nobody(kind: str) -> None:
    """Building takes about as long as for noise, which a bound of ten times shows; a query obeys its limit."""
    kinds = pathological()
    seconds = {}
    for name in ("noise", kind):
        started = time.process_time()
        segment = Segment.build("segment", kinds[name], bytes.fromhex(FINGERPRINT))
        seconds[name] = time.process_time() - started
    assert seconds[kind] < 10 * seconds["noise"] + 1
    context = kinds[kind][0].ids[:40]
    found = limited(Snapshot(Generation(1, (LiveSegment(segment),))), list(context), limit=32)
    assert len(found) == 32
    assert {one.length for one in found} == {16}


def test_an_empty_folder_opens_to_nothing(tmp_path: Path) -> None:
    assert open_newest(tmp_path, FINGERPRINT).generation.segments == ()
