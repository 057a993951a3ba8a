"""`rest-lsp serve` where a daemon can be had.  Light: imports neither typer nor the settings."""

from __future__ import annotations

import sys
from collections.abc import Sequence

DAEMON = (sys.executable, "-m", "rest_lsp.cli_daemon")
_SERVES_ITSELF = ("--in-process", "--help", "-h", "--http")


def serve_as_front(arguments: Sequence[str]) -> None:
    """Serve the editor through the daemon and end the process; returns when this process must serve by itself."""
    if any(argument.partition("=")[0] in _SERVES_ITSELF for argument in arguments):
        return

    from rest_lsp.daemon.address import NoDaemon, runtime_address
    from rest_lsp.daemon.joining import BadArguments, hello, join, starter

    greeting, start = hello(arguments), starter(DAEMON)
    try:
        address = runtime_address()
        connection = join(greeting, address, start)
    except BadArguments:
        # The command line says what is wrong with them.
        return
    except NoDaemon as error:
        print(f"rest-lsp: {error} This window runs a process of its own.", file=sys.stderr, flush=True)
        return

    from rest_lsp.daemon.front import run_front
    from rest_lsp.server.stdio import claim_stdio

    run_front(claim_stdio(), connection, lambda: join(greeting, address, start))


def start_daemon() -> int:
    """Start a daemon unless one runs; its process id.  Raises NoDaemon."""
    from rest_lsp.daemon.address import runtime_address
    from rest_lsp.daemon.joining import ensure, starter

    return ensure(runtime_address(), starter(DAEMON)).pid
