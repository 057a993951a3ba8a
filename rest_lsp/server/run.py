"""The server as a process: standard streams in, an exit code out, and nothing left running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from rest_lsp.server.app import RestLanguageServer
from rest_lsp.server.backend import Backend
from rest_lsp.server.logs import ClientLog, configure_logging
from rest_lsp.server.stalls import PATIENCE, Patience
from rest_lsp.server.stdio import FrameReader, FrameWriter, ProtocolPipes, claim_stdio
from rest_lsp.server.transcript import Transcript

log = logging.getLogger(__name__)

_ENGINE_END_S = 1.0
_WRITER_END_S = 0.3


def run_stdio(
    backend: Backend,
    *,
    pipes: ProtocolPipes | None = None,
    transcript: Transcript | None = None,
    patience: Patience = PATIENCE,
) -> NoReturn:
    """Serve one client until it leaves, then end the process.

    Call it before anything heavy is imported, or pass the `pipes` that were claimed earlier.  A `transcript` is
    told what comes and goes.
    """
    pipes = pipes or claim_stdio()
    client_log = configure_logging("info")
    code = asyncio.run(_serve(pipes, backend, client_log, transcript, patience))
    if transcript is not None:
        transcript.close()
    logging.shutdown()
    sys.stdout.flush()
    # The session is closed.  Python's own way out would take torch apart piece by piece, which costs up to a second,
    # and would wait for a forward pass that cannot be interrupted.
    os._exit(code)


async def _serve(
    pipes: ProtocolPipes, backend: Backend, client_log: ClientLog, transcript: Transcript | None, patience: Patience
) -> int:
    loop = asyncio.get_running_loop()
    server = RestLanguageServer(backend, client_log, transcript, patience=patience)
    writer = FrameWriter(pipes.write_fd, on_broken=lambda: _call(loop, server.leave, 1))
    server.protocol.set_writer(writer)
    writer.start()
    FrameReader(pipes.read_fd, on_frame=lambda frame: _call(loop, server.frame, frame)).start()
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.leave, 128 + number)
    code = await server.left
    writer.close()
    if not server.close(_ENGINE_END_S):
        log.warning("The model's thread did not end in time; the process ends without it.")
    writer.join(_WRITER_END_S)
    return code


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], argument: object) -> None:
    """From another thread; the loop may have ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, argument)
