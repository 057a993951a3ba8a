"""The server, put together: protocol loop here, model in one thread, index in another, both behind plain data.

This is the composition root of the package; it decides nothing that its parts decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from rest_lsp.completion.request import Outcome
from rest_lsp.config import Settings
from rest_lsp.config_sources import Loaded
from rest_lsp.server.buffers import BufferFeed
from rest_lsp.server.commands import Commands
from rest_lsp.server.documents import Document
from rest_lsp.server.feedback import Messages
from rest_lsp.server.frames import BrokenFrame
from rest_lsp.server.history import History
from rest_lsp.server.inline_completion import Answer, InlineCompletion
from rest_lsp.server.lifetime import ParentWatch
from rest_lsp.server.logs import ClientLog, configure_logging, set_level, where
from rest_lsp.server.protocol import LifecycleProtocol, Phase
from rest_lsp.server.session import CompletionService, OpenSession, Session, SessionKeeper
from rest_lsp.server.status import STATUS_REQUEST, StatusBoard
from rest_lsp.server.stdio import FrameReader, FrameWriter, ProtocolPipes, claim_stdio
from rest_lsp.server.worker import Worker

log = logging.getLogger(__name__)

LoadSettings = Callable[[Path | None, Mapping[str, Any]], Loaded]
"""Workspace folder and the editor's settings in; never raises."""

_ENGINE_END_S = 1.0
_WRITER_END_S = 0.3
_SILENT_NOTIFICATIONS = ("textDocument/didShowCompletion", "textDocument/didPartiallyAcceptCompletion")


def run_stdio(
    load_settings: LoadSettings, open_session: OpenSession, *, pipes: ProtocolPipes | None = None
) -> NoReturn:
    """Serve one client until it leaves, then end the process.

    Call it before anything heavy is imported, or pass the `pipes` that were claimed earlier.
    """
    pipes = pipes or claim_stdio()
    client_log = configure_logging("info")
    code = asyncio.run(_serve(pipes, load_settings, open_session, client_log))
    logging.shutdown()
    sys.stdout.flush()
    # The session is closed.  Python's own way out would take torch apart piece by piece, which costs up to a second,
    # and would wait for a forward pass that cannot be interrupted.
    os._exit(code)


