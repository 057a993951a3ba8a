"""How a daemon listens and a front reaches it, with each knowing that the other one belongs to the same user.

Light: a front imports it.
"""

from __future__ import annotations

import socket
import sys
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


def endpoint_of(address: Address) -> Endpoint:
    """The way that this address is spoken to."""
    if sys.platform != "win32" and address.transport == "unix":
        from rest_lsp.daemon.unix_socket import UnixSocket

        return UnixSocket(address)
    from rest_lsp.daemon.loopback import Loopback

    return Loopback(address)
