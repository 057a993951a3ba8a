"""The examination of the installation for an editor: the checks of `rest-lsp doctor`, and the running model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import CompletionRequest, CompletionResult
from rest_lsp.config_sources import Loaded
from rest_lsp.errors import Cancelled
from rest_lsp.server.backend import Backend, CompletionService, Finding
from rest_lsp.server.logs import where
from rest_lsp.server.worker import Worker

_PROBE = "def add(first, second):\n    return "
_STATES = {"ok": "ok", "warn": "warning", "fail": "failed"}


class _Completion(NamedTuple):
    """What a completion by the running model says."""

    name: str
    status: str
    reason: str
    fix: str = ""


class Diagnosis:
    """Runs the checks in a thread of their own; the last one takes its turn in the model's thread."""

    def __init__(self, backend: Backend, errands: Worker, engine: Worker) -> None:
        self._backend = backend
        self._errands = errands
        self._engine = engine

    async def run(self, loaded: Loaded, root: Path | None, service: CompletionService | None) -> list[dict[str, Any]]:
        """All findings as plain data."""
        found = await self._errands.post("doctor", lambda _: list(self._backend.examine(loaded, root)))
        return [_plain(finding) for finding in (*found, await self._complete(service))]

    async def _complete(self, service: CompletionService | None) -> Finding:
        if service is None:
            return _Completion("completion", "warn", "No model is loaded.", "See the status for the reason.")

        def work(cancel: CancelToken) -> CompletionResult:
            return service.complete(CompletionRequest(_PROBE, len(_PROBE), language="python"), cancel)

        try:
            result = await self._engine.post("doctor", work)
        except Cancelled:
            return _Completion("completion", "warn", "It was interrupted.", "Run the checks again.")
        except Exception as error:  # noqa: BLE001 - what goes wrong is the finding
            return _Completion("completion", "fail", f"The model fails ({where(error)}).", "Restart the server.")
        if not result.tokens:
            return _Completion("completion", "fail", "The model wrote nothing for a function.", "Fetch it again.")
        took_ms = result.prefill_ms + result.decode_ms
        return _Completion(
            "completion", "ok", f"{result.tokens} tokens in {result.forwards} forward passes, {took_ms:.0f} ms."
        )


def _plain(finding: Finding) -> dict[str, Any]:
    fix = finding.fix if finding.status != "ok" else ""
    return {"name": finding.name, "state": _STATES[finding.status], "text": finding.reason, "fix": fix or None}
