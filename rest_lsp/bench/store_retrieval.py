"""How long a lookup and a draft take by the size of the datastore, while segments merge, and beside other methods."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from rest_lsp.bench.store_rivals import infini_gram, rest_rule
from rest_lsp.bench.store_text import Corpus
from rest_lsp.datastore.generation import Generation, LiveSegment
from rest_lsp.datastore.occurrence import Rows
from rest_lsp.datastore.segment import NewDocument, Segment
from rest_lsp.datastore.snapshot import Snapshot
from rest_lsp.drafting.cost_model import FixedBudget
from rest_lsp.drafting.datastore_source import DatastoreSource
from rest_lsp.drafting.traits import REPOSITORY
from rest_lsp.drafting.tree_drafter import TreeDrafter

NODES = 32
STALL_MS = 2.0
SEGMENTS, DEAD_EVERY = 12, 10
FINGERPRINT = bytes(16)
Ask = Callable[[Sequence[int]], object]


@dataclass(frozen=True)
class Latency:
    """Milliseconds over all contexts; `cpu_` are processor time, which other programs do not add to."""

    name: str
    tokens: int
    segments: int
    p50: float
    p99: float
    maximum: float
    cpu_p50: float
    cpu_p99: float
    stalls: int
    queries: int

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


class Searchable:
    """A snapshot with the defaults of a datastore."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def find(
        self, context: Sequence[int], *, depth: int, max_length: int = 16, limit: int = 64, exclude: str | None = None
    ) -> Rows:
        return self._snapshot.find(
            context, depth=depth, max_length=max_length, min_length=1, limit=limit, exclude=exclude, time_limit_ms=0.8
        )


def measure(corpus: Corpus, sizes: Sequence[int], tell: Callable[[str], None]) -> Iterator[Latency]:
    """Few segments at each size; then the largest size in many, with dead documents, beside a merge; then rivals."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in sizes:
            tell(f"sorting {size:,} tokens")
            snapshot = arranged(folder, first_tokens(corpus.documents, size), parts(size), dead_every=0)
            yield from both(snapshot, corpus, f"{size / 1e6:g} M tokens")
        tell(f"sorting {SEGMENTS} segments with {100 // DEAD_EVERY} % dead documents")
        many = [1 << max(0, SEGMENTS - 2 - number) for number in range(SEGMENTS)]
        worn = arranged(folder, first_tokens(corpus.documents, sizes[-1]), many, dead_every=DEAD_EVERY)
        yield from both(worn, corpus, f"{SEGMENTS} segments, {100 // DEAD_EVERY} % dead")
        tell("the same beside a merge")
        with merging(worn, folder):
            yield from both(worn, corpus, "the same while a merge runs")
        tell("REST's rule")
        yield timed("REST's rule, lookup and tree", worn, corpus.contexts[:300], rest_rule(worn))
        if engine := infini_gram(folder / "infini-gram", corpus.documents, sizes[-1]):
            tell("infini-gram")
            yield timed("infini-gram, next tokens", worn, corpus.contexts[:300], engine)


def both(snapshot: Snapshot, corpus: Corpus, name: str) -> Iterator[Latency]:
    """Lookups alone, and lookups with the making of a tree."""
    source = DatastoreSource(Searchable(snapshot), lambda _: REPOSITORY, exclude=None)
    yield timed(f"{name}: lookup", snapshot, corpus.contexts, lambda context: source.propose(context, 8))

    def draft(context: Sequence[int]) -> object:
        return TreeDrafter([source], FixedBudget(NODES)).draft(context, len(context), None)

    yield timed(f"{name}: draft", snapshot, corpus.contexts, draft)


def timed(name: str, snapshot: Snapshot, contexts: Sequence[Sequence[int]], ask: Ask) -> Latency:
    """Each context once, after a warm-up with others."""
    for context in contexts[:50]:
        ask(context[:-7])
    spent, busy = [], []
    for context in contexts:
        started, cpu = time.perf_counter(), time.thread_time()
        ask(context)
        busy.append(1000 * (time.thread_time() - cpu))
        spent.append(1000 * (time.perf_counter() - started))
    tokens = sum(live.segment.n_tokens for live in snapshot.generation.segments)
    p50, p99 = (float(value) for value in np.percentile(spent, [50, 99]))
    cpu_p50, cpu_p99 = (float(value) for value in np.percentile(busy, [50, 99]))
    stalls = sum(one > STALL_MS for one in spent)
    n_segments = len(snapshot.generation.segments)
    return Latency(name, tokens, n_segments, p50, p99, max(spent), cpu_p50, cpu_p99, stalls, len(spent))


def first_tokens(documents: Sequence[NewDocument], n_tokens: int) -> list[NewDocument]:
    """The documents at the beginning, up to so many tokens."""
    ends = np.cumsum([len(document.ids) for document in documents])
    return list(documents[: int(np.searchsorted(ends, n_tokens)) + 1])


def parts(size: int) -> list[int]:
    """Relative sizes of segments as merging leaves them: one of up to 8 M tokens, and smaller ones."""
    return [12, 3, 1] if size > 2_000_000 else [12, 1]


def arranged(folder: Path, documents: Sequence[NewDocument], shares: Sequence[int], dead_every: int) -> Snapshot:
    """Segments on disk of relative sizes `shares`; in each, every so manyth document is dead."""
    borders = np.cumsum([0, *shares]) * len(documents) // sum(shares)
    live = []
    for start, stop in pairwise(borders):
        chosen = documents[start:stop]
        if not chosen:
            continue
        path = folder / f"{len(documents)}-{len(shares)}-{start}.seg"
        path.write_bytes(Segment.build(path.name, chosen, FINGERPRINT).data)
        dead = frozenset(range(0, len(chosen), dead_every)) if dead_every else frozenset()
        live.append(LiveSegment(Segment.open(path, FINGERPRINT), dead))
    return Snapshot(Generation(1, tuple(live)))


MERGE = """
import sys
from pathlib import Path
from rest_lsp.datastore.generation import LiveSegment
from rest_lsp.datastore.merge import merge_segments
from rest_lsp.datastore.segment import Segment
from rest_lsp.datastore.worker import NICENESS
from rest_lsp.priority import give_way
give_way(NICENESS)
sources = [LiveSegment(Segment.open(Path(name), bytes(16))) for name in sys.argv[1:]]
print(flush=True)
while True:
    merge_segments("merged", sources, bytes(16))
"""


@contextmanager
def merging(snapshot: Snapshot, folder: Path) -> Iterator[None]:
    """A process that merges the largest segments over and over, and gives way, as the worker would once."""
    largest = sorted(snapshot.generation.segments, key=lambda live: -live.segment.n_tokens)[:3]
    paths = [str(folder / live.segment.name) for live in largest]
    with subprocess.Popen([sys.executable, "-c", MERGE, *paths], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None, "it has a pipe"
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()
