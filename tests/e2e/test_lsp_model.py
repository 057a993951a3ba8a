"""`rest-lsp serve` as it is shipped, with a real engine on a tiny random model and a real datastore."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.daemon.address import Address
from rest_lsp.daemon.joining import ask
from rest_lsp.engine.verifier import PREFILL_CHUNK
from tests.e2e.conftest import WAYS, served
from tests.e2e.lsp_client import LspClient, serve_command
from tests.fakes_models import RandomSource, tiny_config
from tests.files_models import write_hub_folder
from tests.waiting import wait_until

NO_GRAMMAR = "plaintext"
"""A random model writes what no grammar accepts."""
CODE = "def add(self, other):\n    return self.value + other.value\n"
PROMISED_S = 20.0
OPTIONS = {
    "device": {"name": "cpu", "dtype": "fp32", "threads": 1},
    "completion": {
        "multiline": "never",
        "max_tokens_single": 8,
        **{f"min_confidence_{kind}": 0.0 for kind in ("code", "word", "block", "text")},
    },
    "drafting": {"fixed_nodes": 4},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    config = tiny_config(o_bias=False, mlp_bias=False, qk_norm=False, max_context=4096)
    write_hub_folder(folder, RandomSource(config))
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder without git."""
    root = tmp_path_factory.mktemp("workspace")
    for number in range(3):
        (root / f"module_{number}.py").write_text(CODE * (number + 2))
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def serve(workspace: Path, model: Path, cache: Path) -> LspClient:
    client = LspClient(server=serve_command(), XDG_CACHE_HOME=str(cache))
    client.initialize(workspace, options={**OPTIONS, "model": str(model)})
    return client


@pytest.fixture(scope="module", params=WAYS)
def client(request: pytest.FixtureRequest, workspace: Path, model: Path, cache: Path) -> Iterator[LspClient]:
    with served(request.param), serve(workspace, model, cache) as started:
        started.wait_for_state("ready")
        yield started


def assert_items(answer: Any, line: int, character: int) -> None:
    """Well-formed, whatever a random model says: a range up to the cursor and no control token."""
    assert isinstance(answer, list)
    assert answer, "something is to be said"
    for item in answer:
        assert item["range"]["end"]["line"] == item["range"]["start"]["line"] == line
        assert item["range"]["start"]["character"] <= character <= item["range"]["end"]["character"]
        assert item["insertText"]
        assert "<|" not in item["insertText"]


def test_the_status_names_model_device_and_datastore(client: LspClient, model: Path) -> None:
    status = client.ask("rest/status")
    assert (status["model"], status["device"], status["dtype"]) == (str(model), "cpu", "fp32")
    assert status["datastore"]["files"] == 3
    assert status["datastore"]["tokens"] > 0


@pytest.mark.parametrize(
    ("text", "asked", "place"),
    [
        ("def add(self, oth", (0, 17), (0, 17)),
        ("", (0, 0), (0, 0)),
        ("x = '\U0001f600' + sel", (0, 14), (0, 14)),
        ("if other:\r\n    return sel\r\n", (1, 14), (1, 14)),
        ("<|fim_middle|>\nsel", (1, 3), (1, 3)),
        ("<|fim_middle|>\n<|endoftext|>", (0, 14), (0, 14)),
        ("def add", (0, 999), (0, 7)),
        ("def add", (999, 0), (0, 7)),
        ("a\ud83d = self.value + oth", (0, 21), (0, 21)),
        ("sel", (0, 0), (0, 0)),
    ],
)
def test_documents_of_many_kinds(client: LspClient, text: str, asked: tuple[int, int], place: tuple[int, int]) -> None:
    client.open("untitled:kinds", text, language=NO_GRAMMAR)
    assert_items(client.complete("untitled:kinds", *asked), *place)


@pytest.mark.parametrize("before", ["x = '\U0001f600' + ", "if other:\r\n    ", "<|fim_middle|>\n", CODE * 80_000])
def test_documents_of_many_kinds_are_completed(client: LspClient, before: str) -> None:
    """The random model has nothing to say behind some beginnings, but not behind most."""
    line, answers = before.count("\n"), []
    typed = before.rpartition("\n")[2]
    for beginning in ("se", "add", "x", "item", "other.se", "compute(other.add", "self.val", "return sel"):
        character = len((typed + beginning).encode("utf-16-le")) // 2
        client.open("untitled:beginnings", before + beginning, language=NO_GRAMMAR)
        answers.append(client.complete("untitled:beginnings", line, character))
        if answers[-1]:
            assert_items(answers[-1], line, character)
    client.close_document("untitled:beginnings")
    assert any(answers)


