"""What a client sent and what became of its requests, for `rest-lsp record`: a file that only its owner can read.

It holds code, since a session cannot be replayed without; nothing is kept unless somebody asks for it by that command.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from rest_lsp.completion.request import CompletionResult, Outcome
from rest_lsp.datastore.rules import is_secret
from rest_lsp.errors import ConfigError

FORMAT = 1
_EVENTS = ("didOpen", "didChange", "didClose")
_KEPT = frozenset(
    {"textDocument/inlineCompletion", "$/cancelRequest", "initialize"}
    | {f"{kind}/{event}" for kind in ("textDocument", "notebookDocument") for event in _EVENTS}
)


class Transcript:
    """One JSON object per line: first what the file is, then messages and outcomes with seconds since the start."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when the file is there already or cannot be made."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise ConfigError(f"{path} is there already.", "Name a new file to record to.") from error
        except OSError as error:
            message = f"Nothing can be recorded to {path}: {error.strerror or error}."
            raise ConfigError(message, "Name a file in a folder that can be written.") from error
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
        self._start_s = time.monotonic()
        self._file.write(json.dumps({"rest_lsp_recording": FORMAT, "started": time.time()}) + "\n")

    def received(self, frame: bytes) -> None:
        """A message came; what has nothing to do with completing code is not kept, nor are files of secrets."""
        try:
            message = json.loads(frame)
        except ValueError:
            return
        if not isinstance(message, dict) or message.get("method") not in _KEPT or is_secret(_uri_of(message)):
            return
        if message["method"] == "initialize":
            message["params"] = {key: message["params"].get(key) for key in ("rootUri", "workspaceFolders")}
        self._write({"message": message})

    def judged(
        self, uri: str, version: int | None, outcome: Outcome, wait_ms: float, result: CompletionResult | None,
        *, from_cache: bool,
    ) -> None:  # fmt: skip
        """What became of the request for this version of the document."""
        cost: dict[str, Any] = {}
        if result is not None and not from_cache:
            cost = {
                "tokens": result.tokens,
                "forwards": result.forwards,
                "prefill_ms": round(result.prefill_ms, 2),
                "decode_ms": round(result.decode_ms, 2),
                "prompt_tokens": result.prompt_tokens,
                "reused": result.reused,
                "stop": result.stop.value if result.stop else None,
            }
        self._write(
            {"outcome": outcome.value, "uri": uri, "version": version, "wait_ms": round(wait_ms, 2),
             "from_cache": from_cache, **cost}
        )  # fmt: skip

    def close(self) -> None:
        self._file.close()

    def _write(self, row: dict[str, Any]) -> None:
        if not self._file.closed:
            self._file.write(json.dumps({"at": round(time.monotonic() - self._start_s, 5), **row}) + "\n")


def _uri_of(message: dict[str, Any]) -> str:
    params = message.get("params")
    named = (params.get("textDocument"), params.get("notebookDocument")) if isinstance(params, dict) else ()
    document = next((each for each in named if each is not None), None)
    return str(document.get("uri", "")) if isinstance(document, dict) else ""
