"""A real front whose daemon is the fake server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from rest_lsp.daemon.address import runtime_address
from rest_lsp.daemon.front import run_front
from rest_lsp.daemon.joining import hello, join, starter
from rest_lsp.server.stdio import claim_stdio


def serve_by_daemon(command: Sequence[str]) -> NoReturn:
    """As `rest-lsp serve` does it."""
    greeting, address, start = hello([]), runtime_address(), starter(command)
    connection = join(greeting, address, start)
    run_front(claim_stdio(), connection, lambda: join(greeting, address, start))
