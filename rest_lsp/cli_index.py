"""`rest-lsp index` and `rest-lsp status`: the datastore of a workspace, without loading a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rest_lsp.cli_audit import print_audit, print_segments
from rest_lsp.cli_options import JsonOption, Overrides, WorkspaceOption, settings_for, takes_options
from rest_lsp.cli_terminal import print_json, print_text, progress_bars
from rest_lsp.config import Settings
from rest_lsp.errors import ConfigError
from rest_lsp.models.progress import ProgressEvent
from rest_lsp.models.tokenizer_file import converted_forms, find_tokenizer
from rest_lsp.workspace import (
    find_root,
    likely_device,
    likely_dtype,
    model_name,
    model_store,
    open_datastore,
    require_folder,
    tokenizer_path,
)


@takes_options("model", "device", "datastore")
def index(
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Afterwards list what is in, and what was left out and why.")
    ] = False,
    *,
    overrides: Overrides,
) -> None:
    """Build or refresh the index that drafts come from.

    Only what has changed is read again. Never indexed: what git ignores, .restlspignore, what looks like a secret,
    generated, vendored, minified, binary or very large files.

        rest-lsp index

        rest-lsp index --workspace ~/src/flask --json

        rest-lsp index --audit
    """
    root = workspace_root(workspace)
    settings = settings_for(root, overrides)
    if not settings.datastore.enabled:
        raise ConfigError("datastore.enabled is false, so there is no index.", "Set it to true for this workspace.")
    with progress_bars() as progress:
        datastore = open_datastore(settings, root, tokenizer_path(settings, progress))
        try:
            report = datastore.refresh(
                lambda event: progress(ProgressEvent(event.stage, event.done, event.total, "files"))
            )
            path = datastore.status().path
            audited = sorted(datastore.audit(), key=lambda entry: entry.path) if audit else []
        finally:
            datastore.close()
    if json:
        listed = {"audit": [entry.to_json() for entry in audited]} if audit else {}
        print_json({"workspace": str(root), "path": path, **report.to_json(), **listed})
        return
    if audit:
        print_audit(audited)
    print_text(
        f"{root}: {report.files:,} files, {report.tokens:,} tokens in {report.segments} segments "
        f"({report.added} new, {report.changed} changed, {report.removed} removed, {report.seconds:.1f} s)"
    )
    if report.skipped:
        print_text("left out: " + ", ".join(f"{count} {reason}" for reason, count in sorted(report.skipped.items())))
    if not report.is_writer:
        print_text("Another process, probably your editor's server, keeps this index current; it was left to it.")


@takes_options("model", "device", "datastore")
def status(workspace: WorkspaceOption = None, json: JsonOption = False, *, overrides: Overrides) -> None:
    """Show what is there for a workspace: model, device, index.

    Looks at the disk only. A running server tells its own state to its editor.

        rest-lsp status --json
    """
    root = workspace_root(workspace)
    found = workspace_status(settings_for(root, overrides), root)
    if json:
        print_json(found)
        return
    datastore = found["datastore"]
    print_text(f"workspace  {root}")
    print_text(f"state      {found['state']}" + (f": {found['reason']} {found['fix']}" if found["reason"] else ""))
    print_text(f"model      {found['model']}")
    print_text(f"device     {found['device']} ({found['dtype']})")
    print_text(
        f"index      {datastore['files']:,} files, {datastore['tokens']:,} tokens in {datastore['segments']} segments"
    )
    print_text(f"           {datastore['path']}")
    print_segments(datastore)


def workspace_status(settings: Settings, root: Path) -> dict[str, Any]:
    """Plain data for `status --json`; "state" is ready, not_indexed or no_model.  Raises ModelError, DatastoreError."""
    name = model_name(settings)
    is_here = bool(converted_forms(name, settings.model.cache_dir)) or model_store(settings).path(name) is not None
    tokenizer = find_tokenizer(name, settings.model.cache_dir)
    datastore: dict[str, Any] = {"path": str(settings.datastores_dir), "tokens": 0, "files": 0, "segments": 0}
    if tokenizer is not None and settings.datastore.enabled:
        opened = open_datastore(settings, root, tokenizer)
        datastore = opened.status().to_json()
        opened.close()
    state, reason, fix = "ready", None, None
    if not is_here:
        state, reason, fix = "no_model", f"The model {name} is not on this machine.", "Run `rest-lsp models pull`."
    elif settings.datastore.enabled and not datastore["files"]:
        state, reason, fix = "not_indexed", "The workspace has no index yet.", "Run `rest-lsp index`."
    return {
        "state": state,
        "reason": reason,
        "fix": fix,
        "workspace": str(root),
        "model": name,
        "device": likely_device(settings),
        "dtype": likely_dtype(settings),
        "datastore": datastore,
    }


def workspace_root(workspace: Path | None) -> Path:
    """The folder that was named, or the project around the working directory.  Raises ConfigError."""
    return require_folder(workspace) if workspace else find_root(Path.cwd())
