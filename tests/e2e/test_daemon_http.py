"""HTTP served by the daemon: real commands, fronts and daemons, and a tiny model."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from rest_lsp.cli_front import DAEMON
from rest_lsp.daemon import joining
from rest_lsp.daemon.address import Address
from rest_lsp.daemon.joining import ask, hello, join, starter
from rest_lsp.daemon.wire import Report
from rest_lsp.http.connections import MAX_CONNECTIONS
from tests.e2e.lsp_client import REPOSITORY, LspClient
from tests.e2e.test_lsp_ending import is_running, wait_until_gone
from tests.files_cli import SOURCE, Place
from tests.files_http import COLUMN, FILE, LINE, PATIENCE_S, Door, make_http_place, opened_door, start_door
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a port is lent through a unix socket")

INVOKED = 1
LINGER_S = 1.2


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_http_place(tmp_path)


@pytest.fixture
def address(runtime_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Address:
    monkeypatch.setenv("REST_LSP_TEST_WAY", "daemon")
    return Address(runtime_folder)


@pytest.fixture
def door(place: Place, address: Address) -> Iterator[Door]:
    assert not address.place.exists()
    with opened_door(place) as door:
        door.wait_until_ready()
        yield door


def report_of(address: Address) -> Report:
    found = ask(address, "status")
    assert found is not None
    return found


def is_free(port: int) -> bool:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_a_window_and_clients_of_http_get_the_same_from_one_model(door: Door, address: Address) -> None:
    uri = (door.place.workspace / FILE).as_uri()
    by_http = door.fill_in()
    with LspClient(server=("-m", "rest_lsp", "serve"), **door.place.environment) as window:
        window.initialize(door.place.workspace)
        window.wait_for_state("ready")
        window.open(uri, SOURCE, language="plaintext")
        items = window.complete(uri, LINE, COLUMN, kind=INVOKED)
        report = report_of(address)
        assert door.fill_in()["tokens"] == by_http["tokens"]
        assert window.shut_down() == 0
    assert items[0]["insertText"] == by_http["content"] != ""
    assert {client.pid for client in report.clients} == {door.process.pid, window.process.pid}
    assert address.log.read_text(encoding="utf-8").count("is loaded") == 1


def test_the_command_goes_on_with_another_daemon_when_one_is_killed(door: Door, address: Address) -> None:
    before, killed = door.fill_in(), report_of(address).pid
    os.kill(killed, signal.SIGKILL)
    wait_until_gone(killed)
    door.wait_until_ready()
    assert door.fill_in()["content"] == before["content"]
    report = report_of(address)
    assert report.pid != killed
    assert [client.pid for client in report.clients] == [door.process.pid]


def test_a_daemon_that_was_stopped_comes_back_with_the_next_request(door: Door, address: Address) -> None:
    before, stopped = door.fill_in(), report_of(address).pid
    ask(address, "stop")
    wait_until_gone(stopped)
    assert not is_free(door.port), "the port is the command's"
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(door.fill_in)
        assert answer.result(PATIENCE_S)["content"] == before["content"]
    assert report_of(address).pid != stopped


def test_a_killed_command_leaves_no_port_and_no_client(door: Door, address: Address) -> None:
    door.process.kill()
    wait_until(lambda: is_free(door.port), "the port is free")
    wait_until(lambda: not report_of(address).clients, "nobody is served")


def test_a_port_that_is_taken_costs_one_sentence(door: Door, address: Address) -> None:
    late = start_door(door.place, port=door.port)
    _, errors = late.communicate(timeout=PATIENCE_S)
    assert late.returncode == 1
    assert errors.splitlines()[0] == f"error: 127.0.0.1:{door.port} cannot be used (Address already in use)."
    assert len(report_of(address).clients) == 1
    assert door.fill_in()["content"]


def test_a_model_that_only_http_uses_rests_and_is_loaded_again(place: Place, address: Address) -> None:
    with opened_door(place, "--server-unload-minutes", "0.001") as door:
        door.wait_until_ready()
        first = door.fill_in()
        wait_until(lambda: report_of(address).clients[0].state == "resting", "the model rests", PATIENCE_S)
        assert door.status("GET", "/health") == 200
        assert door.fill_in()["tokens"] == first["tokens"]


def test_two_ports_are_served_with_one_model(door: Door, address: Address) -> None:
    expected = door.fill_in()["tokens"]
    with opened_door(door.place) as other:
        other.wait_until_ready()
        assert other.fill_in()["tokens"] == expected
        names = {client.pid: client.editor for client in report_of(address).clients}
        assert names == {each.process.pid: f"HTTP at 127.0.0.1:{each.port}" for each in (door, other)}
    wait_until(lambda: len(report_of(address).clients) == 1, "the other one has gone")
    assert door.fill_in()["tokens"] == expected
    assert address.log.read_text(encoding="utf-8").count("is loaded") == 1


def test_who_connects_and_says_nothing_is_in_nobodys_way(door: Door, address: Address) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", door.port), PATIENCE_S)) for _ in range(200)
        ]
        silent[-1].sendall(b"POST /infill HTTP/1.1\r\nHost: ")
        assert door.fill_in()["content"]
        assert {has_ended(connected) for connected in silent[: 200 - MAX_CONNECTIONS]} == {True}
        assert len(report_of(address).clients) == 1


def has_ended(connected: socket.socket) -> bool:
    try:
        return connected.recv(1) == b""
    except ConnectionResetError:
        return True


def test_the_daemon_stays_as_long_as_a_port_is_open_and_ends_some_time_later(place: Place, address: Address) -> None:
    with opened_door(place, "--server-linger-minutes", f"{LINGER_S / 60}") as door:
        door.wait_until_ready()
        pid = report_of(address).pid
        wait_until(lambda: report_of(address).uptime_s > 4 * LINGER_S, "more time has passed than it lingers")
        assert door.fill_in()["content"]
        assert report_of(address).pid == pid
        door.process.kill()
        wait_until(lambda: not is_running(pid), "it ends", PATIENCE_S)


def test_the_daemon_stays_for_a_port_that_comes_while_the_last_window_goes(
    place: Place, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The daemon looks how long it has been idle eight times in the time that its own settings say.
    lingering = {"REST_LSP_SERVER_LINGER_MINUTES": str(LINGER_S / 60), "PYTHONPATH": str(REPOSITORY)}
    for name, value in {**place.environment, **lingering}.items():
        monkeypatch.setenv(name, value)
    start = starter(DAEMON)
    window = join(hello([]), address, start)
    command = join(joining.door([], "token", str(place.workspace), {}), address, start)
    window.close()
    wait_until(lambda: not report_of(address).clients, "the window has gone")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command.send_socket(listener)
    wait_until(lambda: report_of(address).clients, "the port is served")
    since = report_of(address).uptime_s
    wait_until(lambda: report_of(address).uptime_s > since + 2 * LINGER_S, "more time has passed than it lingers")
    command.close()


def test_paths_begin_in_the_folder_of_the_command(place: Place, address: Address) -> None:
    here = place.workspace.parent
    elsewhere = place._replace(environment={**place.environment, "REST_LSP_MODEL_CACHE_DIR": "elsewhere"})
    with opened_door(elsewhere, "--model", "./model", cwd=here) as door:
        door.wait_until_ready()
        assert door.fill_in()["content"]
        assert len(report_of(address).clients) == 1
    assert (here / "elsewhere" / "models").is_dir()
    assert not (address.folder / "elsewhere").exists()


def test_paths_begin_in_the_folder_of_the_editor(place: Place, address: Address) -> None:
    here = place.workspace.parent
    environment = {**place.environment, "REST_LSP_MODEL_CACHE_DIR": "elsewhere"}
    with LspClient("--model", "./model", server=("-m", "rest_lsp", "serve"), cwd=str(here), **environment) as window:
        window.initialize(place.workspace)
        window.wait_for_state("ready")
        assert [client.pid for client in report_of(address).clients] == [window.process.pid]
        assert window.shut_down() == 0
    assert (here / "elsewhere" / "models").is_dir()


@pytest.mark.parametrize("variable", ["REST_LSP_RUNTIME_DIR=" + "x" * 100, "REST_LSP_DAEMON_TRANSPORT=loopback"])
def test_where_no_port_can_be_lent_the_command_serves_alone(
    place: Place, address: Address, variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(*variable.split("="))
    with opened_door(place) as door:
        door.wait_until_ready()
        assert door.fill_in()["content"]
    assert not list(address.folder.iterdir()), "no daemon was started for it"
    assert capsys.readouterr().err.count("This command runs a model of its own.") == 1
