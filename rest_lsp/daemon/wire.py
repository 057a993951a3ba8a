"""What a front and the daemon say to each other: four bytes of length, then one message in msgpack.

The first two fields of the first message stay as they are in every version, so that any two versions can part politely.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Literal, TypeAlias

import msgspec

from rest_lsp.server.frames import MAX_BODY_BYTES

PROTOCOL = 1
MAX_FIRST_BYTES = 1 << 18
"""Of the first message of a connection: nobody has said yet who they are."""

MAX_MESSAGE_BYTES = MAX_BODY_BYTES + 64
LENGTH_BYTES = 4

Wish: TypeAlias = Literal["status", "stop", "try"]
Why: TypeAlias = Literal["yields", "protocol", "arguments"]


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """A front asks for a language server of its own.  `begins` is the folder that its relative paths are of."""

    protocol: int
    version: str
    pid: int
    arguments: list[str]
    environment: dict[str, str]
    begins: str = ""


class Door(msgspec.Struct, tag="door", frozen=True):
    """A command that listens asks that its clients be served by HTTP, for as long as this connection lives.

    Behind the welcome it sends the socket.  `names` are what clients may call this host, `folder` the workspace,
    `options` those of its command line, and `begins` the folder that relative paths are of.
    """

    protocol: int
    version: str
    pid: int
    names: list[str]
    token: str
    folder: str
    options: dict[str, Any]
    environment: dict[str, str]
    begins: str = ""


class Ask(msgspec.Struct, tag="ask", frozen=True):
    """Somebody who is no front asks for a report, for the end, or for a trial of the model that `folder` uses."""

    protocol: int
    version: str
    wish: Wish
    folder: str = ""


class Welcome(msgspec.Struct, tag="welcome", frozen=True):
    """From here on the connection carries frames, or after a `Door` nothing but a socket and the end."""

    version: str
    pid: int


class Refused(msgspec.Struct, tag="refused", frozen=True):
    """The connection ends.  `yields`: the daemon was older and had nothing to do, so it makes room for a new one."""

    why: Why
    reason: str


class Frame(msgspec.Struct, tag="frame", frozen=True):
    """One message of LSP, in either direction."""

    body: bytes


class Broken(msgspec.Struct, tag="broken", frozen=True):
    """Bytes from the editor that were no message."""

    reason: str


class Left(msgspec.Struct, tag="left", frozen=True):
    """The language server has ended with this exit code."""

    code: int


class Closing(msgspec.Struct, tag="closing", frozen=True):
    """The daemon was told to end; it is started again when it is needed."""


class Client(msgspec.Struct, frozen=True):
    """A front and its editor, or a command and its clients, which have no documents, in a report."""

    pid: int
    editor: str
    folders: list[str]
    state: str
    open_documents: int | None


class Report(msgspec.Struct, tag="report", frozen=True):
    """The answer to `Ask`."""

    version: str
    pid: int
    uptime_s: float
    memory_bytes: int
    threads: int
    clients: list[Client]


class Tried(msgspec.Struct, tag="tried", frozen=True):
    """How a completion by the loaded model went; empty words where no editor has one loaded."""

    status: Literal["ok", "warn", "fail"]
    reason: str
    fix: str


Message: TypeAlias = Hello | Door | Ask | Welcome | Refused | Frame | Broken | Left | Closing | Report | Tried

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


class BadMessage(Exception):
    """Bytes that are no message of this protocol, or too many of them."""


def pack(message: Message) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def unpack(body: bytes) -> Message:
    """Raises BadMessage."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadMessage(f"A message cannot be read ({type(error).__name__}).") from None


def read_exactly(connected: socket.socket, n_bytes: int, deadline: float | None = None) -> bytes:
    """Blocks, until time.monotonic() says `deadline` where there is one, however slowly the bytes come.

    Raises OSError, and EOFError when there will not be so many.
    """
    read = bytearray(n_bytes)
    view = memoryview(read)
    while view:
        if deadline is not None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connected.settimeout(left_s)
        n_new = connected.recv_into(view)
        if not n_new:
            raise EOFError
        view = view[n_new:]
    return bytes(read)


def length_of(header: bytes, limit: int = MAX_MESSAGE_BYTES) -> int:
    """Raises BadMessage."""
    length = int.from_bytes(header, "big")
    if length > limit:
        raise BadMessage(f"A message of {length} bytes is larger than the limit of {limit}.")
    return length
