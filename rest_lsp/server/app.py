"""The server, put together: protocol loop here, model in one thread, index in another, both behind plain data.

This is the composition root of the package; it decides nothing that its parts decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from rest_lsp.completion.request import Outcome
from rest_lsp.completion.trial import Judgement
from rest_lsp.config import Settings
from rest_lsp.languages import language_of
from rest_lsp.server.acceptance import Acceptance
from rest_lsp.server.backend import Backend, CompletionService, Session
from rest_lsp.server.buffers import BufferFeed
from rest_lsp.server.client import ClientMessages
from rest_lsp.server.commands import Commands
from rest_lsp.server.configuration import Configuration
from rest_lsp.server.diagnosis import Diagnosis
from rest_lsp.server.dialect import DID_FOCUS, DID_PARTIALLY_ACCEPT, DID_SHOW, SuggestionReports
from rest_lsp.server.editing import Editing
from rest_lsp.server.feedback import Messages
from rest_lsp.server.frames import BrokenFrame
from rest_lsp.server.history import History
from rest_lsp.server.inline_completion import Answer, InlineCompletion
from rest_lsp.server.lifetime import ParentWatch
from rest_lsp.server.logs import ClientLog, set_level, where
from rest_lsp.server.model_choice import ModelChoice
from rest_lsp.server.notebooks import SYNC_OPTIONS
from rest_lsp.server.offers import Offers
from rest_lsp.server.prewarm import Prewarmer
from rest_lsp.server.protocol import LifecycleProtocol, Phase
from rest_lsp.server.recorder import Recorder
from rest_lsp.server.session import SessionKeeper
from rest_lsp.server.stalls import PATIENCE, Patience
from rest_lsp.server.status import STATUS_REQUEST, StatusBoard, watch_stalls
from rest_lsp.server.transcript import Transcript
from rest_lsp.server.turns import TurnThread
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)


class RestLanguageServer(LanguageServer):
    """Connects the messages of the protocol with the parts that handle them."""

    protocol: LifecycleProtocol

    def __init__(
        self,
        backend: Backend,
        client_log: ClientLog,
        transcript: Transcript | None = None,
        *,
        model_thread: TurnThread | None = None,
        patience: Patience = PATIENCE,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """To be called on the event loop.

        With a `model_thread` it takes turns with other servers of this process, which then has no parent to watch.
        `on_lost` may do something about a pass that does not end within `patience`; without it people are told.
        """
        super().__init__(
            "rest-lsp",
            _package_version(),
            notebook_document_sync=SYNC_OPTIONS,
            protocol_cls=LifecycleProtocol,
            converter_factory=default_converter,
        )
        self._loop = asyncio.get_running_loop()
        self.left: asyncio.Future[int] = self._loop.create_future()
        self.protocol.exits = self
        self._client_log = client_log
        self._transcript = transcript
        self._client_name = ""
        self._configuration = Configuration(backend.load_settings)
        client = ClientMessages(self.protocol)
        self._messages = Messages(client)
        self._status = StatusBoard(client, self._messages)
        self._recorder = Recorder(self._session)
        self._history = History(self._recorder)
        self._acceptance = Acceptance(self._recorder.shown, self._recorder.taken)
        thread = model_thread or TurnThread("rest-lsp-engine")
        self._engine = Worker("rest-lsp-engine", on_busy=self._status.busy, thread=thread)
        self._stalls = watch_stalls(thread, patience, self._status, on_lost)
        files = Worker("rest-lsp-files")
        self._keeper = SessionKeeper(
            backend.open_session, self._engine, Worker("rest-lsp-indexer"), self._status, self._session_opened
        )
        self._buffers = BufferFeed(files)
        self._offers = Offers(self._acceptance)
        self._prewarmer = Prewarmer(self._engine, self._service)
        self._editing = Editing(
            self._engine, self._buffers, self._offers, self._prewarmer, self._status.switches, self._session
        )
        self._completion = InlineCompletion(
            self._engine, files, self._history, self._offers, self._prewarmer, self._service, transcript
        )
        self._errands = errands = Worker("rest-lsp-errands")
        self._fetcher = Worker("rest-lsp-fetcher")
        models = ModelChoice(backend, self._keeper, self._configuration, self._status, errands, self._fetcher)
        self._watch = ParentWatch(self._orphaned, watches_parent=model_thread is None)
        self._watch.start()
        self._register_features(SuggestionReports(self._acceptance, self._history))
        self._diagnosis = Diagnosis(backend, errands, self._engine, self._session)
        self._register_commands(models, self._diagnosis)

    def leave(self, code: int) -> None:
        """End serving; the first call decides the exit code."""
        if not self.left.done():
            self.left.set_result(code)

    def frame(self, frame: bytes | BrokenFrame | None) -> None:
        """One message from the client, or `None` when there will be no more."""
        if frame is None:
            self.leave(0 if self.protocol.phase is Phase.SHUT_DOWN else 1)
        elif not self.left.done():
            if self._transcript is not None and isinstance(frame, bytes):
                self._transcript.received(frame)
            self.protocol.receive(frame)

    def close(self, timeout_s: float) -> bool:
        """Stop all work; False when the model's thread did not end within `timeout_s`."""
        self._watch.stop()
        self._stalls.stop()
        self._buffers.stop()
        self._fetcher.stop()
        self._errands.stop()
        self._keeper.close()
        self._recorder.close(timeout_s)
        return self._engine.join(timeout_s)

    def summary(self) -> dict[str, Any]:
        """Who is served, for somebody who looks at all servers of this process."""
        is_open = self.protocol.phase is not Phase.NEW
        return {
            "editor": self._client_name,
            "folders": [str(root) for root in self._configuration.roots],
            "state": self._status.state,
            "open_documents": len(self.protocol.workspace.text_documents) if is_open else 0,
        }

    async def try_out(self) -> Judgement:
        """How a completion by the model that is loaded goes."""
        return await self._diagnosis.try_out()

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log it; pygls would show a popup."""
        log.error("pygls: %s", where(error))

    def _register_features(self, reports: SuggestionReports) -> None:
        handlers: dict[str, Callable[[Any], Any]] = {
            types.INITIALIZE: self._initialize,
            types.INITIALIZED: self._initialized,
            types.SHUTDOWN: self._shut_down,
            types.TEXT_DOCUMENT_DID_OPEN: self._editing.opened,
            types.TEXT_DOCUMENT_DID_CHANGE: self._editing.changed,
            types.NOTEBOOK_DOCUMENT_DID_OPEN: self._editing.notebook_opened,
            types.NOTEBOOK_DOCUMENT_DID_CHANGE: self._editing.notebook_changed,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: self._did_change_configuration,
            types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: self._did_change_folders,
            STATUS_REQUEST: lambda _: self._status.full(),
            DID_FOCUS: lambda _: self._focused(),
            DID_SHOW: reports.shown,
            DID_PARTIALLY_ACCEPT: reports.partially_accepted,
        }
        for method, handler in handlers.items():
            self.feature(method)(_as_function(handler))

        # pygls advertises the feature only when it has options, and editors ask only when it is advertised.
        options = types.InlineCompletionOptions()
        self.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, options)(_as_function(self._complete))

    def _register_commands(self, models: ModelChoice, diagnosis: Diagnosis) -> None:
        commands = Commands(
            keeper=self._keeper,
            status=self._status,
            configuration=self._configuration,
            history=self._history,
            acceptance=self._acceptance,
            choice=models,
            diagnosis=diagnosis,
            recent_log=self._client_log.recent,
            describe_client=self._describe_connection,
            usage=self._engine.usage,
        )
        for name, run in commands.by_name().items():
            self.command(name)(_as_function(run))

    def _complete(self, params: types.InlineCompletionParams) -> Answer | Awaitable[Answer]:
        uri = params.text_document.uri
        document = self.protocol.workspace.open_document(uri)
        if not self._status.switches.allows(document.language if document is not None else language_of(uri)):
            return self._completion.refuse(Outcome.DISABLED)
        return self._completion.complete(params, self.protocol.workspace, self._client_name)

    def _session(self) -> Session | None:
        return self._keeper.session

    def _service(self) -> CompletionService | None:
        return self._keeper.session.service if self._keeper.session is not None else None

    def _initialize(self, params: types.InitializeParams) -> None:
        self._editing.follow(self.protocol.workspace)
        self._client_name = params.client_info.name if params.client_info else ""
        self._watch.watch_editor(params.process_id)
        window = params.capabilities.window
        self._status.shows_progress_bars = bool(window and window.work_done_progress)
        self._configuration.load(self.protocol.workspace.roots, params.initialization_options)

    def _initialized(self, params: types.InitializedParams) -> None:
        self._client_log.connect(self._send_log)
        connection = self._describe_connection()
        log.info(
            "rest-lsp %s, Python %s, %s, client %s, positions in %s",
            self.version,
            platform.python_version(),
            platform.platform(),
            self._client_name or "unknown",
            connection["position_encoding"],
        )
        self._configure()
        self._apply()

    def _shut_down(self, params: None) -> None:
        self._keeper.close()

    def _focused(self) -> None:
        """Somebody is back: what rested is needed again, and what happened on disk may have been missed."""
        self._keeper.compare_index()
        woken = self._keeper.wake()
        if woken is not None:
            woken.add_done_callback(lambda _: self._prewarmer.resume())

    def _did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        """Replaces what the editor said before; editors that keep nothing for us send something empty."""
        if params.settings:
            before = self._configuration.settings
            self._configuration.load(self._configuration.roots, params.settings)
            self._configure()
            if _of_session(self._configuration.settings) != _of_session(before):
                self._apply()
            else:
                self._keeper.rest_after(self._configuration.settings.server.unload_minutes)

    def _did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        if self.protocol.workspace.roots != self._configuration.roots:
            self._configuration.load(self.protocol.workspace.roots)
            self._configure()
            self._apply()

    def _apply(self) -> None:
        self._buffers.detach()
        self._offers.forget()
        self._keeper.apply(self._configuration.settings, self._configuration.roots)

    def _configure(self) -> None:
        loaded = self._configuration.loaded
        set_level(loaded.settings.server.log_level)
        self._recorder.configure(loaded.settings, self._configuration.root)
        self._editing.place_in(self._configuration.root)
        for problem in loaded.problems:
            log.warning("%s", problem)
            self._messages.show_once(problem, types.MessageType.Warning)

    def _session_opened(self, session: Session, settings: Settings) -> None:
        # What was written under the former options while these were being applied must not be offered again.
        self._offers.forget()
        self._buffers.attach(session, self._configuration.root, settings.datastore.max_file_bytes)
        self._prewarmer.resume()
        self._recorder.sample()

    def _orphaned(self, reason: str) -> None:
        log.warning("%s", reason)
        self.leave(1)

    def _send_log(self, params: types.LogMessageParams) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.protocol.notify, types.WINDOW_LOG_MESSAGE, params)

    def _describe_connection(self) -> dict[str, Any]:
        workspace = self.protocol.workspace
        return {
            "version": self.version,
            "client": self._client_name or None,
            "position_encoding": str(getattr(workspace.position_encoding, "value", workspace.position_encoding)),
            "workspace": str(workspace.root) if workspace.root else None,
            "folders": [str(root) for root in workspace.roots],
            "settings": self._configuration.settings.model_dump(mode="json"),
        }


def _as_function(method: Callable[..., Any]) -> Callable[..., Any]:
    """A function around a method, since pygls sets attributes on handlers and bound methods take none.

    The parameter is typed `Any` on purpose: for `object` pygls would pass itself.
    """

    def call(*arguments: Any) -> Any:
        return method(*arguments)

    return call


def _of_session(settings: Settings) -> dict[str, Any]:
    """The options that a session is opened with."""
    return settings.model_dump(exclude={"server"})


def _package_version() -> str:
    try:
        return version("rest-lsp")
    except PackageNotFoundError:
        return "unknown"
