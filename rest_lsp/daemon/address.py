"""Where the daemon of this user is to be found, and who may be there.  Light: a front imports it first."""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
from pathlib import Path
from typing import NamedTuple

RUNTIME_VARIABLE = "REST_LSP_RUNTIME_DIR"
_LONGEST_SOCKET_PATH = 100
"""`sun_path` has 104 bytes on macOS and 108 on Linux."""

_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1  # macOS, sys/un.h
_XUCRED_BYTES = 76


class NoDaemon(Exception):
    """No daemon can be had here; the words say why, and what to do."""


class Address(NamedTuple):
    """The files of one daemon."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "daemon.sock"

    @property
    def lock(self) -> Path:
        """Held by the daemon as long as it lives."""
        return self.folder / "daemon.lock"

    @property
    def log(self) -> Path:
        return self.folder / "daemon.log"

    @property
    def stray_output(self) -> Path:
        """What libraries print."""
        return self.folder / "daemon.err"


def runtime_address() -> Address:
    """The daemon's folder, which is made when it is missing.  Raises NoDaemon when it is not safe."""
    if not hasattr(socket, "AF_UNIX") or sys.platform == "win32":
        raise NoDaemon("There are no unix sockets here.")
    address = Address(runtime_folder())
    if len(os.fsencode(address.socket)) > _LONGEST_SOCKET_PATH:
        raise NoDaemon(f"{address.socket} is too long for a socket; set {RUNTIME_VARIABLE} to a shorter folder.")
    try:
        address.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = address.folder.lstat()
    except OSError as error:
        raise NoDaemon(f"{address.folder} cannot be used ({error.strerror}); set {RUNTIME_VARIABLE}.") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise NoDaemon(f"{address.folder} is not a folder of yours; remove it, or set {RUNTIME_VARIABLE}.")
    if found.st_mode & 0o077:
        raise NoDaemon(f"Others may use {address.folder}; run `chmod 700` on it, or set {RUNTIME_VARIABLE}.")
    return address


def runtime_folder() -> Path:
    """`REST_LSP_RUNTIME_DIR`, else a folder in `XDG_RUNTIME_DIR`, else one of this user's in the temporary folder."""
    if chosen := os.environ.get(RUNTIME_VARIABLE):
        return Path(chosen).absolute()
    session = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if session.is_absolute() and session.is_dir():
        return session / "rest-lsp"
    # `tempfile` would cost every front more to import than all the rest of this module.
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"rest-lsp-{os.getuid()}"


def is_socket_there(path: Path) -> bool:
    """Raises NoDaemon when something else is, which somebody may have put there to be trusted."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.getuid():
        raise NoDaemon(f"{path} is not a socket of yours; remove it, or set {RUNTIME_VARIABLE}.")
    return True


def is_own(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to this user, or the system cannot tell."""
    uid = peer_uid(connection)
    return uid is None or uid == os.getuid()


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end; None when the system cannot tell."""
    if sys.platform == "darwin":
        answer = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES)
        _, uid = struct.unpack_from("=II", answer)
        return int(uid)
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    answer = connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", answer)
    return int(uid)
