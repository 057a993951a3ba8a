"""Where HTTP is served, and what its clients must know.  Light: imports neither the server nor the framework."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from rest_lsp.errors import ConfigError

LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Where(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def names(self) -> tuple[str, ...]:
        """What a client may call this host; empty for any, which a host that is open to others has."""
        is_loopback = self.host == "localhost" or ip_address(self.host).is_loopback
        return _LOCAL_NAMES if is_loopback else ()


def where_of(given: str) -> Where:
    """`[HOST:]PORT`.  Raises ConfigError."""
    host, _, port = given.rpartition(":")
    host = host.strip("[]") or LOOPBACK
    fix = "Write --http PORT, or --http HOST:PORT with an address of this machine."
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ConfigError(f"--http {given}: {port!r} is not a port.", fix)
    if host != "localhost":
        try:
            ip_address(host)
        except ValueError:
            raise ConfigError(f"--http {given}: {host!r} is not an address.", fix) from None
    return Where(host, int(port))


def token_in(folder: Path) -> str:
    """This user's token: made once, and kept where only they can read it.  Raises ConfigError."""
    path = folder / "http-token"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(made, "w") as file:
                file.write(secrets.token_urlsafe(32))
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{path} cannot be used ({error.strerror}).", "Give a token by --http-token.") from error
    if not token:
        raise ConfigError(f"{path} is empty.", "Remove it, and a new token is made.")
    return token


@contextlib.contextmanager
def listening(where: Where) -> Iterator[socket.socket]:
    """A socket that listens there.  Raises ConfigError."""
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((where.host, where.port))
        except OSError as error:
            raise ConfigError(
                f"{where.host}:{where.port} cannot be used ({error.strerror}).",
                "Give another port; 0 takes a free one.",
            ) from error
        listener.listen()
        yield listener


def url_of(where: Where, listener: socket.socket) -> str:
    """The address with the port that the system has given."""
    host = f"[{where.host}]" if ":" in where.host else where.host
    return f"http://{host}:{listener.getsockname()[1]}"
