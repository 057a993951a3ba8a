"""What editors' menus offer: pausing, choosing a model, checks, and reports of what became of suggestions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lsp_client import LspClient

URI = "file:///nowhere/a.py"
GIGABYTES = 1_000_000_000


def run(client: LspClient, command: str, *arguments: object) -> Any:
    return client.ask("workspace/executeCommand", {"command": command, "arguments": list(arguments)})


def refused(client: LspClient, command: str, *arguments: object) -> str:
    params = {"command": command, "arguments": list(arguments)}
    return str(client.error("workspace/executeCommand", params)["message"])


def suggestions(client: LspClient) -> dict[str, int]:
    found = run(client, "rest.stats")["suggestions"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LspClient]:
    with LspClient("--fetch-gate", str(tmp_path / "fetched")) as process:
        process.initialize(tmp_path, options={"model": "first"})
        process.wait_for_state("ready")
        process.open(URI, "word")
        yield process


def test_the_status_tells_an_editor_all_it_shows(client: LspClient) -> None:
    told = client.notifications("rest/didChangeStatus")[-1]
    expected: dict[str, object] = {
        "state": "ready",
        "reason": None,
        "fix": None,
        "progress": None,
        "percent": None,
        "enabled": True,
        "disabledLanguages": [],
        "snoozedUntil": None,
        "model": "first",
        "device": "cpu",
    }
    assert told == expected
    assert expected.items() <= client.ask("rest/status").items()


def test_switching_everything_off_and_on(client: LspClient) -> None:
    assert run(client, "rest.toggle") == {"enabled": False, "disabledLanguages": []}
    assert client.wait_for_state("paused")["enabled"] is False
    assert client.complete(URI, 0, 4) == []
    assert run(client, "rest.toggle", *(None, False))["enabled"] is False
    assert run(client, "rest.toggle", *(None, True))["enabled"] is True
    assert client.complete(URI, 0, 4)[0]["insertText"] == "<4>"


def test_switching_one_language_off(client: LspClient) -> None:
    assert run(client, "rest.toggle", "python") == {"enabled": True, "disabledLanguages": ["python"]}
    client.open("untitled:notes", "word", language="markdown")
    assert client.complete(URI, 0, 4) == []
    assert client.complete("untitled:notes", 0, 4)
    status = client.ask("rest/status")
    assert (status["state"], status["disabledLanguages"]) == ("ready", ["python"])
    assert run(client, "rest.toggle", *("python", False))["disabledLanguages"] == ["python"]
    assert run(client, "rest.toggle", "python")["disabledLanguages"] == []
    assert client.complete(URI, 0, 4)


def test_snoozing_and_waking(client: LspClient) -> None:
    until = run(client, "rest.snooze", 5)["snoozedUntil"]
    assert client.wait_for_state("paused")["snoozedUntil"] == until
    assert client.complete(URI, 0, 4) == []
    assert run(client, "rest.snooze", 0) == {"snoozedUntil": None}
    assert client.complete(URI, 0, 4)
    run(client, "rest.snooze", 0.001)
    client.poll_status(lambda status: status["state"] == "ready")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("rest.toggle", (7,)),
        ("rest.toggle", (None, "yes")),
        ("rest.snooze", ("long",)),
        ("rest.snooze", (-1,)),
        ("rest.chooseModel", ()),
        ("rest.accepted", ("s1", "half")),
        ("rest.accepted", (None, "whole")),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_in_a_sentence(
    client: LspClient, command: str, arguments: tuple[object, ...]
) -> None:
    assert refused(client, command, *arguments).startswith(command)


def test_the_checks_and_the_running_model(client: LspClient, tmp_path: Path) -> None:
    *found, completion = run(client, "rest.doctor")
    assert found == [
        {"name": "python", "state": "ok", "text": "It runs.", "fix": None},
        {"name": "git", "state": "warning", "text": f"No git in {tmp_path}.", "fix": "Install git."},
        {"name": "torch", "state": "failed", "text": "It is not here.", "fix": "Install it."},
    ]
    assert (completion["name"], completion["state"]) == ("completion", "ok")


def test_the_models_that_can_be_chosen(client: LspClient) -> None:
    listed = {model["name"]: model for model in run(client, "rest.models")}
    assert set(listed) == {"first", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"}
    assert [name for name, model in listed.items() if model["current"]] == ["first"]
    small = listed["qwen2.5-coder-0.5b"]
    assert small["description"]
    assert small["bytes"] > GIGABYTES // 4
    assert set(small) == {"name", "description", "bytes", "present", "fits", "note", "current"}


def test_another_model_is_fetched_while_the_old_one_works(client: LspClient, tmp_path: Path) -> None:
    assert run(client, "rest.chooseModel", "second") == {"started": True}
    status = client.poll_status(lambda status: status["percent"] == 40)
    assert (status["state"], status["progress"], status["model"]) == ("ready", "downloading 40 %", "first")
    assert client.complete(URI, 0, 4)[0]["insertText"] == "<4>"
    (tmp_path / "fetched").touch()
    client.poll_status(lambda status: status["model"] == "second" and status["state"] == "ready")
    assert client.complete(URI, 0, 4)[0]["insertText"] == "<4>"
    titles = [told["value"].get("title") for told in client.notifications("$/progress")]
    assert "Fetching second" in titles
    client.notify("workspace/didChangeConfiguration", {"settings": {"model": "first", "completion": {"seed": 1}}})
    changed = client.poll_status(lambda status: status["datastore"] and status["datastore"]["applied"] == 1)
    assert changed["model"] == "second", "the choice is for this session"
    assert changed["datastore"]["opened"] == 2, "and the model need not be loaded again"
    client.notify("workspace/didChangeConfiguration", {"settings": {"model": "third"}})
    client.poll_status(lambda status: status["model"] == "third" and status["state"] == "ready")


@pytest.mark.parametrize("name", ["unreachable", "broken"])
def test_a_model_that_cannot_be_had_leaves_the_old_one(client: LspClient, tmp_path: Path, name: str) -> None:
    (tmp_path / "fetched").touch()
    run(client, "rest.chooseModel", name)
    shown = client.wait_for(lambda message: message.get("method") == "window/showMessage")["params"]["message"]
    assert shown.startswith("The model")
    client.poll_status(lambda status: status["model"] == "first" and status["state"] == "ready")
    assert client.complete(URI, 0, 4)[0]["insertText"] == "<4>"


def test_the_first_model_comes_by_choice_when_there_was_none(tmp_path: Path) -> None:
    (tmp_path / "fetched").touch()
    with LspClient("--fetch-gate", str(tmp_path / "fetched")) as client:
        client.initialize(tmp_path, options={"model": "broken"})
        client.wait_for_state("error")
        run(client, "rest.chooseModel", "second")
        client.poll_status(lambda status: status["model"] == "second" and status["state"] == "ready")
        client.open(URI, "word")
        assert client.complete(URI, 0, 4)[0]["insertText"] == "<4>"


def test_the_last_choice_wins(client: LspClient, tmp_path: Path) -> None:
    for name in ("second", "third", "fourth"):
        run(client, "rest.chooseModel", name)
    (tmp_path / "fetched").touch()
    client.poll_status(lambda status: status["model"] == "fourth" and status["state"] == "ready")
    assert client.ask("rest/status")["datastore"]["opened"] == 2


def test_what_the_editor_reports_is_counted(client: LspClient) -> None:
    (item,) = client.items(URI, 0, 4)
    assert item["command"]["command"] == "rest.accepted"
    name = item["command"]["arguments"][0]
    assert suggestions(client)["shown"] == 1
    assert run(client, "rest.accepted", name, "word", 1) == {"recorded": True}
    assert run(client, "rest.accepted", *item["command"]["arguments"]) == {"recorded": True}
    assert run(client, "rest.accepted", "s99", "whole") == {"recorded": False}
    counted = suggestions(client)
    assert (counted["accepted_whole"], counted["accepted_word"], counted["accepted_line"]) == (1, 1, 0)
    assert counted["characters_not_typed"] == 1 + len("<4>")


def test_copilots_notifications_are_counted(client: LspClient) -> None:
    (first,) = client.items(URI, 0, 4)
    client.notify("textDocument/didShowCompletion", {"item": first})
    client.notify("textDocument/didShowCompletion", {"item": first})
    assert suggestions(client)["shown"] == 1
    client.open(URI, "other")
    (second,) = client.items(URI, 0, 5)
    assert suggestions(client)["shown"] == 1, "an editor that says what it shows has not said it of this one"
    client.notify("textDocument/didPartiallyAcceptCompletion", {"item": second, "acceptedLength": 2})
    nonsense: tuple[object, ...] = (None, [], {}, {"item": None}, {"item": {"command": {"arguments": []}}})
    for params in nonsense:
        client.notify("textDocument/didShowCompletion", params)
        client.notify("textDocument/didPartiallyAcceptCompletion", params)
    counted = suggestions(client)
    assert (counted["accepted_word"], counted["characters_not_typed"]) == (1, 2)
