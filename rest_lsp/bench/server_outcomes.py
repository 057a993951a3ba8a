"""What a recording says of each request: whether the model was asked, and what that took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class Judged(NamedTuple):
    """The server's own word on one request; `forwards` is 0 where the model was not asked or gave up."""

    outcome: str
    wait_ms: float
    from_cache: bool
    forwards: int
    prefill_ms: float
    decode_ms: float
    stop: str | None

    @property
    def source(self) -> str:
        """Who answered: the cache, the model, or a rule before it."""
        if self.from_cache:
            return "cache"
        return "model" if self.forwards or self.outcome in ("cancelled", "stale") else "rule"


def read_outcomes(path: Path) -> dict[tuple[str, int], Judged]:
    """By the document's URI and version.  Lines of a recording that is still written may be cut."""
    found: dict[tuple[str, int], Judged] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.endswith("}"):
            continue
        row = json.loads(line)
        if "outcome" in row and row["version"] is not None:
            found[row["uri"], row["version"]] = Judged(
                row["outcome"], row["wait_ms"], row["from_cache"], row.get("forwards", 0),
                row.get("prefill_ms", 0.0), row.get("decode_ms", 0.0), row.get("stop"),
            )  # fmt: skip
    return found
