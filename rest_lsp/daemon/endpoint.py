"""How a daemon listens and a front reaches it, with each knowing that the other one belongs to the same user.

Light: a front imports it.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from rest_lsp.daemon.address import Address

if TYPE_CHECKING:
    from rest_lsp.daemon.connection import Line


class Endpoint(Protocol):
    """One of a daemon's addresses."""

    def listen(self) -> socket.socket:
        """For whoever holds the daemon's lock; replaces what a killed daemon has left.  Raises NoDaemon."""

    def dial(self, timeout_s: float) -> socket.socket | None:
        """A connection to this user's daemon; None when nobody listens.  Raises NoDaemon."""

    async def admits(self, line: Line) -> bool:
        """Whether the other end of a new connection is this user.  Raises BadMessage."""

    def remove(self) -> None:
        """Let nobody look here any more."""


def dial(address: Address, timeout_s: float) -> socket.socket | None:
    """A connection to the daemon of this folder, however it was told to listen; None when there is none.

    Raises NoDaemon.
    """
    for endpoint in endpoints_of(address):
        connected = endpoint.dial(timeout_s)
        if connected is not None:
            return connected
    return None


def endpoints_of(address: Address) -> Iterator[Endpoint]:
    """The way that is wanted, then the other one, each imported when it is come to."""
    if address.transport == "loopback":
        yield _loopback(address)
    if sys.platform != "win32":
        from rest_lsp.daemon.unix_socket import UnixSocket

        yield UnixSocket(address)
    if address.transport == "unix":
        yield _loopback(address)


def _loopback(address: Address) -> Endpoint:
    from rest_lsp.daemon.loopback import Loopback

    return Loopback(address)
