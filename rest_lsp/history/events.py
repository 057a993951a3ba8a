"""What is written down: numbers, names of files, places, shapes.  Code only in `Node.text`, which is usually None."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Node(NamedTuple):
    """A drafted token as the engine verified it.

    parent        index of the node above, -1 for the last decided token
    probability   chance that was given to the whole path down to here
    line          zero-based; None when that text has gone, or when nothing was read anywhere
    """

    parent: int
    depth: int
    probability: float
    accepted: bool
    source: str
    path: str
    line: int | None
    text: str | None = None


class Pass(NamedTuple):
    """A forward pass: `rows` tokens went through the model, `tokens` were decided and used; accept is within verify."""

    rows: int
    tokens: int
    draft_ms: float
    verify_ms: float
    accept_ms: float
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Completion:
    """What the model did for one request.  `saved_ms` is None where the cost of plain decoding is not known."""

    model: str
    tokens: int
    forwards: int
    drafted: int
    accepted: int
    prompt_tokens: int
    reused: int
    prefill_ms: float
    decode_ms: float
    saved_ms: float | None
    passes: tuple[Pass, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data, passes and nodes as objects with names."""
        passes = [{**each._asdict(), "nodes": [node._asdict() for node in each.nodes]} for each in self.passes]
        return {**asdict(self), "passes": passes}


@dataclass(frozen=True)
class Request:
    """One request and how it ended; `completion` is None when the model was not asked.

    at          seconds since the epoch
    workspace   its root, "" for none; `path` is the document
    suggestion  by which `Taken` and `Shown` name it
    """

    at: float
    workspace: str
    path: str
    outcome: str
    wait_ms: float
    from_cache: bool = False
    suggestion: str | None = None
    completion: Completion | None = None


class Shown(NamedTuple):
    """A suggestion was shown for the first time, or was not after all (-1)."""

    at: float
    workspace: str
    times: int = 1


class Taken(NamedTuple):
    """A suggestion was taken, or a part of it: characters that nobody typed.  -1 takes back what was counted before."""

    at: float
    workspace: str
    suggestion: str
    characters: int
    times: int = 1


@dataclass(frozen=True)
class Sample:
    """What a serving process is and holds now; `state` is plain data for people."""

    at: float
    workspace: str
    memory_bytes: int | None = None
    kv_bytes: int | None = None
    store_bytes: int | None = None
    state: dict[str, Any] = field(default_factory=dict)


Event = Request | Shown | Taken | Sample
