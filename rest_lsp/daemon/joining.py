"""A front's way to the daemon: connect, or start one and connect.  Light, as a front is."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rest_lsp.daemon.address import Address, NoDaemon
from rest_lsp.daemon.endpoint import dial
from rest_lsp.daemon.wire import (
    LENGTH_BYTES,
    PROTOCOL,
    Ask,
    BadMessage,
    Door,
    Hello,
    Message,
    Refused,
    Report,
    Tried,
    Welcome,
    Wish,
    length_of,
    pack,
    read_exactly,
    unpack,
)
from rest_lsp.version import __version__

if TYPE_CHECKING:
    from subprocess import Popen

    StartDaemon = Callable[[Address], Popen[bytes]]

JOIN_S = 30.0
"""A daemon that has not answered after so long does not work here."""

_HANDSHAKE_S = 10.0
_TRIAL_S = 120.0
"""A model that rests is loaded first, and whoever types is served before."""

_LOOK_S = 0.02
_UNANSWERED = 5
"""A daemon that ends has one or two connections left without an answer."""

_NOT_LENT = "A port can be lent to a daemon through a unix socket alone."
_PASSED_ON = ("REST_LSP_", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")


FIRST_PAUSE_S = 0.05
"""Between two daemons of which the first one ended at once."""

STEADY_S = 5.0
_LONGEST_PAUSE_S = 2.0


class BadArguments(NoDaemon):
    """The daemon cannot read the front's arguments, so the command line shall say what is wrong with them."""


class Connection:
    """Messages over a socket.  One thread sends, one receives."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def send(self, message: Message) -> None:
        """Blocks while the other end does not read.  Raises OSError."""
        self._socket.sendall(pack(message))

    def receive(self) -> Message | None:
        """The next message; None when there will be no more, or nothing that can be read."""
        try:
            header = read_exactly(self._socket, LENGTH_BYTES)
            return unpack(read_exactly(self._socket, length_of(header)))
        except (OSError, EOFError, BadMessage):
            return None

    @property
    def can_lend(self) -> bool:
        """Whether it carries sockets, too."""
        return sys.platform != "win32" and self._socket.family == socket.AF_UNIX

    def send_socket(self, lent: socket.socket) -> None:
        """Give the other end a share of `lent`.  Raises OSError."""
        if sys.platform == "win32":
            raise OSError("No socket can be sent here.")
        socket.send_fds(self._socket, [b"\0"], [lent.fileno()])

    def end_sending(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()

    def set_timeout(self, timeout_s: float | None) -> None:
        self._socket.settimeout(timeout_s)


Rejoin = Callable[[], Connection]


def starter(command: Sequence[str]) -> StartDaemon:
    """Starts a daemon apart from the editor's terminal, so that no signal meant for the editor reaches it."""

    def start(address: Address) -> Popen[bytes]:
        import subprocess

        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        output = os.open(address.stray_output, flags, 0o600)
        # Windows knows no appending for those who inherit a descriptor.
        os.lseek(output, 0, os.SEEK_END)
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            # Without a window of its own, which its own children then need not open either.
            apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
        try:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=address.folder, **apart
            )
        finally:
            os.close(output)

    return start


def hello(arguments: Sequence[str]) -> Hello:
    """What this process says of itself."""
    return Hello(PROTOCOL, __version__, os.getpid(), list(arguments), _passed_on(), _here())


def door(names: Sequence[str], token: str, folder: str, options: dict[str, Any]) -> Door:
    """What a command says that wants HTTP served."""
    return Door(PROTOCOL, __version__, os.getpid(), list(names), token, folder, options, _passed_on(), _here())


def _here() -> str:
    try:
        here = str(Path.cwd())
        here.encode()
    except (OSError, UnicodeError):
        return ""  # It has been removed, or has a name that messages cannot carry.
    return here