def test_a_document_of_five_megabytes(client: LspClient) -> None:
    n_lines = 5_000_000 // len(CODE) * 2
    client.open("untitled:large", CODE * (n_lines // 2) + "def add(sel")
    assert_items(client.complete("untitled:large", n_lines, 11), n_lines, 11)
    client.close_document("untitled:large")


def test_a_binary_file_is_answered_with_nothing(client: LspClient, workspace: Path) -> None:
    (workspace / "data.bin").write_bytes(bytes(range(256)))
    assert client.complete((workspace / "data.bin").as_uri(), 0, 1) == []


def test_the_same_place_is_completed_the_same_again(client: LspClient, workspace: Path) -> None:
    uri = (workspace / "again.py").as_uri()
    client.open(uri, CODE + "def add(sel", language=NO_GRAMMAR)
    first = client.complete(uri, 2, 11)
    client.open("untitled:other", "return self.val")
    client.complete("untitled:other", 0, 15)
    assert client.complete(uri, 2, 11) == first


def test_typing_on_while_completions_are_asked_for(client: LspClient) -> None:
    uri, text = "untitled:typing", "def add(self, other):"
    client.open(uri, "", language=NO_GRAMMAR)
    requests = []
    for index, char in enumerate(text):
        place = {"line": 0, "character": index}
        client.change(uri, index + 2, {"range": {"start": place, "end": place}, "text": char})
        requests.append(client.post_completion(uri, 0, index + 1, kind=2))
    answers = [client.answer(request) for request in requests]
    assert all("result" in answer for answer in answers)
    assert_items(answers[-1]["result"], 0, len(text))


def test_a_storm_of_cancelled_requests(client: LspClient) -> None:
    client.open("untitled:storm", CODE + "def add(sel", language=NO_GRAMMAR)
    requests = []
    for _ in range(50):
        requests.append(client.post_completion("untitled:storm", 2, 11))
        client.notify("$/cancelRequest", {"id": requests[-1]})
    assert_items(client.complete("untitled:storm", 2, 11), 2, 11)
    for request in requests:
        answer = client.answer(request)
        assert answer.get("error", {}).get("code") == -32800 or "result" in answer


def test_files_that_come_and_go_are_followed(client: LspClient, workspace: Path) -> None:
    client.poll_status(lambda status: status["datastore"]["watching"])
    before = client.ask("rest/status")["datastore"]["files"]
    (workspace / "fresh.py").write_text("fresh = 'a line of its own'\n")
    client.poll_status(lambda status: status["datastore"]["files"] == before + 1)
    (workspace / "fresh.py").unlink()
    client.poll_status(lambda status: status["datastore"]["files"] == before)


def test_unsaved_buffers_are_in_the_datastore_until_they_are_closed(client: LspClient) -> None:
    before = client.ask("rest/status")["datastore"]["buffers"]
    client.open("untitled:unsaved", CODE)
    client.poll_status(lambda status: status["datastore"]["buffers"] == before + 1)
    client.close_document("untitled:unsaved")
    client.poll_status(lambda status: status["datastore"]["buffers"] == before)


def test_stats_and_reindex(client: LspClient) -> None:
    assert client.stats()["outcomes"]
    assert client.ask("workspace/executeCommand", {"command": "rest.reindex"}) == {"started": True}
    client.poll_status(lambda status: status["state"] == "ready")


def test_the_checks_end_in_a_completion_by_the_running_model(client: LspClient) -> None:
    found = {check["name"]: check for check in client.ask("workspace/executeCommand", {"command": "rest.doctor"})}
    assert list(found)[-1] == "completion"
    assert {"gpu", "kernel", "memory", "file watching", "shared process", "store"} <= found.keys()
    assert "for the same text: drafts make it" in found["completion"]["text"]
    assert "checksums of all" in found["store"]["text"]
    assert not [check for check in found.values() if check["state"] == "failed"]


def test_a_model_that_nobody_uses_rests_and_requests_do_not_fail_meanwhile(client: LspClient) -> None:
    uri = "untitled:rest"
    client.open(uri, CODE + "def add(sel", language=NO_GRAMMAR)
    before = client.complete(uri, 2, 11)
    unload_after(client, 0.005)
    client.poll_status(lambda status: not status["loaded"])
    client.change(uri, 2, {"text": CODE + "def add(self, oth"})
    assert_items(client.complete(uri, 2, 17), 2, 17)
    client.poll_status(lambda status: not status["loaded"])
    client.change(uri, 3, {"text": CODE + "def add(sel"})
    assert client.complete(uri, 2, 11) == before
    unload_after(client, 0)


def test_a_model_that_rests_is_loaded_and_reads_the_prompt_when_the_editor_has_the_focus(
    workspace: Path, model: Path, cache: Path
) -> None:
    with serve(workspace, model, cache) as client:
        client.wait_for_state("ready")
        client.open("untitled:focus", CODE * 60 + "def add(sel", language=NO_GRAMMAR)
        rest(client)
        n_missing = n_read_by_completing(client, "untitled:focus")
        n_chunks = math.ceil(n_missing / PREFILL_CHUNK)
        assert n_chunks > 4
        client.change("untitled:focus", 2, {"text": CODE * 60 + "def add(oth"})
        rest(client)
        assert client.ask("rest/status")["state"] == "ready"
        n_passes = passes(client)
        client.notify("rest/didFocus", {})
        wait_until(lambda: passes(client) >= n_passes + n_chunks, "the prompt is read into the KV cache")
        assert n_read_by_completing(client, "untitled:focus") == 1
        assert client.shut_down() == 0


def rest(client: LspClient) -> None:
    unload_after(client, 0.005)
    client.poll_status(lambda status: not status["loaded"])
    unload_after(client, 0)


def n_read_by_completing(client: LspClient, uri: str) -> int:
    """How many tokens of the prompt behind the text of the test above were not in the KV cache; the last never is."""
    assert client.complete(uri, 120, 11)
    last = client.ask("workspace/executeCommand", {"command": "rest.explainLast"})
    return int(last["prompt_tokens"]) - int(last["reused"])


def passes(client: LspClient) -> int:
    """Forward passes so far."""
    found = client.stats()["costs"]["pass_ms"]["n"]
    assert isinstance(found, int)
    return found


def unload_after(client: LspClient, minutes: float) -> None:
    """Change the setting while the server runs."""
    options = {**OPTIONS, "model": client.ask("rest/status")["model"], "server": {"unloadMinutes": minutes}}
    client.notify("workspace/didChangeConfiguration", {"settings": options})


def test_nothing_was_shown_and_no_code_was_logged(client: LspClient) -> None:
    assert client.notifications("window/showMessage") == []
    assert "other.value" not in str(client.notifications("window/logMessage"))
    assert b"other.value" not in client.stderr


def test_the_end_in_the_middle_of_everything(workspace: Path, model: Path, cache: Path) -> None:
    with serve(workspace, model, cache) as client:
        client.wait_for_state("ready")
        client.open("untitled:end", CODE * 50)
        for _ in range(10):
            client.post_completion("untitled:end", 100, 0)
        assert client.shut_down() == 0


def test_the_end_while_the_model_is_loaded(workspace: Path, model: Path, cache: Path) -> None:
    with serve(workspace, model, cache) as client:
        client.wait_for_state("loading")
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(PROMISED_S) == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for child processes in /proc")
def test_no_process_is_left_when_the_server_is_killed(
    workspace: Path, model: Path, cache: Path, way: str, runtime_folder: Path
) -> None:
    with serve(workspace, model, cache) as client:
        client.wait_for_state("ready")
        server = client.process.pid if way == "in process" else daemon_pid(runtime_folder)
        assert server is not None
        children = children_of(server)
        assert children, "the datastore has a worker process"
        os.kill(server, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, children)), "the workers end with the server", PROMISED_S)
        if way == "daemon":
            # One that begins after the test has ended would not be told to stop.
            wait_until(lambda: daemon_pid(runtime_folder) not in (None, server), "the front starts another")


