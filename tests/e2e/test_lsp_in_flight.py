"""Typing on what the model is just writing: it goes on, and the rest of what it writes is the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.lsp_client import LspClient

URI = "untitled:typed"
WRITES = "write:hello~world/"
AUTOMATIC, INVOKED = 2, 1


class Typing:
    """A document that somebody types in, while the model writes "hello world" behind it until the gate is open."""

    def __init__(self, client: LspClient, text: str = WRITES) -> None:
        self.client, self.text, self.version = client, text, 1
        client.open(URI, text)

    def ask(self, kind: int = AUTOMATIC) -> int:
        return self.client.post_completion(URI, 0, len(self.text), kind=kind)

    def key(self, text: str) -> None:
        self.version += 1
        self.text += text
        self.client.change(URI, self.version, {"text": self.text})

    def wait_until_written(self, times: int = 1) -> None:
        self.client.poll_status(lambda status: status["datastore"]["written"] >= times)

    def open_gate(self) -> None:
        self.client.open("untitled:gate", "now it may be done\n")

    @property
    def counts(self) -> dict[str, Any]:
        counts = self.client.ask("rest/status")["datastore"]
        assert isinstance(counts, dict)
        return counts


@pytest.fixture
def typing() -> Iterator[Typing]:
    with LspClient() as client:
        client.initialize()
        client.wait_for_state("ready")
        yield Typing(client)


def inserted(answer: dict[str, Any]) -> list[str]:
    return [item["insertText"] for item in answer["result"]]


@pytest.mark.parametrize("cancels", [True, False])
def test_keys_that_agree_wait_for_what_is_being_written(typing: Typing, cancels: bool) -> None:
    client = typing.client
    requests = [typing.ask()]
    typing.wait_until_written()
    for key in "he":
        typing.key(key)
        if cancels:
            client.notify("$/cancelRequest", {"id": requests[-1]})
        requests.append(typing.ask())
    first, second, last = requests
    for superseded in (client.answer(first), client.answer(second)):
        assert superseded.get("error", {}).get("code") == -32800 if cancels else superseded["result"] is None
    typing.open_gate()
    answer = client.answer(last)
    assert inserted(answer) == ["llo world"]
    client.poll_status(lambda status: (status["datastore"]["started"], status["datastore"]["running"]) == (2, 0))
    assert typing.counts["last_before"].endswith("/hello world"), "the second is what follows when it is taken"
    assert typing.counts["cancelled"] == 0
    assert client.stats()["outcomes"] == {"cancelled": 2, "returned": 1}
    typing.key("l")
    rest = client.answer(typing.ask())
    assert inserted(rest) == ["lo world"]
    assert rest["result"][0]["command"] == answer["result"][0]["command"], "it is one suggestion still"


def test_a_key_that_disagrees_ends_the_work_and_begins_anew(typing: Typing) -> None:
    first = typing.ask()
    typing.wait_until_written()
    typing.key("x")
    last = typing.ask()
    assert typing.client.answer(first)["result"] is None
    typing.wait_until_written(2)
    typing.open_gate()
    assert inserted(typing.client.answer(last)) == ["hello world"], "behind the x, as if nothing had been written"
    assert (typing.counts["written"], typing.counts["cancelled"]) == (2, 1)


def test_work_ends_when_nobody_follows_whoever_was_cancelled(typing: Typing) -> None:
    request = typing.ask()
    typing.wait_until_written()
    typing.key("h")
    typing.client.notify("$/cancelRequest", {"id": request})
    assert typing.client.answer(request)["error"]["code"] == -32800
    typing.client.poll_status(lambda status: status["datastore"]["cancelled"] == 1)


def test_whoever_follows_may_be_cancelled_as_well(typing: Typing) -> None:
    first = typing.ask()
    typing.wait_until_written()
    typing.key("h")
    follower = typing.ask()
    assert typing.client.answer(first)["result"] is None
    typing.client.notify("$/cancelRequest", {"id": follower})
    assert typing.client.answer(follower)["error"]["code"] == -32800
    typing.client.poll_status(lambda status: status["datastore"]["cancelled"] == 1)
    assert typing.counts["started"] == 1


def test_somebody_who_asks_by_key_does_not_wait_for_a_hasty_answer(typing: Typing) -> None:
    typing.ask()
    typing.wait_until_written()
    typing.key("h")
    asked = typing.ask(INVOKED)
    typing.wait_until_written(2)
    typing.open_gate()
    assert inserted(typing.client.answer(asked))[0] == "hello world"
    assert (typing.counts["written"], typing.counts["cancelled"]) == (2, 1)


def test_what_comes_too_late_for_a_version_is_known_to_the_next(typing: Typing) -> None:
    late = typing.ask()
    typing.wait_until_written()
    typing.key("hel")
    typing.open_gate()
    assert typing.client.answer(late)["result"] is None
    assert inserted(typing.client.answer(typing.ask())) == ["lo world"]
    assert typing.counts["started"] == 1


def test_all_of_it_may_be_typed_before_it_is_done(typing: Typing) -> None:
    typing.ask()
    typing.wait_until_written()
    typing.key("hello world")
    last = typing.ask()
    typing.open_gate()
    assert inserted(typing.client.answer(last)) == ["<5>"], "the word before the cursor is another then"
    assert (typing.counts["written"], typing.counts["cancelled"]) == (1, 1)
