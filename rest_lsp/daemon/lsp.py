"""The little that a front understands of LSP: heads of messages, and messages of its own.  No pygls."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

INITIALIZE = "initialize"
INITIALIZED = "initialized"
SHUTDOWN = "shutdown"
EXIT = "exit"
CANCEL = "$/cancelRequest"
PROGRESS = "$/progress"
DID_OPEN = "textDocument/didOpen"
DID_CHANGE = "textDocument/didChange"
DID_CLOSE = "textDocument/didClose"
NOTEBOOK_DID_OPEN = "notebookDocument/didOpen"
NOTEBOOK_DID_CHANGE = "notebookDocument/didChange"
NOTEBOOK_DID_CLOSE = "notebookDocument/didClose"
DID_CONFIGURE = "workspace/didChangeConfiguration"
DID_CHANGE_FOLDERS = "workspace/didChangeWorkspaceFolders"
COMPLETION = "textDocument/inlineCompletion"
EXECUTE = "workspace/executeCommand"
STATUS = "rest/didChangeStatus"
CHOOSE_MODEL = "rest.chooseModel"

CONTENT_MODIFIED = -32801
REQUEST_CANCELLED = -32800

MessageId: TypeAlias = int | str


class Message(msgspec.Struct):
    """What every message has; the rest is decoded only where it is needed."""

    id: MessageId | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")
    result: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def is_request(self) -> bool:
        return self.id is not None and self.method is not None

    @property
    def is_error(self) -> bool:
        return bytes(self.error) != b"null"

    def read_params(self) -> Any:
        return msgspec.json.decode(self.params)


_decoder = msgspec.json.Decoder(Message)


def read(body: bytes) -> Message | None:
    """None when it is no message; whoever understands LSP may say so."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None


def notification(method: str, params: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params})


def request(msg_id: MessageId, method: str, params: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params})


def null_answer(msg_id: MessageId) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": msg_id, "result": None})


def error_answer(msg_id: MessageId, code: int, message: str) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": msg_id, "error": {"code": code, "message": message}})
