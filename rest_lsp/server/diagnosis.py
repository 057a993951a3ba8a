"""The examination of the installation for an editor: the checks of `rest-lsp doctor`, and the running model itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.trial import Judgement, judge, try_out
from rest_lsp.config_sources import Loaded
from rest_lsp.errors import Cancelled
from rest_lsp.server.backend import Backend, CompletionService, Finding, Session
from rest_lsp.server.logs import where
from rest_lsp.server.worker import Worker

COMPLETION = "completion"
_STATES = {"ok": "ok", "warn": "warning", "fail": "failed"}


class _Completion(NamedTuple):
    """What a completion by the running model says."""

    status: str
    reason: str
    fix: str
    name: str = COMPLETION


class Triable(Protocol):
    """What is tried out of a session."""

    @property
    def service(self) -> CompletionService: ...
    def status(self) -> dict[str, Any]: ...


class Diagnosis:
    """Runs the checks in a thread of their own; the last one takes its turn in the model's thread."""

    def __init__(
        self, backend: Backend, errands: Worker, engine: Worker, find_session: Callable[[], Session | None]
    ) -> None:
        """`find_session` is asked when a session is needed, so that none is held while another one is opened."""
        self._backend = backend
        self._errands = errands
        self._engine = engine
        self._find_session = find_session

    async def run(self, loaded: Loaded, root: Path | None) -> list[dict[str, Any]]:
        """All findings as plain data."""
        found = await self._errands.post("doctor", lambda _: list(self._backend.examine(loaded, root)))
        tried = await self.try_out()
        return [_plain(finding) for finding in (*found, _Completion(*tried))]

    async def try_out(self) -> Judgement:
        """One completion by the running model, drafted and plain."""
        return await try_model(self._engine, self._find_session)


async def try_model(engine: Worker, find_session: Callable[[], Triable | None]) -> Judgement:
    """One completion by the model of a session, drafted and plain."""

    def work(cancel: CancelToken) -> Judgement:
        session = find_session()
        if session is None:
            return Judgement("warn", "No model is loaded.", "See the status for the reason.")
        return judge(try_out(session.service, cancel), device=session.status()["device"])

    try:
        return await engine.post("doctor", work)
    except Cancelled:
        return Judgement("warn", "It was interrupted.", "Run the checks again.")
    except Exception as error:  # noqa: BLE001 - what goes wrong is the finding
        return Judgement("fail", f"The model fails ({where(error)}).", "Restart the server.")


def _plain(finding: Finding) -> dict[str, Any]:
    fix = finding.fix if finding.status != "ok" else ""
    return {"name": finding.name, "state": _STATES[finding.status], "text": finding.reason, "fix": fix or None}
