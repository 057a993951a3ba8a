"""`rest-lsp serve --http` as a front: it owns the port, and lends it to whichever daemon there is just now.

The port stays taken while daemons come and go, and clients that connect meanwhile wait in the system's queue.
"""

from __future__ import annotations

import select
import socket
import time

from rest_lsp.daemon.joining import FIRST_PAUSE_S, STEADY_S, Connection, Rejoin, rejoin
from rest_lsp.daemon.wire import Closing, Left


class DoorFailed(Exception):
    """The daemon lives, but does not serve HTTP any more."""


def keep_open(listener: socket.socket, connection: Connection, join_again: Rejoin) -> None:
    """Until the process is interrupted.  Raises DoorFailed."""
    while True:
        since = time.monotonic()
        is_closing = _lend(listener, connection)
        connection.close()
        if is_closing:
            # It was stopped on purpose, so it is started again when somebody asks for something.
            select.select([listener], [], [])
        elif time.monotonic() - since < STEADY_S:
            time.sleep(FIRST_PAUSE_S)
        connection = rejoin(join_again)


def _lend(listener: socket.socket, connection: Connection) -> bool:
    """As long as the daemon lives; whether it was told to end."""
    is_closing = False
    try:
        connection.send_socket(listener)
    except OSError:
        return False
    while (message := connection.receive()) is not None:
        if isinstance(message, Left) and not is_closing:
            raise DoorFailed
        is_closing = is_closing or isinstance(message, Closing)
    return is_closing
