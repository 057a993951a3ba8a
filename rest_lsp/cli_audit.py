"""The index in words: what is in and what was left out, and how its segments are doing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from rest_lsp.cli_terminal import print_text
from rest_lsp.datastore.audit import AuditEntry


def print_audit(entries: Iterable[AuditEntry]) -> None:
    """One line per file: those that are in, those that were left out by reason, those that another run changes."""
    groups: dict[str, list[AuditEntry]] = defaultdict(list)
    wrong = []
    for entry in entries:
        if entry.indexed == (entry.reason is None):
            groups[entry.reason or ""].append(entry)
        else:
            wrong.append(entry)
    for entry in groups.pop("", []):
        note = f", {entry.secret_lines} lines with secrets left out" if entry.secret_lines else ""
        print_text(f"in   {entry.path} ({entry.tokens:,} tokens{note})")
    for reason, left_out in sorted(groups.items()):
        for entry in left_out:
            print_text(f"out  {entry.path} ({reason})")
    for entry in wrong:
        what = f"in, although it is {entry.reason}" if entry.indexed else "not in yet"
        print_text(f"?    {entry.path} ({what}; run `rest-lsp index` again)")


def print_segments(datastore: dict[str, Any]) -> None:
    """Size, share of dead text and age, from the status of a datastore."""
    segments = datastore.get("segment_tokens") or []
    if not segments:
        return
    total = datastore["tokens"] + datastore["dead_tokens"]
    disk_bytes = datastore["disk_bytes"]
    print_text(
        f"           {disk_bytes / 1e6:,.1f} MB on disk, {disk_bytes / max(total, 1):.1f} bytes per token, "
        f"{100 * datastore['dead_tokens'] / max(total, 1):.0f} % dead, changed {_ago(datastore['age_s'])}"
    )
    for living, dead in segments:
        print_text(f"           segment of {living:,} tokens" + (f" and {dead:,} dead ones" if dead else ""))
    watching = {
        "events": "changes on disk are followed",
        "comparing": "changes on disk are found by comparing only; raise fs.inotify.max_user_watches",
        "none": "nobody watches; an editor's server does",
    }[datastore["watcher"]]
    compared = f", last compared {_ago(datastore['compared_s'])}" if datastore["compared_s"] is not None else ""
    print_text(f"           {watching}{compared}")
    for name, tokens in datastore["tiers"]:
        print_text(f"           {name}: {tokens:,} tokens")
    for notice in datastore["notices"]:
        print_text(f"           {notice}")


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    for limit, size, name in ((90, 1, "seconds"), (5_400, 60, "minutes"), (172_800, 3_600, "hours")):
        if seconds < limit:
            return f"{seconds / size:.0f} {name} ago"
    return f"{seconds / 86_400:.0f} days ago"
