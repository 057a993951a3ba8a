"""Every test has a runtime folder of its own, so that none shares a daemon, and leaves no daemon behind."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from rest_lsp.daemon.address import RUNTIME_VARIABLE, TRANSPORT_VARIABLE, Address
from rest_lsp.daemon.joining import Connection, ask, hello, join
from tests.e2e.files_daemon import START, TRANSPORTS
from tests.e2e.lsp_client import REPOSITORY

END_S = 60.0
WAY_VARIABLE = "REST_LSP_TEST_WAY"
WAYS = ("in process", "daemon")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What holds for a server alone holds for one behind a front.

    A client that a whole module shares says for itself how it is served; see `served`.
    """
    is_shared = "client" in metafunc.fixturenames and metafunc._arg2fixturedefs["client"][-1].scope == "module"
    if metafunc.module.__name__.rpartition(".")[2].startswith("test_lsp_") and not is_shared:
        metafunc.parametrize("way", WAYS, indirect=True)


@contextmanager
def served(way: str) -> Iterator[Path]:
    """Servers that are started meanwhile serve this way, in a runtime folder of their own, and leave no daemon.

    The folder's name is short, since the path of a socket must be.
    """
    folder = Path(tempfile.mkdtemp(prefix="rest-lsp-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WAY_VARIABLE, way)
        patch.setenv(RUNTIME_VARIABLE, str(folder))
        yield folder
    end_daemon(folder)
    shutil.rmtree(folder)


def end_daemon(folder: Path) -> None:
    """A front may have started one that takes the place of the one that is told to stop, so the word is said again."""
    deadline, address = time.monotonic() + END_S, Address(folder)
    while address.lock.exists():
        ask(address, "stop")
        try:
            with FileLock(address.lock, timeout=0.5):
                return
        except Timeout:
            assert time.monotonic() < deadline, "a daemon does not stop"


@pytest.fixture(scope="session", autouse=True)
def no_daemon_of_the_user() -> Iterator[None]:
    """What outlives a test serves in process; should it not, it must not meet the daemon of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        # No folder can be made where a file is.
        patch.setenv(RUNTIME_VARIABLE, __file__)
        patch.delenv(TRANSPORT_VARIABLE, raising=False)
        yield


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest) -> str:
    """How servers serve."""
    return str(getattr(request, "param", WAYS[0]))


@pytest.fixture(params=TRANSPORTS)
def address(runtime_folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Address:
    """Where the daemon is found, once for each way to speak to it."""
    monkeypatch.setenv(TRANSPORT_VARIABLE, request.param)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return Address(runtime_folder, request.param)


@pytest.fixture(autouse=True)
def runtime_folder(way: str) -> Iterator[Path]:
    """Where their daemon is found."""
    with served(way) as folder:
        yield folder


@pytest.fixture
def front(address: Address) -> Iterator[Connection]:
    """A front that a daemon without a model has welcomed."""
    connection = join(hello([]), address, START)
    yield connection
    connection.close()
