"""Where this user's daemon is to be found.  Light: a front imports it first."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

RUNTIME_VARIABLE = "REST_LSP_RUNTIME_DIR"
TRANSPORT_VARIABLE = "REST_LSP_DAEMON_TRANSPORT"

Transport: TypeAlias = Literal["unix", "loopback"]

_LONGEST_SOCKET_PATH = 100
"""`sun_path` has 104 bytes on macOS and 108 on Linux."""


class NoDaemon(Exception):
    """No daemon can be had here; the words say why, and what to do."""


class Address(NamedTuple):
    """The files of one daemon, and how it listens when it is started from here."""

    folder: Path
    transport: Transport = "unix" if sys.platform != "win32" else "loopback"

    @property
    def socket(self) -> Path:
        return self.folder / "daemon.sock"

    @property
    def port(self) -> Path:
        """The file that names a port."""
        return self.folder / "daemon.port"

    @property
    def place(self) -> Path:
        """Where a front looks first."""
        return self.socket if self.transport == "unix" else self.port

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
    address = Address(runtime_folder(), _transport())
    if address.transport == "unix" and len(os.fsencode(address.place)) > _LONGEST_SOCKET_PATH:
        raise NoDaemon(f"{address.place} is too long for a socket; set {RUNTIME_VARIABLE} to a shorter folder.")
    try:
        address.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = address.folder.lstat()
    except OSError as error:
        raise NoDaemon(f"{address.folder} cannot be used ({error.strerror}); set {RUNTIME_VARIABLE}.") from None
    if not stat.S_ISDIR(found.st_mode) or not _is_mine(found) or not _is_at_home(address.folder):
        raise NoDaemon(f"{address.folder} is not a folder of yours; remove it, or set {RUNTIME_VARIABLE}.")
    if sys.platform != "win32" and found.st_mode & 0o077:
        raise NoDaemon(f"Others may use {address.folder}; run `chmod 700` on it, or set {RUNTIME_VARIABLE}.")
    return address


def runtime_folder() -> Path:
    """`REST_LSP_RUNTIME_DIR`, else a folder of this user's where the system keeps such things.

    Windows lets nobody but the user and its administrators into `LOCALAPPDATA`.  Raises NoDaemon when there is none.
    """
    if chosen := os.environ.get(RUNTIME_VARIABLE):
        return Path(chosen).absolute()
    if sys.platform == "win32":
        if local := os.environ.get("LOCALAPPDATA"):
            return Path(local) / "rest-lsp" / "run"
        raise NoDaemon(f"LOCALAPPDATA is not set; set it, or {RUNTIME_VARIABLE} to a folder that is yours alone.")
    session = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if session.is_absolute() and session.is_dir():
        return session / "rest-lsp"
    # `tempfile` would cost every front more to import than all the rest of this module.
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"rest-lsp-{os.getuid()}"


def is_there(place: Path, kind: Literal["socket", "file"]) -> bool:
    """Whether a daemon has left its mark.  Raises NoDaemon when something else is in its place, as if to be trusted."""
    try:
        found = place.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise NoDaemon(f"{place} cannot be looked at ({error.strerror}); set {RUNTIME_VARIABLE}.") from None
    is_kind = stat.S_ISSOCK if kind == "socket" else stat.S_ISREG
    if not is_kind(found.st_mode) or not _is_mine(found):
        raise NoDaemon(f"{place} is not a {kind} of yours; remove it, or set {RUNTIME_VARIABLE}.")
    return True


def _transport() -> Transport:
    if sys.platform == "win32":
        return "loopback"
    chosen = os.environ.get(TRANSPORT_VARIABLE) or "unix"
    if chosen not in ("unix", "loopback"):
        raise NoDaemon(f"{TRANSPORT_VARIABLE} is {chosen}; set it to unix or loopback.")
    return "unix" if chosen == "unix" else "loopback"


def _is_at_home(folder: Path) -> bool:
    """Windows keeps others out of a user's profile; elsewhere owner and mode say it."""
    return sys.platform != "win32" or folder.resolve().is_relative_to(Path.home().resolve())


def _is_mine(found: os.stat_result) -> bool:
    """As far as the system names owners by number."""
    return sys.platform == "win32" or found.st_uid == os.getuid()
