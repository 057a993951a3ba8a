"""`rest-lsp serve` itself, with a real engine and a real index behind it: options in, completions out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.lsp_client import LspClient
from tests.files_cli import SOURCE, Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.mark.parametrize("alone", [(), ("--in-process",)], ids=["daemon", "in process"])
def test_serve_completes_with_the_model_of_its_settings_and_ends(place: Place, alone: tuple[str, ...]) -> None:
    file = place.workspace / "app.py"
    with LspClient(server=("-m", "rest_lsp", "serve", *alone), **place.environment) as client:
        client.initialize(place.workspace)
        client.wait_for_state("ready")
        client.open(file.as_uri(), SOURCE)
        items = client.complete(file.as_uri(), 5, 11)
        status = client.ask("rest/status")
        assert client.shut_down() == 0
    assert all("range" in item for item in items)
    assert (status["model"], status["device"], status["dtype"]) == (place.environment["REST_LSP_MODEL"], "cpu", "fp32")
    assert status["datastore"]["files"] == 1


def test_an_option_of_the_command_line_is_stronger_than_the_environment(place: Place) -> None:
    arguments = ("-m", "rest_lsp", "serve", "--device-dtype", "bf16", "--no-datastore-enabled")
    with LspClient(server=arguments, **place.environment) as client:
        client.initialize(place.workspace)
        client.wait_for_state("ready")
        status = client.ask("rest/status")
        assert client.shut_down() == 0
    assert (status["dtype"], status["datastore"]) == ("bf16", None)
