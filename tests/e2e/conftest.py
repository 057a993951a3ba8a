"""Every test has a runtime folder of its own, so that none shares a daemon, and leaves no daemon behind."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from rest_lsp.daemon.address import RUNTIME_VARIABLE, Address
from rest_lsp.daemon.joining import ask

END_S = 60.0
WAYS = ("in process", "daemon") if sys.platform != "win32" else ("in process",)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What holds for a server alone holds for one behind a front."""
    if metafunc.module.__name__.rpartition(".")[2].startswith("test_lsp_"):
        metafunc.parametrize("way", WAYS, indirect=True)


@pytest.fixture(scope="session", autouse=True)
def no_daemon_of_the_user() -> Iterator[None]:
    """What outlives a test serves in process; should it not, it must not meet the daemon of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUNTIME_VARIABLE, str(Path(tempfile.gettempdir()) / ("x" * 100)))
        yield


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Short, since the path of a socket must be."""
    folder = Path(tempfile.mkdtemp(prefix="rest-lsp-"))
    monkeypatch.setenv(RUNTIME_VARIABLE, str(folder))
    yield folder
    address = Address(folder)
    if address.lock.exists():
        ask(address, "stop")
        with FileLock(address.lock, timeout=END_S):
            pass
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the fake server serves."""
    chosen = str(getattr(request, "param", WAYS[0]))
    monkeypatch.setenv("REST_LSP_TEST_WAY", chosen)
    return chosen
