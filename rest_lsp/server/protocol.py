"""The lifecycle of LSP around pygls' JSON-RPC: every request gets exactly one answer, and never a popup.

Knows which messages are allowed when and which error code belongs to which mistake; knows no feature.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum, auto
from functools import partial
from typing import Any, Protocol, cast

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    LanguageServerProtocol,
    lsp_method,
)
from pygls.protocol.json_rpc import MsgId
from pygls.uris import from_fs_path

from rest_lsp.errors import RestLspError
from rest_lsp.server.documents import EditorWorkspace
from rest_lsp.server.frames import BrokenFrame
from rest_lsp.server.logs import where

log = logging.getLogger(__name__)

_PARSE_ERROR = types.ErrorCodes.ParseError
_INVALID_REQUEST = types.ErrorCodes.InvalidRequest
_INVALID_PARAMS = types.ErrorCodes.InvalidParams
_INTERNAL_ERROR = types.ErrorCodes.InternalError
_NOT_INITIALIZED = types.ErrorCodes.ServerNotInitialized
_REQUEST_FAILED = types.LSPErrorCodes.RequestFailed
_REQUEST_CANCELLED = types.LSPErrorCodes.RequestCancelled


class Phase(Enum):
    """Where the connection stands."""

    NEW = auto()
    INITIALIZED = auto()
    SHUT_DOWN = auto()


class ExitListener(Protocol):
    """Who ends the process."""

    def leave(self, code: int) -> None: ...


class LifecycleProtocol(LanguageServerProtocol):
    """Takes frames, answers or hands them to pygls' handlers."""

    phase = Phase.NEW
    exits: ExitListener

    @property
    def workspace(self) -> EditorWorkspace:
        assert isinstance(self._workspace, EditorWorkspace), "no document arrives before initialize"
        return self._workspace

    def receive(self, frame: bytes | BrokenFrame) -> None:
        """Handle one message.  Raises nothing, whatever the bytes are."""
        if isinstance(frame, BrokenFrame):
            self._refuse(None, _PARSE_ERROR, frame.reason)
            return
        try:
            message = json.loads(frame)
        except (ValueError, RecursionError):
            self._refuse(None, _PARSE_ERROR, "A message is not valid JSON in UTF-8.")
            return
        try:
            self._receive_message(message)
        except Exception as error:  # noqa: BLE001 - one bad message must not end the connection
            log.error("A message could not be handled: %s", where(error))

    def _receive_message(self, message: object) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != self.VERSION:
            msg_id = message.get("id") if isinstance(message, dict) else None
            self._refuse(msg_id, _INVALID_REQUEST, "A message is not a JSON-RPC 2.0 object.")
        elif "method" not in message:
            self._receive_response(message)
        elif not isinstance(message["method"], str) or not _is_valid_id(message.get("id", 0)):
            self._refuse(message.get("id"), _INVALID_REQUEST, "A message has a method or an id of the wrong type.")
        elif "id" in message:
            self._receive_request(message)
        else:
            self._receive_notification(message)

    def _receive_request(self, message: dict[str, Any]) -> None:
        msg_id, method = message["id"], message["method"]
        refusal = self._refusal(method)
        if refusal is not None:
            self._refuse(msg_id, *refusal)
            return
        try:
            request = self._structured(message, JsonRPCRequestMessage)
        except Exception as error:  # noqa: BLE001 - the converter raises many kinds, and all of them mean this
            log.warning("Parameters of %s were refused: %s", method, where(error))
            self._refuse(msg_id, _INVALID_PARAMS, f"The parameters of {method} are not what LSP says they are.")
            return
        _keep_document_version(request, message)
        self.handle_message(request)

    def _refusal(self, method: str) -> tuple[int, str] | None:
        if self.phase is Phase.NEW and method != types.INITIALIZE:
            return _NOT_INITIALIZED, f"{method} came before initialize."
        if self.phase is Phase.SHUT_DOWN:
            return _INVALID_REQUEST, f"{method} came after shutdown."
        if self.phase is Phase.INITIALIZED and method == types.INITIALIZE:
            return _INVALID_REQUEST, "The server has been initialized already."
        return None

    def _receive_notification(self, message: dict[str, Any]) -> None:
        method = message["method"]
        if method == types.EXIT:
            self.exits.leave(0 if self.phase is Phase.SHUT_DOWN else 1)
        elif self.phase is Phase.INITIALIZED:
            # `initialized` without params is common, and pygls' type insists on them.
            try:
                notification = self._structured({"params": {}, **message}, JsonRPCNotification)
            except Exception as error:  # noqa: BLE001 - as for requests
                log.warning("Parameters of the notification %s were refused: %s", method, where(error))
            else:
                self.handle_message(notification)

    def _receive_response(self, message: dict[str, Any]) -> None:
        msg_id: Any = message.get("id") if _is_valid_id(message.get("id")) else ""
        future = self._request_futures.pop(msg_id, None)
        self._result_types.pop(msg_id, None)
        if future is None or future.done():
            log.debug("A response came for no request.")
        elif "error" in message:
            future.set_exception(JsonRpcException("The client refused a request."))
        else:
            future.set_result(message.get("result"))

    def _structured(self, message: dict[str, Any], fallback: Callable[..., Any]) -> Any:
        """Types of LSP; parameters of other methods stay plain data."""
        known = self.get_message_type(message["method"])
        if known is not None:
            return self._converter.structure(message, known)
        fields = {"method": message["method"], "jsonrpc": self.VERSION, "params": message.get("params")}
        if "id" in message:
            fields["id"] = message["id"]
        return fallback(**fields)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(  # type: ignore[override]
        self, params: types.InitializeParams
    ) -> types.InitializeResult:
        """Replaces pygls' own, which would keep positions and documents of its own kind."""
        self.client_capabilities = params.capabilities
        encoding = ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities)
        root_uri = params.root_uri or (from_fs_path(params.root_path) if params.root_path else None)
        self._workspace = EditorWorkspace(root_uri, params.workspace_folders or [], encoding)
        self._server.process_id = params.process_id
        handler = self.fm.features.get(types.INITIALIZE)
        if handler is not None:
            handler(params)
        builder = ServerCapabilitiesBuilder(
            self.client_capabilities,
            {*self.fm.features, *self.fm.builtin_features},
            self.fm.feature_options,
            list(self.fm.commands),
            types.TextDocumentSyncKind.Incremental,
            self._server._notebook_document_sync,
            encoding,
        )
        self.server_capabilities = builder.build()  # type: ignore[no-untyped-call]
        self.phase = Phase.INITIALIZED
        return types.InitializeResult(capabilities=self.server_capabilities, server_info=self.server_info)

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: object) -> None:  # type: ignore[override]
        """Cancels what is unanswered; each of those requests still gets its answer."""
        self.phase = Phase.SHUT_DOWN
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != self.msg_id and not future.done():
                future.cancel()
        handler = self.fm.features.get(types.SHUTDOWN)
        if handler is not None:
            handler(None)

    def _send_handler_result(self, future: Future[Any] | asyncio.Future[Any], *, msg_id: MsgId) -> None:
        self._request_futures.pop(msg_id, None)
        if future.cancelled():
            self._refuse(msg_id, _REQUEST_CANCELLED, "The request was cancelled.")
            return
        error = future.exception()
        if error is None and inspect.isawaitable(result := future.result()):
            # A handler reads what it needs when its message comes and answers later.
            task = asyncio.ensure_future(result)
            self._request_futures[msg_id] = cast("Future[Any]", task)
            task.add_done_callback(partial(self._send_handler_result, msg_id=msg_id))
        elif error is None:
            self._send_response(msg_id, result=future.result())
        elif isinstance(error, JsonRpcInvalidParams):
            self._refuse(msg_id, error.code, str(error))
        elif isinstance(error, RestLspError):
            self._refuse(msg_id, _REQUEST_FAILED, str(error))
        else:
            log.error("Request %s failed: %s", msg_id, where(error))
            self._refuse(msg_id, _INTERNAL_ERROR, "The server failed on this request; its log says where.")

    def _check_handler_result(self, future: Future[Any] | asyncio.Future[Any]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("A notification failed: %s", where(error))

    def _refuse(self, msg_id: object, code: int, message: str) -> None:
        # Not through pygls' types: they leave an id of null out, which JSON-RPC demands.
        answered = msg_id if _is_valid_id(msg_id) else None
        self._send_data({"jsonrpc": self.VERSION, "id": answered, "error": {"code": int(code), "message": message}})


def _is_valid_id(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _keep_document_version(request: Any, message: dict[str, Any]) -> None:
    """Copilot's dialect names the document's version in a completion request; LSP's type would drop it."""
    if message["method"] == types.TEXT_DOCUMENT_INLINE_COMPLETION:
        version = message["params"]["textDocument"].get("version")
        if isinstance(version, int):
            uri = request.params.text_document.uri
            request.params.text_document = types.OptionalVersionedTextDocumentIdentifier(uri, version)