def test_an_index_folder_that_cannot_be_written(workspace: Path, model: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with LspClient(server=serve_command(), XDG_CACHE_HOME=str(cache)) as client:
        options = {**OPTIONS, "model": str(model), "datastore": {"directory": str(tmp_path / "file" / "index")}}
        client.initialize(workspace, options=options)
        status = client.wait_for_state("ready")
        assert status["datastore"]["in_memory"]
        assert status["datastore"]["files"] > 0
        client.open("untitled:a", "def add(sel")
        assert_items(client.complete("untitled:a", 0, 11), 0, 11)


def test_a_cache_folder_that_cannot_be_written(workspace: Path, model: Path, tmp_path: Path) -> None:
    # A file in the folder's place cannot be written to by anybody, not even by root.
    (tmp_path / "rest-lsp").write_text("no folder")
    with serve(workspace, model, tmp_path) as client:
        status = client.wait_for_state("error")
        assert "rest-lsp" in status["reason"]
        assert status["fix"]
        client.open("untitled:a", "def add(sel")
        assert client.complete("untitled:a", 0, 11) == []
        assert len(client.notifications("window/showMessage")) == 1
        assert client.shut_down() == 0


def test_a_model_that_does_not_exist(workspace: Path, tmp_path: Path) -> None:
    with serve(workspace, tmp_path / "no-such-model", tmp_path) as client:
        status = client.wait_for_state("error")
        assert "no-such-model" in status["reason"]
        assert status["fix"]
        assert len(client.notifications("window/showMessage")) == 1


def daemon_pid(runtime_folder: Path) -> int | None:
    report = ask(Address(runtime_folder), "status")
    return report.pid if report is not None else None


def children_of(process_id: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process_id:
            found.append(int(stat.parent.name))
    return found


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
