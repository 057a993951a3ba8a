"""A session that `rest-lsp record` kept, sent again to a new server at the same times.

Nothing is known of what was meant to be written, so only times and shares come of it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rest_lsp.bench.keystroke_replay import KeyEvent
from rest_lsp.bench.keystroke_report import ArmFigures
from rest_lsp.bench.lsp_process import Answer, LspProcess
from rest_lsp.bench.server_outcomes import read_outcomes
from rest_lsp.errors import RestLspError

RECORDED = "recorded"
LONGEST_PAUSE_S = 3.0
"""Somebody who went for a coffee is not waited for."""
_REQUEST, _CANCEL = "textDocument/inlineCompletion", "$/cancelRequest"


class Sent(NamedTuple):
    """A message, and the seconds that passed since the one before."""

    pause_s: float
    message: dict[str, Any]


def replay_recording(path: Path, overrides: Mapping[str, object]) -> tuple[list[KeyEvent], ArmFigures]:
    """Raises RestLspError when the file is no recording."""
    first, *messages = read_recording(path)
    with tempfile.TemporaryDirectory(prefix="rest-lsp-bench-") as folder:
        kept = Path(folder) / "session.jsonl"
        with LspProcess([sys.executable, "-m", "rest_lsp", "record", str(kept)]) as process:
            process.ask("initialize", {"capabilities": {}, "initializationOptions": dict(overrides)} | _params(first))
            process.notify("initialized", {})
            process.wait_until_ready()
            events = _sent_again(process, messages, path.name)
            stats = process.ask("workspace/executeCommand", {"command": "rest.stats", "arguments": []})
        outcomes = read_outcomes(kept)
    for event in events:
        found = outcomes.get((event.case, event.version))
        event.source = found.source if found is not None else "rule"
    return events, ArmFigures().of_server(stats)


def read_recording(path: Path) -> list[Sent]:
    """The messages in their order; the first is `initialize`."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        is_recording = "rest_lsp_recording" in rows[0]
        timed = [(float(row["at"]), dict(row["message"])) for row in rows[1:] if "message" in row]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RestLspError(
            f"The recording {path} cannot be read: {error}.", "Make one with rest-lsp record."
        ) from error
    if not is_recording or not timed or timed[0][1].get("method") != "initialize":
        raise RestLspError(f"{path} is no recording of a session.", "Make one with rest-lsp record.")
    found, before_s = [], timed[0][0]
    for at_s, message in timed:
        found.append(Sent(min(LONGEST_PAUSE_S, max(0.0, at_s - before_s)), message))
        before_s = at_s
    return found


def _sent_again(process: LspProcess, messages: Sequence[Sent], name: str) -> list[KeyEvent]:
    numbers: dict[object, int] = {}
    asked: list[tuple[int, float, KeyEvent]] = []
    versions: dict[str, int] = {}
    start_s = due_s = time.perf_counter()
    for pause_s, message in messages:
        due_s += pause_s
        time.sleep(max(0.0, due_s - time.perf_counter()))
        method, params = message["method"], _params(Sent(pause_s, message))
        if method == _CANCEL:
            process.notify(method, {"id": numbers.get(params.get("id"), 0)})
        elif method == _REQUEST:
            uri = params["textDocument"]["uri"]
            at_s = time.perf_counter()
            numbers[message["id"]] = number = process.post(method, params)
            event = KeyEvent(RECORDED, name, uri, versions.get(uri, 0), at_s - start_s)
            asked.append((number, at_s, event))
        else:
            versions.update((each["uri"], each.get("version", 0)) for each in _documents(params))
            process.notify(method, params)
    return list(_events(process, asked))


def _documents(params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Those that a message opens, changes or closes, be they cells of a notebook or not."""
    if "textDocument" in params:
        yield params["textDocument"]
    yield from params.get("cellTextDocuments") or ()
    cells = params.get("change", {}).get("cells") or {}
    yield from (cells.get("structure") or {}).get("didOpen") or ()
    for edit in cells.get("textContent") or ():
        yield edit["document"]


def _events(process: LspProcess, asked: Sequence[tuple[int, float, KeyEvent]]) -> Iterator[KeyEvent]:
    for number, at_s, event in asked:
        answer: Answer = process.wait_for(number)
        event.gap_ms = 1e3 * (answer.at_s - at_s)
        if answer.error is None and answer.result is not None:
            event.latency_ms = event.gap_ms
            event.n_shown = len(answer.result[0]["insertText"]) if answer.result else 0
        elif answer.error is not None and answer.error.get("code") != -32800:
            event.error = str(answer.error.get("message"))
        yield event


def _params(sent: Sent) -> dict[str, Any]:
    return dict(sent.message.get("params") or {})
