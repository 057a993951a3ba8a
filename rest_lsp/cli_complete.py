"""`rest-lsp complete`: one completion of a file on disk, as an editor would get it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rest_lsp.cancellation import CancelToken
from rest_lsp.cli_options import JsonOption, Overrides, WorkspaceOption, settings_for, takes_options
from rest_lsp.cli_terminal import print_json, print_text, progress_bars
from rest_lsp.completion.request import CompletionRequest, CompletionResult, Trigger
from rest_lsp.config import Settings
from rest_lsp.errors import RequestError
from rest_lsp.languages import language_of
from rest_lsp.models.progress import Progress, ProgressEvent
from rest_lsp.positions import Position, TextPositions
from rest_lsp.workspace import find_root, require_folder

if TYPE_CHECKING:
    from rest_lsp.assembly_session import Session


@takes_options("model", "device", "completion", "drafting", "datastore")
def complete(
    file: Annotated[Path, typer.Argument(help="The file to complete in.", show_default=False)],
    line: Annotated[int, typer.Option(min=0, help="Line of the cursor, from zero.", show_default=False)],
    column: Annotated[
        int, typer.Option(min=0, help="UTF-16 units before the cursor in its line, as in LSP.", show_default=False)
    ],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
    no_draft: Annotated[bool, typer.Option("--no-draft", help="Decode plainly. The text is the same.")] = False,
    *,
    overrides: Overrides,
) -> None:
    """Complete at one place in a file.

    Prints the text to insert, and with --json what it took and which files and lines its drafts came from.

        rest-lsp complete src/app.py --line 41 --column 8

        rest-lsp complete src/app.py --line 41 --column 8 --no-draft --json
    """
    root = require_folder(workspace) if workspace else find_root(file.absolute().parent)
    settings = settings_for(root, {**overrides, **({"drafting.enabled": False} if no_draft else {})})
    request = read_request(file, Position(line, column), root)
    with progress_bars() as progress:
        session = _open(settings, root, progress)
        try:
            result = session.service.complete(request, CancelToken())
            status = session.status()
        finally:
            session.close()
    if json:
        print_json(as_json(request, result, status))
    else:
        print_text(result.text)


def read_request(file: Path, position: Position, root: Path) -> CompletionRequest:
    """A request as an editor would make it.  Raises RequestError when file or place cannot be completed."""
    text = _read_text(file)
    try:
        offset = TextPositions(text).offset(position)
    except RequestError as error:
        raise RequestError(
            f"{file}: {error.message}", "Lines and columns count from zero; columns are UTF-16 units, as in LSP."
        ) from error
    resolved = file.resolve()
    path = resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else str(resolved)
    language = language_of(file)
    return CompletionRequest(text=text, offset=offset, path=path, language=language, trigger=Trigger.INVOKED)


def as_json(request: CompletionRequest, result: CompletionResult, status: dict[str, Any]) -> dict[str, object]:
    """The stable form of a result; `range` is what `text` replaces."""
    positions = TextPositions(request.text)
    start, end = positions.position(result.start), positions.position(result.end)
    return {
        "text": result.text,
        "range": {"start": start._asdict(), "end": end._asdict()},
        "outcome": result.outcome.value,
        "tokens": result.tokens,
        "token_ids": list(result.token_ids),
        "forwards": result.forwards,
        "accepted": result.accepted,
        "prefill_ms": round(result.prefill_ms, 3),
        "decode_ms": round(result.decode_ms, 3),
        "retrieval_ms": round(result.retrieval_ms, 3),
        "model": status["model"],
        "device": status["device"],
        "dtype": status["dtype"],
        "sources": [source._asdict() for source in result.sources],
    }


def _read_text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RequestError(
            f"The file {file} cannot be read: {error.strerror}.", "Name a text file that you may read."
        ) from error
    if b"\0" in content[:8192]:
        raise RequestError(f"The file {file} is not text.", "Name a source file in UTF-8.")
    return content.decode("utf-8-sig", errors="replace")


def _open(settings: Settings, root: Path, progress: Progress) -> Session:
    from rest_lsp.assembly_session import open_session

    session = open_session(settings, [root], progress)
    if session.datastore is not None and settings.drafting.enabled:
        session.datastore.refresh(lambda event: progress(ProgressEvent(event.stage, event.done, event.total, "files")))
    return session
