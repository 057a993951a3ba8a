"""A daemon at a port, where anybody on the host may knock, and anybody may listen when it has gone."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import NoReturn

import msgspec
import pytest

from rest_lsp.daemon.address import TRANSPORT_VARIABLE, Address, NoDaemon, Transport, runtime_address
from rest_lsp.daemon.joining import Connection, ask, connect, door, hello, join
from rest_lsp.daemon.loopback import NONCE_BYTES, PROOF_BYTES, Loopback, Port, proof
from rest_lsp.daemon.wire import pack, read_exactly
from tests.e2e.files_daemon import PATIENCE_S, START, TRANSPORTS, answers, is_ended
from tests.e2e.test_lsp_ending import wait_until_gone

pytestmark = pytest.mark.parametrize("address", ["loopback"], indirect=True)

N_KNOCKING = 200


def port_of(address: Address) -> Port:
    return msgspec.msgpack.decode(address.port.read_bytes(), type=Port)


def leave(address: Address, port: Port) -> None:
    address.port.write_bytes(msgspec.msgpack.encode(port))


def knock(address: Address) -> socket.socket:
    """Somebody who has not read the file."""
    return socket.create_connection(("127.0.0.1", port_of(address).number), PATIENCE_S)


def test_who_does_not_know_the_key_is_refused(front: Connection, address: Address) -> None:
    with knock(address) as other:
        other.sendall(bytes(NONCE_BYTES))
        read_exactly(other, NONCE_BYTES + PROOF_BYTES)
        with contextlib.suppress(OSError):
            other.sendall(bytes(PROOF_BYTES) + pack(hello([])))
        assert is_ended(other)
    assert answers(front)


def test_the_daemons_own_proof_is_none_of_a_front(front: Connection, address: Address) -> None:
    with knock(address) as other:
        other.sendall(bytes(NONCE_BYTES))
        read_exactly(other, NONCE_BYTES)
        with contextlib.suppress(OSError):
            other.sendall(read_exactly(other, PROOF_BYTES) + pack(hello([])))
        assert is_ended(other)
    assert answers(front)


def test_a_proof_serves_for_one_connection(front: Connection, address: Address) -> None:
    key, mine = port_of(address).key, bytes(NONCE_BYTES)
    with knock(address) as first, knock(address) as second:
        for other in (first, second):
            other.sendall(mine)
        theirs = read_exactly(first, NONCE_BYTES + PROOF_BYTES)[:NONCE_BYTES]
        read_exactly(second, NONCE_BYTES + PROOF_BYTES)
        with contextlib.suppress(OSError):
            second.sendall(proof(key, b"front", mine, theirs) + pack(hello([])))
        assert is_ended(second)
    assert answers(front)


def test_it_listens_to_this_host_alone_and_never_with_an_old_key(front: Connection, address: Address) -> None:
    first, found = port_of(address), ask(address, "status")
    assert found is not None
    ask(address, "stop")
    front.close()
    wait_until_gone(found.pid)
    assert not address.place.exists()
    listening = Loopback(address).listen()
    assert listening.getsockname()[0] == "127.0.0.1"
    listening.close()
    assert port_of(address).key != first.key


def test_half_a_proof_and_the_end(front: Connection, address: Address) -> None:
    with knock(address) as other:
        other.sendall(bytes(NONCE_BYTES))
        read_exactly(other, NONCE_BYTES + PROOF_BYTES)
        other.sendall(bytes(3))
    assert answers(front)


def test_many_who_knock_and_say_nothing_are_let_go(front: Connection, address: Address) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(knock(address)) for _ in range(N_KNOCKING)]
        late = join(hello([]), address, START)
        assert answers(late)
        assert answers(front)
        assert all(is_ended(connected) for connected in idle)
        late.close()


def test_who_listens_at_the_port_of_a_killed_daemon_learns_nothing(front: Connection, address: Address) -> None:
    """And is not taken for a daemon, so that another one is started."""
    port, found = port_of(address), ask(address, "status")
    assert found is not None
    os.kill(found.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    wait_until_gone(found.pid)
    assert front.receive() is None
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # As if it had got the same port, which the system keeps free for a while.
        leave(address, Port(listening.getsockname()[1], port.key, os.getpid()))
        impostor = threading.Thread(target=_pretend, args=(listening, heard))
        impostor.start()
        assert connect(address) is None
        impostor.join(PATIENCE_S)
        assert [len(said) for said in heard] == [NONCE_BYTES]
    successor = join(hello([]), address, START)
    assert answers(successor)
    successor.close()
    assert port_of(address) != port


def test_who_answers_byte_by_byte_is_not_waited_for(address: Address) -> None:
    sent: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        leave(address, Port(listening.getsockname()[1], bytes(NONCE_BYTES), os.getpid()))
        slow = threading.Thread(target=_drip, args=(listening, sent))
        slow.start()
        assert Loopback(address).dial(1.0) is None
        slow.join(PATIENCE_S)
    assert 0 < len(sent) < NONCE_BYTES + PROOF_BYTES


def _drip(listening: socket.socket, sent: list[int]) -> None:
    """One byte of an answer at a time, until nobody waits for more."""
    connected, _ = listening.accept()
    with connected, contextlib.suppress(ConnectionError):
        connected.recv(NONCE_BYTES)
        is_waited_for = True
        while is_waited_for and len(sent) < NONCE_BYTES + PROOF_BYTES:
            connected.sendall(b"\0")
            sent.append(0)
            is_waited_for = not select.select([connected], [], [], 0.1)[0]


def _pretend(listening: socket.socket, heard: list[bytes]) -> None:
    """All that one connection says to somebody who does not know the key."""
    connected, _ = listening.accept()
    with connected, contextlib.suppress(ConnectionError):
        connected.sendall(bytes(NONCE_BYTES + PROOF_BYTES))
        said = b""
        while new := connected.recv(1 << 16):
            said += new
        heard.append(said)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xc1", b"\x93\x01\x02\x03", msgspec.msgpack.encode(Port(70000, b"", os.getpid()))],
    ids=["empty", "no msgpack", "no map", "no port"],
)
def test_a_file_that_names_no_port_is_written_anew(address: Address, content: bytes) -> None:
    address.place.write_bytes(content)
    assert connect(address) is None
    connection = join(hello([]), address, START)
    assert answers(connection)
    connection.close()


@pytest.mark.usefixtures("front")
@pytest.mark.parametrize("wanted", TRANSPORTS)
def test_a_port_cannot_be_lent(address: Address, wanted: Transport) -> None:
    with pytest.raises(NoDaemon, match="unix socket alone"):
        join(door([], "token", "late", {}), Address(address.folder, wanted), START)


@pytest.mark.skipif(sys.platform == "win32", reason="there is one transport alone")
def test_a_daemon_is_found_however_it_listens(front: Connection, address: Address) -> None:
    """An editor and a shell need not have the same variable."""
    elsewise = Address(address.folder, "unix")
    here, there = ask(address, "status"), ask(elsewise, "status")
    assert here is not None
    assert there is not None
    assert here.pid == there.pid
    other = join(hello([]), elsewise, start_nothing)
    assert answers(other)
    assert answers(front)
    other.close()


def start_nothing(address: Address) -> NoReturn:
    pytest.fail(f"another daemon was started in {address.folder}")


@pytest.mark.usefixtures("front")
def test_a_port_of_a_process_that_has_ended_is_not_tried(address: Address) -> None:
    """It may be somebody else's by now, and to be refused takes its time."""
    port = port_of(address)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        leave(address, Port(listening.getsockname()[1], port.key, int(done.stdout)))
        assert connect(address) is None
        assert select.select([listening], [], [], 0)[0] == [], "nobody has knocked"
    leave(address, port)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no choice")
def test_a_transport_that_there_is_not_is_named(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime_address() == address
    monkeypatch.setenv(TRANSPORT_VARIABLE, "pigeon")
    with pytest.raises(NoDaemon, match="REST_LSP_DAEMON_TRANSPORT is pigeon; set it to unix or loopback"):
        runtime_address()
