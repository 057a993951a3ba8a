"""Made-up histories: completions of any shape from a seed.  And all that a record says."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rest_lsp.history.events import Completion, Event, Node, Pass, Request, Sample, Shown, Taken
from rest_lsp.history.schema import open_to_read

FILES = tuple(f"src/module_{number:03}.py" for number in range(40))
SOURCES = ("document", "repository", "completions")
STEP_COST = ((1, 24.0), (2, 26.4), (4, 31.0), (8, 42.0), (16, 66.0))
DATASTORE = {
    "path": "/home/me/.cache/rest-lsp/datastores/project-1",
    "tokens": 812345,
    "files": 1204,
    "segments": 4,
    "dead_tokens": 31000,
    "segment_tokens": [[700000, 20000], [90000, 11000], [20345, 0], [2000, 0]],
    "disk_bytes": 9 << 20,
    "watching": True,
    "watcher": "events",
    "indexing": False,
    "in_memory": False,
    "notices": [],
    "buffers": 3,
}
STATE = {
    "model": "qwen2.5-coder-0.5b",
    "device": "cpu",
    "dtype": "int8",
    "threads": 2,
    "kv_bytes": 48 << 20,
    "step_cost": {"64": STEP_COST},
    "datastore": DATASTORE,
}


def nodes(draw: random.Random, n: int, *, with_text: bool = False) -> tuple[Node, ...]:
    """A tree of `n` nodes of random shape with one accepted path."""
    made: list[Node] = []
    end = -1
    for number in range(n):
        parent = draw.randrange(-1, number) if number else -1
        above = made[parent] if parent >= 0 else None
        probability = (above.probability if above else 1.0) * draw.uniform(0.3, 0.95)
        is_accepted = parent == end and draw.random() < probability
        end = number if is_accepted else end
        depth = above.depth + 1 if above else 1
        text = f" word{number}" if with_text else None
        source, path = draw.choice(SOURCES), draw.choice(FILES)
        made.append(Node(parent, depth, probability, is_accepted, source, path, draw.randrange(400), text))
    return tuple(made)


def completion(
    draw: random.Random, *, most_nodes: int = 4, most_passes: int = 12, with_text: bool = False
) -> Completion:
    passes = []
    for _ in range(draw.randint(1, most_passes)):
        tree = nodes(draw, draw.randint(0, most_nodes), with_text=with_text)
        accepted = sum(node.accepted for node in tree)
        verify_ms = 23.0 + 2.5 * len(tree) + draw.random()
        passes.append(Pass(1 + len(tree), 1 + accepted, draw.uniform(0.1, 0.4), verify_ms, 0.3, tree))
    drafted = sum(len(each.nodes) for each in passes)
    tokens = sum(each.tokens for each in passes)
    decode_ms = sum(each.draft_ms + each.verify_ms for each in passes)
    prompt_tokens = draw.randint(100, 768)
    return Completion(
        model="qwen2.5-coder-0.5b",
        tokens=tokens,
        forwards=len(passes),
        drafted=drafted,
        accepted=tokens - len(passes),
        prompt_tokens=prompt_tokens,
        reused=int(prompt_tokens * draw.random()),
        prefill_ms=draw.uniform(5, 200),
        decode_ms=decode_ms,
        saved_ms=24.0 * tokens - decode_ms,
        passes=tuple(passes),
    )


def history(
    seed: int, n: int, *, first: float, last: float, workspace: str = "/home/me/project", traced: float = 1.0
) -> Iterator[Event]:
    """About `n` events between two times, in their order: requests, what was shown and taken, samples.

    Of the completions the share `traced` has its passes.
    """
    draw = random.Random(seed)
    known = [completion(draw) for _ in range(200)]
    yield Sample(first, workspace, 900 << 20, 48 << 20, 9 << 20, STATE)
    for number in range(n):
        at = first + (last - first) * number / n
        kind = draw.random()
        name = f"s{number}"
        if kind < 0.6:
            asked = draw.choice(known)
            asked = asked if draw.random() < traced else replace(asked, passes=())
            wait_ms = draw.lognormvariate(5.3, 0.6)
            yield Request(at, workspace, draw.choice(FILES), "returned", wait_ms, suggestion=name, completion=asked)
        elif kind < 0.75:
            yield Request(at, workspace, draw.choice(FILES), "returned", 1.0, from_cache=True, suggestion=name)
        elif kind < 0.8:
            yield Request(at, workspace, draw.choice(FILES), "cancelled", 80.0)
        elif kind < 0.95:
            yield Shown(at, workspace)
        else:
            yield Taken(at, workspace, f"s{number - draw.randint(1, 9)}", draw.randint(5, 90))
        if number % 500 == 499:
            yield Sample(at, workspace, (900 + number % 90) << 20, 48 << 20, 9 << 20, STATE)


def everything_in(record: Path) -> str:
    """Every cell of every table, what is compressed as text."""
    connection = open_to_read(record)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    cells = [cell for table in tables for row in connection.execute(f"SELECT * FROM {table}") for cell in row]
    return json.dumps([zlib.decompress(cell).decode() if isinstance(cell, bytes) else cell for cell in cells])
