"""Who may speak to the daemon, and what becomes of nonsense.  Each test speaks to a real daemon over its socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rest_lsp.daemon import address as addresses
from rest_lsp.daemon.address import Address, NoDaemon
from rest_lsp.daemon.door import DoorFailed, keep_open
from rest_lsp.daemon.endpoint import dial
from rest_lsp.daemon.host import MAX_CLIENTS
from rest_lsp.daemon.joining import BadArguments, Connection, ask, connect, door, ensure, hello, join, starter
from rest_lsp.daemon.wire import (
    MAX_FIRST_BYTES,
    PROTOCOL,
    Ask,
    Closing,
    Frame,
    Hello,
    Left,
    Message,
    Refused,
    Report,
    Welcome,
    pack,
)
from rest_lsp.server.frames import MAX_UNREAD_BYTES
from rest_lsp.version import __version__
from tests.e2e.files_daemon import PATIENCE_S, START, answers, is_ended
from tests.e2e.lsp_client import FAKE_SERVER
from tests.waiting import wait_until

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


def by_unix_socket(test: Callable[..., None]) -> Callable[..., None]:
    """There, and where there are any."""
    pytest.mark.parametrize("address", ["unix"], indirect=True)(test)
    pytest.mark.skipif(sys.platform == "win32", reason="there are no unix sockets")(test)
    return test


@contextlib.contextmanager
def stranger(address: Address) -> Iterator[socket.socket]:
    """Somebody of this user who has not said a word of the protocol."""
    connected = dial(address, PATIENCE_S)
    assert connected is not None
    with connected:
        yield connected


def greet(address: Address, greeting: Hello) -> Message | None:
    connection = connect(address)
    assert connection is not None
    connection.send(greeting)
    answer = connection.receive()
    connection.close()
    return answer


@on_posix
@pytest.mark.usefixtures("front")
def test_only_this_user_may_open_what_leads_to_it(address: Address) -> None:
    assert stat.S_IMODE(address.place.stat().st_mode) == 0o600
    assert stat.S_IMODE(address.lock.stat().st_mode) & 0o077 == 0


@by_unix_socket
@pytest.mark.usefixtures("front")
def test_the_system_says_who_is_at_the_other_end(address: Address) -> None:
    from rest_lsp.daemon import unix_socket

    with stranger(address) as connected:
        assert unix_socket.peer_uid(connected) == os.getuid()


@by_unix_socket
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_who_gets_through_is_refused(front: Connection, address: Address) -> None:
    address.folder.chmod(0o711)
    address.place.chmod(0o666)
    # Not forked from here: a child in which something fails would go on as pytest itself.
    code = f"from tests.e2e.test_daemon_doors import try_as_nobody; try_as_nobody({os.fspath(address.folder)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    address.folder.chmod(0o700)
    assert done.stdout == "refused\n"
    assert answers(front)


def try_as_nobody(folder: str) -> None:
    os.setuid(65534)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
        connected.connect(os.fspath(Address(Path(folder)).place))
        connected.settimeout(PATIENCE_S)
        with contextlib.suppress(OSError):
            # It may have been refused already.
            connected.sendall(pack(hello([])))
        print("refused" if is_ended(connected) else "welcome")


@by_unix_socket
@pytest.mark.usefixtures("front")
def test_a_daemon_of_another_user_is_not_trusted(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    from rest_lsp.daemon import unix_socket

    with monkeypatch.context() as patch:
        patch.setattr(unix_socket, "peer_uid", lambda _: os.getuid() + 1)
        with pytest.raises(NoDaemon, match="another user"):
            connect(address)


@by_unix_socket
def test_a_socket_that_a_killed_daemon_left_is_replaced(address: Address) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(os.fspath(address.place))
    assert connect(address) is None
    connection = join(hello([]), address, START)
    assert answers(connection)
    connection.close()


@by_unix_socket
def test_a_file_where_the_socket_belongs_is_refused(address: Address) -> None:
    address.place.write_text("")
    with pytest.raises(NoDaemon, match="not a socket of yours"):
        join(hello([]), address, START)


@on_posix
def test_a_link_to_somewhere_else_is_refused(address: Address) -> None:
    target = address.folder / "elsewhere"
    address.place.symlink_to(target)
    with pytest.raises(NoDaemon, match=r"is not a (socket|file) of yours"):
        join(hello([]), address, START)
    assert not target.exists()


@on_posix
def test_a_folder_that_others_may_use_is_refused(address: Address) -> None:
    address.folder.chmod(0o755)
    with pytest.raises(NoDaemon, match="Others may use"):
        addresses.runtime_address()
    address.folder.chmod(0o700)
    assert addresses.runtime_address() == address


@on_posix
def test_a_folder_that_is_a_link_is_refused(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    link = address.folder / "link"
    link.symlink_to(address.folder)
    monkeypatch.setenv(addresses.RUNTIME_VARIABLE, str(link))
    with pytest.raises(NoDaemon, match="not a folder of yours"):
        addresses.runtime_address()


def test_another_protocol_is_refused_while_somebody_is_served(front: Connection, address: Address) -> None:
    answer = greet(address, Hello(PROTOCOL + 1, "99.0.0", 1, [], {}))
    assert isinstance(answer, Refused)
    assert answer.why == "protocol"
    answer = greet(address, Hello(PROTOCOL - 1, "0.0.1", 1, [], {}))
    assert isinstance(answer, Refused)
    assert answers(front)


def test_an_idle_daemon_makes_room_for_a_newer_version(front: Connection, address: Address) -> None:
    front.close()
    deadline = time.monotonic() + PATIENCE_S
    answer: Message | None = None
    while time.monotonic() < deadline and not (isinstance(answer, Refused) and answer.why == "yields"):
        answer = greet(address, Hello(PROTOCOL, "99.0.0", 1, [], {}))
    assert isinstance(answer, Refused)
    wait_until(lambda: ask(address, "status") is None, "it ends", PATIENCE_S)


OLDER = """
import runpy, sys
import rest_lsp.version
rest_lsp.version.__version__ = "0.0.1"
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_newer_front_takes_the_place_of_an_idle_daemon_with_one_of_its_own(address: Address) -> None:
    code = f"import sys; sys.argv[0] = {os.fspath(FAKE_SERVER)!r}{OLDER}"
    older = ensure(address, starter([sys.executable, "-c", code, "--as-daemon"]))
    connection = join(hello([]), address, START)
    newer = ask(address, "status")
    assert newer is not None
    assert newer.pid != older.pid
    assert (older.version, newer.version) == ("0.0.1", __version__)
    assert [client.pid for client in newer.clients] == [os.getpid()]
    assert answers(connection)
    connection.close()


