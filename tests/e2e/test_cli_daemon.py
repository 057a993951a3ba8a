"""`rest-lsp daemon`: its commands as people type them, and an editor that is open meanwhile."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.version import __version__
from tests.e2e.lsp_client import LspClient
from tests.files_cli import Place, make_place, rest_lsp


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Where there is no model, which nobody here asks for."""
    place = make_place(tmp_path)
    return place._replace(environment={**place.environment, "REST_LSP_MODEL": str(tmp_path / "none")})


def said(place: Place, *command: str) -> str:
    done = rest_lsp("daemon", *command, place=place)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def reported(place: Place) -> Any:
    return json.loads(said(place, "status", "--json"))


def test_where_no_daemon_runs(place: Place) -> None:
    assert said(place, "status") == "No daemon is running; the next editor starts one."
    assert reported(place) is None
    assert said(place, "stop") == "No daemon is running."
    assert said(place, "logs") == ""


def test_a_daemon_is_started_looked_at_replaced_and_stopped(place: Place) -> None:
    started = int(re.fullmatch(r"The daemon (\d+) is running\.", said(place, "restart"))[1])  # type: ignore[index]
    nobody = said(place, "status").splitlines()
    assert nobody[0].startswith(f"Process {started}, version {__version__}, for 0 min")
    assert nobody[1:] == ["  No editor is connected, and no port is served."]
    with LspClient(server=("-m", "rest_lsp", "serve"), **place.environment) as window:
        window.initialize(place.workspace)
        assert f"  test ({window.process.pid}): {place.workspace}, 0 open documents," in said(place, "status")
        restarted = said(place, "restart")
        report = reported(place)
        assert restarted == f"The daemon {report['pid']} is running."
        assert report["pid"] != started
        window.ask("rest/status")
        assert [client["pid"] for client in reported(place)["clients"]] == [window.process.pid]
        assert window.shut_down() == 0
    assert said(place, "stop") == f"The daemon {report['pid']} has ended."
    assert reported(place) is None
    logs = said(place, "logs")
    assert f"The daemon {started} listens at" in logs
    assert f"The daemon {report['pid']} listens at" in logs
    assert logs.count("The daemon ends.") == 2
