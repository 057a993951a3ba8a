"""What people see: states, progress bars, messages, settings and commands, over real pipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lsp_client import LspClient, completion_params

URI = "file:///nowhere/a.py"


def is_progress(kind: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: message.get("method") == "$/progress" and message["params"]["value"]["kind"] == kind


def told_states(client: LspClient) -> list[str]:
    return [told["state"] for told in client.notifications("rest/didChangeStatus")]


def run(client: LspClient, command: str, *arguments: object) -> Any:
    return client.ask("workspace/executeCommand", {"command": command, "arguments": list(arguments)})


def test_loading_then_indexing_then_ready(tmp_path: Path) -> None:
    opened, indexed = tmp_path / "open", tmp_path / "indexed"
    with LspClient("--open-gate", str(opened), "--index-gate", str(indexed)) as client:
        client.initialize(tmp_path)
        assert client.wait_for_state("loading")["model"] is None
        client.open(URI, "word")
        assert client.complete(URI, 0, 4) == [], "nothing to say while the model loads"
        client.wait_for(lambda message: is_progress("report")(message) and "50" in str(message))
        opened.touch()
        status = client.wait_for_state("indexing")
        assert status["model"] == "auto"
        assert client.complete(URI, 0, 4)[0]["insertText"] == "<4>", "completions work before indexing ends"
        client.wait_for(lambda message: is_progress("report")(message) and "1 of 4 files" in str(message))
        indexed.touch()
        client.wait_for_state("ready")
        client.poll_status(lambda status: status["datastore"]["watching"])
        assert [state for state in told_states(client) if state != "busy"][-3:] == ["indexing", "indexing", "ready"]
        kinds = [told["value"]["kind"] for told in client.notifications("$/progress")]
        assert kinds.count("begin") == kinds.count("end") == 2
        assert client.notifications("window/showMessage") == []


def test_no_progress_bars_for_a_client_that_has_none(tmp_path: Path) -> None:
    with LspClient() as client:
        client.initialize(tmp_path, progress=False)
        client.wait_for_state("ready")
        assert client.notifications("$/progress") == []
        assert not [message for message in client.messages if "id" in message and "method" in message]


@pytest.mark.parametrize(
    ("flag", "reason", "fix"),
    [
        ("--no-model", "The model nowhere/none is not on this machine.", "Run `rest-lsp models pull`."),
        ("--broken", "The model could not be loaded (ValueError).", "Run `rest-lsp doctor`"),
    ],
)
def test_a_missing_model_is_said_once(flag: str, reason: str, fix: str) -> None:
    with LspClient(flag) as client:
        client.initialize()
        status = client.wait_for_state("error")
        assert status["reason"] == reason
        assert status["fix"].startswith(fix)
        client.open(URI, "word")
        assert [client.complete(URI, 0, 4) for _ in range(5)] == [[]] * 5
        (message,) = client.notifications("window/showMessage")
        assert message["type"] == 1
        assert message["message"].startswith(f"{reason} {fix}")
        assert "hunter2" not in str(client.messages)
        assert client.shut_down() == 0


def test_options_of_the_editor_and_a_bad_one() -> None:
    with LspClient() as client:
        client.initialize(options={"restLsp": {"model": {"name": "mine"}, "completion": {"temperature": "hot"}}})
        assert client.wait_for_state("ready")["model"] == "mine"
        (message,) = client.notifications("window/showMessage")
        assert "completion.temperature" in message["message"]
        settings = run(client, "rest.debugInfo")["settings"]
        assert settings["completion"]["temperature"] == 0.0, "the default is used"


def test_changed_options_open_a_new_session(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    with LspClient("--close-gate", str(closed)) as client:
        client.initialize(options={"model": "first"})
        client.wait_for_state("ready")
        client.open("untitled:a", "word")
        client.notify("workspace/didChangeConfiguration", {"settings": {"rest-lsp": {"model.name": "second"}}})
        client.poll_status(lambda status: status["model"] == "second" and status["state"] == "ready")
        assert closed.exists()
        client.poll_status(lambda status: status["datastore"]["buffers"] == {"untitled:a": 4})
        unchanged: tuple[object, ...] = (None, {}, [], {"restLsp": {"model.name": "second"}})
        for settings in unchanged:
            client.notify("workspace/didChangeConfiguration", {"settings": settings})
        assert client.ask("rest/status")["model"] == "second"
        status = client.ask("rest/status")
        assert status["state"] == "ready", "nothing has changed, so nothing is opened again"
        assert status["datastore"]["opened"] == 2


def test_a_change_of_the_log_level_opens_nothing(tmp_path: Path) -> None:
    with LspClient() as client:
        client.initialize(tmp_path, options={"model": "mine"})
        client.wait_for_state("ready")
        changed = {"model": "mine", "server": {"log_level": "error"}}
        client.notify("workspace/didChangeConfiguration", {"settings": changed})
        assert run(client, "rest.debugInfo")["settings"]["server"]["log_level"] == "error"
        assert client.ask("rest/status")["datastore"]["opened"] == 1
        changed["device"] = {"threads": 1}
        client.notify("workspace/didChangeConfiguration", {"settings": changed})
        client.poll_status(lambda status: status["datastore"] and status["datastore"]["opened"] == 2)


def test_the_former_session_is_gone_before_the_next_one_opens() -> None:
    with LspClient() as client:
        client.initialize(options={"model": "first"})
        client.wait_for_state("ready")
        client.open("untitled:a", "word")
        client.poll_status(lambda status: status["datastore"]["buffers"])
        assert client.complete("untitled:a", 0, 4)
        client.open("untitled:b", "slow")
        waiting = [client.post_completion("untitled:b", 0, 4), client.post_completion("untitled:a", 0, 4)]
        client.notify("workspace/didChangeConfiguration", {"settings": {"model": "second"}})
        client.poll_status(lambda status: status["model"] == "second" and status["state"] == "ready")
        assert not client.ask("rest/status")["datastore"]["former_was_alive"]
        assert all("result" in client.answer(request) for request in waiting)


def test_initialization_options_of_any_shape_are_survived() -> None:
    for options in ("text", [1], 5, {"model": 7, "": {"": {}}, "nonsense": None}):
        with LspClient() as client:
            client.initialize(options=options)
            client.wait_for_state("ready")


def test_open_buffers_reach_the_datastore(tmp_path: Path) -> None:
    with LspClient() as client:
        client.initialize(tmp_path)
        uri = (tmp_path / "pkg" / "a.py").as_uri()
        client.open(uri, "12345\r\n")
        client.open("untitled:b", "123")
        client.open("file:///elsewhere/binary", "1\0003")
        client.open("file:///elsewhere/large", "x = 1\n" * (1 << 18))
        client.wait_for_state("ready")
        client.poll_status(lambda status: status["datastore"]["buffers"] == {"pkg/a.py": 6, "untitled:b": 3})
        start = {"line": 0, "character": 0}
        client.change(uri, 2, {"range": {"start": start, "end": start}, "text": "x = 1"})
        client.close_document("untitled:b")
        client.poll_status(lambda status: status["datastore"]["buffers"] == {"pkg/a.py": 11})


def test_lines_with_secrets_do_not_reach_the_datastore() -> None:
    with LspClient() as client:
        client.initialize()
        client.wait_for_state("ready")
        key = "aws_secret_access_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'"
        client.open("untitled:a", f"x = 1\n{key}\ny = 2\n")
        seen = client.poll_status(lambda status: status["datastore"]["buffers"])
        assert seen["datastore"]["buffers"] == {"untitled:a": len("x = 1\n\ny = 2\n")}


def test_every_request_leaves_one_outcome(tmp_path: Path) -> None:
    opened = tmp_path / "open"
    expected: Counter[str] = Counter()
    with LspClient("--open-gate", str(opened)) as client:
        client.initialize(tmp_path)

        def outcome(name: str, answer: object, line: int, character: int, **extra: Any) -> None:
            assert client.complete(URI, line, character, **extra) == answer
            expected[name] += 1
            assert run(client, "rest.stats")["outcomes"] == expected, name

        client.open(URI, "word", version=4)
        outcome("no_model", [], 0, 4)
        opened.touch()
        client.wait_for_state("ready")
        outcome("stale", None, 0, 4, version=3)
        run(client, "rest.toggle")
        outcome("disabled", [], 0, 4)
        run(client, "rest.toggle")
        elsewhere = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
        outcome("menu", [], 0, 4, selected={"range": elsewhere, "text": "w"})
        client.change(URI, 5, {"text": "\0 word"})
        outcome("unsupported", [], 0, 6)
        client.close_document(URI)
        outcome("unreadable", [], 0, 4)
        client.open(URI, "slow")
        request = client.post_completion(URI, 0, 4)
        client.notify("$/cancelRequest", {"id": request})
        client.answer(request)
        expected["cancelled"] += 1
        client.change(URI, 2, {"text": "fail"})
        assert client.error("textDocument/inlineCompletion", completion_params(URI, 0, 4))["code"] == -32603
        expected["failed"] += 1
        assert run(client, "rest.stats")["outcomes"] == expected


def test_commands() -> None:
    with LspClient() as client:
        client.initialize()
        client.wait_for_state("ready")
        assert run(client, "rest.explainLast") is None
        client.open(URI, "word")
        client.complete(URI, 0, 4)
        last = run(client, "rest.explainLast")
        assert last["sources"] == [{"path": "other.py", "line": 3, "tokens": 2, "uri": "other.py"}]
        stats = run(client, "rest.stats", "ignored")
        assert stats["outcomes"] == {"returned": 1}
        assert stats["tokens_per_forward"] == 2.0
        assert run(client, "rest.reindex") == {"started": True}
        client.poll_status(lambda status: status["datastore"]["refreshed"] == 2)
        client.notify("rest/didFocus", {})
        client.poll_status(lambda status: status["datastore"]["compared"] == 1)
        info = run(client, "rest.debugInfo")
        assert info["client"] == "test"
        assert "word" not in str(info["log"])
        assert client.error("workspace/executeCommand", {"command": "rest.nothing"})["code"] == -32602


def test_the_log_reaches_the_client_after_initialized_and_not_before() -> None:
    with LspClient() as client:
        client.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        assert client.ask("rest/status")["state"] == "loading"
        assert [message for message in client.messages if "method" in message] == []
        client.notify("initialized")
        client.wait_for_state("ready")
        assert "rest-lsp" in client.notifications("window/logMessage")[0]["message"]


def test_a_folder_that_is_added_later_becomes_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "rest-lsp.toml").write_text('model = "qwen2.5-coder-1.5b"\n')
    with LspClient() as client:
        client.initialize()
        assert client.wait_for_state("ready")["model"] == "auto"
        added = [{"uri": tmp_path.as_uri(), "name": "later"}]
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": added, "removed": []}})
        client.poll_status(lambda status: status["model"] == "qwen2.5-coder-1.5b" and status["state"] == "ready")
        assert run(client, "rest.debugInfo")["workspace"] == str(tmp_path)


def test_folders_are_added_and_removed_without_loading_the_model_again(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()

    def change(added: list[Path], removed: list[Path]) -> None:
        folders = [[{"uri": path.as_uri(), "name": path.name} for path in paths] for paths in (added, removed)]
        event = dict(zip(("added", "removed"), folders, strict=True))
        client.notify("workspace/didChangeWorkspaceFolders", {"event": event})

    with LspClient() as client:
        client.initialize(first)
        client.wait_for_state("ready")
        client.open((second / "a.py").as_uri(), "word")
        change([second], [])
        client.poll_status(lambda status: status["datastore"]["roots"] == [str(first), str(second)])
        client.poll_status(lambda status: status["datastore"]["refreshed"] == 2)
        client.poll_status(lambda status: status["datastore"]["buffers"])
        assert client.complete((second / "a.py").as_uri(), 0, 4)
        assert client.ask("rest/status")["datastore"]["last_path"] == str(second / "a.py")
        change([], [second])
        client.poll_status(lambda status: status["datastore"]["roots"] == [str(first)])
        assert client.ask("rest/status")["datastore"]["opened"] == 1


def test_options_that_the_model_does_not_care_about_reload_nothing(tmp_path: Path) -> None:
    with LspClient() as client:
        client.initialize(tmp_path, options={"model": "mine"})
        client.wait_for_state("ready")
        client.open("untitled:a", "word")
        assert client.complete("untitled:a", 0, 4)
        settings = {"model": "mine", "completion": {"max_tokens_single": 8}}
        client.notify("workspace/didChangeConfiguration", {"settings": settings})
        client.poll_status(lambda status: status["datastore"]["applied"] == 1)
        assert client.complete("untitled:a", 0, 4)
        status = client.ask("rest/status")
        assert (status["datastore"]["opened"], status["datastore"]["started"]) == (1, 2), "nothing old is offered"
