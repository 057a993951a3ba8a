"""What of a workspace is indexed, and what was left out and why: file by file, for whoever wants to be sure.

Looks at the workspace and at the datastore as it is on disk; changes neither.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rest_lsp.datastore.generation import Generation
from rest_lsp.datastore.listing import Listing
from rest_lsp.datastore.rules import VENDORED_DIRECTORIES, IndexRules
from rest_lsp.datastore.secrets import without_secrets
from rest_lsp.datastore.source_file import Unreadable, indexable_text, read_content, text_of


@dataclass(frozen=True)
class AuditEntry:
    """One file, or one folder (its path ends with a slash) that is not looked into.

    reason         why it is left out; None when it may be indexed
    indexed        whether the datastore holds it now
    secret_lines   lines that are left out of what is indexed of it
    """

    path: str
    reason: str | None
    indexed: bool
    tokens: int = 0
    secret_lines: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def audit(root: Path, rules: IndexRules, generation: Generation) -> Iterator[AuditEntry]:
    """Every file below `root`, by path, and every document of the datastore that has no file.  Raises DatastoreError.

    Reads all files that may be indexed: some seconds for some thousand.
    """
    held = {
        live.segment.paths[document]: live.segment.document_tokens(document)
        for live in generation.segments
        for document in live.live_documents
    }
    listed = set(Listing(root, rules).files())
    for path in _walk(root):
        tokens = held.pop(path, None)
        reason, secret_lines = _judge(root, path, rules, is_listed=path in listed)
        yield AuditEntry(path, reason, tokens is not None, tokens or 0, secret_lines)
    for path, tokens in sorted(held.items()):
        yield AuditEntry(path, "missing", indexed=True, tokens=tokens)


def _judge(root: Path, path: str, rules: IndexRules, *, is_listed: bool) -> tuple[str | None, int]:
    """Why the file is left out, or None, and the number of its lines that are."""
    if path.endswith("/"):
        return "vendored", 0
    if verdict := rules.path_verdict(path):
        return verdict, 0
    if not is_listed:
        return "ignored", 0
    content = read_content(root, path, rules)
    if isinstance(content, Unreadable):
        return content.reason, 0
    text = indexable_text(content.data)
    if isinstance(text, Unreadable):
        return text.reason, 0
    whole = text_of(content.data)
    kept = without_secrets(whole)
    return None, sum(1 for before, after in zip(whole.split("\n"), kept.split("\n"), strict=False) if before != after)


def _walk(root: Path) -> Iterator[str]:
    """Files by path; folders that are never looked into as "name/"."""
    for folder, directories, files in os.walk(root):
        relative = Path(folder).relative_to(root)
        passed_by = sorted(VENDORED_DIRECTORIES.intersection(directories))
        directories[:] = sorted(set(directories).difference(passed_by))
        yield from ((relative / name).as_posix() + "/" for name in passed_by)
        yield from ((relative / name).as_posix() for name in sorted(files))
