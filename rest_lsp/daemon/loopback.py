"""A daemon at a port of this host, where there are no unix sockets.

Anybody on the host may connect to a port, and may take one that a killed daemon has left.  So each daemon makes up a
key and leaves it in a file that its user alone can read, and both ends prove that they know it, without saying it,
before anything else is said: HMAC over two numbers used once, one of each side (challenge and response as in
ISO/IEC 9798-4).
"""

from __future__ import annotations

import hmac
import os
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec

from rest_lsp.daemon.address import Address, NoDaemon, is_there
from rest_lsp.daemon.wire import read_exactly
from rest_lsp.processes import is_alive

if TYPE_CHECKING:
    from rest_lsp.daemon.connection import Line

_HOST = "127.0.0.1"
NONCE_BYTES = 32
PROOF_BYTES = 32


class Port(msgspec.Struct, frozen=True):
    """What a daemon leaves in its file."""

    number: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    key: bytes
    pid: int


class Loopback:
    """An `Endpoint`."""

    def __init__(self, address: Address) -> None:
        self._place = address.port
        self._key = b""

    def listen(self) -> socket.socket:
        is_there(self._place, "file")
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._key = os.urandom(NONCE_BYTES)
        try:
            if sys.platform == "win32":
                # Others may bind a port there that is taken, unless it is said that they may not.
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            listening.bind((_HOST, 0))
            self._leave(Port(listening.getsockname()[1], self._key, os.getpid()))
        except OSError as error:
            listening.close()
            raise NoDaemon(f"{self._place} cannot be made ({error.strerror}).") from None
        return listening

    def dial(self, timeout_s: float) -> socket.socket | None:
        port = self._find()
        if port is None:
            return None
        connected = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            deadline = time.monotonic() + timeout_s
            connected.settimeout(timeout_s)
            connected.connect((_HOST, port.number))
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            is_known = _introduce(connected, port.key, deadline)
            connected.settimeout(timeout_s)
        except (OSError, EOFError):
            is_known = False
        if not is_known:
            connected.close()
        return connected if is_known else None

    async def admits(self, line: Line) -> bool:
        theirs, mine = await line.read(NONCE_BYTES), os.urandom(NONCE_BYTES)
        line.write(mine + proof(self._key, b"daemon", theirs, mine))
        return hmac.compare_digest(await line.read(PROOF_BYTES), proof(self._key, b"front", theirs, mine))

    def remove(self) -> None:
        # A front that is reading it keeps it from being removed on Windows; a port without a daemon does no harm.
        with suppress(OSError):
            self._place.unlink()

    def _leave(self, port: Port) -> None:
        """Whole or not at all, and for nobody else at any time."""
        from rest_lsp.datastore.filesystem import FileSystem

        written = self._place.with_suffix(".new")
        written.unlink(missing_ok=True)
        with open(written, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(msgspec.msgpack.encode(port))
        FileSystem().replace(written, self._place)

    def _find(self) -> Port | None:
        """The port of a daemon that lives: to be refused takes Windows two seconds."""
        if not is_there(self._place, "file"):
            return None
        try:
            port = msgspec.msgpack.decode(self._place.read_bytes(), type=Port)
        except (OSError, msgspec.DecodeError):
            return None
        return port if is_alive(port.pid) else None


def proof(key: bytes, side: bytes, front_nonce: bytes, daemon_nonce: bytes) -> bytes:
    """That `side`, which is `front` or `daemon`, knows the key of this conversation's daemon."""
    return hmac.digest(key, side + front_nonce + daemon_nonce, "sha256")


def _introduce(connected: socket.socket, key: bytes, deadline: float) -> bool:
    """Whether the other end is the daemon that has made this key; it is shown that this end has read it.

    By time.monotonic() the deadline is one for all of it, since whoever has taken a dead daemon's port may send a byte
    now and then.  Raises OSError, EOFError.
    """
    mine = os.urandom(NONCE_BYTES)
    connected.sendall(mine)
    theirs = read_exactly(connected, NONCE_BYTES, deadline)
    proven = read_exactly(connected, PROOF_BYTES, deadline)
    if not hmac.compare_digest(proven, proof(key, b"daemon", mine, theirs)):
        return False
    connected.sendall(proof(key, b"front", mine, theirs))
    return True
