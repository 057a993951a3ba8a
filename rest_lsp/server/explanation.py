"""Where a completion came from, for a person who wants to look there: files with links, and what it took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rest_lsp.completion.request import SourceUse
from rest_lsp.folders import is_uri
from rest_lsp.server.history import Record


def explain(record: Record | None) -> dict[str, Any] | None:
    """Plain data about a completion that the model was asked for; None when there is none."""
    if record is None or record.cost is None:
        return None
    cost = record.cost
    return {
        "tokens": cost.tokens,
        "forwards": cost.forwards,
        "accepted": cost.accepted,
        "prompt_tokens": cost.prompt_tokens,
        "reused": cost.reused,
        "prefill_ms": round(cost.prefill_ms, 1),
        "decode_ms": round(cost.decode_ms, 1),
        "retrieval_ms": round(cost.retrieval_ms, 1),
        "wait_ms": round(record.wait_ms, 1),
        "sources": [{**source._asdict(), "uri": uri_of(source, record.root)} for source in cost.sources],
    }


def uri_of(source: SourceUse, root: Path | None) -> str:
    """What opens the source: documents are named relative to the workspace, else absolutely, else by their URI."""
    path = Path(source.path)
    if path.is_absolute():
        return path.as_uri()
    if root is not None and not is_uri(source.path):
        return (root / path).as_uri()
    return source.path
