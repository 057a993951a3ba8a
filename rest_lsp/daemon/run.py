"""The daemon as a process: one per runtime folder, gone some time after its last front."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from typing import NoReturn

from filelock import FileLock, Timeout

from rest_lsp.daemon.address import Address
from rest_lsp.daemon.endpoint import Endpoint, dial, endpoints_of
from rest_lsp.daemon.host import Host, Openers
from rest_lsp.server.logs import log_to
from rest_lsp.server.stalls import PATIENCE, Patience

log = logging.getLogger(__name__)

_LOG_BYTES = 1 << 20
_BACKLOG = 128
_LOCK_S = 10.0
_LOOK_S = 0.05
_GOODBYE_S = 0.2
_LOOPS_PER_LINGER = 8

LingerSeconds = Callable[[], float]
"""How long to wait for another front after the last one; may change while the daemon runs."""


def run_daemon(address: Address, openers: Openers, linger_s: LingerSeconds, patience: Patience = PATIENCE) -> NoReturn:
    """Serve until nobody needs it.  Ends at once with 0 when another daemon serves here already.

    Raises NoDaemon when its place is taken by something else.
    """
    lock = FileLock(address.lock, mode=0o600)
    if not _acquire(lock, address):
        sys.exit(0)
    log_to(RotatingFileHandler(address.log, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8"), "info")
    endpoint, *others = endpoints_of(address)
    for other in others:
        other.remove()
    host = Host(openers, endpoint.admits, patience=patience, on_lost=_end_at_once)
    listening = endpoint.listen()
    log.info("The daemon %d listens at %s.", os.getpid(), address.place)
    try:
        # Windows' usual loop never accepts again when one connection was reset too early (python/cpython#93821).
        asyncio.SelectorEventLoop().run_until_complete(_serve(listening, endpoint, host, linger_s))
    finally:
        logging.shutdown()
    # A forward pass cannot be interrupted, and taking torch apart takes a second.
    os._exit(0)


def _acquire(lock: FileLock, address: Address) -> bool:
    """A daemon that is about to end still holds the lock for a moment; one that serves holds it for long."""
    deadline = time.monotonic() + _LOCK_S
    while time.monotonic() < deadline:
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            return True
        if _is_answering(address):
            return False
        time.sleep(_LOOK_S)
    return False


def _is_answering(address: Address) -> bool:
    probe = dial(address, _LOCK_S)
    if probe is not None:
        probe.close()
    return probe is not None


def _end_at_once() -> NoReturn:
    """A pass cannot be interrupted, but a process can: every front starts or joins another one and goes on."""
    log.error("The model is stuck in one of its passes; the daemon ends, and is started again with the next key.")
    faulthandler.dump_traceback()
    logging.shutdown()
    os._exit(1)


async def _serve(listening: socket.socket, endpoint: Endpoint, host: Host, linger_s: LingerSeconds) -> None:
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, host.wants_end.set)
    accepting = await asyncio.start_server(host.connected, sock=listening, backlog=_BACKLOG)
    while not host.wants_end.is_set():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(host.wants_end.wait(), max(_LOOK_S, linger_s() / _LOOPS_PER_LINGER))
        if host.idle_since is not None and time.monotonic() - host.idle_since > linger_s():
            break
    accepting.close()
    endpoint.remove()
    host.close()
    log.info("The daemon ends.")
    await asyncio.sleep(_GOODBYE_S)
