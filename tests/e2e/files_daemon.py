"""A daemon in a process of its own whose sessions need no model, and what fronts and strangers see of it."""

from __future__ import annotations

import socket
import sys

from rest_lsp.daemon.address import Transport
from rest_lsp.daemon.joining import Connection, starter
from rest_lsp.daemon.wire import Frame
from tests.e2e.lsp_client import FAKE_SERVER

START = starter([sys.executable, str(FAKE_SERVER), "--as-daemon"])
PATIENCE_S = 60.0
TRANSPORTS: tuple[Transport, ...] = ("unix", "loopback") if sys.platform != "win32" else ("loopback",)
_INITIALIZE = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}'


def is_ended(connected: socket.socket) -> bool:
    """Whether the daemon has closed it without a word."""
    try:
        return connected.recv(1) == b""
    except ConnectionResetError:
        return True


def answers(front: Connection) -> bool:
    """Whether a language server is at work behind a front."""
    front.send(Frame(_INITIALIZE))
    message = front.receive()
    return isinstance(message, Frame) and b'"capabilities"' in message.body
