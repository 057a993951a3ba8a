"""A workspace with a datastore that things are done to, and the oracle: lookups equal a scan of the living text."""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rest_lsp.datastore.datastore import Datastore
from rest_lsp.datastore.generation import Generation
from rest_lsp.datastore.occurrence import Occurrence
from rest_lsp.datastore.rules import IndexRules
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.datastore.suffix_array import doubling_suffix_array
from rest_lsp.tokenizer import Tokenizer
from tests.files_datastore import FINGERPRINT, Place, scan, write_files
from tests.waiting import wait_until

CONTEXTS = 500
DEPTH, MAX_LENGTH = 3, 8

Documents = Mapping[str, Sequence[int]]
Ask = Callable[[Sequence[int]], list[Occurrence]]


def check_oracle(ask: Ask, documents: Documents, seed: int = 0, contexts: int = CONTEXTS) -> None:
    """Ask for so many contexts, taken from the text and made up, and compare each answer with a scan."""
    rng = random.Random(seed)
    texts = [list(ids) for ids in documents.values() if ids]
    alphabet = sorted({token for ids in texts for token in ids}) or [0]
    for _ in range(contexts):
        ids = rng.choice(texts) if texts else []
        end = rng.randint(0, len(ids))
        context = ids[max(0, end - rng.randint(1, 12)) : end]
        context += rng.choices(alphabet, k=rng.choice((0, 0, 0, 1)))
        found = {Place(one.length, one.origin.path, one.origin.offset, one.tokens) for one in ask(context)}
        assert found == scan(documents, context, DEPTH, MAX_LENGTH), f"after {context}"


def asking(source: Datastore | Snapshot) -> Ask:
    """All occurrences, none sampled, however long it takes."""

    def ask(context: Sequence[int]) -> list[Occurrence]:
        return source.find(
            context, depth=DEPTH, max_length=MAX_LENGTH, min_length=1, limit=1 << 20, exclude=None, time_limit_ms=1e9
        ).occurrences()

    return ask


def documents_of(generation: Generation) -> dict[str, list[int]]:
    """The living documents."""
    return {
        live.segment.paths[document]: live.segment.document_ids(document).tolist()
        for live in generation.segments
        for document in live.live_documents
    }


def segment_of(documents: Documents, name: str = "segment") -> Segment:
    """A segment in memory.  The native sorter's threads would not survive a fork."""
    new = [NewDocument(path, path.encode().ljust(16)[:16], ids) for path, ids in documents.items()]
    return Segment.build(name, new, bytes.fromhex(FINGERPRINT), doubling_suffix_array)


class Rig:
    """A workspace, a cache folder, and datastores that are closed at the end."""

    def __init__(self, folder: Path, tokenizer_path: Path) -> None:
        self.root, self.cache, self.tokenizer_path = folder / "work", folder / "cache", tokenizer_path
        self.root.mkdir()
        self.tokenizer = Tokenizer.from_file(tokenizer_path)
        self.notices: list[str] = []
        self._opened: list[Datastore] = []

    def open(self, reconcile_s: float = 300.0, rules: IndexRules | None = None) -> Datastore:
        datastore = Datastore.open(
            self.root,
            directory=self.cache,
            tokenizer_path=self.tokenizer_path,
            notice=self.notices.append,
            reconcile_s=reconcile_s,
            rules=rules,
        )
        self._opened.append(datastore)
        return datastore

    def watching(self, reconcile_s: float = 300.0) -> Datastore:
        """A datastore that follows the workspace and has caught up with it."""
        datastore = self.open(reconcile_s)
        datastore.watch()
        datastore.refresh()
        wait_until(lambda: datastore.status().watching, "it watches")
        return datastore

    def write(self, files: Mapping[str, str | bytes]) -> None:
        write_files(self.root, files)

    def texts(self, *left_out: str) -> dict[str, list[int]]:
        """What should be indexed: every regular file below the root but these, none of it hidden."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if path.is_file() and not path.is_symlink() and not name.startswith(".") and name not in left_out:
                found[name] = self.tokenizer.encode(path.read_text())
        return found

    def holds(self, datastore: Datastore) -> dict[str, list[int]]:
        """What is indexed."""
        return documents_of(datastore._snapshot.generation)

    def wait_for(self, datastore: Datastore, *left_out: str, seconds: float = 60.0) -> None:
        """Until it holds what the folder holds."""
        wait_until(lambda: self.holds(datastore) == self.texts(*left_out), "it holds what the folder holds", seconds)

    def check(self, datastore: Datastore, *left_out: str) -> None:
        """It holds exactly the workspace, and lookups equal a scan of it."""
        expected = self.texts(*left_out)
        assert self.holds(datastore) == expected
        check_oracle(asking(datastore), expected)

    def store_files(self) -> list[Path]:
        return [path for path in self.cache.rglob("*") if path.is_file()]

    def close(self) -> None:
        for datastore in self._opened:
            datastore.close()


def run_in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked process; its exit code, negative when a signal ended it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - nothing may get past the end of the child
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def kill_me() -> None:
    """Nothing after this runs, no handler and no buffer."""
    os.kill(os.getpid(), signal.SIGKILL)
