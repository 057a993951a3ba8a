"""The server never outlives its editor, whatever it is doing.  Two seconds are promised; the tests allow ten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rest_lsp.processes import is_alive
from tests.e2e.lsp_client import FAKE_SERVER, REPOSITORY, LspClient, frame
from tests.waiting import wait_until

URI = "file:///nowhere/a.py"
PROMISED_S = 10.0

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups of POSIX")


def working(client: LspClient, word: str, process_id: int | None = None) -> LspClient:
    """Initialized and in the middle of a generation."""
    client.initialize(process_id=process_id)
    client.wait_for_state("ready")
    client.open(URI, word)
    client.post_completion(URI, 0, len(word))
    client.poll_status(lambda status: status["datastore"]["running"] == 1)
    return client


@pytest.mark.parametrize("word", ["slow", "stuck"])
def test_shutdown_in_the_middle_of_a_generation(word: str) -> None:
    with LspClient() as client:
        working(client, word)
        assert client.ask("shutdown") is None
        client.notify("exit")
        assert client.process.wait(PROMISED_S) == 0


@pytest.mark.parametrize("word", ["slow", "stuck"])
def test_the_end_of_stdin_ends_the_server(word: str) -> None:
    with LspClient() as client:
        working(client, word)
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(PROMISED_S) == 1


def test_the_end_of_stdin_after_shutdown_is_no_failure() -> None:
    with LspClient() as client:
        client.initialize()
        client.ask("shutdown")
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(PROMISED_S) == 0


def test_the_end_of_stdin_while_the_model_loads(tmp_path: Path) -> None:
    with LspClient("--open-gate", str(tmp_path / "never")) as client:
        client.initialize()
        client.wait_for_state("loading")
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(PROMISED_S) == 1


def test_the_death_of_the_editor_ends_the_server() -> None:
    editor = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with LspClient() as client:
        working(client, "slow", process_id=editor.pid)
        editor.kill()
        editor.wait(PROMISED_S)
        assert client.process.wait(PROMISED_S) == 1


def test_a_client_that_does_not_read_cannot_keep_the_server_alive() -> None:
    # The pipe of the answers fills up, and nobody empties it.
    process = subprocess.Popen(
        [sys.executable, str(FAKE_SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        assert process.stdin is not None
        body = b'{"jsonrpc": "2.0", "id": 1, "method": "%s"}' % (b"x" * 1000)
        message = b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        process.stdin.write(message * 1000)
        process.stdin.flush()
        process.stdin.close()
        assert process.wait(PROMISED_S) == 1
    finally:
        process.kill()
        process.wait()


@on_posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_server(number: signal.Signals) -> None:
    with LspClient() as client:
        working(client, "slow")
        client.process.send_signal(number)
        assert client.process.wait(PROMISED_S) == 128 + number


@on_posix
def test_killing_the_client_ends_the_server_even_when_somebody_holds_its_stdin() -> None:
    """A client dies by SIGKILL while another process keeps the pipe open, so there is no end of stdin."""
    message = frame({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}})
    script = textwrap.dedent(f"""
        import os, subprocess, sys, time
        read_end, write_end = os.pipe()
        pipes = dict(stdin=read_end, stdout=subprocess.PIPE)
        server = subprocess.Popen([sys.executable, {str(FAKE_SERVER)!r}], **pipes)
        keeper = subprocess.Popen(["sleep", "600"], pass_fds=[write_end])
        os.write(write_end, {message!r})
        server.stdout.readline()
        print(server.pid, keeper.pid, flush=True)
        time.sleep(600)
    """)
    client = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert client.stdout is not None
    server, keeper = map(int, client.stdout.readline().split())
    try:
        client.send_signal(signal.SIGKILL)
        client.wait(PROMISED_S)
        wait_until_gone(server)
    finally:
        os.kill(keeper, signal.SIGKILL)
        if is_running(server):
            os.kill(server, signal.SIGKILL)


def wait_until_gone(process_id: int) -> None:
    wait_until(lambda: not is_running(process_id), f"process {process_id} ends", PROMISED_S)


def is_running(process_id: int) -> bool:
    """False for a process that has ended but that nobody has waited for."""
    stat = Path(f"/proc/{process_id}/stat")
    if not stat.parent.parent.joinpath("self").exists():
        return is_alive(process_id)
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
