"""`rest-lsp serve --http` as a front: it owns the port, and lends it to whichever daemon there is just now.

The port stays taken while daemons come and go, and clients that connect meanwhile wait in the system's queue.
"""

from __future__ import annotations

import select
import socket
import time

from rest_lsp.daemon.joining import FIRST_PAUSE_S, STEADY_S, BadArguments, Connection, Rejoin, rejoin
from rest_lsp.daemon.wire import Closing, Left


class DoorFailed(Exception):
    """The daemon lives, but does not serve HTTP any more; the words say why."""


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
        connection = rejoin(lambda: _asked_again(join_again))


def _asked_again(join_again: Rejoin) -> Connection:
    """Raises NoDaemon, and DoorFailed where it is of no use to ask once more."""
    try:
        return join_again()
    except BadArguments as error:
        raise DoorFailed(str(error)) from None


def _lend(listener: socket.socket, connection: Connection) -> bool:
    """As long as the daemon lives; whether it was told to end."""
    is_closing = False
    try:
        connection.send_socket(listener)
    except OSError:
        return False
    while (message := connection.receive()) is not None:
        if isinstance(message, Left) and not is_closing:
            raise DoorFailed("The daemon could not serve HTTP.")
        is_closing = is_closing or isinstance(message, Closing)
    return is_closing