@pytest.mark.usefixtures("front")
def test_a_newer_front_joins_an_older_daemon_that_is_busy(address: Address) -> None:
    assert isinstance(greet(address, Hello(PROTOCOL, "99.0.0", 1, [], {})), Welcome)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        (MAX_FIRST_BYTES + 1).to_bytes(4, "big"),
        b"\0\0\0\1\xc1",
        b"\0\0\0\0",
    ],
    ids=["http", "4 GB", "too much for a first message", "no msgpack", "nothing"],
)
def test_nonsense_ends_a_connection_and_nothing_else(front: Connection, address: Address, nonsense: bytes) -> None:
    with stranger(address) as connected:
        connected.sendall(nonsense)
        assert is_ended(connected)
    assert answers(front)


def test_half_a_message_and_silence(front: Connection, address: Address) -> None:
    message = pack(hello([]))
    with stranger(address) as connected:
        connected.sendall(message[: len(message) // 2])
        assert answers(front), "nobody waits for the other half"
        assert is_ended(connected)


def test_half_a_message_and_the_end(front: Connection, address: Address) -> None:
    with stranger(address) as connected:
        connected.sendall(pack(hello([]))[:7])
    assert answers(front)


def test_a_message_of_100_mb_is_survived(front: Connection, address: Address) -> None:
    other = join(hello([]), address, START)
    answer: Message | None = None
    other.send(Frame(b"[" * 100_000_000))
    answer = other.receive()
    assert isinstance(answer, Frame)
    assert b"-32700" in answer.body
    other.close()
    assert answers(front)


def test_a_message_beyond_the_limit_ends_its_connection(front: Connection, address: Address) -> None:
    with stranger(address) as connected:
        connected.sendall(pack(hello([])))
        connection = Connection(connected)
        assert isinstance(connection.receive(), Welcome)
        connected.sendall(b"\xff\xff\xff\xff")
        assert connection.receive() == Left(1)
        assert connection.receive() is None
    assert answers(front)


def test_half_a_message_of_a_front_and_the_end(front: Connection, address: Address) -> None:
    with stranger(address) as connected:
        connected.sendall(pack(hello([])))
        assert isinstance(Connection(connected).receive(), Welcome)
        connected.sendall(pack(Frame(b"{}"))[:7])
        assert answers(front), "nobody waits for the other half"
    wait_until(lambda: n_clients(address) == 1, "it is let go", PATIENCE_S)


def test_of_many_windows_the_last_one_is_refused_until_another_one_goes(front: Connection, address: Address) -> None:
    others = [join(hello([]), address, START) for _ in range(MAX_CLIENTS - 1)]
    with pytest.raises(NoDaemon, match=f"serves {MAX_CLIENTS} windows"):
        join(hello([]), address, START)
    assert answers(front)
    others.pop().close()
    wait_until(lambda: n_clients(address) < MAX_CLIENTS, "one has gone", PATIENCE_S)
    others.append(join(hello([]), address, START))
    assert answers(others[-1])
    for other in others:
        other.close()


def n_clients(address: Address) -> int:
    report = ask(address, "status")
    assert report is not None
    return len(report.clients)


def test_a_front_that_does_not_read_is_let_go(front: Connection, address: Address) -> None:
    """And what was kept for it."""
    other = join(hello([]), address, START)
    request = Frame(b'{"jsonrpc": "2.0", "id": "%s", "method": "none"}' % (b"x" * 1_000_000))
    with contextlib.suppress(OSError):
        for _ in range(2 * MAX_UNREAD_BYTES // len(request.body)):
            other.send(request)
    wait_until(lambda: n_clients(address) == 1, "it is let go", PATIENCE_S)
    assert answers(front)
    other.close()


@by_unix_socket
@pytest.mark.usefixtures("front")
def test_a_command_hears_at_once_that_there_is_no_http(address: Address) -> None:
    with pytest.raises(BadArguments, match="no HTTP"):
        join(door([], "token", "elsewhere", {}), address, START)


@by_unix_socket
def test_http_that_fails_while_it_starts_costs_its_command_alone(front: Connection, address: Address) -> None:
    command = join(door([], "token", "late", {}), address, START)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command.send_socket(listener)
        assert command.receive() == Left(1)
        assert command.receive() is None
    command.close()
    assert answers(front)


@by_unix_socket
def test_a_command_that_sends_no_socket_is_let_go(front: Connection, address: Address) -> None:
    command = join(door([], "token", "late", {}), address, START)
    command.send(Left(0))
    assert command.receive() is None
    command.close()
    assert answers(front)


@by_unix_socket
def test_a_daemon_that_is_about_to_serve_http_makes_no_room_for_a_newer_version(address: Address) -> None:
    command = join(door([], "token", "late", {}), address, START)
    assert isinstance(greet(address, Hello(PROTOCOL, "99.0.0", 1, [], {})), Welcome)
    command.close()


@by_unix_socket
def test_a_command_hears_of_the_end_before_it_has_sent_its_socket(address: Address) -> None:
    command = join(door([], "token", "late", {}), address, START)
    assert ask(address, "stop") is not None
    assert command.receive() == Closing()
    command.close()


@by_unix_socket
def test_a_command_ends_when_the_next_daemon_has_no_http(address: Address) -> None:
    connection = join(door([], "token", "late", {}), address, START)
    report = ask(address, "status")
    assert report is not None
    os.kill(report.pid, signal.SIGKILL)
    assert connection.receive() is None
    n_asked = 0

    def join_again() -> Connection:
        nonlocal n_asked
        n_asked += 1
        assert n_asked == 1, "it was told already"
        return join(door([], "token", "elsewhere", {}), address, START)

    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(DoorFailed, match="no HTTP"):
        keep_open(listener, connection, join_again)


@by_unix_socket
def test_a_command_hears_that_the_daemon_is_older(address: Address) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(os.fspath(address.place))
        listening.listen()
        threading.Thread(target=_be_older, args=(listening,), daemon=True).start()
        with pytest.raises(NoDaemon, match="restart"):
            join(door([], "token", "late", {}), address, START)
        listening.shutdown(socket.SHUT_RDWR)


def _be_older(listening: socket.socket) -> None:
    """As a daemon to which the greeting of a command is no message."""
    with contextlib.suppress(OSError):
        while True:
            connected, _ = listening.accept()
            connection = Connection(connected)
            if isinstance(connection.receive(), Ask):
                connection.send(Report("0.0.1", os.getpid(), 0.0, 0, 1, []))
            connection.close()


def test_200_idle_connections_are_let_go(front: Connection, address: Address) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(stranger(address)) for _ in range(200)]
        late = join(hello([]), address, START)
        assert answers(late)
        assert answers(front)
        assert all(is_ended(connected) for connected in idle)
        late.close()


def test_a_front_imports_nothing_heavy() -> None:
    """It is light because of what it leaves out."""
    modules = (
        "rest_lsp.cli, rest_lsp.cli_front, rest_lsp.daemon.front, rest_lsp.daemon.unix_socket, rest_lsp.daemon.loopback"
    )
    code = f"import {modules}, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"torch", "numpy", "pygls", "lsprotocol", "transformers", "pydantic", "typer", "rich", "asyncio"}
    assert not heavy & set(loaded)


@pytest.mark.skipif(sys.platform != "linux", reason="names of folders are text elsewhere")
def test_a_front_in_a_folder_whose_name_is_no_text_is_served(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102
    monkeypatch.chdir(os.fsdecode(folder))
    connection = join(hello([]), address, START)
    assert answers(connection)
    connection.close()
