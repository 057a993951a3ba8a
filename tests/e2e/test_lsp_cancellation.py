"""Newest wins, cancellation stops the work, and the loop answers all the while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.lsp_client import LspClient

URI = "file:///nowhere/a.py"
TEXT = "slow\nword\nslow"


@pytest.fixture
def client() -> Iterator[LspClient]:
    with LspClient() as process:
        process.initialize()
        process.wait_for_state("ready")
        process.open(URI, TEXT)
        yield process


def wait_until_running(client: LspClient, started: int = 1) -> None:
    client.poll_status(lambda status: status["datastore"]["started"] >= started and status["datastore"]["running"])


def test_a_newer_request_supersedes_the_running_one(client: LspClient) -> None:
    old = client.post_completion(URI, 0, 4)
    wait_until_running(client)
    new = client.post_completion(URI, 1, 4)
    assert client.answer(old)["result"] is None
    assert client.answer(new)["result"][0]["insertText"] == "<4>"
    assert client.ask("rest/status")["datastore"]["cancelled"] == 1


def test_cancelling_stops_the_work_within_a_step(client: LspClient) -> None:
    request = client.post_completion(URI, 0, 4)
    wait_until_running(client)
    client.notify("$/cancelRequest", {"id": request})
    assert client.answer(request)["error"]["code"] == -32800
    client.poll_status(lambda status: status["datastore"]["cancelled"] == 1 and not status["datastore"]["running"])


def test_a_storm_of_cancelled_requests(client: LspClient) -> None:
    requests = []
    for _ in range(50):
        requests.append(client.post_completion(URI, 0, 4))
        client.notify("$/cancelRequest", {"id": requests[-1]})
    last = client.post_completion(URI, 1, 4)
    assert client.answer(last)["result"][0]["insertText"] == "<4>"
    for request in requests:
        answer = client.answer(request)
        assert answer.get("error", {}).get("code") == -32800 or answer.get("result", 0) is None
    seen = client.poll_status(lambda status: not status["datastore"]["running"])["datastore"]
    assert seen["most_running"] == 1
    assert seen["started"] == seen["cancelled"] + 1
    answers = [message for message in client.messages if message.get("id") in requests]
    assert len(answers) == len(requests), "exactly one answer each"
    assert client.stats()["outcomes"] == {"cancelled": 50, "returned": 1}, "exactly one outcome each"


def test_a_storm_without_cancelling(client: LspClient) -> None:
    requests = [client.post_completion(URI, 0, 4) for _ in range(50)]
    last = client.post_completion(URI, 1, 4)
    assert client.answer(last)["result"][0]["insertText"] == "<4>"
    assert all(client.answer(request)["result"] is None for request in requests)


def test_documents_do_not_supersede_each_other(client: LspClient) -> None:
    client.open("untitled:b", "slow\nword")
    slow = client.post_completion(URI, 0, 4)
    wait_until_running(client)
    other = client.post_completion("untitled:b", 1, 4)
    client.notify("$/cancelRequest", {"id": slow})
    assert client.answer(other)["result"][0]["insertText"] == "<4>"
    assert client.answer(slow)["error"]["code"] == -32800


def test_a_result_that_comes_after_a_change_is_superseded(client: LspClient) -> None:
    client.open("untitled:b", "gate")
    late = client.post_completion("untitled:b", 0, 4)
    wait_until_running(client)
    client.change("untitled:b", 2, {"text": "other words"})
    client.open("untitled:gate", "now it may finish\n")
    assert client.answer(late)["result"] is None
    assert client.stats()["outcomes"] == {"stale": 1}
    assert client.ask("rest/status")["datastore"]["cancelled"] == 0


def test_a_waiting_request_for_an_older_version_is_superseded(client: LspClient) -> None:
    client.open("untitled:b", "word")
    slow = client.post_completion(URI, 0, 4)
    wait_until_running(client)
    waiting = client.post_completion("untitled:b", 0, 4)
    client.change("untitled:b", 2, {"text": "other words"})
    client.notify("$/cancelRequest", {"id": slow})
    assert client.answer(waiting)["result"] is None
    assert client.stats()["outcomes"] == {"cancelled": 1, "stale": 1}
    assert client.complete("untitled:b", 0, 11)[0]["insertText"] == "<5>"


def test_closing_the_document_gives_its_request_up(client: LspClient) -> None:
    slow = client.post_completion(URI, 0, 4)
    wait_until_running(client)
    client.close_document(URI)
    assert client.answer(slow)["result"] is None
    client.poll_status(lambda status: status["datastore"]["cancelled"] == 1)
    assert client.complete(URI, 1, 4) == []


def test_closing_under_another_spelling_gives_up_and_forgets(client: LspClient) -> None:
    client.open("untitled:a%20b", "slow")
    client.poll_status(lambda status: "untitled:a%20b" in status["datastore"]["buffers"])
    slow = client.post_completion("untitled:a%20b", 0, 4)
    wait_until_running(client)
    client.close_document("untitled:a b")
    assert client.answer(slow)["result"] is None
    client.poll_status(lambda status: status["datastore"]["cancelled"] == 1)
    client.poll_status(lambda status: "untitled:a%20b" not in status["datastore"]["buffers"])


def test_the_status_says_busy_while_the_model_works(client: LspClient) -> None:
    slow = client.post_completion(URI, 0, 4)
    client.wait_for_state("busy")
    client.notify("$/cancelRequest", {"id": slow})
    client.poll_status(lambda status: status["state"] == "ready")
    states = [told["state"] for told in client.notifications("rest/didChangeStatus")]
    assert states[-3:] == ["ready", "busy", "ready"]


def test_shutdown_cancels_what_is_unanswered(client: LspClient) -> None:
    slow = client.post_completion(URI, 0, 4)
    wait_until_running(client)
    assert client.ask("shutdown") is None
    assert client.answer(slow)["error"]["code"] == -32800
