"""The last completions, one by one, and all that is known of each."""

from __future__ import annotations

import json
import sqlite3
import zlib
from typing import Any


def last_completions(
    connection: sqlite3.Connection, workspace: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Those whose trees are still kept, the newest first."""
    only = "" if workspace is None else f" WHERE workspace = {workspace:d}"
    rows = connection.execute(
        "SELECT requests.id, at, root, path, outcome, wait_ms, tokens, passes, drafted, accepted, saved_ms, taken"
        " FROM details JOIN requests ON requests.id = details.request JOIN workspaces ON workspaces.id = workspace"
        f"{only} ORDER BY details.request DESC LIMIT ?",
        (limit,),
    )
    return [dict(row) for row in rows]


def completion(connection: sqlite3.Connection, number: int) -> dict[str, Any] | None:
    """With all passes and their trees; None when it is not kept (any more)."""
    row = connection.execute(
        "SELECT requests.*, root, body FROM details JOIN requests ON requests.id = details.request"
        " JOIN workspaces ON workspaces.id = workspace WHERE details.request = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    known = dict(row)
    body = json.loads(zlib.decompress(known.pop("body")))
    return {**known, **body}
