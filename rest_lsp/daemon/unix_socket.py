"""A daemon at a unix socket: the system says who is at the other end."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

from rest_lsp.daemon.address import Address, NoDaemon, is_there

if TYPE_CHECKING:
    from rest_lsp.daemon.connection import Line

# What follows has no meaning on Windows, nor have the functions that it calls.
assert sys.platform != "win32"

_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1  # macOS, sys/un.h
_XUCRED_BYTES = 76


class UnixSocket:
    """An `Endpoint`."""

    def __init__(self, address: Address) -> None:
        self._place = address.socket

    def listen(self) -> socket.socket:
        if is_there(self._place, "socket"):
            self.remove()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listening.bind(os.fspath(self._place))
        except OSError as error:
            listening.close()
            raise NoDaemon(f"{self._place} cannot be made ({error.strerror}).") from None
        finally:
            os.umask(before)
        return listening

    def dial(self, timeout_s: float) -> socket.socket | None:
        if not is_there(self._place, "socket"):
            return None
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Without a timeout yet: with one, a queue that is full for a moment would look like nobody.
            connected.connect(os.fspath(self._place))
            connected.settimeout(timeout_s)
            is_mine = is_own(connected)
        except OSError:
            connected.close()
            return None
        if not is_mine:
            connected.close()
            raise NoDaemon(f"{self._place} is served by another user; remove it.")
        return connected

    async def admits(self, line: Line) -> bool:
        return is_own(line.peer)

    def remove(self) -> None:
        self._place.unlink(missing_ok=True)


def is_own(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to this user, or the system cannot tell."""
    uid = peer_uid(connection)
    return uid is None or uid == os.getuid()


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end; None when the system cannot tell."""
    if sys.platform == "darwin":
        answer = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES)
        _, uid = struct.unpack_from("=II", answer)
        return int(uid)
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    answer = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", answer)
    return int(uid)
