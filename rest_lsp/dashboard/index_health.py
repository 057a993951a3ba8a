"""What takes the page some seconds: what an index holds and leaves out, and the checks of the installation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rest_lsp.config_sources import load_settings
from rest_lsp.daemon.address import NoDaemon, runtime_address
from rest_lsp.daemon.joining import try_out
from rest_lsp.datastore.audit import AuditEntry
from rest_lsp.doctor import examine
from rest_lsp.doctor_machine import Check
from rest_lsp.errors import DatastoreError
from rest_lsp.models.tokenizer_file import find_tokenizer
from rest_lsp.workspace import model_name, open_datastore

_EXAMPLES = 20


def examine_index(root: Path) -> dict[str, Any]:
    """Reads the files of the workspace: some seconds for some thousand.  Raises RestLspError."""
    settings = load_settings(root).settings
    tokenizer = find_tokenizer(model_name(settings), settings.model.cache_dir)
    if tokenizer is None or not settings.datastore.enabled:
        raise DatastoreError(f"{root} has no index.", "Complete something there, or run `rest-lsp index`.")
    datastore = open_datastore(settings, root, tokenizer)
    try:
        return summed_up(datastore.audit())
    finally:
        datastore.close()


def check_installation(root: Path | None) -> list[dict[str, str]]:
    """Every check of `rest-lsp doctor`; the completion is by the model that editors have loaded, not by one more."""
    checks = [*examine(load_settings(root), root, with_completion=False), _completion_for_editors(root)]
    return [check._asdict() for check in checks]


def _completion_for_editors(root: Path | None) -> Check:
    try:
        tried = try_out(runtime_address(), str(root or ""))
    except NoDaemon:
        tried = None
    if tried is None:
        fix = "Open a file in an editor and check again, or run `rest-lsp doctor`."
        return Check("completion", "warn", "Not tried, as no shared process has a model loaded.", fix)
    return Check("completion", tried.status, tried.reason, tried.fix)


def summed_up(entries: Iterable[AuditEntry]) -> dict[str, Any]:
    """Counts, and the first few paths for each reason."""
    counts: Counter[str] = Counter()
    examples: defaultdict[str, list[str]] = defaultdict(list)
    n_indexed = n_waiting = n_secret_lines = 0
    for entry in entries:
        n_secret_lines += entry.secret_lines
        n_indexed += entry.indexed
        if entry.reason is None:
            n_waiting += not entry.indexed
            continue
        counts[entry.reason] += 1
        if len(examples[entry.reason]) < _EXAMPLES:
            examples[entry.reason].append(entry.path)
    return {
        "indexed": n_indexed,
        "waiting": n_waiting,
        "secret_lines": n_secret_lines,
        "left_out": [{"reason": reason, "n": n, "examples": examples[reason]} for reason, n in counts.most_common()],
    }