class RestLanguageServer(LanguageServer):
    """Connects the messages of the protocol with the parts that handle them."""

    protocol: LifecycleProtocol

    def __init__(self, load_settings: LoadSettings, open_session: OpenSession, client_log: ClientLog) -> None:
        """To be called on the event loop."""
        super().__init__(
            "rest-lsp", _package_version(), protocol_cls=LifecycleProtocol, converter_factory=default_converter
        )
        self._loop = asyncio.get_running_loop()
        self.left: asyncio.Future[int] = self._loop.create_future()
        self.protocol.exits = self
        self._load_settings = load_settings
        self._client_log = client_log
        self._editor_settings: Mapping[str, Any] = {}
        self._loaded = Loaded(Settings(), ())
        self._root: Path | None = None
        self._client_name = ""
        client = ClientMessages(self.protocol)
        self._messages = Messages(client)
        self._status = StatusBoard(client, self._messages)
        self._history = History()
        self._engine = Worker("rest-lsp-engine", on_busy=self._status.busy)
        files = Worker("rest-lsp-files")
        self._keeper = SessionKeeper(
            open_session, self._engine, Worker("rest-lsp-indexer"), self._status, self._session_opened
        )
        self._buffers = BufferFeed(files)
        self._completion = InlineCompletion(self._engine, files, self._history)
        self._watch = ParentWatch(self._orphaned)
        self._watch.start()
        self._register_features()
        self._register_commands()

    def leave(self, code: int) -> None:
        """End serving; the first call decides the exit code."""
        if not self.left.done():
            self.left.set_result(code)

    def frame(self, frame: bytes | BrokenFrame | None) -> None:
        """One message from the client, or `None` when there will be no more."""
        if frame is None:
            self.leave(0 if self.protocol.phase is Phase.SHUT_DOWN else 1)
        elif not self.left.done():
            self.protocol.receive(frame)

    def close(self, timeout_s: float) -> bool:
        """Stop all work; False when the model's thread did not end within `timeout_s`."""
        self._watch.stop()
        self._buffers.stop()
        self._keeper.close()
        return self._engine.join(timeout_s)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log it; pygls would show a popup."""
        log.error("pygls: %s", where(error))

    def _register_features(self) -> None:
        handlers: dict[str, Callable[[Any], Any]] = {
            types.INITIALIZE: self._initialize,
            types.INITIALIZED: self._initialized,
            types.SHUTDOWN: self._shut_down,
            types.TEXT_DOCUMENT_DID_OPEN: self._did_open,
            types.TEXT_DOCUMENT_DID_CHANGE: self._did_change,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: self._did_change_configuration,
            types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: self._did_change_folders,
            STATUS_REQUEST: lambda _: self._status.full(),
            **dict.fromkeys(_SILENT_NOTIFICATIONS, lambda _: None),
        }
        for method, handler in handlers.items():
            self.feature(method)(_as_function(handler))

        # pygls advertises the feature only when it has options, and editors ask only when it is advertised.
        options = types.InlineCompletionOptions()
        self.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, options)(_as_function(self._complete))

    def _register_commands(self) -> None:
        commands = Commands(
            self._keeper, self._status, self._history, self._client_log.recent, self._describe_connection
        )
        for name, run in commands.by_name().items():
            self.command(name)(_as_function(run, drop_arguments=True))

    def _complete(self, params: types.InlineCompletionParams) -> Answer | Awaitable[Answer]:
        if not self._status.enabled:
            return self._completion.refuse(Outcome.DISABLED)
        return self._completion.complete(params, self._service, self.protocol.workspace, self._client_name)

    def _service(self) -> CompletionService | None:
        return self._keeper.session.service if self._keeper.session is not None else None

    def _initialize(self, params: types.InitializeParams) -> None:
        self.protocol.workspace.on_close = self._closed
        self._client_name = params.client_info.name if params.client_info else ""
        self._watch.watch_editor(params.process_id)
        window = params.capabilities.window
        self._status.shows_progress_bars = bool(window and window.work_done_progress)
        given = params.initialization_options
        self._editor_settings = given if isinstance(given, Mapping) else {}
        self._loaded = self._load()

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
        self._configure(self._loaded)
        self._reopen(self._loaded)

    def _shut_down(self, params: None) -> None:
        self._keeper.close()

    def _did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        self._feed(params.text_document.uri)

    def _did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        self._feed(params.text_document.uri)

    def _feed(self, uri: str) -> None:
        document = self.protocol.workspace.open_document(uri)
        if document is not None:
            self._buffers.changed(document)

    def _closed(self, document: Document) -> None:
        self._engine.give_up(document.uri)
        self._buffers.closed(document)

    def _did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        """Replaces what the editor said before; editors that keep nothing for us send something empty.

        What only says how the server behaves needs no new session, and loading a model takes seconds.
        """
        if isinstance(params.settings, Mapping) and params.settings:
            self._editor_settings = params.settings
            before, self._loaded = self._loaded, self._load()
            self._configure(self._loaded)
            if _of_session(self._loaded.settings) != _of_session(before.settings):
                self._reopen(self._loaded)

    def _did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        """Only the first folder is indexed, so most changes change nothing."""
        if self.protocol.workspace.root != self._root:
            self._loaded = self._load()
            self._configure(self._loaded)
            self._reopen(self._loaded)

    def _load(self) -> Loaded:
        self._root = self.protocol.workspace.root
        return self._load_settings(self._root, self._editor_settings)

    def _reopen(self, loaded: Loaded) -> None:
        self._buffers.detach()
        self._keeper.open(loaded.settings, self._root)

    def _configure(self, loaded: Loaded) -> None:
        set_level(loaded.settings.server.log_level)
        for problem in loaded.problems:
            log.warning("%s", problem)
            self._messages.show_once(problem, types.MessageType.Warning)

    def _session_opened(self, session: Session, settings: Settings) -> None:
        self._buffers.attach(session, self._root, settings.datastore.max_file_bytes)

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
            "settings": self._loaded.settings.model_dump(mode="json"),
        }


class ClientMessages:
    """Sends to the client; what `feedback` and `status` know of the protocol."""

    def __init__(self, protocol: LifecycleProtocol) -> None:
        self._protocol = protocol

    def notify(self, method: str, params: object) -> None:
        self._protocol.notify(method, params)

    def request(self, method: str, params: object, then: Callable[[bool], None]) -> None:
        """Ask the client; `then` learns whether it agreed."""
        future = self._protocol.send_request(method, params)
        future.add_done_callback(lambda done: then(not done.cancelled() and done.exception() is None))


async def _serve(
    pipes: ProtocolPipes, load_settings: LoadSettings, open_session: OpenSession, client_log: ClientLog
) -> int:
    loop = asyncio.get_running_loop()
    server = RestLanguageServer(load_settings, open_session, client_log)
    writer = FrameWriter(pipes.write_fd, on_broken=lambda: _call(loop, server.leave, 1))
    server.protocol.set_writer(writer)
    writer.start()
    FrameReader(pipes.read_fd, on_frame=lambda frame: _call(loop, server.frame, frame)).start()
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.leave, 128 + number)
    code = await server.left
    writer.close()
    if not server.close(_ENGINE_END_S):
        log.warning("The model's thread did not end in time; the process ends without it.")
    writer.join(_WRITER_END_S)
    return code


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], argument: object) -> None:
    """From another thread; the loop may have ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, argument)


def _as_function(method: Callable[..., Any], *, drop_arguments: bool = False) -> Callable[..., Any]:
    """A function around a method, since pygls sets attributes on handlers and bound methods take none.

    The parameter is typed `Any` on purpose: for `object` pygls would pass itself.
    """

    def call(*arguments: Any) -> Any:
        return method() if drop_arguments else method(*arguments)

    return call


def _of_session(settings: Settings) -> dict[str, Any]:
    """The options that a session is opened with."""
    return settings.model_dump(exclude={"server"})


def _package_version() -> str:
    try:
        return version("rest-lsp")
    except PackageNotFoundError:
        return "unknown"