def _passed_on() -> dict[str, str]:
    """The variables that settings depend on."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}


def join(greeting: Hello | Door, address: Address, start: StartDaemon) -> Connection:
    """A connection to a daemon that has said welcome.  Raises NoDaemon, BadArguments."""
    n_unanswered = 0
    if isinstance(greeting, Door) and address.transport != "unix":
        raise NoDaemon(_NOT_LENT)
    for connection in _attempts(address, start):
        if isinstance(greeting, Door) and not connection.can_lend:
            connection.close()
            raise NoDaemon(_NOT_LENT)
        answer = _exchange(connection, greeting)
        if isinstance(answer, Welcome):
            connection.set_timeout(None)
            return connection
        connection.close()
        if isinstance(answer, Refused) and answer.why == "arguments":
            raise BadArguments(answer.reason)
        if isinstance(answer, Refused) and answer.why == "protocol":
            raise NoDaemon(answer.reason)
        n_unanswered += answer is None
        # It cannot say so itself: to a daemon that knows of no doors this greeting is nonsense.
        if isinstance(greeting, Door) and n_unanswered >= _UNANSWERED and ask(address, "status") is not None:
            raise NoDaemon("The running daemon is older and serves no HTTP; `rest-lsp daemon restart` helps.")
    raise AssertionError("attempts end with a connection or an error")


def rejoin(join_again: Rejoin) -> Connection:
    """A connection to another daemon, however long that takes; why it takes long goes to standard error."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return join_again()
        except (NoDaemon, OSError) as error:
            print(f"rest-lsp: {error}", file=sys.stderr, flush=True)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def await_end(address: Address, timeout_s: float) -> bool:
    """Whether the daemon, which holds a lock as long as it lives, has ended in time."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(address.lock, timeout=timeout_s):
            return True
    except Timeout:
        return False


def ask(address: Address, wish: Wish) -> Report | None:
    """What a running daemon reports of itself; None when there is none.  Raises NoDaemon."""
    connection = connect(address)
    return _asked(connection, wish) if connection is not None else None


def try_out(address: Address, folder: str) -> Tried | None:
    """How a completion by the daemon's model goes, best that of `folder`; None when no editor has it loaded one.

    Raises NoDaemon.
    """
    connection = connect(address)
    if connection is None:
        return None
    connection.set_timeout(_TRIAL_S)
    try:
        answer = _exchange(connection, Ask(PROTOCOL, __version__, "try", folder))
    finally:
        connection.close()
    return answer if isinstance(answer, Tried) and answer.reason else None


def ensure(address: Address, start: StartDaemon) -> Report:
    """The report of a daemon, which is started unless it runs.  Raises NoDaemon."""
    for connection in _attempts(address, start):
        report = _asked(connection, "status")
        if report is not None:
            return report
    raise AssertionError("attempts end with a report or an error")


def connect(address: Address) -> Connection | None:
    """A connection to whoever of this user listens; None when nobody does.  Raises NoDaemon."""
    connected = dial(address, _HANDSHAKE_S)
    return Connection(connected) if connected is not None else None


def _attempts(address: Address, start: StartDaemon) -> Iterator[Connection]:
    """Connections to whatever daemon listens, one after the other; starts one when none does."""
    deadline = time.monotonic() + JOIN_S
    started: Popen[bytes] | None = None
    while time.monotonic() < deadline:
        connection = connect(address)
        if connection is not None:
            yield connection
        elif started is None or started.poll() is not None:
            started = start(address)
        time.sleep(_LOOK_S)
    raise NoDaemon(f"No daemon answered within {JOIN_S:.0f} s; {address.log} says more.")


def _asked(connection: Connection, wish: Wish) -> Report | None:
    try:
        answer = _exchange(connection, Ask(PROTOCOL, __version__, wish))
    finally:
        connection.close()
    return answer if isinstance(answer, Report) else None


def _exchange(connection: Connection, message: Message) -> Message | None:
    try:
        connection.send(message)
    except OSError:
        return None
    return connection.receive()
